// What a stage has to do, given what the stages before it gave: one action per unit, source or fold,
// each with its key and, where it has run before, its valid record. Shared by `run` and `explain`.

import Configurations
import Platform
import StageKit

/// An action of a stage.
struct PendingAction: Sendable {
  enum Subject: Sendable {
    /// Units of equal content and group; the first gives its name.
    case units([DropUnit])
    case source(Source)
    case all
  }

  let subject: Subject
  let key: ActionKey
  /// The components that are the action's own.
  let inputs: [KeyComponent]
  /// What it gave, where all of that still exists.
  var record: ActionRecord?
  /// Why there is none although it ran before.
  var invalid: String?

  /// Under which a later run looks for what this action was last time.
  var name: String {
    switch subject {
    case .units(let units): units[0].name
    case .source(let source): source.digest.description
    case .all: "all"
    }
  }

  /// For people.
  var label: String {
    switch subject {
    case .units(let units): units[0].name
    case .source(let source): source.name
    case .all: "all sources"
    }
  }

  func task(_ stage: String) -> ActionTask {
    let subject: ActionTask.Subject =
      switch self.subject {
      case .units(let units): .unit(units[0].name)
      case .source(let source): .source(source.digest)
      case .all: .all
      }
    return ActionTask(stage: stage, subject: subject, key: key.digest)
  }
}

/// Finds a stage's actions and their records.
struct ActionFinder: Sendable {
  let plan: Plan
  let store: any ActionStore
  let threads: Int

  func stageKey(_ stage: PlannedStage) -> StageKey {
    StageKey(
      description: stage.description, parameters: stage.parameters, project: plan.project,
      elements: plan.elements.map(\.symbol))
  }

  /// Import: one action for all units of equal content (and group, and name where that is shown).
  func actions(_ stage: PlannedStage, scan: DropScan) throws -> [PendingAction] {
    let shared = stageKey(stage)
    let units = scan.units.inOrder(DropUnit.isBefore)
    let keys = concurrentShares(units.count, threads: threads) { share in
      units[share].map { unit in
        var inputs = [
          KeyComponent("unit", unit.digest.description), KeyComponent("group", unit.group ?? ""),
        ]
        if stage.description.showsNames { inputs.append(KeyComponent("names", unit.name)) }
        return shared.key(inputs)
      }
    }
    var groups: [(key: ActionKey, units: [DropUnit])] = []
    groups.reserveCapacity(units.count)
    var places = [Digest: Int](minimumCapacity: units.count)
    for (unit, key) in zip(units, keys) {
      if let place = places[key.digest] {
        groups[place].units.append(unit)
      } else {
        places[key.digest] = groups.count
        groups.append((key, [unit]))
      }
    }
    return try lookUp(
      groups.map { PendingAction(subject: .units($0.units), key: $0.key, inputs: $0.key.inputs) })
  }

  /// Mapping: one action per source.
  func actions(_ stage: PlannedStage, eachOf inputs: BoundInputs) throws -> [PendingAction] {
    let shared = stageKey(stage)
    let common =
      inputs.wholes.map { KeyComponent("input \($0.kind)", $0.artifact.digest.description) }
      + inputs.absent.map { KeyComponent("input \($0)", "none") } + attached(inputs)
    let names = inputs.collections.map { "input \($0.kind)" }
    let sources = inputs.completeSources
    return try lookUp(
      concurrentShares(sources.count, threads: threads) { share in
        let own = inputs.collections.map { $0.collection.items(of: sources[share]) }
        return sources[share].enumerated().map { number, source in
          var components = [KeyComponent("source", source.digest.description)]
          for (name, items) in zip(names, own) {
            components.append(KeyComponent(name, items[number].map { $0.digest.description } ?? "none"))
          }
          components += common
          if stage.description.showsNames { components.append(KeyComponent("names", source.name)) }
          return PendingAction(
            subject: .source(source), key: shared.key(components), inputs: components)
        }
      })
  }

  /// Folding: one action.
  func actions(_ stage: PlannedStage, allOf inputs: BoundInputs) throws -> [PendingAction] {
    var components = inputs.collections.map {
      KeyComponent("input \($0.kind)", $0.collection.digest.description)
    }
    components += inputs.wholes.map {
      KeyComponent("input \($0.kind)", $0.artifact.digest.description)
    }
    components += inputs.absent.map { KeyComponent("input \($0)", "none") }
    if stage.description.showsNames {
      var builder = DigestBuilder()
      for source in inputs.sources {
        builder.add(source.digest)
        builder.add(source.name)
      }
      components.append(KeyComponent("names", builder.finish().description))
      var setAside = DigestBuilder()
      for input in inputs.quarantined {
        setAside.add(input.name)
        setAside.add("\(input.diagnostic)")
      }
      components.append(KeyComponent("inputs set aside", setAside.finish().description))
    }
    components += attached(inputs)
    let key = stageKey(stage).key(components)
    return try lookUp([PendingAction(subject: .all, key: key, inputs: components)])
  }

  /// The content of files that parameters name is part of the key.
  private func attached(_ inputs: BoundInputs) -> [KeyComponent] {
    guard !inputs.attachments.isEmpty else { return [] }
    var builder = DigestBuilder()
    for file in inputs.attachments {
      builder.add(file.path)
      builder.add(file.name)
      builder.add(Digest(of: file.bytes))
    }
    return [KeyComponent("attached files", builder.finish().description)]
  }

  private func lookUp(_ actions: consuming [PendingAction]) throws -> [PendingAction] {
    let known = try store.recall(actions.map(\.key.digest), threads: threads)
    for (index, known) in known.enumerated() {
      actions[index].record = known.record
      actions[index].invalid = known.lost.map { "its output \($0.name) is missing or damaged" }
    }
    return actions
  }
}

extension Array {
  /// Sorted, at the price of one look where it is already.
  func inOrder(_ isBefore: (Element, Element) -> Bool) -> [Element] {
    indices.dropFirst().contains { isBefore(self[$0], self[$0 - 1]) } ? sorted(by: isBefore) : self
  }
}
