// Frames as bytes come in, in order; a file, a folder or standard output has them at the end.

import Configurations
import Foundation
import Platform
import StageKit

/// Where frames go. A file or folder appears under its name as a whole, once `publish` is called.
final class FrameOutput {
  enum Shape {
    case lines
    /// Objects of one list.
    case list
    /// One file per frame in a folder.
    case folder
  }

  private let shape: Shape
  /// Where it ends up; nil for standard output.
  private let path: String?
  private var temporary: String?
  private var file: (any OpenFile)?
  private var buffer: [UInt8] = []
  private let fileSystem = PosixFileSystem()
  private(set) var frames = 0
  private(set) var atoms = 0

  /// The folder in which scratch files may lie.
  let scratch: String

  /// Fails at once where nothing could be written later.
  init(_ target: String, shape: Shape) throws {
    self.shape = shape
    if target == "-" {
      guard shape != .folder else { throw UsageError("--format poscar writes a folder: -o FOLDER") }
      path = nil
      scratch = FileManager.default.temporaryDirectory.path
      return
    }
    let path = try Self.resolved(target, shape, fileSystem)
    let parent = Path.parent(path)
    self.path = path
    scratch = parent.isEmpty ? "." : parent
    let temporary = Path.join(scratch, Path.name(fileSystem.temporaryName(beside: path)))
    if shape == .folder {
      try fileSystem.createFolder(temporary)
    } else {
      file = try fileSystem.open(temporary, .create)
    }
    self.temporary = temporary
  }

  /// The target with a last link followed, so that the link stays; refuses what must not be replaced.
  private static func resolved(
    _ target: String, _ shape: Shape, _ fileSystem: PosixFileSystem
  ) throws -> String {
    var path = target
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    // Behind these there may be a file that another program has open: a rename would take it away.
    if path == "/dev/stdout" || path == "/dev/stderr" || path.hasPrefix("/dev/fd/") || path.hasPrefix("/proc/") {
      throw UsageError("'\(printable(target))' is no file; write to standard output with -o -")
    }
    guard var status = try fileSystem.statusIfPresent(of: path) else { return path }
    if status.kind == .symbolicLink {
      path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
      guard let behind = try fileSystem.statusIfPresent(of: path) else { return path }
      status = behind
    }
    switch status.kind {
    case .special, .symbolicLink:
      throw UsageError("'\(printable(target))' is a pipe or device; write to standard output with -o -")
    case .folder where shape != .folder:
      throw UsageError("'\(printable(target))' is a folder; name a file: -o \(printable(target))/frames.extxyz")
    case .file where shape == .folder:
      throw UsageError("'\(printable(target))' is a file; --format poscar writes a folder")
    case .folder:
      guard try fileSystem.entries(of: path).isEmpty else {
        throw UsageError("the folder '\(printable(target))' is not empty; name a new one")
      }
    case .file: break
    }
    return path
  }

  func write(_ frame: [UInt8], atoms count: Int) throws {
    frames += 1
    atoms += count
    switch shape {
    case .lines: buffer += frame
    case .list:
      buffer += Array((frames == 1 ? "[\n" : ",\n").utf8)
      buffer += frame
    case .folder:
      let digits = String(frames)
      let number = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
      let file = try fileSystem.open(Path.join(temporary!, "POSCAR-\(number).vasp"), .create)
      try file.write(frame)
      return
    }
    if buffer.count > 1 << 20 { try flush() }
  }

  /// What was written so far reaches a reader of standard output.
  func flush() throws {
    if let file {
      try file.write(buffer)
    } else if path == nil {
      try FileHandle.standardOutput.write(contentsOf: Data(buffer))
    }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Puts the output in its place. Without a frame a file that is there stays as it is.
  func publish() throws {
    if shape == .list, frames > 0 || path == nil { buffer += Array((frames == 0 ? "[]\n" : "\n]\n").utf8) }
    try flush()
    guard let path, let temporary else { return }
    guard frames > 0 else { return discard() }
    try file?.synchronize()
    file = nil
    if shape == .folder {
      try fileSystem.synchronizeFolder(temporary)
      // An empty folder gives way to the full one.
      if try fileSystem.statusIfPresent(of: path) != nil { try fileSystem.removeFolder(path) }
    }
    try fileSystem.rename(temporary, to: path)
    self.temporary = nil
    try fileSystem.synchronizeFolder(scratch)
  }

  /// Leaves nothing behind; without effect once published.
  func discard() {
    file = nil
    if let temporary { try? fileSystem.removeTree(temporary) }
    temporary = nil
  }
}
