// A plan, a store and settled drops go in; a publication and the record of the run come out.

import Configurations
import Dispatch
import Platform
import StageKit
import Synchronization

/// Executes a plan over settled drops.
///
/// Every action (one unit, one source, one fold) is a pure function of its key, so a run executes
/// exactly the actions that have no valid result in the store. It can be stopped or fail anywhere:
/// the next run goes on from there and ends with the same bytes.
public struct Runner: Sendable {
  let plan: Plan
  let store: any ActionStore
  let drops: any DropProvider
  let executor: any Executor
  let threads: Int
  /// What time it is for triggers; nil where they are not asked.
  let now: Timestamp?
  /// Whether stages run that would wait.
  let ignoresTriggers: Bool

  /// - Parameters:
  ///   - threads: what a fold may use, and the default executor's width; 0 for all processors.
  ///   - now: for stages that wait for their time; without it no stage waits.
  ///   - ignoresTriggers: no stage waits, but when it ran is kept.
  public init(
    plan: Plan, store: any ActionStore, drops: any DropProvider, threads: Int = 0,
    executor: (any Executor)? = nil, now: Timestamp? = nil, ignoresTriggers: Bool = false
  ) {
    self.now = now
    self.ignoresTriggers = ignoresTriggers
    self.plan = plan
    self.store = store
    self.drops = drops
    self.threads = threads > 0 ? threads : availableProcessors()
    self.executor = executor ?? LocalExecutor(threads: threads)
  }

  /// One pass.
  ///
  /// - Parameters:
  ///   - checkCancellation: throws once the run is to stop; asked before each action and by stages.
  ///   - progress: called from any thread, one event at a time; must not wait for the run.
  public func run(
    checkCancellation: @escaping @Sendable () throws -> Void = {},
    progress: @escaping @Sendable (RunEvent) -> Void = { _ in }
  ) throws(RunError) -> RunOutcome {
    let events = Mutex(progress)
    let report: @Sendable (RunEvent) -> Void = { event in events.withLock { $0(event) } }
    var lost: Set<Digest> = []
    let tally = Tally()
    while true {
      do {
        return try Pass(
          runner: self, tally: tally, checkCancellation: checkCancellation, report: report
        ).run()
      } catch let error as LostObject {
        // What made the object runs again in the next pass; the rest is cached by then.
        guard lost.insert(error.part.digest).inserted else {
          throw RunError(
            .environment, stage: error.stage,
            cause:
              "object \(error.part.digest.short) (\(error.part.name)) is damaged again after it was made anew",
            remedy: "Check the disk that holds the store, then run again.")
        }
        report(.objectLost(error.part.name))
      } catch let error as RunError {
        throw error
      } catch is CancellationError {
        throw RunError(.cancelled, cause: "stopped; the same command goes on from here")
      } catch {
        // Stages' errors are wrapped where they are thrown, so this came from the store or the drops.
        throw RunError(.environment, cause: "\(error)")
      }
    }
  }

  /// Forgets that units whose name passes `matches` were set aside, so that the next run reads them
  /// again. Returns their names.
  public func retry(matching matches: (String) -> Bool = { _ in true }) throws(RunError) -> [String] {
    do {
      var names: [String] = []
      let finder = ActionFinder(plan: plan, store: store, threads: threads)
      for stage in plan.stages {
        guard case .importing = stage.work else { continue }
        for action in try finder.actions(stage, scan: try drops.scan(stage)) {
          guard case .units(let units) = action.subject, action.record?.isTroubled == true,
            let unit = units.first(where: { matches($0.name) })
          else { continue }
          try store.forget(action.key.digest)
          names.append(unit.name)
        }
      }
      return names
    } catch let error as RunError {
      throw error
    } catch {
      throw RunError(.environment, cause: "\(error)")
    }
  }
}

extension ActionRecord {
  /// Whether something of the input was set aside.
  var isTroubled: Bool { quarantine != nil || diagnostics.contains { $0.severity == .error } }
}

/// What a run did, stage by stage, over all its passes.
final class Tally: Sendable {
  struct Entry {
    var ran = 0
    /// Wall time here, waiting included; and what the work took where it was done.
    var seconds = 0.0
    var secondsElsewhere: Double?
    var counters: [String: Int] = [:]
  }

  private let entries = Mutex<[String: Entry]>([:])
  /// Why what ran did run, over all passes.
  private let explained = Mutex<[String: [Explanation.Action]]>([:])

  subscript(stage: String) -> Entry { entries.withLock { $0[stage] ?? Entry() } }

  func explain(_ stage: String, _ actions: [Explanation.Action]) {
    explained.withLock { $0[stage, default: []] += actions }
  }

  /// Cached actions are only counted.
  func explanation(_ plan: Plan, _ records: [StageRecord]) -> Explanation {
    let explained = explained.withLock { $0 }
    return Explanation(
      stages: zip(plan.stages, records).map { stage, record in
        Explanation.Stage(id: stage.id, actions: explained[stage.id] ?? [], known: record.cached)
      })
  }

  func update(_ stage: String, _ change: (inout Entry) -> Void) {
    entries.withLock { change(&$0[stage, default: Entry()]) }
  }
}

/// One attempt at a run; begun anew where an object turns out to be lost.
final class Pass: Sendable {
  let runner: Runner
  let tally: Tally
  let checkCancellation: @Sendable () throws -> Void
  let report: @Sendable (RunEvent) -> Void
  let finder: ActionFinder
  /// What another process must be told to go on from here.
  let known = Mutex(Known())

  struct Known {
    var scans: [String: DropScan] = [:]
    /// Stages that were gone through.
    var finished: Set<String> = []
    var lastKeys: [UInt8]?
    /// Actions that could not be performed this time, by key.
    var unreadable: [Digest: Diagnostic] = [:]
  }

  init(
    runner: Runner, tally: Tally, checkCancellation: @escaping @Sendable () throws -> Void,
    report: @escaping @Sendable (RunEvent) -> Void
  ) {
    self.runner = runner
    self.tally = tally
    self.checkCancellation = checkCancellation
    self.report = report
    finder = ActionFinder(plan: runner.plan, store: runner.store, threads: runner.threads)
  }

  var plan: Plan { runner.plan }

  /// What `run` gathers while it goes through the stages.
  private struct Progress {
    var outputs: [String: StageOutputs] = [:]
    var stages: [StageRecord] = []
    var finished: [FinishedStage] = []
    var actions: [ActionTask] = []
    var quarantined: [QuarantinedInput] = []
    var unsettled: [String] = []
    var waiting: Waiting?

    var results: [String: StageResults] {
      outputs.mapValues { outputs in
        StageResults(
          collections: outputs.collections.mapValues { collection in
            collection.items.map { SourceArtifact(source: $0.source, artifact: $0.artifact) }
          }, wholes: outputs.wholes)
      }
    }
  }

  func run() throws -> RunOutcome {
    let scans = try scanAll()
    for stage in plan.stages where runner.executor.readsAhead {
      guard let scan = scans[stage.id] else { continue }
      let missing = try finder.actions(stage, scan: scan).filter { $0.record == nil }
      let work = StageWork(pass: self, stage: stage, inputs: BoundInputs())
      if !missing.isEmpty { try runner.executor.prepare(StageShare(missing, work, pass: self)) }
    }
    let state = try runStages(scans)
    if let waiting = state.waiting { return try stop(state, waiting) }
    return try finish(state)
  }

  /// Performs stage after stage until the executor throws, and publishes nothing.
  func runStages() throws { _ = try runStages(try scanAll()) }

  private func runStages(_ scans: [String: DropScan]) throws -> Progress {
    var state = Progress()
    for stage in plan.stages {
      try checkCancellation()
      try run(stage, scan: scans[stage.id], &state)
      if state.waiting != nil { break }
    }
    return state
  }

  /// All folders are looked at before anything runs: a vanished inbox stops the run at once.
  private func scanAll() throws -> [String: DropScan] {
    var scans: [String: DropScan] = [:]
    for stage in plan.stages {
      if case .importing = stage.work { scans[stage.id] = try scan(stage) }
    }
    known.withLock { $0.scans = scans }
    return scans
  }

  private func scan(_ stage: PlannedStage) throws -> DropScan {
    do { return try runner.drops.scan(stage) } catch let error as CancellationError {
      throw error
    } catch {
      throw RunError(.environment, stage: stage.id, cause: "\(error)")
    }
  }

  private func run(_ stage: PlannedStage, scan: DropScan?, _ state: inout Progress) throws {
    let start = DispatchTime.now().uptimeNanoseconds
    let inputs = try BoundInputs(stage, state.outputs, runner.drops)
    var actions = try actions(stage, scan, inputs)
    let missing = actions.indices.filter { actions[$0].record == nil }
    if !missing.isEmpty, let waiting = try waiting(stage, inputs) {
      state.waiting = waiting
      return
    }
    report(.stageStarted(stage: stage.id, actions: actions.count, toRun: missing.count))
    let work = StageWork(pass: self, stage: stage, inputs: inputs)
    if !missing.isEmpty { try explain(missing.map { actions[$0] }, stage, inputs) }
    let results = try perform(missing.map { actions[$0] }, work)

    var outcome = StageOutcome(stage: stage, scan: scan)
    var transient: Set<Int> = []
    for (index, result) in zip(missing, results) {
      switch result {
      case .recorded(let record): actions[index].record = record
      case .unsettled:
        transient.insert(index)
        outcome.unsettled(actions[index])
      case .unreadable(let diagnostic):
        transient.insert(index)
        known.withLock { $0.unreadable[actions[index].key.digest] = diagnostic }
        outcome.quarantine(actions[index].label, diagnostic)
      }
    }
    known.withLock { _ = $0.finished.insert(stage.id) }
    let done = actions.indices.filter { !transient.contains($0) }.map { actions[$0] }
    let outputs = try outcome.gather(done, inputs)
    state.outputs[stage.id] = outputs
    state.actions += done.map { $0.task(stage.id) }
    state.quarantined += outcome.quarantined
    state.unsettled += outcome.unsettledUnits
    let finished = FinishedStage(
      stage: stage, key: finder.stageKey(stage), actions: done, inputs: inputs, outputs: outputs)
    state.finished.append(finished)
    tally.update(stage.id) {
      $0.seconds += Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    }
    let did = tally[stage.id]
    let record = StageRecord(
      id: stage.id, use: stage.description.name, version: stage.description.version,
      key: finished.digest,
      parameters: Dictionary(uniqueKeysWithValues: stage.parameters.map { ($0.name, $0.readable) }),
      ran: did.ran, cached: max(0, actions.count - did.ran),
      seconds: did.secondsElsewhere ?? did.seconds,
      sources: SourceChange(from: [], to: []), counters: did.counters,
      diagnostics: outcome.diagnostics)
    state.stages.append(record)
    report(.stageFinished(record))
  }

  /// What a stage has to do, with the records of what it has done before.
  func actions(_ stage: PlannedStage, _ scan: DropScan?, _ inputs: BoundInputs) throws -> [PendingAction] {
    switch stage.work {
    case .importing: try finder.actions(stage, scan: scan!)
    case .mapping: try finder.actions(stage, eachOf: inputs)
    case .folding: try finder.actions(stage, allOf: inputs)
    }
  }

  /// Runs actions through the executor; an error that one of them met here comes before the executor's own.
  private func perform(_ actions: [PendingAction], _ work: StageWork) throws -> [ActionResult] {
    guard !actions.isEmpty else { return [] }
    let share = StageShare(actions, work, pass: self)
    do {
      // A fold is not independent of others.
      if case .folding = work.stage.work { return [try runner.executor.fold(share)] }
      return try runner.executor.map(share)
    } catch {
      throw share.failure ?? error
    }
  }

  /// The run ends before a stage that is not due: what earlier stages did is kept, nothing is published.
  private func stop(_ state: Progress, _ waiting: Waiting) throws -> RunOutcome {
    try runner.store.setNote(TriggerNotes.waiting, Array(waiting.words.utf8))
    report(.stageWaits(waiting))
    passEnded(state)
    var outcome = RunOutcome(record: record(state), publication: nil, results: state.results, actions: state.actions)
    outcome.record.waiting = waiting
    return outcome
  }

  private func passEnded(_ state: Progress) {
    var recorded: [(key: Digest, record: ActionRecord)] = []
    for finished in state.finished {
      if case .folding = finished.stage.work { continue }
      for action in finished.actions {
        if let record = action.record { recorded.append((action.key.digest, record)) }
      }
    }
    runner.store.passEnded(recorded)
  }

  /// What the last finished run depended on; read once.
  func lastKeys() throws -> LastKeys? {
    if let bytes = known.withLock({ $0.lastKeys }) { return LastKeys(bytes) }
    guard let bytes = try LastKeys.bytes(runner.store) else { return nil }
    known.withLock { $0.lastKeys = bytes }
    return LastKeys(bytes)
  }

  /// Why these actions run, against what the last finished run depended on.
  private func explain(_ actions: [PendingAction], _ stage: PlannedStage, _ inputs: BoundInputs) throws {
    let reasons = Reasons(last: try lastKeys())
    let differences = reasons.differences(stage, finder.stageKey(stage))
    if actions.count > 8 { reasons.last?.stage(stage.id)?.prepare() }
    tally.explain(stage.id, actions.map { reasons.explain($0, of: stage, differences, inputs) })
  }

  private func record(_ state: Progress) -> RunRecord {
    var builder = DigestBuilder()
    for finished in state.finished {
      builder.add(finished.stage.id)
      builder.add(finished.digest)
    }
    var record = RunRecord(
      project: plan.project, elements: plan.elements.map(\.symbol), fingerprint: builder.finish())
    record.stages = state.stages
    record.quarantined = state.quarantined
    record.unsettled = state.unsettled
    return record
  }

  private func finish(_ state: Progress) throws -> RunOutcome {
    let stages = state.finished
    var record = record(state)
    if let now = runner.now, plan.stages.contains(where: { $0.trigger != nil }) {
      for stage in plan.stages where stage.trigger != nil && tally[stage.id].ran > 0 {
        try TriggerNotes.setLastTime(now, stage, runner.store)
      }
      try runner.store.setNote(TriggerNotes.waiting, [])
    }

    let known = LastKeys.state(stages)
    let last = try lastKeys()
    let isSame = last?.state == known
    for (index, finished) in stages.enumerated() {
      let sources = finished.outputs.sources
      let before = isSame ? sources : last?.stage(finished.stage.id)?.sources ?? []
      record.stages[index].sources = SourceChange(from: before, to: sources)
    }
    if !record.isUnchanged { record.explanation = tally.explanation(plan, record.stages) }
    let publication = plan.publisher.flatMap { state.outputs[$0.id]?.wholes[.publication] }
    record.publication = publication?.digest
    if !isSame { try LastKeys.save(stages, state: known, runner.store) }
    passEnded(state)
    return RunOutcome(
      record: record, publication: publication, results: state.results, actions: state.actions)
  }
}

extension BoundInputs {
  init(_ stage: PlannedStage, _ outputs: [String: StageOutputs], _ drops: any DropProvider) throws {
    if case .folding = stage.work {
      quarantined = outputs.keys.sorted().flatMap { outputs[$0]!.quarantined }
      do { attachments = try drops.attachments(stage) } catch {
        throw RunError(
          .pipeline, stage: stage.id, cause: "\(error)", remedy: "A parameter of the stage names this file.")
      }
    }
    for input in stage.inputs {
      guard let giver = input.stage, let given = outputs[giver] else {
        absent.append(input.kind)
        continue
      }
      if input.isPerSource {
        let collection = given.collections[input.kind] ?? BoundCollection([])
        collections.append((input.kind, input.isOptional, collection))
      } else if let whole = given.wholes[input.kind] {
        wholes.append((input.kind, whole))
      } else {
        absent.append(input.kind)
      }
    }
  }
}
