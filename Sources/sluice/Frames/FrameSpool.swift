// Frames as bytes come in while a unit is read; those that count go out once it has been read.

import Foundation
import Platform

/// Frames that wait for the verdict on their sources: in memory, beyond a few megabytes in a file
/// without a name.
struct FrameSpool: Sendable {
  struct Frame: Sendable {
    var source: String
    var byteCount: Int
    var atoms: Int
  }

  private(set) var frames: [Frame] = []
  private var buffer: [UInt8] = []
  private var spilled: (writer: any OpenFile, reader: any OpenFile)?
  /// Where the file without a name would lie.
  private let folder: String
  private let limit: Int

  init(folder: String, limit: Int = 8 << 20) {
    self.folder = folder
    self.limit = limit
  }

  /// `write` appends the bytes of one frame.
  mutating func append(source: String, atoms: Int, _ write: (inout [UInt8]) throws -> Void) throws {
    let start = buffer.count
    try write(&buffer)
    frames.append(Frame(source: source, byteCount: buffer.count - start, atoms: atoms))
    if buffer.count > limit { try spill() }
  }

  private mutating func spill() throws(FileSystemError) {
    if spilled == nil {
      let fileSystem = PosixFileSystem()
      let path = Path.join(folder, ".tmp-" + uniqueSuffix())
      let writer = try fileSystem.open(path, .create)
      defer { fileSystem.removeFileIfPossible(path) }
      spilled = (writer, try fileSystem.open(path, .read))
    }
    try spilled?.writer.write(buffer)
    buffer.removeAll(keepingCapacity: true)
  }

  /// Hands over every frame in order; once only.
  mutating func drain(_ take: (Frame, [UInt8]) throws -> Void) throws {
    if spilled != nil, !buffer.isEmpty { try spill() }
    var start = 0
    for frame in frames {
      if let reader = spilled?.reader {
        try take(frame, try Self.bytes(frame.byteCount, from: reader))
      } else {
        try take(frame, Array(buffer[start..<start + frame.byteCount]))
        start += frame.byteCount
      }
    }
    frames = []
    buffer = []
    spilled = nil
  }

  private static func bytes(_ count: Int, from reader: any OpenFile) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = try bytes.withUnsafeMutableBytes {
        try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
      }
      guard got > 0 else { throw FileSystemError(.read, "temporary file", .inputOutput) }
      filled += got
    }
    return bytes
  }
}
