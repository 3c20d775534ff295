import Configurations
import Engine
import Foundation
import Platform
import StageKit
import TestSupport
import Testing

/// A whole project on a file system in memory: scan, journal, store, outbox and lock together.
@Suite struct SessionTests {
  /// A project of toy stages in memory.
  struct World {
    let clock: ManualClock
    let files: MemoryFileSystem
    var settings = "settle: 10, truncatedAfter: 600"
    var stages = Toy.everything

    init(_ drops: [String: String] = ["a.txt": "1\n2\n", "b/c.txt": "3\n"]) {
      clock = ManualClock()
      files = MemoryFileSystem(clock: clock)
      files.dropFolder("/project/in")
      for (name, text) in drops.sorted(by: { $0.key < $1.key }) { drop(name, text) }
      clock.advance(by: .seconds(30))
    }

    init(_ files: MemoryFileSystem) {
      self.files = files
      clock = files.clock
    }

    func drop(_ name: String, _ text: String) { files.drop("/project/in/" + name, text) }

    func open(_ other: (any FileSystem)? = nil, cluster: ClusterSupport = ClusterSupport()) throws -> Session {
      let text = """
        { sluice: 1, project: 'toy', elements: ['W'], inbox: 'in', outbox: 'out', threads: 1, \(settings), stages: \(stages) }
        """
      let file = try PipelineFile(Array(text.utf8), path: "/project/toy.json5", stages: Toy.registry)
      let plan = try Planner(stages: Toy.registry).plan(file)
      return try Session(
        file, plan: plan, fileSystem: other ?? files, clock: clock, cluster: cluster, report: { _ in })
    }

    func pass(_ other: (any FileSystem)? = nil) throws -> PassResult {
      let session = try open(other)
      let result = Result { try session.pass(version: "test") }
      // After a fault the lock may not be given back; the next run sees that its owner is gone.
      try? session.close()
      return try result.get()
    }

    func text(_ path: String) throws -> String { Toy.text(try files.readFile("/project/out/" + path)) }

    /// The published files without the records of when and where, by run.
    func published(run: Int) -> [String] {
      let folder = "/project/out/runs/00000\(run)"
      return files.tree(folder).compactMap { path, content in
        let name = path.dropFirst(folder.count)
        guard let content, name != "/run.json", name != "/manifest.json" else { return nil }
        return name + "=" + Toy.text(content)
      }
    }
  }

  @Test func aPassPublishesAndTheNextDoesNothing() throws {
    let world = World()
    let first = try world.pass()
    #expect(first.published?.number == 1 && first.latest == 1)
    #expect(try world.text("latest/result/total.txt") == "14\n1\n4\n9\n")
    #expect(try world.text("runs/000001/names.txt").split(separator: "\n").sorted() == ["a.txt", "b/c.txt"])
    let record = try CanonicalJSON.decode(RunRecord.self, world.files.readFile("/project/out/runs/000001/run.json"))
    #expect(record.publication == first.outcome.publication?.digest)
    #expect(record.provenance["run"] == "1" && record.provenance["pipeline"] == "/project/toy.json5")
    #expect(record.provenance["started"] == world.clock.wallTime.description)

    world.files.forgetTouches()
    let second = try world.pass()
    #expect(second.outcome.record.isUnchanged && second.published == nil && second.latest == 1)
    #expect(!world.files.filesRead.contains { $0.hasPrefix("/project/in/") }, "known by its signature")
  }

  @Test func oneNewDropReadsOneFile() throws {
    let world = World(Dictionary(uniqueKeysWithValues: (1...50).map { ("\($0).txt", "\($0)\n") }))
    _ = try world.pass()
    world.drop("new.txt", "100\n")
    world.clock.advance(by: .seconds(30))
    world.files.forgetTouches()
    let result = try world.pass()
    #expect(world.files.filesRead.filter { $0.hasPrefix("/project/in/") } == ["/project/in/new.txt"])
    #expect(result.outcome.record.ran == [1, 1, 1, 1, 1])
    #expect(result.published?.number == 2)
  }

  /// Of the state, a pass with one new drop opens few files beside many known drops: indexes, and the records in those
  /// few of 256 folders that the pass before has changed.
  @Test func whatIsOpenedForOneDropDoesNotGrow() throws {
    let opened = try [30, 300].map { count in
      let world = World(Dictionary(uniqueKeysWithValues: (1...count).map { ("\($0).txt", "\($0)\n") }))
      _ = try world.pass()
      // The folders of the store come to rest, and the indexes are made.
      for number in 1...2 {
        world.clock.advance(by: .seconds(30))
        world.drop("more \(number).txt", "\(1000 + number)\n")
        world.clock.advance(by: .seconds(30))
        _ = try world.pass()
      }
      world.clock.advance(by: .seconds(30))
      world.drop("new.txt", "5000\n")
      world.clock.advance(by: .seconds(30))
      world.files.forgetTouches()
      let result = try world.pass()
      #expect(result.outcome.record.ran == [1, 1, 1, 1, 1])
      let state = world.files.filesRead.filter { $0.hasPrefix("/project/out/.sluice/") }
      // The toy fold reads its objects and memos one by one.
      return state.count { !$0.contains("/objects/") && !$0.contains("/memos/") }
    }
    #expect(opened[0] < 10 && opened[1] < 30, "\(opened), of some 60 and 600 records")
  }

  @Test func aYoungDropWaits() throws {
    let world = World()
    _ = try world.pass()
    world.drop("young.txt", "7\n")
    world.clock.advance(by: .seconds(3))
    let session = try world.open()
    #expect(try session.hasUnsettledDrops())
    try session.close()
    let early = try world.pass()
    #expect(early.outcome.record.unsettled == ["young.txt"] && early.published == nil)
    #expect(early.outcome.record.isUnchanged)
    world.clock.advance(by: .seconds(10))
    #expect(try world.pass().outcome.record.stage("numbers").sources.added.map(\.name) == ["young.txt"])
  }

  /// The clock of the disk that holds the state decides, not the machine's.
  @Test func settlingGoesByTheDisksClock() throws {
    let world = World([:])
    world.files.setClockSkew(.seconds(3600))
    world.drop("a.txt", "1\n")
    #expect(throws: RunError.self) { try world.pass() }  // nothing to add up yet
    world.clock.advance(by: .seconds(11))
    #expect(try world.pass().outcome.record.stage("numbers").sources.added.count == 1)
  }

  @Test func anOpenDropWaitsForItsEnd() throws {
    let world = World()
    world.drop("open.txt", "5\nopen\n")
    world.clock.advance(by: .seconds(30))
    let early = try world.pass()
    #expect(early.outcome.record.unsettled == ["open.txt"] && early.outcome.exitStatus == 0)
    world.clock.advance(by: .seconds(600))
    world.files.forgetTouches()
    let late = try world.pass()
    #expect(late.outcome.record.unsettled == [])
    #expect(late.outcome.record.stage("numbers").ran == 0)
    #expect(try world.text("latest/result/total.txt").hasPrefix("39\n"))
  }

  @Test func renamingRunsOnlyWhatShowsNames() throws {
    let world = World()
    _ = try world.pass()
    try world.files.rename("/project/in/a.txt", to: "/project/in/renamed.txt")
    world.clock.advance(by: .seconds(30))
    let result = try world.pass()
    #expect(result.outcome.record.ran == [0, 0, 0, 0, 1])
    #expect(try world.text("latest/names.txt").contains("renamed.txt"))
  }

  /// A file under a name that hints at another format may be read otherwise.
  @Test func aNameThatHintsAtAFormatIsAnotherUnit() throws {
    let world = World()
    _ = try world.pass()
    try world.files.rename("/project/in/a.txt", to: "/project/in/a.xyz")
    world.clock.advance(by: .seconds(30))
    let record = try world.pass().outcome.record
    #expect(record.stage("numbers").ran == 1)
    #expect(record.stage("square").ran == 0, "it is the same source")
  }

  @Test func anotherContentUnderTheSameNameIsAnotherSource() throws {
    let world = World()
    _ = try world.pass()
    world.drop("a.txt", "4\n")
    world.clock.advance(by: .seconds(30))
    let change = try world.pass().outcome.record.stage("numbers").sources
    #expect(change.added.count == 1 && change.removed.count == 1 && change.unchanged == 1)
    #expect(try world.text("latest/result/total.txt") == "25\n9\n16\n")
  }

  @Test func removingIsNeverHavingSeen() throws {
    let world = World()
    let first = try world.pass()
    world.drop("late.txt", "6\n")
    world.clock.advance(by: .seconds(30))
    _ = try world.pass()
    try world.files.removeFile("/project/in/late.txt")
    let third = try world.pass()
    #expect(third.outcome.publication == first.outcome.publication)
    #expect(third.published?.number == 3)
    #expect(world.published(run: 3) == world.published(run: 1))
  }

  @Test func aVanishedInboxStopsTheRunAndForgetsNothing() throws {
    let world = World()
    _ = try world.pass()
    try world.files.rename("/project/in", to: "/project/unmounted")
    #expect { try world.pass() } throws: { ($0 as? RunError)?.kind == .environment }
    // An empty folder in its place is a mount point without its mount.
    world.files.dropFolder("/project/in")
    #expect { try world.pass() } throws: { ($0 as? RunError)?.kind == .environment }
    try world.files.removeFolder("/project/in")
    try world.files.rename("/project/unmounted", to: "/project/in")
    #expect(try world.pass().outcome.record.isUnchanged)
  }

  @Test func quarantineAndRetry() throws {
    let world = World()
    world.drop("bad.txt", "1\nhello\n")
    world.clock.advance(by: .seconds(30))
    let first = try world.pass()
    #expect(first.outcome.exitStatus == 3 && first.published?.number == 1)
    #expect(first.outcome.record.quarantined.map(\.name) == ["bad.txt"])
    #expect(first.outcome.record.quarantined[0].diagnostic.place.line == 2)
    world.files.forgetTouches()
    #expect(try world.pass().outcome.record.isUnchanged)
    let session = try world.open()
    #expect(try session.retry { $0 == "another" } == [])
    #expect(try session.retry() == ["bad.txt"])
    try session.close()
    #expect(try world.pass().outcome.record.stage("numbers").ran == 1)
  }

  @Test func explainChangesNothing() throws {
    let world = World()
    let session = try world.open()
    let explanation = "\(try session.explain())"
    #expect(explanation.contains("numbers"))
    try session.close()
    #expect(world.files.tree("/project/out/runs").isEmpty)
    #expect(try world.pass().published?.number == 1)
  }

  @Test func theLockIsHeldFromOpenToClose() throws {
    let world = World()
    let session = try world.open()
    #expect {
      try world.open()
    } throws: { error in
      if case .held? = error as? LockError { true } else { false }
    }
    try session.close()
    try world.open().close()
  }

  /// What cannot be opened gives its lock back.
  @Test func aFailedOpeningLeavesNoLock() throws {
    let world = World()
    world.files.drop("/project/out/.sluice/journal/000001", "this is no journal\n")
    #expect(throws: (any Error).self) { try world.open() }
    #expect(try world.files.statusIfPresent(of: "/project/out/.sluice/lock") == nil)
  }

  @Test func onlyTheLastRunsAreKept() throws {
    var world = World()
    world.settings = "settle: 10, keep: { runs: 2 }"
    for number in 1...4 {
      world.drop("\(number).txt", "\(number * 10)\n")
      world.clock.advance(by: .seconds(30))
      #expect(try world.pass().published?.number == number)
    }
    let runs = try world.files.entries(of: "/project/out/runs").map(\.name)
    #expect(runs == ["000003", "000004"])
    #expect(try world.files.readSymbolicLink("/project/out/latest") == "runs/000004")
  }

  /// The state is a cache: without it the same run is made again.
  @Test func withoutItsStateAProjectStartsAfresh() throws {
    let world = World()
    let first = try world.pass()
    try world.files.removeTree("/project/out/.sluice")
    let again = try world.pass()
    #expect(again.outcome.record.stages.allSatisfy { $0.ran > 0 })
    #expect(again.outcome.publication == first.outcome.publication)
  }

  @Test func aDamagedObjectIsMadeAgain() throws {
    let world = World()
    let first = try world.pass()
    let total = try #require(first.outcome.results["total"]?.wholes[.total]?.parts.first)
    let path = try #require(
      world.files.tree("/project/out/.sluice").first { Path.name($0.path) == total.digest.description }?.path)
    world.files.drop(path, "14\n1\n4\n8\n")
    world.drop("z.txt", "1\n")
    world.clock.advance(by: .seconds(30))
    _ = try world.pass()
    try world.files.removeFile("/project/in/z.txt")
    // The damage is met while the run is published.
    let last = try world.pass()
    #expect(last.outcome.publication == first.outcome.publication)
    #expect(last.outcome.record.stage("total").ran == 1)
    #expect(world.published(run: 3) == world.published(run: 1))
  }

  // MARK: Faults

  /// Any call may fail, once or for good, or be the last: the next run publishes the same bytes.
  @Test(arguments: [FaultyFileSystem.Fault.error(5), .error(28), .persistentError(28), .crash])
  func anyCallMayGoWrong(_ fault: FaultyFileSystem.Fault) throws {
    let clean = World()
    let counting = FaultyFileSystem(clean.files, call: 0, .crash)
    let expected = try clean.pass(counting)
    #expect(counting.calls > 200)
    let wanted = clean.published(run: 1)
    // A drop that cannot be read is set aside, and the run goes on without it.
    let without = try ["a.txt": "1\n2\n", "b/c.txt": "3\n"].map { name, text in
      let other = World([name: text])
      _ = try other.pass()
      return other.published(run: 1)
    }
    // Every seventh call, starting elsewhere for each fault; 7 shares no factor with the usual
    // number of calls per file.
    let start = [.error(5), .error(28), .persistentError(28)].firstIndex(of: fault) ?? 3
    for call in stride(from: 1 + start, through: counting.calls, by: 7) {
      let world = World()
      let faulty = FaultyFileSystem(world.files, call: call, fault)
      let broken = Result { try world.pass(faulty) }
      #expect(faulty.hasFailed, "call \(call)")
      // Whatever is visible now is a whole run.
      for run in 1...2 {
        let there = world.published(run: run)
        #expect(([[], wanted] + without).contains(there), "call \(call), run \(run)")
      }
      if case .success(let result) = broken {
        #expect(
          result.outcome.publication == expected.outcome.publication
            || result.outcome.exitStatus == 3
              && result.outcome.record.quarantined.map(\.diagnostic.code) == ["unreadable"],
          "call \(call)")
      }

      let after = World(world.files.afterPowerLoss(.everything))
      // The lock of a process that is gone, seen from a machine that cannot know: it grows stale.
      after.clock.advance(by: .seconds(900))
      let result = try after.pass()
      #expect(result.outcome.publication == expected.outcome.publication, "call \(call)")
      let latest = try #require(result.latest, "call \(call)")
      #expect(after.published(run: latest) == wanted, "call \(call)")
      #expect(try after.pass().published == nil, "call \(call)")
      #expect(try Outbox(after.files, folder: "/project/out").verify(run: latest) == [], "call \(call)")
    }
  }

  /// A power cut keeps what was synchronized; the rest is made again.
  @Test func aPowerCutLosesNothingThatMatters() throws {
    let clean = World()
    let counting = FaultyFileSystem(clean.files, call: 0, .crash)
    _ = try clean.pass(counting)
    let wanted = clean.published(run: 1)
    for call in stride(from: 3, through: counting.calls, by: 23) {
      for loss in [PowerLoss.onlySynchronized, .namesWithoutContents, .random(seed: UInt64(call))] {
        let world = World()
        let faulty = FaultyFileSystem(world.files, call: call, .crash)
        _ = Result { try world.pass(faulty) }
        let after = World(world.files.afterPowerLoss(loss))
        // The inbox lay there long before: it is on the disk whatever happens.
        after.files.dropFolder("/project/in")
        after.drop("a.txt", "1\n2\n")
        after.drop("b/c.txt", "3\n")
        after.clock.advance(by: .seconds(900))
        let result = try after.pass()
        let latest = try #require(result.latest, "call \(call), \(loss)")
        #expect(after.published(run: latest) == wanted, "call \(call), \(loss)")
      }
    }
  }
}
