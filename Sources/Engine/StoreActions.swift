import Configurations
import Foundation
import Platform
import StageKit

/// The store on disk as the runner and the stages see it.
public struct StoreActions: ActionStore {
  public let store: Store
  private let fileSystem: any FileSystem

  public init(_ store: Store, _ fileSystem: any FileSystem) {
    self.store = store
    self.fileSystem = fileSystem
  }

  public func put(_ bytes: [UInt8]) throws -> Digest { try store.put(bytes) }

  public func bytes(_ part: ArtifactPart) throws -> [UInt8] {
    // A damaged object is set aside by the store and counts as absent from then on.
    guard let bytes = try store.get(part.digest) else { throw StoreError.missing(part.digest) }
    return bytes
  }

  public func contains(_ part: ArtifactPart) throws -> Bool { try store.size(of: part.digest) == part.size }

  public func action(_ key: Digest) throws -> ActionRecord? {
    guard let stored = try store.action(key), stored.stage == Self.actionStage else { return nil }
    return try? CanonicalJSON.decode(ActionRecord.self, Array(stored.note.utf8))
  }

  public func record(_ action: ActionRecord, for key: Digest) throws {
    let outputs = action.parts.map { StoredAction.Output(name: $0.name, digest: $0.digest) }
    let note = String(decoding: try CanonicalJSON.encode(action), as: UTF8.self)
    try store.remember(StoredAction(key: key, stage: Self.actionStage, outputs: outputs, note: note))
  }

  public func forget(_ key: Digest) throws {
    let path = store.path(ofAction: key)
    guard try fileSystem.statusIfPresent(of: path) != nil else { return }
    try fileSystem.removeFile(path)
  }

  // A memo is a cache of something that can be computed again, and there are many of them: one file
  // each, with the digest of its content at the end and without waiting for the disk. What a power cut
  // tears does not match its digest and counts as absent.

  public func memo(_ key: Digest) throws -> [UInt8]? { try sealed(memoPath(key)) }

  public func keep(_ bytes: [UInt8], for key: Digest) throws {
    let path = memoPath(key)
    try fileSystem.createFolders(Path.parent(path))
    let temporary = fileSystem.temporaryName(beside: path)
    do {
      let file = try fileSystem.open(temporary, .create)
      try file.write(bytes)
      try file.write(Array(Digest(of: bytes).description.utf8))
      try fileSystem.rename(temporary, to: path)
    } catch {
      fileSystem.removeFileIfPossible(temporary)
      throw error
    }
  }

  public func forgetMemo(_ key: Digest) throws { fileSystem.removeFileIfPossible(memoPath(key)) }

  private func memoPath(_ key: Digest) -> String {
    let name = key.description
    return Path.join(Path.join(Path.join(store.folder, "memos"), String(name.prefix(2))), name)
  }

  /// The content of a file that ends with its own digest; nil where it is absent or damaged.
  private func sealed(_ path: String) throws -> [UInt8]? {
    guard var bytes = try fileSystem.readFileIfPresent(path), bytes.count >= 64 else { return nil }
    let digest = Array(bytes.suffix(64))
    bytes.removeLast(64)
    return Digest(of: bytes).description.utf8.elementsEqual(digest) ? bytes : nil
  }

  public func note(_ name: String) throws -> [UInt8]? { try sealed(notePath(name)) }

  public func setNote(_ name: String, _ bytes: [UInt8]) throws {
    try fileSystem.createFolders(Path.parent(notePath(name)))
    try fileSystem.replaceFile(notePath(name), bytes + Array(Digest(of: bytes).description.utf8))
  }

  private func notePath(_ name: String) -> String { Path.join(Path.join(store.folder, "notes"), name) }

  private static let actionStage = "action"
}
