// How a pass ends: with the record of what it did, and with what the next pass compares itself with.

import Platform
import StageKit

extension Pass {
  /// The run ends before a stage that is not due: what earlier stages did is kept, nothing is published.
  func stop(_ state: Progress, _ waiting: Waiting) throws -> RunOutcome {
    try runner.store.setNote(TriggerNotes.waiting, Array(waiting.words.utf8))
    report(.stageWaits(waiting))
    passEnded(state)
    var outcome = RunOutcome(record: record(state), publication: nil, finished: state.finished)
    outcome.record.waiting = waiting
    return outcome
  }

  func passEnded(_ state: Progress) {
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
  func explain(_ actions: [PendingAction], _ stage: PlannedStage, _ inputs: BoundInputs) throws {
    let reasons = Reasons(last: try lastKeys())
    let differences = reasons.differences(stage, finder.stageKey(stage))
    if actions.count > 8 { reasons.last?.stage(stage.id)?.prepare() }
    tally.explain(stage.id, actions.map { reasons.explain($0, of: stage, differences, inputs) })
  }

  func record(_ state: Progress) -> RunRecord {
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

  func finish(_ state: Progress) throws -> RunOutcome {
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
      record.stages[index].sources =
        isSame
        ? SourceChange(unchanged: sources.count)
        : last?.stage(finished.stage.id)?.change(to: sources) ?? SourceChange(added: sources)
    }
    if !record.isUnchanged { record.explanation = tally.explanation(plan, record.stages) }
    let publication = plan.publisher.flatMap { state.outputs[$0.id]?.wholes[.publication] }
    record.publication = publication?.digest
    _ = try concurrentMap(2, threads: runner.threads) { part in
      if part == 0 { passEnded(state) } else if !isSame { try LastKeys.save(stages, state: known, runner.store) }
    }
    return RunOutcome(record: record, publication: publication, finished: stages)
  }
}
