import Configurations
import Engine
import Platform
import StageKit
import Testing
import TungstenReference

/// One new source costs what one source costs; the stages count what they touch.
@Suite struct ProportionTests {
  private struct World {
    let plan: Plan
    let store = InMemoryActionStore()
    let inbox = InMemoryDrops()

    init(sources: Int) throws {
      (_, plan) = try TinyPipeline().load(in: "/nowhere")
      inbox.drop([.init("pool.xyz", Samples.pool)], into: "candidates")
      inbox.drop((0..<sources).map { World.unit(UInt64($0)) }, into: "ingest")
    }

    static func unit(_ seed: UInt64) -> InMemoryDrops.Unit {
      .init("run\(seed)/vasprun.xml", Samples.run(100 + seed, count: 2).vasprun())
    }

    func run() throws -> RunRecord { try Runner(plan: plan, store: store, drops: inbox, threads: 1).run().record }
  }

  @Test func oneMoreSourceIsOneOfEverything() throws {
    let world = try World(sources: 16)
    let first = try world.run()
    #expect(first.stage("ingest").counters["files read"] == 16)
    #expect(first.stage("featurize").counters["sources featurized"] == 16)
    #expect(first.stage("candidates").counters["pool files read"] == 1)
    #expect(first.stage("rank").counters["candidate sources featurized"] == 1)
    let fromScratch = try #require(first.stage("refit").counters["factors merged"])
    _ = world.inbox.takeOpened()

    let before = try #require(first.stage("refit").counters["sources' factors read"])
    #expect(before >= 16)
    world.inbox.drop([World.unit(16)], into: "ingest")
    let second = try world.run()
    #expect(Set(world.inbox.takeOpened()) == ["run16/vasprun.xml"])
    #expect(second.stage("ingest").counters == ["files read": 1])
    #expect(second.stage("featurize").counters == ["sources featurized": 1, "frames featurized": 2])
    #expect(second.stage("candidates").ran == 0)
    #expect(second.stage("rank").counters["candidate sources featurized"] == nil, "the basis is the same")
    // A path of the tree for each fit (all data, training data, ensemble members), not the tree.
    let merged = try #require(second.stage("refit").counters["factors merged"])
    #expect(merged < fromScratch / 2, "\(merged) of \(fromScratch)")
    #expect(second.stage("refit").sources.added.count == 1)
  }

  @Test func aRemovedSourceReadsNothing() throws {
    let world = try World(sources: 5)
    _ = try world.run()
    _ = world.inbox.takeOpened()
    world.inbox.remove("run2/vasprun.xml", from: "ingest")
    let record = try world.run()
    #expect(world.inbox.takeOpened() == [])
    #expect(record.stage("ingest").ran == 0 && record.stage("featurize").ran == 0)
    #expect(record.stage("refit").ran == 1)
    world.inbox.drop([World.unit(2)], into: "ingest")
    #expect(try world.run().isUnchanged, "everything about the five is still known")
  }
}
