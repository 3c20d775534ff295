// One action of a stage: inputs are handed over, the stage runs, its drafts are stored and recorded.

import Configurations
import Platform
import StageKit
import Synchronization

/// An object that must be made again. Never leaves the runner.
struct LostObject: Error {
  let part: ArtifactPart
  let stage: String
}

/// Performs the actions of one stage.
final class StageWork: Sendable {
  let stage: PlannedStage
  private let pass: Pass
  let inputs: BoundInputs
  /// Small objects that this stage has stored in this pass.
  private let stored = Mutex<Set<Digest>>([])

  init(pass: Pass, stage: PlannedStage, inputs: BoundInputs) {
    self.pass = pass
    self.stage = stage
    self.inputs = inputs
  }

  private var store: any ActionStore { pass.runner.store }

  func perform(_ action: PendingAction, threads: Int) throws -> ActionResult {
    let objects = WatchedObjects(store)
    let context = context(action, objects, threads)
    switch (action.subject, stage.work) {
    case (.units(let units), .importing(let stage)):
      return try read(units[0], stage, action, context, objects)
    case (.source(let source), .mapping(let stage)):
      return .recorded(try map(source, stage, action, context, objects))
    case (.all, .folding(let stage)):
      return .recorded(try fold(stage, action, context, objects))
    default:
      preconditionFailure("an action's subject fits its stage's work")
    }
  }

  private func context(_ action: PendingAction, _ objects: WatchedObjects, _ threads: Int)
    -> StageContext
  {
    let (id, label, report, tally) = (stage.id, action.label, pass.report, pass.tally)
    return StageContext(
      project: pass.plan.project, elements: pass.plan.elements, threads: threads, objects: objects,
      progress: { report(.progress(stage: id, subject: label, fraction: $0, words: $1)) },
      checkCancellation: pass.checkCancellation,
      count: { name, count in tally.update(id) { $0.counters[name, default: 0] += count } })
  }

  // MARK: Import

  private func read(
    _ unit: DropUnit, _ importer: any ImportStage, _ action: PendingAction,
    _ context: StageContext, _ objects: WatchedObjects
  ) throws -> ActionResult {
    let watch = FileWatch()
    let drop = Drop(name: unit.name, group: unit.group, files: unit.files.map(watch.watched))
    var record = ActionRecord(subject: unit.name)
    var outputs: [(output: ActionRecord.Output, drafts: [ArtifactDraft])] = []
    do {
      let result = try importer.process(drop, context)
      record.diagnostics = result.diagnostics
      record.isComplete = result.isComplete
      outputs = result.sources.map {
        (ActionRecord.Output(source: $0.digest, member: $0.member, artifacts: []), $0.drafts)
      }
      outputs.sort {
        ($0.output.member!, $0.output.source!) < ($1.output.member!, $1.output.source!)
      }
    } catch {
      try stopUnlessInput(error, action, objects)
      record.quarantine = Self.diagnostic(error, unit)
    }
    // A failed read says nothing about the content, whatever the stage made of it: not recorded.
    if let error = watch.error {
      if error is UnitChanged { return .unsettled }
      return .unreadable(
        Diagnostic(
          .error, code: "unreadable", place: Diagnostic.Place(file: unit.name),
          cause: "could not be read: \(error).",
          remedy: "The next run tries again; check permissions and the disk."))
    }
    if try pass.runner.drops.hasChanged(unit) { return .unsettled }
    for (output, drafts) in outputs {
      var output = output
      output.artifacts = try put(drafts, expecting: stage.description.gives)
      record.outputs.append(output)
    }
    try keeping { try store.record(record, for: action.key.digest) }
    return .recorded(record)
  }

  /// Whether an import's error is about the input, so that the run can go on without it.
  private func stopUnlessInput(
    _ error: any Error, _ action: PendingAction, _ objects: WatchedObjects
  ) throws {
    if error is CancellationError { throw error }
    try objects.rethrow(stage.id, action.label)
  }

  private static func diagnostic(_ error: any Error, _ unit: DropUnit) -> Diagnostic {
    if var diagnostic = error as? Diagnostic {
      if diagnostic.place.file.isEmpty { diagnostic.place.file = unit.name }
      diagnostic.severity = .error
      return diagnostic
    }
    let place = Diagnostic.Place(file: unit.name)
    if let error = error as? StageError {
      return Diagnostic(
        .error, code: "unusable", place: place, cause: error.cause, remedy: error.remedy)
    }
    return Diagnostic(.error, code: "unusable", place: place, cause: "\(error)")
  }

  // MARK: Mapping and folding

  private func map(
    _ source: Source, _ mapper: any SourceStage, _ action: PendingAction,
    _ context: StageContext, _ objects: WatchedObjects
  ) throws -> ActionRecord {
    var wholes: [ArtifactKind: Artifact] = [:]
    for input in inputs.wholes { wholes[input.kind] = input.artifact }
    for input in inputs.collections {
      if let item = input.collection.item(source.digest) { wholes[input.kind] = item.artifact }
    }
    var record = ActionRecord(subject: source.name)
    do {
      let drafts = try mapper.process(
        shown(source), StageInputs(wholes: wholes, attachments: inputs.attachments), context)
      record.outputs = [
        ActionRecord.Output(
          source: source.digest, artifacts: try put(drafts, expecting: stage.description.gives))
      ]
    } catch var diagnostic as Diagnostic {
      try objects.rethrow(stage.id, action.label)
      if diagnostic.place.file.isEmpty { diagnostic.place.file = source.name }
      diagnostic.severity = .error
      record.quarantine = diagnostic
    } catch {
      throw try wrap(error, action, objects)
    }
    try keeping { try store.record(record, for: action.key.digest) }
    return record
  }

  private func fold(
    _ folder: any FoldStage, _ action: PendingAction, _ context: StageContext,
    _ objects: WatchedObjects
  ) throws -> ActionRecord {
    var collections: [ArtifactKind: [SourceArtifact]] = [:]
    for input in inputs.collections {
      collections[input.kind] = input.collection.items.map {
        SourceArtifact(source: shown($0.source), artifact: $0.artifact)
      }
    }
    var wholes: [ArtifactKind: Artifact] = [:]
    for input in inputs.wholes { wholes[input.kind] = input.artifact }
    var record = ActionRecord(subject: action.label)
    do {
      let result = try folder.process(
        StageInputs(
          collections: collections, wholes: wholes, attachments: inputs.attachments,
          quarantined: stage.description.showsNames ? inputs.quarantined : []), context)
      let gives = stage.description.gives
      record.diagnostics = result.diagnostics
      let wholes = try put(result.wholes, expecting: gives.filter { !$0.isPerSource })
      if !wholes.isEmpty { record.outputs.append(ActionRecord.Output(artifacts: wholes)) }
      // Most sources are given the same ("all frames kept").
      let perSource = gives.filter(\.isPerSource)
      var last: (drafts: [ArtifactDraft], artifacts: [Artifact]) = ([], [])
      for (source, drafts) in result.perSource.sorted(by: { $0.key < $1.key }) {
        if !drafts.elementsEqual(last.drafts, by: ==) {
          last = (drafts, try put(drafts, expecting: perSource, all: false))
        }
        record.outputs.append(ActionRecord.Output(source: source, artifacts: last.artifacts))
      }
    } catch {
      throw try wrap(error, action, objects)
    }
    try keeping { try store.record(record, for: action.key.digest) }
    return record
  }

  /// A stage that does not show names gets none, so that its results cannot depend on them.
  private func shown(_ source: Source) -> Source {
    stage.description.showsNames
      ? source : Source(digest: source.digest, name: source.digest.short)
  }

  /// Says what kind of trouble a stage's error is.
  private func wrap(_ error: any Error, _ action: PendingAction, _ objects: WatchedObjects) throws
    -> any Error
  {
    if error is CancellationError || error is RunError { throw error }
    try objects.rethrow(stage.id, action.label)
    let subject: String? = if case .all = action.subject { nil } else { action.label }
    switch error {
    case let error as StageError:
      return RunError(
        .input, stage: stage.id, subject: subject, cause: error.cause, remedy: error.remedy)
    case let error as Diagnostic:
      return RunError(.input, stage: stage.id, subject: subject, cause: "\(error)")
    case let error as ParameterError:
      return RunError(.pipeline, stage: stage.id, subject: subject, cause: "\(error)")
    default:
      return RunError(
        .bug, stage: stage.id, subject: subject, cause: "\(error)",
        remedy: "The stage did not say what to do about it; please report this.")
    }
  }

  // MARK: Storing

  /// Stores drafts, which must be of the kinds that the stage declared (`all`: each of them).
  private func put(_ drafts: [ArtifactDraft], expecting gives: [StageOutputKind], all: Bool = true)
    throws -> [Artifact]
  {
    let (declared, given) = (gives.map(\.kind), drafts.map(\.kind))
    if let kind = given.first(where: { !declared.contains($0) }) {
      throw mistake("gave \(kind), which it does not declare")
    }
    if let kind = declared.first(where: { !given.contains($0) }), all {
      throw mistake("gave no \(kind), which it declares")
    }
    if Set(given).count != given.count { throw mistake("gave one kind of artifact twice") }
    return try drafts.map { draft in
      let names = draft.parts.map(\.name)
      if Set(names).count != names.count {
        throw mistake("gave two parts of one name in \(draft.kind)")
      }
      return Artifact(
        kind: draft.kind,
        parts: try draft.parts.map { part in
          let digest = try keeping { try put(part.bytes) }
          return ArtifactPart(name: part.name, digest: digest, size: part.bytes.count)
        })
    }.sorted { $0.kind < $1.kind }
  }

  /// Many sources have equal small parts ("all frames kept"), and each that is stored waits for the disk.
  private func put(_ bytes: [UInt8]) throws -> Digest {
    guard bytes.count < 1 << 14 else { return try store.put(bytes) }
    let digest = Digest(of: bytes)
    if stored.withLock({ $0.contains(digest) }) { return digest }
    let own = try store.put(bytes)
    stored.withLock { _ = $0.insert(own) }
    return own
  }

  /// The store's own errors are the environment's, not the stage's.
  private func keeping<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch {
      throw RunError(.environment, stage: stage.id, cause: "\(error)")
    }
  }

  private func mistake(_ cause: String) -> RunError {
    RunError(.bug, stage: stage.id, cause: cause, remedy: "This is an error in the stage.")
  }
}

/// The store as a stage sees it: remembers what failed, so that a stage's own words for it do not
/// hide a lost object or a sick disk.
final class WatchedObjects: ObjectAccess {
  private let store: any ActionStore
  private let failure = Mutex<(part: ArtifactPart?, error: any Error)?>(nil)

  init(_ store: any ActionStore) { self.store = store }

  private func watched<Result>(_ part: ArtifactPart?, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch {
      failure.withLock { if $0 == nil { $0 = (part, error) } }
      throw error
    }
  }

  func bytes(_ part: ArtifactPart) throws -> [UInt8] {
    try watched(part) { try store.bytes(part) }
  }

  func memo(_ key: Digest) throws -> [UInt8]? { try watched(nil) { try store.memo(key) } }

  func keep(_ bytes: [UInt8], for key: Digest) throws {
    try watched(nil) { try store.keep(bytes, for: key) }
  }

  func forgetMemo(_ key: Digest) throws { try watched(nil) { try store.forgetMemo(key) } }

  /// Throws what failed, if anything did: a `LostObject` where the store no longer has it.
  func rethrow(_ stage: String, _ subject: String) throws {
    guard let (part, error) = failure.withLock({ $0 }) else { return }
    if let part, try !store.contains(part) { throw LostObject(part: part, stage: stage) }
    throw RunError(.environment, stage: stage, subject: subject, cause: "\(error)")
  }
}

/// Remembers the first error of a unit's files.
final class FileWatch: Sendable {
  private let failure = Mutex<(any Error)?>(nil)

  var error: (any Error)? { failure.withLock { $0 } }

  fileprivate func note(_ error: any Error) { failure.withLock { if $0 == nil { $0 = error } } }

  func watched(_ file: DroppedFile) -> DroppedFile {
    DroppedFile(name: file.name, size: file.size) { [self] in
      do { return WatchedSource(try file.open(), self) } catch {
        note(error)
        throw error
      }
    }
  }
}

private final class WatchedSource: ByteSource {
  private let source: any ByteSource
  private let watch: FileWatch

  init(_ source: any ByteSource, _ watch: FileWatch) {
    self.source = source
    self.watch = watch
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    do { return try source.read(into: buffer) } catch {
      watch.note(error)
      throw error
    }
  }
}
