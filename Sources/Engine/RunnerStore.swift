// What the runner needs of the world: a store of objects and action records, and settled drops.
// The engine's store and inbox implement these; `RunnerInMemory.swift` holds their twins for tests.

import Configurations
import Platform
import StageKit

/// Objects by digest and action records by key.
///
/// Two promises keep a run resumable: what `put` and `record` return from is durable, and after
/// `bytes` has thrown because an object is damaged, `contains` says false for it.
public protocol ActionStore: ObjectAccess {
  /// Stores bytes under their digest. Storing twice is harmless.
  func put(_ bytes: [UInt8]) throws -> Digest
  /// Whether the object is there with its size. Cheap: content is checked when it is read.
  func contains(_ part: ArtifactPart) throws -> Bool
  /// What an action gave when it last ran; nil where it never did (or its record is damaged).
  func action(_ key: Digest) throws -> ActionRecord?
  /// Keeps what an action gave. A key names one result, so recording twice is harmless.
  func record(_ action: ActionRecord, for key: Digest) throws
  /// Forgets an action, so that it runs again.
  func forget(_ key: Digest) throws
  /// What actions gave, in the order of their keys, and which of their objects are gone.
  func recall(_ keys: [Digest], threads: Int) throws -> [Recollection]
  /// `recall` will be called soon: what it needs for that may be read.
  func prepare()
  /// The actions that the pipeline's state consists of when a pass ends, folds aside: what helps to recall them
  /// may be kept.
  func passEnded(_ actions: [(key: Digest, record: ActionRecord)])
  /// A small named record that is replaced as a whole; nil where there is none (or it is damaged).
  func note(_ name: String) throws -> [UInt8]?
  func setNote(_ name: String, _ bytes: [UInt8]) throws
}

/// What a store knows of an action.
public struct Recollection: Sendable {
  /// nil where it never ran or an object is gone.
  public var record: ActionRecord?
  /// The object that is gone.
  public var lost: ArtifactPart?

  public init(record: ActionRecord? = nil, lost: ArtifactPart? = nil) {
    self.record = record
    self.lost = lost
  }
}

extension ActionStore {
  public func recall(_ keys: [Digest], threads: Int) throws -> [Recollection] {
    try concurrentMap(keys.count, threads: threads) { try recall(keys[$0]) { try contains($0) } }
  }

  public func prepare() {}

  public func passEnded(_ actions: [(key: Digest, record: ActionRecord)]) {}

  /// Signature and validity apart: a record counts when every object it names exists.
  func recall(_ key: Digest, _ contains: (ArtifactPart) throws -> Bool) throws -> Recollection {
    guard let record = try action(key) else { return Recollection() }
    if let lost = try record.parts.first(where: { try !contains($0) }) { return Recollection(lost: lost) }
    return Recollection(record: record)
  }
}

/// What one action gave: the artifacts of one unit, of one source, or of a fold.
public struct ActionRecord: Sendable, Equatable, Codable {
  /// Artifacts of one source, or whole ones.
  public struct Output: Sendable, Equatable, Codable {
    /// nil for whole artifacts.
    public var source: Digest?
    /// For imports: what to add to the unit's name.
    public var member: String?
    public var artifacts: [Artifact]

    public init(source: Digest? = nil, member: String? = nil, artifacts: [Artifact]) {
      self.source = source
      self.member = member
      self.artifacts = artifacts
    }
  }

  /// What the action was about, by the name it had then: a unit, a source, or "all".
  public var subject: String
  public var outputs: [Output]
  public var diagnostics: [Diagnostic]
  /// Why the input was set aside. It is not read again until its content changes or it is retried.
  public var quarantine: Diagnostic?
  /// False for a unit that breaks off.
  public var isComplete: Bool

  public init(
    subject: String, outputs: [Output] = [], diagnostics: [Diagnostic] = [],
    quarantine: Diagnostic? = nil, isComplete: Bool = true
  ) {
    self.subject = subject
    self.outputs = outputs
    self.diagnostics = diagnostics
    self.quarantine = quarantine
    self.isComplete = isComplete
  }

  /// Every object that must exist for the action to count as done.
  public var parts: [ArtifactPart] { outputs.flatMap { $0.artifacts.flatMap(\.parts) } }
}

/// The settled contents of watched folders.
public protocol DropProvider: Sendable {
  /// Everything settled for an import stage (see `PlannedStage.folders`). Throws where a folder is
  /// missing or cannot be read: a vanished inbox is never an empty one.
  func scan(_ stage: PlannedStage) throws -> DropScan
  /// Whether a unit no longer is what `scan` saw; asked after it was read.
  func hasChanged(_ unit: DropUnit) throws -> Bool
  /// The content of the files that a stage's parameters name, in the order of names.
  func attachments(_ stage: PlannedStage) throws -> [Attachment]
}

extension DropProvider {
  public func attachments(_ stage: PlannedStage) throws -> [Attachment] { [] }
}

/// What a scan of one stage's folders found.
public struct DropScan: Sendable {
  public var units: [DropUnit]
  /// Inputs that could not be taken (errors, which quarantine) and remarks.
  public var problems: [Diagnostic]
  /// Names of units that still change.
  public var unsettled: [String]

  public init(units: [DropUnit] = [], problems: [Diagnostic] = [], unsettled: [String] = []) {
    self.units = units
    self.problems = problems
    self.unsettled = unsettled
  }
}

/// One settled unit of a watched folder, with the digest of its raw bytes.
public struct DropUnit: Sendable {
  /// Of the names within the unit and the raw bytes of its files; never of the unit's own name.
  public let digest: Digest
  /// Relative to the watched folder.
  public let name: String
  public let group: String?
  public var files: [DroppedFile] { makeFiles() }
  private let makeFiles: @Sendable () -> [DroppedFile]
  /// Whether it has been unchanged for so long that a unit that breaks off is taken as truncated.
  public let acceptsIncomplete: Bool
  /// Where another process finds it; nil where only this one can read it.
  var description: UnitDescription?

  public init(
    digest: Digest, name: String, group: String?, files: [DroppedFile],
    acceptsIncomplete: Bool = true
  ) {
    self.digest = digest
    self.name = name
    self.group = group
    makeFiles = { files }
    self.acceptsIncomplete = acceptsIncomplete
  }

  /// A unit that any process finds; its files are made when they are asked for, which few are.
  init(_ description: UnitDescription, files: @escaping @Sendable () -> [DroppedFile]) {
    digest = description.digest
    name = description.record.path
    group = description.record.group
    makeFiles = files
    acceptsIncomplete = description.acceptsIncomplete
    self.description = description
  }

  /// The order in which copies of one content are looked through: the first gives it its name.
  static func isBefore(_ a: DropUnit, _ b: DropUnit) -> Bool {
    (a.group ?? "", a.name) < (b.group ?? "", b.name)
  }
}

/// Thrown by a dropped file's `open` or `read` when the file is no longer what the scan saw.
public struct UnitChanged: Error, Sendable, CustomStringConvertible {
  public let name: String
  public init(name: String) { self.name = name }
  public var description: String { "\(name) changed while it was read" }
}
