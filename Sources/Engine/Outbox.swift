// A finished run comes in as names and bytes; a numbered folder goes out that readers see whole or
// not at all, with `latest` pointing to the newest.

import Configurations
import Platform

/// One file of a run.
public struct OutboxFile: Sendable, Equatable {
  public enum Content: Sendable, Equatable {
    case bytes([UInt8])
    /// An object of the store.
    case object(Digest)
  }

  /// Relative to the run folder, with "/" between folders.
  public var path: String
  public var content: Content

  public init(path: String, _ content: Content) {
    self.path = path
    self.content = content
  }
}

/// Why a run could not be published. Nothing of it is visible then, unless only `latest` is behind.
public enum OutboxError: Error, Sendable, Equatable, CustomStringConvertible {
  case fileSystem(FileSystemError)
  case store(StoreError)
  /// A path that a run folder must not hold.
  case badPath(path: String, reason: String)
  /// The number is taken by a run with other content.
  case runExists(path: String)
  /// The lock was lost, or the caller withdrew for another reason.
  case withdrawn(String)

  public var description: String {
    switch self {
    case .fileSystem(let error): error.description
    case .store(let error): error.description
    case .badPath(let path, let reason):
      "'\(printable(path))' cannot be published: \(reason). This is an error of the stage that made it."
    case .runExists(let path):
      "\(printable(path)) exists already with other content. Published runs are never changed; "
        + "run again to get the next number."
    case .withdrawn(let reason): reason
    }
  }
}

/// A run that is in the outbox.
public struct PublishedRun: Sendable, Equatable {
  public var number: Int
  public var path: String
  public var manifest: OutboxManifest
  /// True when it was there already, with the same content.
  public var wasPresent: Bool
}

/// The outbox of one project: `latest -> runs/000042`, `runs/`, and scratch that nobody looks at.
public struct Outbox: Sendable {
  public static let manifestName = "manifest.json"

  let fileSystem: any FileSystem
  public let folder: String
  /// On the same file system as `folder`.
  public let scratch: String

  /// - Parameter scratch: defaults to `<folder>/.sluice/scratch`.
  public init(_ fileSystem: any FileSystem, folder: String, scratch: String? = nil) {
    self.fileSystem = fileSystem
    self.folder = folder
    self.scratch = scratch ?? Path.join(folder, ".sluice/scratch")
  }

  var runsFolder: String { Path.join(folder, "runs") }
  public var latest: String { Path.join(folder, "latest") }

  static func name(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  public func path(ofRun number: Int) -> String { Path.join(runsFolder, Self.name(number)) }

  /// Numbers of the published runs, ascending.
  public func runs() throws(OutboxError) -> [Int] {
    do throws(FileSystemError) {
      guard try fileSystem.statusIfPresent(of: runsFolder) != nil else { return [] }
      return try fileSystem.entries(of: runsFolder).compactMap { entry in
        guard entry.status.kind == .folder, let number = Int(entry.name), number > 0,
          Self.name(number) == entry.name
        else { return nil }
        return number
      }.sorted()
    } catch { throw .fileSystem(error) }
  }

  /// The number for a new run: above every published one and above `known` (from the journal, which
  /// also remembers runs that were pruned).
  public func nextRunNumber(after known: Int = 0) throws(OutboxError) -> Int {
    max(known, try runs().last ?? 0) + 1
  }

  /// The run that `latest` names, or nil.
  public func latestRun() throws(OutboxError) -> Int? {
    do throws(FileSystemError) {
      guard let found = try fileSystem.statusIfPresent(of: latest), found.kind == .symbolicLink
      else { return nil }
      return Int(Path.name(try fileSystem.readSymbolicLink(latest)))
    } catch { throw .fileSystem(error) }
  }

  /// Publishes a run and moves `latest` to it. After any failure the same call can simply be made
  /// again: it gives the same bytes.
  /// - Parameters:
  ///   - beforePublishing: called right before each step that readers can see; throw to withdraw
  ///     (check the lock here).
  public func publish(
    run number: Int, _ files: [OutboxFile], from store: Store,
    beforePublishing: () throws -> Void = {}
  ) throws(OutboxError) -> PublishedRun {
    precondition(number > 0, "runs count from 1")
    try OutboxPath.check(files.map(\.path))
    let manifest = try describe(number, files, store)
    let path = path(ofRun: number)
    let wasPresent: Bool
    do throws(FileSystemError) {
      try fileSystem.createFolders(runsFolder)
      try clearScratch()
      wasPresent = try fileSystem.statusIfPresent(of: path) != nil
    } catch { throw .fileSystem(error) }
    if wasPresent {
      // A run that was cut off between the rename and `latest`.
      guard try verify(path, against: manifest).isEmpty else { throw .runExists(path: path) }
    } else {
      let aside = try write(files, manifest, store)
      try permit(beforePublishing)
      do throws(FileSystemError) {
        try fileSystem.rename(aside, to: path)
        try fileSystem.synchronizeFolder(runsFolder)
      } catch { throw .fileSystem(error) }
    }
    try permit(beforePublishing)
    do throws(FileSystemError) {
      let target = "runs/" + Self.name(number)
      let present = try fileSystem.statusIfPresent(of: latest)
      let isLink = present?.kind == .symbolicLink
      let old = isLink ? try fileSystem.readSymbolicLink(latest) : nil
      if old != target {
        try fileSystem.replaceSymbolicLink(latest, to: target, scratch: scratch)
      }
      try clearScratch()
    } catch { throw .fileSystem(error) }
    return PublishedRun(number: number, path: path, manifest: manifest, wasPresent: wasPresent)
  }

  private func permit(_ ask: () throws -> Void) throws(OutboxError) {
    do { try ask() } catch { throw .withdrawn(String(describing: error)) }
  }

  private func describe(_ number: Int, _ files: [OutboxFile], _ store: Store)
    throws(OutboxError) -> OutboxManifest
  {
    var listed: [OutboxManifest.File] = []
    for file in files {
      switch file.content {
      case .bytes(let bytes):
        listed.append(.init(path: file.path, sha256: Digest(of: bytes), size: bytes.count))
      case .object(let digest):
        do throws(StoreError) {
          guard let size = try store.size(of: digest) else { throw .missing(digest) }
          listed.append(.init(path: file.path, sha256: digest, size: size))
        } catch { throw .store(error) }
      }
    }
    return OutboxManifest(run: number, files: listed)
  }

  /// Writes the whole run into scratch, synchronized from the files up to the folder.
  private func write(_ files: [OutboxFile], _ manifest: OutboxManifest, _ store: Store)
    throws(OutboxError) -> String
  {
    let aside = Path.join(scratch, "run-" + uniqueSuffix())
    var folders: Set<String> = [aside]
    do throws(FileSystemError) {
      let total = manifest.files.reduce(0) { $0 + $1.size }
      try fileSystem.requireSpace(bytes: total, files: files.count + 16, at: folder)
      try fileSystem.createFolder(aside)
    } catch { throw .fileSystem(error) }
    for file in files {
      let bytes: [UInt8]
      switch file.content {
      case .bytes(let given): bytes = given
      case .object(let digest):
        do throws(StoreError) { bytes = try store.require(digest) } catch { throw .store(error) }
      }
      do throws(FileSystemError) {
        let path = Path.join(aside, file.path)
        try createFolders(above: path, &folders)
        try fileSystem.createFile(path, bytes)
      } catch { throw .fileSystem(error) }
    }
    do throws(FileSystemError) {
      try fileSystem.createFile(Path.join(aside, Self.manifestName), manifest.encoded())
      // Deepest first, so that a folder is safe before its name is.
      for folder in folders.sorted(by: { bytewiseLess($1, $0) }) {
        try fileSystem.synchronizeFolder(folder)
      }
    } catch { throw .fileSystem(error) }
    return aside
  }

  private func createFolders(above path: String, _ known: inout Set<String>)
    throws(FileSystemError)
  {
    let parent = Path.parent(path)
    if known.contains(parent) { return }
    try createFolders(above: parent, &known)
    try fileSystem.createFolder(parent)
    known.insert(parent)
  }

  /// Leaves an empty scratch folder, whatever an earlier run left in it.
  func clearScratch() throws(FileSystemError) {
    if try fileSystem.statusIfPresent(of: scratch) == nil {
      try fileSystem.createFolders(Path.parent(scratch))
      try fileSystem.createFolder(scratch, isPrivate: true)
    }
    for entry in try fileSystem.entries(of: scratch) {
      try fileSystem.removeTree(Path.join(scratch, entry.name))
    }
  }
}
