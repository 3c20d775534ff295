import Configurations
import Platform

/// The artifacts that the planner wired to a stage.
public struct StageInputs: Sendable {
  /// Per-source artifacts by kind, each list in digest order.
  public let collections: [ArtifactKind: [SourceArtifact]]
  /// Whole artifacts by kind. For a `SourceStage` this holds its own source's artifacts too.
  public let wholes: [ArtifactKind: Artifact]
  /// The content of what the stage's `attachments` name.
  public let attachments: [Attachment]
  /// Inputs that earlier stages set aside; only for stages that show names.
  public let quarantined: [QuarantinedInput]

  public init(
    collections: [ArtifactKind: [SourceArtifact]] = [:], wholes: [ArtifactKind: Artifact] = [:],
    attachments: [Attachment] = [], quarantined: [QuarantinedInput] = []
  ) {
    self.collections = collections.mapValues { $0.sorted { $0.source < $1.source } }
    self.wholes = wholes
    self.attachments = attachments
    self.quarantined = quarantined
  }

  /// The per-source artifacts of a kind, in digest order; empty where none was wired.
  public func collection(_ kind: ArtifactKind) -> [SourceArtifact] { collections[kind] ?? [] }

  /// The artifact of a kind that the stage declared as needed. The planner has made sure it is there.
  public func whole(_ kind: ArtifactKind) -> Artifact {
    guard let artifact = wholes[kind] else {
      preconditionFailure(
        "the planner wires every input that a stage does not call optional: \(kind)")
    }
    return artifact
  }
}

/// What a stage may use of the world while it runs.
public struct StageContext: Sendable {
  /// The pipeline's project name.
  public let project: String
  /// The pipeline's elements, alphabetical by symbol.
  public let elements: [Element]
  /// How many threads the stage may use. Results never depend on it.
  public let threads: Int
  /// Where artifacts live.
  public let objects: any ObjectAccess
  /// Called with a fraction done (0...1) and a few words; may be called from any thread.
  public let progress: @Sendable (Double, String) -> Void
  /// Throws `CancellationError` once the run is to stop; long loops call it.
  public let checkCancellation: @Sendable () throws -> Void
  /// Counts what was touched ("file read", "source featurized", "factor merged"), for tests and `-v`.
  public let count: @Sendable (String, Int) -> Void

  public init(
    project: String, elements: [Element], threads: Int, objects: any ObjectAccess,
    progress: @escaping @Sendable (Double, String) -> Void = { _, _ in },
    checkCancellation: @escaping @Sendable () throws -> Void = {},
    count: @escaping @Sendable (String, Int) -> Void = { _, _ in }
  ) {
    self.project = project
    self.elements = elements
    self.threads = threads
    self.objects = objects
    self.progress = progress
    self.checkCancellation = checkCancellation
    self.count = count
  }

  /// The bytes of a part.
  public func bytes(_ part: ArtifactPart) throws -> [UInt8] { try objects.bytes(part) }

  /// The bytes of the named part, which the artifact's kind promises.
  public func bytes(_ artifact: Artifact, _ name: String) throws -> [UInt8] {
    guard let part = artifact.part(name) else {
      throw StageError("artifact '\(artifact.kind)' has no part '\(name)'")
    }
    return try objects.bytes(part)
  }

  /// All parts, as name and bytes, in name order.
  public func parts(_ artifact: Artifact) throws -> [(name: String, bytes: [UInt8])] {
    try artifact.parts.map { ($0.name, try objects.bytes($0)) }
  }

  /// A value that is a pure function of what `key` names: taken from the store, or computed and kept.
  /// This is how folds stay incremental: one new source recomputes only the keys that it changes.
  public func memo(_ key: Digest, compute: () throws -> [UInt8]) throws -> [UInt8] {
    if let bytes = try objects.memo(key) { return bytes }
    let bytes = try compute()
    try objects.keep(bytes, for: key)
    return bytes
  }

  /// Says which memos of one use are still of use: those that the list before this one named and this
  /// one does not are forgotten, so that what a fold keeps does not grow with every run.
  public func keepMemos(_ keys: [Digest], of use: String) throws {
    // The one memo that changes: it decides nothing but what is forgotten.
    let place = Digest(of: "memos of use: \(project): \(use)")
    let before = try objects.memo(place) ?? []
    var now: [UInt8] = []
    now.reserveCapacity(65 * keys.count)
    for key in keys {
      if !now.isEmpty { now.append(UInt8(ascii: "\n")) }
      key.withDigits { now.append(contentsOf: $0) }
    }
    guard now != before else { return }
    let kept = Set(keys)
    try objects.keep(now, for: place)
    for line in before.split(separator: UInt8(ascii: "\n")) {
      guard let key = line.withUnsafeBytes({ Digest(digits: $0) }), !kept.contains(key) else { continue }
      try objects.forgetMemo(key)
    }
  }
}

/// Content-addressed storage as stages see it; the engine's store and an in-memory twin implement it.
public protocol ObjectAccess: Sendable {
  /// The bytes of a part; throws where they are missing or damaged.
  func bytes(_ part: ArtifactPart) throws -> [UInt8]
  /// The bytes kept for a key, or nil where there are none (or they are damaged).
  func memo(_ key: Digest) throws -> [UInt8]?
  /// Keeps bytes for a key. Keeping twice is harmless: a key names one value.
  func keep(_ bytes: [UInt8], for key: Digest) throws
  /// Forgets what is kept for a key; harmless where there is nothing.
  func forgetMemo(_ key: Digest) throws
}

/// A stage that cannot go on, in words for the user.
public struct StageError: Error, CustomStringConvertible, Sendable {
  public let cause: String
  public let remedy: String

  public init(_ cause: String, remedy: String = "") {
    self.cause = cause
    self.remedy = remedy
  }

  public var description: String { remedy.isEmpty ? cause : cause + " " + remedy }
}
