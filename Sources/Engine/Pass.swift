// One attempt at a run: folders are scanned, then stage after stage finds its actions and performs those that have
// no result. How it ends is in Pass+End.swift.

import Configurations
import Dispatch
import Platform
import StageKit
import Synchronization

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
  struct Progress {
    var outputs: [String: StageOutputs] = [:]
    var stages: [StageRecord] = []
    var finished: [FinishedStage] = []
    var quarantined: [QuarantinedInput] = []
    var unsettled: [String] = []
    var waiting: Waiting?
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
    let stages = plan.stages.filter { if case .importing = $0.work { true } else { false } }
    // Meanwhile the store reads what it knows of the last pass.
    let found = try concurrentMap(stages.count + 1, threads: runner.threads) { number in
      if number < stages.count { return try Optional(scan(stages[number])) }
      runner.store.prepare()
      return nil
    }
    let scans = Dictionary(uniqueKeysWithValues: zip(stages, found).map { ($0.id, $1!) })
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
    let done = transient.isEmpty ? actions : actions.indices.filter { !transient.contains($0) }.map { actions[$0] }
    let outputs = try outcome.gather(done, inputs, threads: runner.threads)
    state.outputs[stage.id] = outputs
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
      sources: SourceChange(), counters: did.counters,
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
}
