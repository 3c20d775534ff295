// The laws that every stage must keep, as one harness: a plan and a few drops go in, broken laws come out.

import Configurations
import Engine
import Platform
import StageKit

/// A law that does not hold, in words for a failing test.
public struct LawViolation: Sendable, Equatable, CustomStringConvertible {
  public enum Law: String, Sendable, CaseIterable {
    case fold, proportion, identity, validity, quarantine, resumability
  }

  public let law: Law
  public let description: String

  init(_ law: Law, _ what: String) {
    self.law = law
    description = "\(law.rawValue): \(what)"
  }
}

/// What to put into which stage's folder. At least three good drops; none a copy of another.
public struct LawDrops: Sendable {
  public var good: [(stage: String, unit: InMemoryDrops.Unit)]
  /// Must be set aside.
  public var bad: (stage: String, unit: InMemoryDrops.Unit)?

  public init(
    good: [(stage: String, unit: InMemoryDrops.Unit)],
    bad: (stage: String, unit: InMemoryDrops.Unit)? = nil
  ) {
    self.good = good
    self.bad = bad
  }
}

/// Checks the laws for all stages of a plan. `samples` bounds how many drops, objects and points of
/// failure are tried for each law; they are spread evenly. Each costs a run or two of the pipeline.
public func checkStageLaws(
  _ plan: Plan, _ drops: LawDrops, laws: [LawViolation.Law] = LawViolation.Law.allCases,
  samples: Int = 12
) throws -> [LawViolation] {
  precondition(drops.good.count >= 3, "the laws need at least three good drops")
  let all = try StageLaws(plan: plan, drops: drops, samples: samples)
  return try laws.flatMap { law in
    switch law {
    case .fold: try all.fold()
    case .proportion: try all.proportion()
    case .identity: try all.identity()
    case .validity: try all.validity()
    case .quarantine: try all.quarantine()
    case .resumability: try all.resumability()
    }
  }
}

private typealias Unit = (stage: String, unit: InMemoryDrops.Unit)

private struct StageLaws {
  let plan: Plan
  let drops: LawDrops
  let samples: Int
  /// One run from scratch over all good drops: what every detour must end with.
  let reference: RunOutcome
  private let scratch: World

  init(plan: Plan, drops: LawDrops, samples: Int) throws {
    self.plan = plan
    self.drops = drops
    self.samples = samples
    scratch = World(plan, drops.good)
    reference = try scratch.run()
  }

  /// A pipeline with its own store and inbox.
  struct World {
    let plan: Plan
    let store = InMemoryActionStore()
    let inbox = InMemoryDrops()

    init(_ plan: Plan, _ units: [Unit] = []) {
      self.plan = plan
      put(units)
    }

    func put(_ units: [Unit]) { for unit in units { inbox.drop([unit.unit], into: unit.stage) } }

    func run(threads: Int = 1) throws(RunError) -> RunOutcome {
      try Runner(plan: plan, store: store, drops: inbox, threads: threads).run()
    }
  }

  /// Everything that a run gave, stage by stage; equal text means equal bytes.
  func snapshot(_ outcome: RunOutcome, only stages: Set<String>? = nil) -> [String: String] {
    var snapshot: [String: String] = [:]
    for stage in plan.stages where stages?.contains(stage.id) ?? true {
      guard let results = outcome.results[stage.id] else { continue }
      var lines: [String] = []
      for (kind, items) in results.collections.sorted(by: { $0.key < $1.key }) {
        for item in items { lines.append("\(kind) \(item.source.digest) \(item.artifact.digest)") }
      }
      for (kind, artifact) in results.wholes.sorted(by: { $0.key < $1.key }) {
        lines.append("\(kind) \(artifact.digest)")
      }
      snapshot[stage.id] = lines.joined(separator: "\n")
    }
    return snapshot
  }

  func compare(
    _ law: LawViolation.Law, _ found: [String: String], _ expected: [String: String],
    _ context: String
  ) -> [LawViolation] {
    for stage in plan.stages where found[stage.id] != expected[stage.id] {
      // Later stages differ because of the first one.
      return [
        LawViolation(law, "stage '\(stage.id)' gave other artifacts \(context)")
      ]
    }
    return []
  }

  /// About `samples` of the elements, always with the first and the last.
  func spread<Element>(_ all: [Element]) -> [Element] {
    guard all.count > samples, samples > 1 else { return all }
    return (0..<samples).map { all[$0 * (all.count - 1) / (samples - 1)] }
  }

  // MARK: Fold

  /// Any order of arrival, and any detour, ends where one run over all drops ends.
  func fold() throws -> [LawViolation] {
    var violations: [LawViolation] = []
    let expected = snapshot(reference)
    let good = drops.good
    // A fixed shuffle: every third drop, then the rest backwards.
    let shuffled =
      good.enumerated().filter { $0.offset % 3 == 1 }.map(\.element)
      + good.enumerated().filter { $0.offset % 3 != 1 }.map(\.element).reversed()
    let orders: [(name: String, batches: [[Unit]])] = [
      ("one at a time", good.map { [$0] }),
      ("one at a time, backwards", good.reversed().map { [$0] }),
      (
        "in shuffled pairs",
        stride(from: 0, to: shuffled.count, by: 2).map {
          Array(shuffled[$0..<min($0 + 2, shuffled.count)])
        }
      ),
    ]
    for order in orders {
      let world = World(plan)
      var last: RunOutcome?
      for batch in order.batches {
        world.put(batch)
        // A stage may refuse to work on too few sources; the next drops mend that.
        do throws(RunError) { last = try world.run() } catch {
          guard error.kind == .input else { throw error }
          last = nil
        }
      }
      guard let last else {
        violations.append(LawViolation(.fold, "no result after drops \(order.name)"))
        continue
      }
      violations += compare(.fold, snapshot(last), expected, "after drops \(order.name)")
    }
    for index in spread(Array(good.indices)) {
      let removed = good[index]
      var rest = good
      rest.remove(at: index)
      let world = World(plan, good)
      _ = try world.run()
      world.inbox.remove(removed.unit.name, from: removed.stage)
      let without = snapshot(try World(plan, rest).run())
      violations += compare(
        .fold, snapshot(try world.run()), without, "after '\(removed.unit.name)' was removed")
      world.put([removed])
      violations += compare(
        .fold, snapshot(try world.run()), expected,
        "after '\(removed.unit.name)' was removed and put back")
    }
    return violations
  }

  // MARK: Proportion

  /// One new drop reads one unit and maps its sources; no drop does nothing.
  func proportion() throws -> [LawViolation] {
    var violations: [LawViolation] = []
    for index in spread(Array(drops.good.indices)) {
      let new = drops.good[index]
      var others = drops.good
      others.remove(at: index)
      let world = World(plan, others)
      _ = try world.run()
      _ = world.inbox.takeOpened()

      world.put([new])
      let record = try world.run().record
      let (opened, files) = (world.inbox.takeOpened(), new.unit.files.map(\.name))
      // A file may be opened more than once (to look what it is), but no other file at all.
      if Set(opened) != Set(files) {
        violations.append(
          LawViolation(.proportion, "'\(new.unit.name)' opened \(opened) instead of \(files)"))
      }
      for (stage, did) in zip(plan.stages, record.stages) {
        var expected: Int?
        switch stage.work {
        case .importing: expected = stage.id == new.stage ? 1 : 0
        case .mapping where stage.inputs.allSatisfy({ $0.isPerSource || $0.stage == nil }):
          expected = did.sources.added.count
        case .mapping: break
        case .folding: if did.ran > 1 { expected = 1 }
        }
        if let expected, did.ran != expected {
          violations.append(
            LawViolation(
              .proportion,
              "'\(new.unit.name)' made '\(stage.id)' run \(did.ran) times instead of \(expected)"))
        }
      }

      let idle = try world.run().record
      let reopened = world.inbox.takeOpened()
      if !idle.isUnchanged || !reopened.isEmpty {
        let busy = idle.stages.filter { $0.ran > 0 }.map(\.id)
        violations.append(
          LawViolation(.proportion, "with nothing new, \(busy) ran and \(reopened) were opened"))
      }
    }
    return violations
  }

  // MARK: Identity

  /// Stages to whose results names may make a difference.
  var stagesThatShowNames: Set<String> {
    var shown: Set<String> = []
    for stage in plan.stages
    where stage.description.showsNames
      || stage.inputs.contains(where: { $0.stage.map(shown.contains) ?? false })
    {
      shown.insert(stage.id)
    }
    return shown
  }

  /// Threads never matter, and names only where a stage says so.
  func identity() throws -> [LawViolation] {
    var violations: [LawViolation] = []
    let expected = reference
    for threads in [2, 5] {
      let other = try World(plan, drops.good).run(threads: threads)
      violations += compare(
        .identity, snapshot(other), snapshot(expected), "with \(threads) threads")
      if other.record.fingerprint != expected.record.fingerprint {
        violations.append(LawViolation(.identity, "keys differ with \(threads) threads"))
      }
    }
    let renamed = drops.good.map { (stage: $0.stage, unit: $0.unit.renamed("elsewhere/")) }
    let other = try World(plan, renamed).run()
    let nameless = Set(plan.stages.map(\.id)).subtracting(stagesThatShowNames)
    violations += compare(
      .identity, snapshot(other, only: nameless), snapshot(expected, only: nameless),
      "when drops were renamed")
    for (a, b) in zip(expected.record.stages, other.record.stages)
    where nameless.contains(a.id) && a.key != b.key {
      violations.append(
        LawViolation(.identity, "the key of '\(a.id)' differs when drops were renamed"))
    }
    return violations
  }

  // MARK: Validity

  /// A lost object makes exactly the actions run again that gave it; a damaged one is never used.
  func validity() throws -> [LawViolation] {
    var violations: [LawViolation] = []
    let world = World(plan, drops.good)
    let first = try world.run()
    let expected = snapshot(first)
    var parts: [Digest: [ActionTask]] = [:]
    for task in first.actions {
      for digest in Set(try world.store.action(task.key)?.parts.map(\.digest) ?? []) {
        parts[digest, default: []].append(task)
      }
    }
    for digest in spread(parts.keys.sorted()) {
      world.store.lose(digest)
      let again = try world.run()
      // The first stage that gave the object makes it anew; later ones then find it.
      let stage = parts[digest]![0].stage
      for record in again.record.stages {
        let count = record.id == stage ? parts[digest]!.count { $0.stage == stage } : 0
        if record.ran != count {
          violations.append(
            LawViolation(
              .validity,
              "losing an object of '\(stage)' made '\(record.id)' run \(record.ran) times instead of \(count)"
            ))
        }
      }
      violations += compare(.validity, snapshot(again), expected, "after an object was lost")
    }
    for digest in spread(parts.keys.sorted()) {
      world.store.damage(digest)
      // Make everything that reads artifacts run again, so that the damage is met.
      for task in first.actions {
        if case .unit = task.subject { continue }
        try world.store.forget(task.key)
      }
      let again = try world.run()
      violations += compare(.validity, snapshot(again), expected, "after an object was damaged")
      // Damage that nothing read is still there; `verify` would find it.
      world.store.lose(digest)
      _ = try world.run()
    }
    return violations
  }

  // MARK: Quarantine

  /// A bad drop is set aside and changes nothing but what tells of it.
  func quarantine() throws -> [LawViolation] {
    guard let bad = drops.bad else { return [] }
    var violations: [LawViolation] = []
    let silent = Set(plan.stages.map(\.id)).subtracting(stagesThatShowNames)
    let expected = snapshot(reference, only: silent)
    let world = World(plan, drops.good + [bad])
    for pass in ["at first", "again"] {
      let outcome = try world.run()
      let opened = world.inbox.takeOpened()
      violations += compare(
        .quarantine, snapshot(outcome, only: silent), expected, "beside a bad drop, \(pass)")
      let names = outcome.record.quarantined.map(\.name)
      if names != [bad.unit.name] {
        violations.append(LawViolation(.quarantine, "\(names) were set aside, \(pass)"))
      }
      if outcome.exitStatus != 3 {
        violations.append(LawViolation(.quarantine, "exit status \(outcome.exitStatus), \(pass)"))
      }
      if pass == "again", !opened.isEmpty {
        violations.append(LawViolation(.quarantine, "the bad drop was read again"))
      }
    }
    world.inbox.remove(bad.unit.name, from: bad.stage)
    let mended = try world.run()
    if mended.exitStatus != 0 {
      violations.append(LawViolation(.quarantine, "still set aside after the bad drop was gone"))
    }
    violations += compare(
      .quarantine, snapshot(mended), snapshot(reference), "after the bad drop was gone")
    return violations
  }

  // MARK: Resumability

  /// A run that fails at any store operation can be run again, and ends with the same bytes.
  func resumability() throws -> [LawViolation] {
    var violations: [LawViolation] = []
    let expected = snapshot(reference)
    for point in spread(Array(1...scratch.store.operations)) {
      let world = World(plan, drops.good)
      world.store.fail(atOperation: point)
      do throws(RunError) { _ = try world.run() } catch {
        if error.kind != .environment {
          violations.append(
            LawViolation(
              .resumability, "failing at operation \(point) was called \(error.kind): \(error)"))
        }
      }
      world.store.fail(atOperation: nil)
      violations += compare(
        .resumability, snapshot(try world.run()), expected,
        "after a failure at store operation \(point)")
    }
    return violations
  }
}

extension InMemoryDrops.Unit {
  /// The same content in the same group under another name.
  fileprivate func renamed(_ prefix: String) -> Self {
    var copy = self
    copy.name = prefix + name
    copy.files = files.map { (prefix + $0.name, $0.bytes) }
    return copy
  }
}
