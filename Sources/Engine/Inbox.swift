// A folder that people and programs drop things into comes in; units go out, each a file or the
// folder of one calculation, with the signatures by which a change is noticed without reading.

import Configurations
import Platform

/// What tells, without reading, that a file may have changed. It only saves work: content decides.
public struct FileSignature: Sendable, Hashable, Codable {
  /// Bytes.
  public var size: Int
  public var modified: Timestamp
  public var changed: Timestamp
  public var inode: UInt64

  public init(size: Int, modified: Timestamp, changed: Timestamp, inode: UInt64) {
    self.size = size
    self.modified = modified
    self.changed = changed
    self.inode = inode
  }

  public init(_ status: FileStatus) {
    self.init(
      size: status.size, modified: status.modified, changed: status.changed, inode: status.inode)
  }
}

/// One thing dropped: a file, or a folder that holds the outputs of one calculation.
public struct InboxUnit: Sendable, Equatable {
  public enum Kind: String, Sendable, Codable {
    case file
    case runFolder = "run-folder"
  }

  public struct File: Sendable, Equatable {
    /// Relative to the inbox.
    public var path: String
    public var signature: FileSignature

    public init(path: String, signature: FileSignature) {
      self.path = path
      self.signature = signature
    }
  }

  /// Relative to the inbox.
  public var path: String
  public var kind: Kind
  /// In the order of their names' bytes.
  public var files: [File]

  /// The folder that holds the unit, relative to the inbox; nil at the top.
  public var group: String? {
    let parent = Path.parent(path)
    return parent.isEmpty ? nil : parent
  }

  public init(path: String, kind: Kind, files: [File]) {
    self.path = path
    self.kind = kind
    self.files = files
  }
}

/// Everything one look at the inbox showed.
public struct InboxScan: Sendable, Equatable {
  /// In the order of their paths' bytes.
  public var units: [InboxUnit] = []
  /// What was left out and why.
  public var notes: [Diagnostic] = []
  /// Every folder that was listed, as full paths, for watching.
  public var folders: [String] = []
  /// Folders (relative) that could not be listed: what was known below them is not gone.
  public var unreadable: [String] = []
  /// Number of the inbox folder itself; another one after a mount came or went.
  public var rootInode: UInt64 = 0

  public init() {}
}

/// Why the inbox as a whole cannot be used.
public enum InboxError: Error, Sendable, Equatable, CustomStringConvertible {
  case fileSystem(FileSystemError)
  case vanished(path: String)
  case unmounted(path: String, known: Int)

  public var description: String {
    switch self {
    case .fileSystem(let error): error.description
    case .vanished(let path):
      "the inbox \(printable(path)) does not exist. Mount or create it and run again; nothing was "
        + "forgotten."
    case .unmounted(let path, let known):
      "the inbox \(printable(path)) is another folder than before and holds none of the \(known) "
        + "known sources: it looks unmounted. Mount it and run again; if it was emptied and made "
        + "anew on purpose, run once with --accept-new-inbox."
    }
  }
}

/// The drop folder. It is only ever read.
public struct Inbox: Sendable {
  public let fileSystem: any FileSystem
  public let folder: String
  /// When true, a unit counts only once it has a marker: `.done` in a run folder, `NAME.done`
  /// beside a file.
  public let needsMarker: Bool

  public init(_ fileSystem: any FileSystem, folder: String, needsMarker: Bool = false) {
    self.fileSystem = fileSystem
    self.folder = folder
    self.needsMarker = needsMarker
  }

  /// Lists the whole inbox without opening a single file.
  public func scan() throws(InboxError) -> InboxScan {
    var scan = InboxScan()
    do throws(FileSystemError) {
      // "/." follows a link: the inbox itself may be one.
      scan.rootInode = try fileSystem.status(of: Path.join(folder, ".")).inode
      var pending = [""]
      while let next = pending.popLast() { try visit(next, &scan, &pending) }
    } catch {
      if error.code == .notFound || error.code == .notAFolder { throw .vanished(path: folder) }
      throw .fileSystem(error)
    }
    scan.units.sort { bytewiseLess($0.path, $1.path) }
    scan.folders.sort(by: bytewiseLess)
    scan.unreadable.sort(by: bytewiseLess)
    scan.notes.sort { bytewiseLess($0.place.file, $1.place.file) }
    return scan
  }

  private func visit(_ relative: String, _ scan: inout InboxScan, _ pending: inout [String])
    throws(FileSystemError)
  {
    let entries: [FolderEntry]
    do throws(FileSystemError) {
      entries = try fileSystem.entries(of: relative, beneath: folder)
    } catch {
      if relative.isEmpty { throw error }
      switch error.code {
      // Removed or replaced since its parent was listed.
      case .notFound, .notAFolder, .symbolicLink: return
      case .permissionDenied:
        scan.unreadable.append(relative)
        scan.notes.append(
          Diagnostic(
            .warning, code: "unreadable-folder", place: .init(file: relative),
            cause: "permission denied: the folder cannot be listed.",
            remedy: "Allow this user to read it; what was known below it is kept."))
        return
      default: throw error
      }
    }
    scan.folders.append(Path.join(folder, relative))
    var files: [FolderEntry] = []
    var names: Set<String> = []
    for entry in entries {
      let path = Path.join(relative, entry.name)
      let isFolder = entry.status.kind == .folder
      if InboxRules.isIgnored(entry.name, isFolder: isFolder, isTopLevel: relative.isEmpty) {
        continue
      }
      // Swift takes two spellings of one accented letter for equal, the file system does not.
      let isPlain = entry.name.utf8.allSatisfy { $0 < 0x80 }
      if !entry.isNameValid || !isPlain && !names.insert(entry.name).inserted {
        scan.notes.append(
          Diagnostic(
            .warning, code: "name-unusable", place: .init(file: path),
            cause: entry.isNameValid
              ? "the name differs from a neighbour's only in how its accents are written."
              : "the name is not UTF-8.",
            remedy: "Rename it."))
        continue
      }
      switch entry.status.kind {
      case .folder: pending.append(path)
      case .file: files.append(entry)
      case .symbolicLink: scan.notes.append(try linkNote(path, relative))
      case .special:
        scan.notes.append(
          Diagnostic(
            .warning, code: "not-a-regular-file", place: .init(file: path),
            cause: "it is a pipe, socket or device and is not read."))
      }
    }
    let marks = needsMarker ? Set(entries.map(\.name)) : nil
    collect(files, in: relative, marks, &scan)
  }

  private func collect(
    _ files: [FolderEntry], in relative: String, _ marks: Set<String>?, _ scan: inout InboxScan
  ) {
    func file(_ entry: FolderEntry) -> InboxUnit.File {
      .init(path: Path.join(relative, entry.name), signature: FileSignature(entry.status))
    }
    var single = files
    if !relative.isEmpty && InboxRules.isRunFolder(files.map(\.name)) {
      if marks?.contains(".done") ?? true {
        let members = files.filter { InboxRules.belongsToRun($0.name) }
        scan.units.append(
          InboxUnit(path: relative, kind: .runFolder, files: members.map(file)))
      }
      single = files.filter { InboxRules.standsAlone($0.name) }
    }
    for entry in single where marks?.contains(entry.name + ".done") ?? true {
      let file = file(entry)
      scan.units.append(InboxUnit(path: file.path, kind: .file, files: [file]))
    }
  }

  /// Links are never followed: those that stay inside name something that is read anyway, the others
  /// could be swapped under our hands.
  private func linkNote(_ path: String, _ relative: String) throws(FileSystemError) -> Diagnostic {
    let target: String
    do throws(FileSystemError) {
      target = try fileSystem.readSymbolicLink(Path.join(folder, path))
    } catch {
      if error.isEnvironmental { throw error }
      target = ""
    }
    if Self.staysInside(target, from: relative, inbox: folder) {
      return Diagnostic(
        .note, code: "link-inside", place: .init(file: path),
        cause: "it links to '\(target)' in the inbox, which is read under its own name.")
    }
    return Diagnostic(
      .warning, code: "link-refused", place: .init(file: path),
      cause: "it links to '\(target)' outside the inbox and is not followed.",
      remedy: "Copy or hard-link the file into the inbox.")
  }

  /// Whether a link in folder `relative` points below the inbox, judged by its text.
  static func staysInside(_ target: String, from relative: String, inbox: String) -> Bool {
    var trail: [Substring]
    let rest: Substring
    if target.hasPrefix("/") {
      guard inbox.hasPrefix("/"), target.hasPrefix(inbox + "/") else { return false }
      trail = []
      rest = target.dropFirst(inbox.count + 1)
    } else {
      trail = relative.split(separator: "/")
      rest = target[...]
    }
    for part in rest.split(separator: "/") where part != "." {
      if part == ".." {
        if trail.isEmpty { return false }
        trail.removeLast()
      } else {
        trail.append(part)
      }
    }
    return !trail.isEmpty
  }
}
