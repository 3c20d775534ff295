import StageKit
import Synchronization

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
