import Configurations
import Engine
import Platform
import StageKit
import Testing

/// Adds squares, and says how far new numbers are from zero.
private struct Watchful: FoldStage, DriftMeasuring {
  static let description = StageDescription(
    name: "watchful", version: 1, summary: "Adds squares.", takes: [StageInput(.squares)], gives: [.whole(.total)])
  let offset: Double

  init(parameters: inout ParameterDecoder) throws(ParameterError) {
    offset = try parameters.number("offset", default: 0, "Added to the sum.")
  }

  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let all = try inputs.collection(.squares).flatMap { try Toy.integers($0.artifact, context) }
    return FoldResult(wholes: [Toy.draft(.total, [Int(offset) + all.reduce(0, +)] + all.sorted())])
  }

  /// The largest new square over the largest known one.
  func drift(of new: StageInputs, from previous: [Artifact], _ context: StageContext) throws -> Drift? {
    let known = try Toy.integers(previous[0], context).dropFirst().max() ?? 1
    let fresh = try new.collection(.squares).flatMap { try Toy.integers($0.artifact, context) }.max()
    return fresh.map { Drift(ratio: Double($0) / Double(known), words: "largest \($0), \(known) was known") }
  }
}

/// Stages that wait for enough to have changed, or for their time.
@Suite struct TriggerTests {
  private static let registry = Toy.registry.merging(["watchful": Watchful.self]) { $1 }

  private static func plan(_ when: String, more: String = "") throws -> Plan {
    let text = """
      { sluice: 1, project: 'toy', elements: ['W'], inbox: '/in', outbox: '/out',
        stages: [{use:'numbers'},{use:'square'},{use:'watchful', when: \(when)\(more)},{use:'announce'}] }
      """
    let file = try PipelineFile(Array(text.utf8), path: "toy.json5", stages: registry)
    return try Planner(stages: registry).plan(file)
  }

  private final class World {
    var plan: Plan
    let store = InMemoryActionStore()
    let inbox = InMemoryDrops()
    var minute = 0
    let start = Timestamp(seconds: 20_000 * 86_400)

    init(_ when: String) throws { plan = try TriggerTests.plan(when) }

    func drop(_ numbers: Int...) {
      inbox.drop(numbers.map { .init("\($0).txt", "\($0)\n") }, into: "numbers")
    }

    func run(forced: Bool = false) throws -> RunOutcome {
      try Runner(
        plan: plan, store: store, drops: inbox, threads: 1, now: start + .seconds(60 * minute),
        ignoresTriggers: forced
      ).run()
    }
  }

  @Test func countedSourcesAreCollectedFirst() throws {
    let world = try World("{ sources: 3 }")
    world.drop(1)
    let first = try world.run()
    #expect(first.record.waiting == nil && first.publication != nil, "the first run waits for nothing")
    world.drop(2)
    let second = try world.run()
    #expect(second.record.waiting?.words == "1 of 3 sources collected until the next watchful")
    #expect(second.record.waiting?.stage == "watchful" && second.publication == nil)
    // What comes before is done already.
    #expect(second.record.stages.map(\.id) == ["numbers", "square"] && second.record.stages[1].ran == 1)
    #expect(try world.store.note("waiting").map(Toy.text) == second.record.waiting?.words)
    world.drop(3)
    #expect(try world.run().record.waiting?.words == "2 of 3 sources collected until the next watchful")
    // A source that goes is a change, too.
    world.inbox.remove("1.txt", from: "numbers")
    let third = try world.run()
    #expect(third.record.waiting == nil && third.publication != nil)
    #expect(third.record.stages[1].ran == 0, "nothing is squared twice")
    #expect(try world.store.note("waiting") == [])
    // What is waited for goes away again: nothing to do.
    world.drop(7)
    #expect(try world.run().record.waiting != nil)
    world.inbox.remove("7.txt", from: "numbers")
    let fourth = try world.run()
    #expect(fourth.record.waiting == nil && fourth.publication == third.publication && fourth.record.isUnchanged)
  }

  @Test func whateverWasWaitedForTheResultIsThatOfOneRun() throws {
    for when in ["{ sources: 4 }", "{ drift: 2 }", "{ every: 30 }", "{ sources: 2, every: 10, at: ['06:00'] }"] {
      let world = try World(when)
      for number in 1...11 {
        world.drop(number * number % 13 + number)
        world.minute += 7
        _ = try world.run()
      }
      let last = try world.run(forced: true)
      let fresh = try World("{ }")
      for number in 1...11 { fresh.drop(number * number % 13 + number) }
      #expect(try last.publication == fresh.run().publication && last.publication != nil, "\(when)")
    }
  }

  @Test func forcedRunsDoNotWait() throws {
    let world = try World("{ sources: 10, every: 600 }")
    world.drop(1)
    _ = try world.run()
    world.drop(2)
    #expect(try world.run().record.waiting != nil)
    let forced = try world.run(forced: true)
    #expect(forced.record.waiting == nil && forced.publication != nil)
    // Without a clock nothing waits either: tests and workers of a cluster.
    world.drop(3)
    let plain = try Runner(plan: world.plan, store: world.store, drops: world.inbox, threads: 1).run()
    #expect(plain.record.waiting == nil)
  }

  @Test func driftRunsAtOnce() throws {
    let world = try World("{ sources: 5, drift: 4 }")
    world.drop(3)
    _ = try world.run()
    world.drop(5)
    #expect(
      try world.run().record.waiting?.words
        == "1 of 5 sources collected until the next watchful; new sources are described well enough "
        + "(largest 25, 9 was known; 4 times as much is due)")
    world.drop(7)
    #expect(try world.run().record.waiting == nil, "49 is more than four times 9")
    // Without a number of sources only the drift counts.
    let other = try World("{ drift: 4 }")
    other.drop(3)
    _ = try other.run()
    other.drop(1, 2, 4, 5, 6)
    #expect(try other.run().record.waiting != nil)
    other.drop(30)
    #expect(try other.run().record.waiting == nil)
  }

  @Test func aLostResultIsNoReasonToWait() throws {
    let world = try World("{ drift: 4 }")
    world.drop(3)
    let first = try world.run()
    world.drop(2)
    let total = try #require(first.results["watchful"]?.wholes[.total])
    world.store.lose(total.parts[0].digest)
    #expect(try world.run().record.waiting == nil)
  }

  @Test func timeIsWaitedFor() throws {
    let world = try World("{ every: 60 }")
    world.drop(1)
    _ = try world.run()
    world.minute = 20
    world.drop(2)
    let waiting = try #require(try world.run().record.waiting)
    #expect(waiting.words == "1 source collected; the next watchful is due at 2024-10-04T01:00:00Z")
    #expect(waiting.until == world.start + .seconds(3600))
    world.minute = 59
    #expect(try world.run().record.waiting != nil)
    world.minute = 60
    #expect(try world.run().record.waiting == nil)
    world.minute = 70
    #expect(try world.run().record.waiting == nil, "nothing new, nothing to wait with")
    world.drop(3)
    #expect(try world.run().record.waiting?.until == world.start + .seconds(7200))
    // A clock that was put back does not make anybody wait for ever.
    world.minute = -10_000
    #expect(try world.run().record.waiting == nil)
  }

  @Test func timesOfTheDayAreUTC() throws {
    let world = try World("{ at: ['18:30', '06:00'] }")
    world.minute = 5 * 60
    world.drop(1)
    _ = try world.run()
    world.drop(2)
    #expect(try world.run().record.waiting?.until == world.start + .seconds(6 * 3600))
    world.minute = 6 * 60
    #expect(try world.run().record.waiting == nil)
    world.drop(3)
    #expect(try world.run().record.waiting?.until == world.start + .seconds(18 * 3600 + 1800))
    world.minute = 20 * 60
    #expect(try world.run().record.waiting == nil)
    world.drop(4)
    #expect(try world.run().record.waiting?.until == world.start + .seconds(30 * 3600))
  }

  @Test func anotherPipelineIsDoneAtOnce() throws {
    let world = try World("{ sources: 100 }")
    world.drop(1)
    _ = try world.run()
    world.drop(2)
    #expect(try world.run().record.waiting != nil)
    // When it runs is no part of what it gives.
    world.plan = try Self.plan("{ sources: 99 }")
    #expect(try world.run().record.waiting?.words == "1 of 99 sources collected until the next watchful")
    world.plan = try Self.plan("{ sources: 100 }", more: ", offset: 3")
    #expect(try world.run().record.waiting == nil)
  }

  @Test func badPoliciesAreRefusedWithTheirPlace() throws {
    for (when, words) in [
      ("{ source: 3 }", "unknown key 'when.source'; did you mean 'sources'?"),
      ("{ at: ['6:00'] }", "when.at must hold times such as '06:00', not '6:00'"),
      ("{ at: ['24:00'] }", "'24:00'"), ("{ every: -1 }", "when.every must be"), ("3", "expected an object"),
    ] {
      do {
        _ = try Self.plan(when)
        Issue.record("\(when) was taken")
      } catch let error as ParameterError {
        #expect("\(error)".contains(words) && error.place.line == 2, "\(error)")
      }
    }
    let text = """
      { sluice: 1, project: 'toy', elements: ['W'], inbox: '/in', outbox: '/out',
        stages: [{use:'numbers', when: {}}] }
      """
    let file = try PipelineFile(Array(text.utf8), path: "toy.json5", stages: Self.registry)
    #expect(throws: ParameterError.self) { try Planner(stages: Self.registry).plan(file) }
    #expect(
      "\(try Self.plan("{ sources: 3, drift: 2, every: 90, at: ['06:00'] }"))".contains(
        "   when: 3 changed sources or errors of new sources above 2 times the held-out ones, at most every 90 min, "
          + "after 06:00 UTC\n"))
  }

  /// Under watch, a stage that waits for its time gets its pass although nothing is dropped.
  @Test func aWatchMakesThePassThatIsDue() throws {
    let clock = ManualClock()
    let files = MemoryFileSystem(clock: clock, kind: .ext4)
    files.dropFolder("/in")
    let events = MemoryEventSource(clock: clock)
    let plan = try Self.plan("{ every: 30 }")
    let text = """
      { sluice: 1, project: 'toy', elements: ['W'], inbox: '/in', outbox: '/out',
        stages: [{use:'numbers'},{use:'square'},{use:'watchful', when: { every: 30 }},{use:'announce'}] }
      """
    let pipeline = try PipelineFile(Array(text.utf8), path: "toy.json5", stages: Self.registry)
    let session = try Session(pipeline, plan: plan, fileSystem: files, clock: clock, report: { _ in })
    files.drop("/in/a.txt", "1")
    clock.advance(by: .seconds(20))
    events.schedule(at: .seconds(100)) { files.drop("/in/b.txt", "2") }
    events.schedule(at: .seconds(4000), waking: nil) { events.interrupt() }
    var log: [String] = []
    let watch = WatchPlan(timing: .init(), events: events, settling: .byAge)
    try session.watch(watch, version: "0") { result in
      let pass = try? result.get()
      let what = pass?.published.map { "run \($0.number)" } ?? pass?.outcome.record.waiting?.words ?? "nothing"
      log.append("\(clock.uptime.components.seconds): \(what)")
      return true
    }
    #expect(log.count == 3 && log[0] == "20: run 1", "\(log)")
    #expect(log[1].hasPrefix("110: 1 source collected; the next watchful is due at"), "\(log)")
    // 30 minutes after the first, at the next regular scan.
    let last = try #require(log.last?.split(separator: ":").first.flatMap { Int($0) })
    #expect(log[2].hasSuffix("run 2") && last >= 1820 && last <= 1820 + 70, "\(log)")
    try session.close()
  }
}
