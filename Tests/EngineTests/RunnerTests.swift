import Configurations
import Engine
import Foundation
import Platform
import StageKit
import Synchronization
import Testing

@Suite struct RunnerTests {
  typealias Unit = InMemoryDrops.Unit

  @Test func aPipelineRunsThrough() throws {
    let world = try Toy.World([Unit("a.txt", "1\n2\n"), Unit("b.txt", "3\n")])
    let outcome = try world.run()
    #expect(try world.published("result/total.txt", outcome) == "14\n1\n4\n9\n")
    #expect(
      try world.published("names.txt", outcome).split(separator: "\n").sorted()
        == ["a.txt", "b.txt"])
    #expect(outcome.record.ran == [2, 2, 1, 1, 1])
    #expect(outcome.exitStatus == 0)
    #expect(outcome.record.publication == outcome.publication?.digest)
    #expect(outcome.record.stage("numbers").counters == ["file read": 2])
    #expect(outcome.record.stage("square").counters == ["source squared": 2])
    #expect(outcome.record.stage("choose").diagnostics.map(\.code) == ["chosen"])
    #expect(
      outcome.record.stage("numbers").sources.added.map(\.name).sorted() == ["a.txt", "b.txt"])
    #expect(outcome.actions.count == 7)
    #expect(outcome.results["square"]?.collections[.squares]?.count == 2)
    #expect(outcome.results["total"]?.wholes[.total] != nil)
  }

  @Test func nothingNewDoesNothing() throws {
    let world = try Toy.World([Unit("a.txt", "1\n")])
    let first = try world.run()
    _ = world.inbox.takeOpened()
    let second = try world.run()
    #expect(second.record.isUnchanged)
    #expect(second.record.stages.map(\.cached) == [1, 1, 1, 1, 1])
    #expect(
      second.record.stages.allSatisfy { $0.sources.added.isEmpty && $0.sources.unchanged == 1 })
    #expect(second.record.stage("choose").diagnostics.map(\.code) == ["chosen"], "cached ones too")
    #expect(second.publication == first.publication)
    #expect(second.record.fingerprint == first.record.fingerprint)
    #expect(world.inbox.takeOpened() == [])
  }

  @Test func oneNewDropIsOneOfEverything() throws {
    let world = try Toy.World((1...500).map { Unit("\($0).txt", "\($0)\n") })
    _ = try world.run()
    _ = world.inbox.takeOpened()
    world.inbox.drop([Unit("new.txt", "1000\n")], into: "numbers")
    let record = try world.run().record
    #expect(world.inbox.takeOpened() == ["new.txt"])
    #expect(record.ran == [1, 1, 1, 1, 1])
    #expect(record.stage("numbers").counters == ["file read": 1])
    #expect(record.stage("square").counters == ["source squared": 1])
    #expect(record.stage("total").counters == ["sum made": 1])
    #expect(record.stage("total").sources.added.map(\.name) == ["new.txt"])
    #expect(record.stage("total").sources.unchanged == 500)
  }

  /// Nothing to do asks the store a bounded number of things for each source.
  @Test func nothingToDoIsCheap() throws {
    let world = try Toy.World((1...1000).map { Unit("\($0).txt", "\($0)\n") })
    _ = try world.run()
    let before = world.store.operations
    #expect(try world.run().record.isUnchanged)
    // Per source: import record and part, square record and part, choice part.
    #expect(world.store.operations - before <= 5 * 1000 + 20)
  }

  @Test func anUnchangedResultStopsTheChange() throws {
    let world = try Toy.World([Unit("a.txt", "2\n")])
    _ = try world.run()
    // Another source content, same numbers squared and same choice: only what sees sources runs.
    world.inbox.drop([Unit("a.txt", "2\n\n")], into: "numbers")
    let record = try world.run().record
    #expect(record.stage("numbers").sources.removed.map(\.name) == ["a.txt"])
    #expect(record.stage("total").counters["sum made"] == nil, "its memo is by content")
  }

  // MARK: Sources

  @Test func oneContentIsOneSource() throws {
    let world = try Toy.World([
      Unit("z.txt", "5\n"), Unit("b/copy.txt", group: "b", "5\n"), Unit("a.txt", "5\n"),
    ])
    let outcome = try world.run()
    #expect(try world.published("result/total.txt", outcome) == "25\n25\n")
    #expect(try world.published("names.txt", outcome) == "a.txt\n", "the first by group, then name")
    let notes = outcome.record.stage("numbers").diagnostics
    #expect(notes.map(\.place.file) == ["z.txt", "b/copy.txt"])
    #expect(notes.allSatisfy { $0.cause == "already known as a.txt." })
    // Equal content and group is one action; another group is another.
    #expect(outcome.record.stage("numbers").ran == 2)
    #expect(outcome.exitStatus == 0)
  }

  @Test func whoSpeaksForASourceDoesNotDependOnArrival() throws {
    let units = [Unit("b.txt", "5\n"), Unit("a/c.txt", group: "a", "5\n"), Unit("d.txt", "5\n")]
    let whole = try Toy.World(units).run()
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
      let world = try Toy.World()
      var last: RunOutcome?
      for index in order {
        world.inbox.drop([units[index]], into: "numbers")
        last = try world.run()
      }
      #expect(last?.publication == whole.publication, "\(order)")
    }
  }

  @Test func aUnitMayHoldSeveralSources() throws {
    let world = try Toy.World([
      Unit(folder: "run", files: [("x", Array("1\n".utf8)), ("y", Array("2\n".utf8))])
    ])
    let outcome = try world.run()
    #expect(
      try world.published("names.txt", outcome).split(separator: "\n").sorted()
        == ["run/x", "run/y"])
    #expect(outcome.record.stage("numbers").ran == 1)
    #expect(outcome.record.stage("square").ran == 2)
  }

  @Test func renamingRunsOnlyWhatShowsNames() throws {
    let world = try Toy.World([Unit("a.txt", "1\n")])
    _ = try world.run()
    world.inbox.remove("a.txt", from: "numbers")
    world.inbox.drop([Unit("b.txt", "1\n")], into: "numbers")
    let outcome = try world.run()
    #expect(outcome.record.ran == [0, 0, 0, 0, 1])
    #expect(try world.published("names.txt", outcome) == "b.txt\n")
    #expect(outcome.record.stage("numbers").sources.added.isEmpty)
  }

  @Test func parametersAndElementsRunWhatTheyConcern() throws {
    var world = try Toy.World([Unit("a.txt", "1\n")])
    _ = try world.run()
    world.plan = try Toy.plan(Toy.everything.replacing("'total'", with: "'total',offset:1"))
    #expect(try world.run().record.ran == [0, 0, 0, 1, 1])
    // The source stays the same, what is made of it does not: every fold must see that.
    world.plan = try Toy.plan(Toy.everything.replacing("'numbers'", with: "'numbers',scale:3"))
    let scaled = try world.run()
    #expect(scaled.record.ran == [1, 1, 1, 1, 1])
    #expect(try world.published("result/total.txt", scaled) == "9\n9\n")
    #expect(scaled.record.stage("total").sources.unchanged == 1)
    world.plan = try Toy.plan(elements: "['W','C']")
    #expect(try world.run().record.ran == [1, 1, 1, 1, 1])
    world.plan = try Toy.plan()
    #expect(try world.run().record.isUnchanged, "what was known before is still known")
  }

  // MARK: Quarantine

  @Test func badDropsAreSetAside() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("bad.txt", "1\nx\n")])
    let outcome = try world.run()
    #expect(outcome.exitStatus == 3)
    #expect(outcome.record.quarantined.map(\.name) == ["bad.txt"])
    #expect(
      outcome.record.quarantined.first?.diagnostic.description
        == "bad.txt:2: 'x' is not a number. Correct the line.")
    #expect(try world.published("result/total.txt", outcome) == "1\n1\n")

    _ = world.inbox.takeOpened()
    let second = try world.run()
    #expect(second.exitStatus == 3, "still set aside")
    #expect(world.inbox.takeOpened() == [], "but not read again")

    world.inbox.drop([Unit("bad.txt", "2\n")], into: "numbers")
    let mended = try world.run()
    #expect(mended.exitStatus == 0)
    #expect(mended.record.stage("numbers").ran == 1)
  }

  @Test func retryReadsAgain() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("b.txt", "x\n"), Unit("c.txt", "y\n")])
    _ = try world.run()
    _ = world.inbox.takeOpened()
    #expect(try world.runner().retry(matching: { $0 == "b.txt" }) == ["b.txt"])
    _ = try world.run()
    #expect(world.inbox.takeOpened() == ["b.txt"])
    #expect(try world.runner().retry() == ["b.txt", "c.txt"])
  }

  @Test func recordedDiagnosticsFollowTheName() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("bad.txt", "x\n")])
    _ = try world.run()
    world.inbox.remove("bad.txt", from: "numbers")
    world.inbox.drop([Unit("worse.txt", "x\n")], into: "numbers")
    let outcome = try world.run()
    #expect(outcome.record.quarantined.map(\.diagnostic.place.file) == ["worse.txt"])
    #expect(outcome.record.stage("numbers").ran == 0)
  }

  @Test func sourcesCanBeSetAsideLater() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("b.txt", "99\n")])
    for _ in 0..<2 {
      let outcome = try world.run()
      #expect(outcome.exitStatus == 3)
      #expect(outcome.record.quarantined.map(\.stage) == ["square"])
      #expect(outcome.record.quarantined.map(\.diagnostic.place.file) == ["b.txt"])
      #expect(try world.published("result/total.txt", outcome) == "1\n1\n")
    }
  }

  @Test func problemsOfTheScanAreTold() throws {
    let world = try Toy.World([Unit("a.txt", "1\n")])
    world.inbox.report(
      [
        Diagnostic(
          .error, code: "unreadable", place: .init(file: "secret"), cause: "no permission."),
        Diagnostic(.note, code: "ignored", place: .init(file: ".x"), cause: "ignored."),
      ], for: "numbers")
    let outcome = try world.run()
    #expect(outcome.exitStatus == 3)
    #expect(outcome.record.quarantined.map(\.name) == ["secret"])
    #expect(outcome.record.stage("numbers").diagnostics.map(\.code) == ["ignored"])
  }

  @Test(arguments: [\Unit.changesWhileRead, \Unit.changesAfterRead])
  func changingUnitsWait(_ when: WritableKeyPath<Unit, Bool> & Sendable) throws {
    let world = try Toy.World([Unit("a.txt", "1\n")])
    var changing = Unit("b.txt", "2\n")
    changing[keyPath: when] = true
    world.inbox.drop([changing], into: "numbers")
    let outcome = try world.run()
    #expect(outcome.record.unsettled == ["b.txt"])
    #expect(outcome.exitStatus == 0)
    #expect(try world.published("result/total.txt", outcome) == "1\n1\n")
    changing[keyPath: when] = false
    world.inbox.drop([changing], into: "numbers")
    #expect(try world.published("result/total.txt", world.run()) == "5\n1\n4\n")
  }

  @Test func unitsThatBreakOffWait() throws {
    var open = Unit("b.txt", "2\nopen\n")
    open.acceptsIncomplete = false
    let world = try Toy.World([Unit("a.txt", "1\n"), open])
    #expect(try world.run().record.unsettled == ["b.txt"])
    _ = world.inbox.takeOpened()
    open.acceptsIncomplete = true
    world.inbox.drop([open], into: "numbers")
    let outcome = try world.run()
    #expect(outcome.record.unsettled == [])
    #expect(try world.published("result/total.txt", outcome) == "5\n1\n4\n")
    #expect(world.inbox.takeOpened() == [], "what was read is kept while waiting")
  }

  /// A failed read says nothing of the content: the unit is set aside this time only.
  @Test func failedReadsAreTriedAgain() throws {
    let drops = FailingDrops(files: ["a.txt": "1\n", "b.txt": "2\n"])
    let store = InMemoryActionStore()
    let runner = Runner(plan: try Toy.plan(), store: store, drops: drops, threads: 1)
    drops.failing.withLock { $0 = "b.txt" }
    let outcome = try runner.run()
    #expect(outcome.exitStatus == 3)
    #expect(outcome.record.quarantined.map(\.diagnostic.code) == ["unreadable"])
    drops.failing.withLock { $0 = nil }
    let second = try runner.run()
    #expect(second.exitStatus == 0)
    #expect(second.record.stage("numbers").ran == 1)
  }

  @Test func aVanishedFolderStopsTheRun() throws {
    let drops = FailingDrops(files: [:])
    drops.isGone.withLock { $0 = true }
    let runner = Runner(plan: try Toy.plan(), store: InMemoryActionStore(), drops: drops)
    let error = #expect(throws: RunError.self) { try runner.run() }
    #expect(error?.kind == .environment)
    #expect(error?.stage == "numbers")
    #expect(error?.cause == "inbox is gone")
  }

  // MARK: Errors

  @Test func tooLittleInputIsSaid() throws {
    let error = #expect(throws: RunError.self) { try Toy.World().run() }
    #expect(error?.kind == .input)
    #expect(
      error?.description == "stage 'total': there are no numbers. Drop a file of numbers.")
  }

  @Test(arguments: [
    ("undeclared", "gave toy-total, which it does not declare"),
    ("nothing", "gave no toy-squares, which it declares"),
    ("both", "gave one kind of artifact twice"), ("parts", "gave two parts of one name"),
    ("crash", "StrangeError"),
  ]) func mistakesOfStagesAreBugs(_ how: String, _ words: String) throws {
    let plan = try Toy.plan(
      "[{use:'numbers'},{use:'careless',how:'\(how)'}]", more: ["careless": Careless.self])
    let error = #expect(throws: RunError.self) { try Toy.World(plan, [Unit("a", "1\n")]).run() }
    #expect(error?.kind == .bug)
    #expect(error?.stage == "careless")
    #expect(error?.cause.contains(words) == true, "\(error!)")
  }

  @Test func cancellationStopsBetweenActionsAndResumes() throws {
    let world = try Toy.World((1...20).map { Unit("\($0).txt", "\($0)\n") })
    let asked = Mutex(0)
    let error = #expect(throws: RunError.self) {
      try world.runner(threads: 2).run(checkCancellation: {
        let count = asked.withLock {
          $0 += 1
          return $0
        }
        if count > 8 { throw CancellationError() }
      })
    }
    #expect(error?.kind == .cancelled)
    let kept = world.store.actionKeys.count
    #expect(kept > 0)
    let outcome = try world.run()
    #expect(outcome.record.ran.reduce(0, +) == 20 + 20 + 3 - kept)
    #expect(
      outcome.publication
        == (try Toy.World((1...20).map { Unit("\($0).txt", "\($0)\n") }).run()).publication)
  }

  /// An executor may run tasks twice and backwards; results count in the order of the tasks.
  @Test func anotherExecutorGivesTheSame() throws {
    let world = try Toy.World((1...5).map { Unit("\($0).txt", "\($0)\n") })
    let executor = ContraryExecutor()
    let outcome = try Runner(
      plan: world.plan, store: world.store, drops: world.inbox, threads: 1, executor: executor
    ).run()
    let local = try Toy.World((1...5).map { Unit("\($0).txt", "\($0)\n") }).run()
    #expect(outcome.publication == local.publication)
    #expect(outcome.record.fingerprint == local.record.fingerprint)
    #expect(outcome.actions == local.actions)
    let tasks = executor.tasks.withLock { $0 }
    #expect(
      tasks.map(\.stage) == Array(repeating: "numbers", count: 5)
        + Array(repeating: "square", count: 5))
    #expect(tasks.first?.subject == .unit("1.txt"))
    // What an executor needs to ship a task is plain data.
    #expect(try JSONDecoder().decode([ActionTask].self, from: JSONEncoder().encode(tasks)) == tasks)
  }

  @Test func eventsTellWhatHappens() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("b.txt", "2\n")])
    let events = Mutex<[RunEvent]>([])
    let outcome = try world.runner().run(progress: { event in events.withLock { $0.append(event) } }
    )
    let all = events.withLock { $0 }
    #expect(all.first == .stageStarted(stage: "numbers", actions: 2, toRun: 2))
    guard case .stageFinished(let last)? = all.last else {
      Issue.record("the last event is \(String(describing: all.last))")
      return
    }
    #expect(last.id == "announce" && last.ran == 1 && last.cached == 0)
    #expect(last.seconds == outcome.record.stage("announce").seconds)
    let done = all.compactMap { event -> Int? in
      if case .actionFinished("square", _, let done, 2) = event { done } else { nil }
    }
    #expect(done.sorted() == [1, 2])
  }

  // MARK: Validity

  @Test func damageThatAStageMeetsIsMended() throws {
    let world = try Toy.World([Unit("a.txt", "2\n"), Unit("b.txt", "3\n")])
    let first = try world.run()
    let squares = first.results["square"]!.collections[.squares]![0]
    world.store.damage(squares.artifact.parts[0].digest)
    // The damage is met only when somebody reads the object.
    world.inbox.drop([Unit("c.txt", "5\n")], into: "numbers")
    let lost = Mutex(0)
    let outcome = try world.runner().run(progress: { event in
      if case .objectLost = event { lost.withLock { $0 += 1 } }
    })
    #expect(lost.withLock { $0 } == 1)
    #expect(outcome.record.ran == [1, 2, 1, 1, 1], "the new source and the lost one")
    #expect(outcome.record.stage("square").counters == ["source squared": 2])
    #expect(try world.published("result/total.txt", outcome) == "38\n4\n9\n25\n")
    #expect(!(try world.store.bytes(squares.artifact.parts[0])).isEmpty)
  }

  @Test func aDiskThatKeepsLosingIsReported() throws {
    let world = try Toy.World([Unit("a.txt", "1\n")])
    let store = LossyStore(world.store)
    let error = #expect(throws: RunError.self) {
      try Runner(plan: world.plan, store: store, drops: world.inbox, threads: 1).run()
    }
    #expect(error?.kind == .environment)
    #expect(error?.cause.contains("damaged again") == true)
  }

  // MARK: The record

  @Test func theRecordIsCodable() throws {
    let world = try Toy.World([Unit("a.txt", "1\n"), Unit("bad.txt", "x\n")])
    let record = try world.run().record
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let bytes = try encoder.encode(record)
    #expect(try JSONDecoder().decode(RunRecord.self, from: bytes) == record)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.contains(#""ran":2"#))
    #expect(text.contains(#""scale":"1""#))
  }

  @Test func keysDoNotKnowTheWorld() throws {
    let units = (1...8).map { Unit("\($0).txt", "\($0)\n") }
    let one = try Toy.World(units).run(threads: 1).record
    let many = try Toy.World(units.reversed()).run(threads: 7).record
    #expect(one.fingerprint == many.fingerprint)
    #expect(one.stages.map(\.key) == many.stages.map(\.key))
  }
}

// MARK: Worlds that go wrong

/// Drops whose reading fails on demand.
private final class FailingDrops: DropProvider {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }
  let files: [String: String]
  let failing = Mutex<String?>(nil)
  let isGone = Mutex(false)

  init(files: [String: String]) { self.files = files }

  func scan(_ stage: PlannedStage) throws -> DropScan {
    if isGone.withLock({ $0 }) { throw Failure(description: "inbox is gone") }
    return DropScan(
      units: files.map { name, text in
        DropUnit(
          digest: Digest(of: text), name: name, group: nil,
          files: [
            DroppedFile(name: name, size: text.utf8.count) { [self] in
              if failing.withLock({ $0 }) == name { throw Failure(description: "I/O error") }
              return MemoryByteSource(Array(text.utf8))
            }
          ])
      })
  }

  func hasChanged(_ unit: DropUnit) -> Bool { false }
}

/// Runs everything twice, from the last to the first.
private final class ContraryExecutor: Executor {
  let width = 3
  let tasks = Mutex<[ActionTask]>([])

  func map(_ share: StageShare) throws -> [ActionResult] {
    tasks.withLock { $0 += share.tasks }
    let backwards = share.tasks.indices.reversed()
    _ = try backwards.map(share.perform)
    return Array(try backwards.map(share.perform).reversed())
  }
}

/// Loses every object as soon as it is read.
private struct LossyStore: ActionStore {
  let store: InMemoryActionStore

  init(_ store: InMemoryActionStore) { self.store = store }

  func bytes(_ part: ArtifactPart) throws -> [UInt8] {
    store.lose(part.digest)
    return try store.bytes(part)
  }
  func memo(_ key: Digest) throws -> [UInt8]? { try store.memo(key) }
  func keep(_ bytes: [UInt8], for key: Digest) throws { try store.keep(bytes, for: key) }
  func forgetMemo(_ key: Digest) throws { try store.forgetMemo(key) }
  func put(_ bytes: [UInt8]) throws -> Digest { try store.put(bytes) }
  func contains(_ part: ArtifactPart) throws -> Bool { try store.contains(part) }
  func action(_ key: Digest) throws -> ActionRecord? { try store.action(key) }
  func record(_ action: ActionRecord, for key: Digest) throws { try store.record(action, for: key) }
  func forget(_ key: Digest) throws { try store.forget(key) }
  func note(_ name: String) throws -> [UInt8]? { try store.note(name) }
  func setNote(_ name: String, _ bytes: [UInt8]) throws { try store.setNote(name, bytes) }
}

/// A stage with a mistake of every kind.
private struct Careless: SourceStage {
  struct StrangeError: Error {}
  static let description = StageDescription(
    name: "careless", version: 1, summary: "", takes: [StageInput(.numbers)],
    gives: [.perSource(.squares)])
  let how: String

  init(parameters: inout ParameterDecoder) throws(ParameterError) {
    how = try parameters.text("how", default: nil, "Which mistake.")
  }

  func process(_ source: Source, _ inputs: StageInputs, _ context: StageContext) throws
    -> [ArtifactDraft]
  {
    let right = Toy.draft(.squares, [1])
    switch how {
    case "undeclared": return [right, Toy.draft(.total, [1])]
    case "nothing": return []
    case "both": return [right, right]
    case "parts":
      var draft = right
      draft.add("numbers.txt", "2")
      return [draft]
    default: throw StrangeError()
    }
  }
}
