import Configurations
import Foundation
import Platform
import StageKit

/// The store on disk as the runner and the stages see it.
public struct StoreActions: ActionStore {
  public let store: Store
  private let fileSystem: any FileSystem
  private let index: ActionIndex

  public init(_ store: Store, _ fileSystem: any FileSystem) {
    self.store = store
    index = ActionIndex(store)
    self.fileSystem = fileSystem
  }

  public func put(_ bytes: [UInt8]) throws -> Digest { try store.put(bytes) }

  public func bytes(_ part: ArtifactPart) throws -> [UInt8] {
    // A damaged object is set aside by the store and counts as absent from then on.
    guard let bytes = try store.get(part.digest) else {
      index.distrust()
      throw StoreError.missing(part.digest)
    }
    return bytes
  }

  public func contains(_ part: ArtifactPart) throws -> Bool { try store.size(of: part.digest) == part.size }

  public func action(_ key: Digest) throws -> ActionRecord? {
    guard let stored = try store.action(key), stored.stage == Self.actionStage else { return nil }
    return try? CanonicalJSON.decode(RecordNote.self, Array(stored.note.utf8)).record
  }

  public func recall(_ keys: [Digest], threads: Int) throws -> [Recollection] {
    let known = index.view()
    return try concurrentShares(keys.count, threads: threads) { share in
      try keys[share].map { key in
        guard let record = known.record(key) else { return try recall(key) { try contains($0) } }
        for output in record.outputs {
          for artifact in output.artifacts {
            for part in artifact.parts where try !known.contains(part) && !contains(part) {
              return Recollection(lost: part)
            }
          }
        }
        return Recollection(record: record)
      }
    }
  }

  public func prepare() { _ = index.view() }

  public func passEnded(_ actions: [(key: Digest, record: ActionRecord)]) { index.keep(actions) }

  public func record(_ action: ActionRecord, for key: Digest) throws {
    let outputs = Set(action.parts).map { StoredAction.Output(name: $0.name, digest: $0.digest) }
      .sorted { ($0.digest, $0.name) < ($1.digest, $1.name) }
    let note = String(decoding: try CanonicalJSON.encode(RecordNote(action)), as: UTF8.self)
    try store.remember(StoredAction(key: key, stage: Self.actionStage, outputs: outputs, note: note))
  }

  public func forget(_ key: Digest) throws {
    index.clear()
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

/// An action's record as it is stored. A fold gives most of ten thousand sources the same artifacts: these are
/// written once, with the digests of the sources one behind the other.
private struct RecordNote: Codable {
  struct Shared: Codable {
    var artifacts: [Artifact]
    var sources: String
  }

  var record: ActionRecord
  var shared: [Shared]?

  private enum CodingKeys: CodingKey { case shared }

  init(_ record: ActionRecord) {
    self.record = record
    let bySource = record.outputs.drop { $0.source == nil }
    let isPlain = bySource.allSatisfy { $0.source != nil && $0.member == nil }
    // What is read back is in the order of sources.
    guard bySource.count > 8, isPlain, zip(bySource, bySource.dropFirst()).allSatisfy({ $0.source! < $1.source! })
    else { return }
    var places: [[Artifact]: Int] = [:]
    var shared: [(artifacts: [Artifact], sources: [Digest])] = []
    for output in bySource {
      if let place = places[output.artifacts] {
        shared[place].sources.append(output.source!)
      } else {
        places[output.artifacts] = shared.count
        shared.append((output.artifacts, [output.source!]))
      }
    }
    guard 2 * shared.count < bySource.count else { return }
    self.record.outputs.removeLast(bySource.count)
    self.shared = shared.map { group in
      var digits = ""
      for source in group.sources { digits += source.description }
      return Shared(artifacts: group.artifacts, sources: digits)
    }
  }

  init(from decoder: any Decoder) throws {
    record = try ActionRecord(from: decoder)
    shared = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent([Shared].self, forKey: .shared)
    var outputs: [ActionRecord.Output] = []
    for group in shared ?? [] {
      var rest = Substring(group.sources)
      while !rest.isEmpty {
        guard let source = Digest(hexadecimal: rest.prefix(64)) else {
          throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "not the digests of sources"))
        }
        outputs.append(ActionRecord.Output(source: source, artifacts: group.artifacts))
        rest = rest.dropFirst(64)
      }
    }
    record.outputs += outputs.sorted { $0.source! < $1.source! }
  }

  func encode(to encoder: any Encoder) throws {
    try record.encode(to: encoder)
    guard let shared else { return }
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(shared, forKey: .shared)
  }
}
