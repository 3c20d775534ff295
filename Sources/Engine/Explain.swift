// Why each action will run or is cached: its key's parts against those of the last finished run.

import Configurations
import Platform
import StageKit

/// What a run would do, and why. Nothing is read but records.
public struct Explanation: Sendable, Codable, Equatable {
  public enum Verdict: String, Sendable, Codable {
    case cached
    case runs
    /// Runs if what an earlier stage is about to make differs from what it made before.
    case depends
  }

  public struct Action: Sendable, Codable, Equatable {
    /// A unit's or a source's name, or "all sources".
    public var subject: String
    public var verdict: Verdict
    /// "parameter cutoff: 5 -> 5.5", "input features: 1 added, 0 removed", "new".
    public var reasons: [String]
  }

  public struct Stage: Sendable, Codable, Equatable {
    public var id: String
    public var actions: [Action]
    /// Cached actions that are not listed; nil where all are.
    public var known: Int?

    public init(id: String, actions: [Action], known: Int? = nil) {
      self.id = id
      self.actions = actions
      self.known = known
    }
  }

  public var stages: [Stage]

  public init(stages: [Stage] = []) { self.stages = stages }

  public func stage(_ id: String) -> Stage? { stages.first { $0.id == id } }
}

extension Explanation: CustomStringConvertible {
  /// One line per stage, and one per reason: actions with the same reasons are counted together.
  public var description: String {
    stages.map { stage in
      let count = { (verdict: Verdict) in stage.actions.count { $0.verdict == verdict } }
      var text = "\(stage.id): \(count(.runs)) to run, \(count(.cached) + (stage.known ?? 0)) cached"
      if count(.depends) > 0 { text += ", \(count(.depends)) depending on earlier stages" }
      text += "\n"
      var groups: [(action: Action, count: Int)] = []
      for action in stage.actions where action.verdict != .cached {
        if let index = groups.firstIndex(where: {
          $0.action.reasons == action.reasons && $0.action.verdict == action.verdict
        }) {
          groups[index].count += 1
        } else {
          groups.append((action, 1))
        }
      }
      for (action, count) in groups {
        let others = count > 1 ? " and \(count - 1) more" : ""
        let verb = action.verdict == .depends ? "may run" : "runs"
        text += "  \(action.subject)\(others) \(verb): \(action.reasons.joined(separator: "; "))\n"
      }
      return text
    }.joined()
  }
}

extension Runner {
  /// For every stage, and every unit or source of it: will it run, and why.
  public func explain() throws(RunError) -> Explanation {
    do {
      return try Explainer(runner: self, reasons: Reasons(last: try LastKeys.load(store))).explain()
    } catch let error as RunError {
      throw error
    } catch {
      throw RunError(.environment, cause: "\(error)")
    }
  }
}

/// Goes through the stages like a run, but goes on with what is known where an action would run.
private struct Explainer {
  let runner: Runner
  let reasons: Reasons

  /// What a stage would give only after it has run.
  struct Pending {
    /// Names of units that would be read.
    var units: [String] = []
    /// Sources that would be worked on.
    var sources: [Source] = []
    /// Everything, as with a fold.
    var isAll = false

    var isEmpty: Bool { units.isEmpty && sources.isEmpty && !isAll }
  }

  func explain() throws -> Explanation {
    var explanation = Explanation()
    var outputs: [String: StageOutputs] = [:]
    var pending: [String: Pending] = [:]
    let finder = ActionFinder(plan: runner.plan, store: runner.store, threads: runner.threads)
    for stage in runner.plan.stages {
      let differences = reasons.differences(stage, finder.stageKey(stage))
      reasons.last?.stage(stage.id)?.prepare()
      let waits = waits(stage, pending)
      let inputs = try BoundInputs(stage, outputs, runner.drops)
      var entry = Explanation.Stage(id: stage.id, actions: [])
      var left = Pending()

      if waits.contains(where: \.pending.isAll) || (stage.isFold && !waits.isEmpty) {
        let reasons = differences + waits.map(\.words)
        entry.actions = [
          Explanation.Action(subject: "all sources", verdict: .depends, reasons: reasons)
        ]
        left.isAll = true
        outputs[stage.id] = StageOutputs()
      } else {
        var scan: DropScan?
        let actions: [PendingAction]
        switch stage.work {
        case .importing:
          scan = try runner.drops.scan(stage)
          actions = try finder.actions(stage, scan: scan!)
        case .mapping: actions = try finder.actions(stage, eachOf: inputs)
        case .folding: actions = try finder.actions(stage, allOf: inputs)
        }
        for action in actions {
          entry.actions.append(reasons.explain(action, of: stage, differences, inputs))
          guard action.record == nil else { continue }
          switch action.subject {
          case .units(let units): left.units.append(units[0].name)
          case .source(let source): left.sources.append(source)
          case .all: left.isAll = true
          }
        }
        var (names, units) = (Set(entry.actions.map(\.subject)), Set(left.units))
        var sources = Set(left.sources)
        for wait in waits {
          for name in wait.pending.units + wait.pending.sources.map(\.name)
          where names.insert(name).inserted {
            entry.actions.append(
              Explanation.Action(subject: name, verdict: .depends, reasons: [wait.words]))
          }
          left.units += wait.pending.units.filter { units.insert($0).inserted }
          left.sources += wait.pending.sources.filter { sources.insert($0).inserted }
        }
        var outcome = StageOutcome(stage: stage, scan: scan)
        outputs[stage.id] = try outcome.gather(
          actions.filter { $0.record != nil }, inputs, threads: runner.threads)
      }
      if let trigger = stage.trigger {
        for index in entry.actions.indices where entry.actions[index].verdict != .cached {
          entry.actions[index].reasons.append("when: \(trigger.words)")
        }
      }
      if !left.isEmpty { pending[stage.id] = left }
      explanation.stages.append(entry)
    }
    return explanation
  }

  private func waits(_ stage: PlannedStage, _ pending: [String: Pending]) -> [(
    words: String, pending: Pending
  )] {
    stage.inputs.compactMap { input in
      guard let giver = input.stage, let wait = pending[giver] else { return nil }
      let count = wait.units.count + wait.sources.count
      let what =
        wait.isAll
        ? "" : " for \(count) \(wait.units.isEmpty ? "source" : "drop")\(count == 1 ? "" : "s")"
      return ("input \(input.kind) is known only after '\(giver)' has run\(what)", wait)
    }
  }

}

/// Compares what actions depend on with what the last finished run depended on.
struct Reasons {
  let last: LastKeys?

  func explain(
    _ action: PendingAction, of stage: PlannedStage, _ differences: [String],
    _ inputs: BoundInputs
  ) -> Explanation.Action {
    let known = last?.stage(stage.id)
    var reasons = differences
    if let before = known?.action(action.name) {
      reasons += compare(before, action.inputs) { name, _, _ in
        words(name, stage, inputs, known)
      }
    } else if known != nil {
      reasons.append("new")
    }
    if let record = action.record {
      if let reason = record.quarantine {
        reasons = ["set aside: \(reason.cause)"]
      } else if !reasons.isEmpty {
        reasons = ["known from an earlier run"]
      } else {
        reasons = ["unchanged"]
      }
      return Explanation.Action(subject: action.label, verdict: .cached, reasons: reasons)
    }
    if known == nil && differences.isEmpty { reasons = ["never ran"] }
    if let invalid = action.invalid { reasons.append(invalid) }
    if reasons.isEmpty { reasons = ["its record is missing"] }
    return Explanation.Action(subject: action.label, verdict: .runs, reasons: reasons)
  }

  /// In what the stage itself depends on.
  func differences(_ stage: PlannedStage, _ key: StageKey) -> [String] {
    guard let before = last?.stage(stage.id)?.components else { return [] }
    return compare(before, key.components) { name, old, new in
      let show = name.hasPrefix("parameter ") ? ParameterDecoder.readable : { $0 }
      let title = name == "version" ? "stage version" : name
      guard let old else { return "\(title): \(show(new!)) (new)" }
      guard let new else { return "\(title): \(show(old)) (gone)" }
      return "\(title): \(show(old)) -> \(show(new))"
    }
  }

  /// Words for every component that differs, in the order of the new ones, then of those that are gone.
  private func compare(
    _ old: [KeyComponent], _ new: [KeyComponent],
    _ words: (_ name: String, _ old: String?, _ new: String?) -> String
  ) -> [String] {
    var reasons: [String] = []
    for component in new {
      let before = old.first { $0.name == component.name }?.value
      if before != component.value {
        reasons.append(words(component.name, before, component.value))
      }
    }
    for component in old where !new.contains(where: { $0.name == component.name }) {
      reasons.append(words(component.name, component.value, nil))
    }
    return reasons
  }

  private func words(
    _ name: String, _ stage: PlannedStage, _ inputs: BoundInputs, _ known: StageKeys?
  ) -> String {
    switch name {
    case "unit": return "content changed"
    case "group": return "moved to another folder"
    case "names": return "names of sources changed"
    default: break
    }
    guard name.hasPrefix("input "), case .folding = stage.work, let known,
      let now = inputs.collections.first(where: { "input \($0.kind)" == name })?.collection.members
    else { return "\(name) changed" }
    let changes = now.changes(since: known.members(String(name.dropFirst(6))))
    return "\(name): \(changes.added.count) added, \(changes.removed.count) removed"
      + (changes.changed.isEmpty ? "" : ", \(changes.changed.count) changed")
  }
}

extension PlannedStage {
  fileprivate var isFold: Bool { if case .folding = work { true } else { false } }
}
