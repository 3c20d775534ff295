// The in-memory twins of the store and the inbox: tests run whole pipelines without a file system.

import Configurations
import Platform
import StageKit
import Synchronization

/// A store in memory that counts its operations and can be told to fail or to lose things.
public final class InMemoryActionStore: ActionStore {
  private struct State {
    var objects: [Digest: [UInt8]] = [:]
    var memos: [Digest: [UInt8]] = [:]
    var actions: [Digest: ActionRecord] = [:]
    var notes: [String: [UInt8]] = [:]
    var operations = 0
    var failsAt: Int?
  }

  /// The failure asked for with `fail(atOperation:)`.
  public struct InjectedFailure: Error, CustomStringConvertible {
    public let operation: Int
    public var description: String { "injected failure at store operation \(operation)" }
  }

  public struct MissingObject: Error, CustomStringConvertible {
    public let part: ArtifactPart
    public var description: String {
      "object \(part.digest.short) (\(part.name)) is missing or damaged"
    }
  }

  private let state = Mutex(State())

  public init() {}

  private func operate<Result>(_ body: (inout State) throws -> sending Result) throws
    -> sending Result
  {
    try state.withLock { state in
      state.operations += 1
      if state.operations == state.failsAt { throw InjectedFailure(operation: state.operations) }
      return try body(&state)
    }
  }

  // MARK: ActionStore

  public func put(_ bytes: [UInt8]) throws -> Digest {
    let digest = Digest(of: bytes)
    try operate { $0.objects[digest] = bytes }
    return digest
  }

  public func contains(_ part: ArtifactPart) throws -> Bool {
    try operate { $0.objects[part.digest]?.count == part.size }
  }

  public func bytes(_ part: ArtifactPart) throws -> [UInt8] {
    try operate { state in
      guard let bytes = state.objects[part.digest], Digest(of: bytes) == part.digest else {
        state.objects[part.digest] = nil
        throw MissingObject(part: part)
      }
      return bytes
    }
  }

  /// How many memos are kept.
  public var memoCount: Int { state.withLock { $0.memos.count } }

  public func memo(_ key: Digest) throws -> [UInt8]? { try operate { $0.memos[key] } }

  public func keep(_ bytes: [UInt8], for key: Digest) throws {
    try operate { $0.memos[key] = bytes }
  }

  public func forgetMemo(_ key: Digest) throws { try operate { $0.memos[key] = nil } }

  public func action(_ key: Digest) throws -> ActionRecord? { try operate { $0.actions[key] } }

  public func record(_ action: ActionRecord, for key: Digest) throws {
    try operate { $0.actions[key] = action }
  }

  public func forget(_ key: Digest) throws { try operate { $0.actions[key] = nil } }

  public func note(_ name: String) throws -> [UInt8]? { try operate { $0.notes[name] } }

  public func setNote(_ name: String, _ bytes: [UInt8]) throws {
    try operate { $0.notes[name] = bytes }
  }

  // MARK: For tests

  /// How many operations were asked for so far.
  public var operations: Int { state.withLock { $0.operations } }

  /// Makes the `count`-th operation from now fail; nil for none.
  public func fail(atOperation count: Int?) {
    state.withLock { state in state.failsAt = count.map { $0 + state.operations } }
  }

  public var objectDigests: [Digest] { state.withLock { $0.objects.keys.sorted() } }

  public var actionKeys: [Digest] { state.withLock { $0.actions.keys.sorted() } }

  /// Every recorded action, in key order.
  public var recordedActions: [(key: Digest, record: ActionRecord)] {
    state.withLock { state in
      state.actions.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
  }

  /// Takes an object away.
  public func lose(_ digest: Digest) { state.withLock { $0.objects[digest] = nil } }

  /// Flips a bit of an object, leaving its size as it was; an empty object is lost instead.
  public func damage(_ digest: Digest) {
    state.withLock { state in
      guard let bytes = state.objects[digest], !bytes.isEmpty else {
        state.objects[digest] = nil
        return
      }
      state.objects[digest]![bytes.count / 2] ^= 1
    }
  }
}

/// Watched folders in memory, with a log of which files were opened.
public final class InMemoryDrops: DropProvider {
  /// A unit with its files' bytes.
  public struct Unit: Sendable {
    public var name: String
    public var group: String?
    public var files: [(name: String, bytes: [UInt8])]
    public var acceptsIncomplete = true
    /// Opening one of its files throws `UnitChanged`.
    public var changesWhileRead = false
    /// `hasChanged` says so.
    public var changesAfterRead = false

    public init(_ name: String, group: String? = nil, _ bytes: [UInt8]) {
      self.name = name
      self.group = group
      self.files = [(name, bytes)]
    }

    public init(_ name: String, group: String? = nil, _ text: String) {
      self.init(name, group: group, Array(text.utf8))
    }

    /// A run folder: file names are relative to it.
    public init(folder name: String, group: String? = nil, files: [(name: String, bytes: [UInt8])]) {
      self.name = name
      self.group = group
      self.files = files.map { (name + "/" + $0.name, $0.bytes) }
    }

    fileprivate var digest: Digest {
      var builder = DigestBuilder()
      for file in files {
        builder.add(String(file.name.dropFirst(name.count)))
        builder.add(Digest(of: file.bytes))
      }
      return builder.finish()
    }
  }

  private struct State {
    /// By stage id.
    var units: [String: [Unit]] = [:]
    var problems: [String: [Diagnostic]] = [:]
    var opened: [String] = []
  }

  private let state = Mutex(State())

  public init(_ units: [String: [Unit]] = [:]) { state.withLock { $0.units = units } }

  /// Puts units into the folder of a stage, replacing those of the same name.
  public func drop(_ units: [Unit], into stage: String) {
    state.withLock { state in
      for unit in units {
        state.units[stage, default: []].removeAll { $0.name == unit.name }
        state.units[stage]!.append(unit)
      }
    }
  }

  public func remove(_ name: String, from stage: String) {
    state.withLock { $0.units[stage, default: []].removeAll { $0.name == name } }
  }

  public func report(_ problems: [Diagnostic], for stage: String) {
    state.withLock { $0.problems[stage] = problems }
  }

  /// Names of the files that were opened since the last call, sorted.
  public func takeOpened() -> [String] {
    state.withLock { state in
      defer { state.opened = [] }
      return state.opened.sorted()
    }
  }

  public func scan(_ stage: PlannedStage) -> DropScan {
    let (units, problems) = state.withLock {
      ($0.units[stage.id] ?? [], $0.problems[stage.id] ?? [])
    }
    return DropScan(
      units: units.map { unit in
        DropUnit(
          digest: unit.digest, name: unit.name, group: unit.group,
          files: unit.files.map { file in
            DroppedFile(name: file.name, size: file.bytes.count) { [self] in
              state.withLock { $0.opened.append(file.name) }
              if unit.changesWhileRead { throw UnitChanged(name: unit.name) }
              return MemoryByteSource(file.bytes)
            }
          }, acceptsIncomplete: unit.acceptsIncomplete)
      }, problems: problems)
  }

  public func hasChanged(_ unit: DropUnit) -> Bool {
    state.withLock { state in
      state.units.values.joined().contains { $0.name == unit.name && $0.changesAfterRead }
    }
  }
}
