// Bytes come in, their digest goes out: objects that are written once and never change, shared by
// many processes on many nodes without a lock.

import Configurations
import Platform

/// What can go wrong with the store beyond an object being absent.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
  case fileSystem(FileSystemError)
  /// An object that the caller cannot do without.
  case missing(Digest)

  public var description: String {
    switch self {
    case .fileSystem(let error): error.description
    case .missing(let digest):
      "object \(digest.short) is not in the store. Run again: what is missing is computed anew."
    }
  }
}

/// Write-once objects under `<state>/objects/ab/abcd...`, named by the SHA-256 of their bytes, and
/// the records of finished actions under `<state>/actions`. Whatever it returns has been checked
/// against its digest.
public struct Store: Sendable {
  let fileSystem: any FileSystem
  /// The state folder.
  public let folder: String
  let report: @Sendable (Diagnostic) -> Void

  /// `report` is told about damaged objects, which are then treated as absent.
  public init(
    _ fileSystem: any FileSystem, state folder: String,
    report: @escaping @Sendable (Diagnostic) -> Void = { _ in }
  ) {
    self.fileSystem = fileSystem
    self.folder = folder
    self.report = report
  }

  var objects: String { Path.join(folder, "objects") }
  var actions: String { Path.join(folder, "actions") }
  var quarantine: String { Path.join(folder, "damaged") }

  /// Where an object lies, for programs that read files. Check with `get` or `check` first.
  public func path(of digest: Digest) -> String {
    Path.join(shard(objects, digest), digest.description)
  }

  func shard(_ kind: String, _ digest: Digest) -> String {
    Path.join(kind, String(digest.description.prefix(2)))
  }

  /// Stores `bytes` and returns once they and their name are on the disk. Storing what is there
  /// already is fine, also from two processes at once.
  @discardableResult
  public func put(_ bytes: [UInt8]) throws(StoreError) -> Digest {
    let digest = Digest(of: bytes)
    do throws(FileSystemError) { try put(bytes, digest) } catch { throw .fileSystem(error) }
    return digest
  }

  private func put(_ bytes: [UInt8], _ digest: Digest) throws(FileSystemError) {
    let path = path(of: digest)
    let shard = shard(objects, digest)
    if let found = try fileSystem.statusIfPresent(of: path) {
      // A wrong size is a cheap sign of damage; the rest is found when it is read.
      if found.kind == .file && found.size == bytes.count {
        // Its writer may have been cut off before the name was safe.
        return try fileSystem.synchronizeFolder(shard)
      }
      try setAside(path, digest, "has \(found.size) bytes instead of \(bytes.count)")
    }
    try fileSystem.createFolders(shard)
    let temporary = fileSystem.temporaryName(beside: path)
    try fileSystem.createFile(temporary, bytes)
    do throws(FileSystemError) {
      try fileSystem.createLink(path, to: temporary)
      try fileSystem.removeFile(temporary)
    } catch {
      switch error.code {
      case .alreadyExists: try fileSystem.removeFile(temporary)
      // No hard links here. Rename replaces, but only ever by the same bytes.
      case .notSupported, .permissionDenied: try fileSystem.rename(temporary, to: path)
      default: throw error
      }
    }
    try fileSystem.synchronizeFolder(shard)
  }

  /// The bytes of an object, or nil when it is absent or does not match its digest. A damaged
  /// object is moved to `<state>/damaged`, reported, and from then on absent.
  public func get(_ digest: Digest) throws(StoreError) -> [UInt8]? {
    do throws(FileSystemError) {
      let path = path(of: digest)
      guard let bytes = try fileSystem.readFileIfPresent(path) else { return nil }
      if Digest(of: bytes) == digest { return bytes }
      try setAside(path, digest, "does not match its digest")
      return nil
    } catch { throw .fileSystem(error) }
  }

  /// The bytes of an object that must be there.
  public func require(_ digest: Digest) throws(StoreError) -> [UInt8] {
    guard let bytes = try get(digest) else { throw .missing(digest) }
    return bytes
  }

  /// Whether an object is there, without reading it.
  public func contains(_ digest: Digest) throws(StoreError) -> Bool { try size(of: digest) != nil }

  /// Bytes of an object, or nil when it is absent.
  public func size(of digest: Digest) throws(StoreError) -> Int? {
    do throws(FileSystemError) {
      return try fileSystem.statusIfPresent(of: path(of: digest))?.size
    } catch { throw .fileSystem(error) }
  }

  /// Reads an object in pieces and compares its digest; false when it is absent or was damaged (and
  /// is now set aside).
  public func check(_ digest: Digest) throws(StoreError) -> Bool {
    do throws(FileSystemError) { return try check(path(of: digest), digest) == .intact } catch {
      throw .fileSystem(error)
    }
  }

  enum Condition {
    case intact
    case absent
    case damaged
  }

  func check(_ path: String, _ digest: Digest) throws(FileSystemError) -> Condition {
    let found: Digest
    do throws(FileSystemError) { found = try fileSystem.digestOfFile(path) } catch {
      if error.code == .notFound { return .absent }
      throw error
    }
    if found == digest { return .intact }
    try setAside(path, digest, "does not match its digest")
    return .damaged
  }

  /// Moves something that is not what its name says out of the way and says so.
  func setAside(_ path: String, _ digest: Digest, _ what: String) throws(FileSystemError) {
    try fileSystem.createFolders(quarantine)
    let place = Path.join(quarantine, digest.description + "-" + uniqueSuffix())
    do throws(FileSystemError) { try fileSystem.rename(path, to: place) } catch {
      // Another process was faster.
      if error.code != .notFound { throw error }
    }
    report(
      Diagnostic(
        .warning, code: "damaged-object", place: .init(file: path),
        cause: "\(Path.name(path).prefix(8)) \(what); it was moved to \(place) and is not used.",
        remedy: "It is computed again when needed; if this repeats, check the disk."))
  }
}

extension FileSystem {
  /// SHA-256 of a file, read in pieces.
  public func digestOfFile(_ path: String) throws(FileSystemError) -> Digest {
    let file = try open(path, .read)
    var builder = DigestBuilder()
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    do {
      while true {
        let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
        if count == 0 { return builder.finish() }
        chunk.withUnsafeBytes { builder.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      }
    } catch { throw error as? FileSystemError ?? FileSystemError(.read, path, .other) }
  }
}
