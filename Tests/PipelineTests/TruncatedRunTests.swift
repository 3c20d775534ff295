import Configurations
import Engine
import Platform
import StageKit
import Testing
import TungstenReference

/// Settling and truncation by a clock that the test moves.
@Suite struct TruncatedRunTests {
  private struct World {
    let clock = ManualClock()
    let files: MemoryFileSystem
    let file: PipelineFile
    let plan: Plan

    init() throws {
      var pipeline = TinyPipeline()
      pipeline.settle = 10
      pipeline.truncatedAfter = 600
      (file, plan) = try pipeline.load(in: "/project")
      files = MemoryFileSystem(clock: clock)
      files.drop("/project/pool/pool.xyz", Samples.pool)
      files.drop("/project/inbox/first.xml", Samples.run(1).vasprun())
      files.drop("/project/inbox/second.xml", Samples.run(2).vasprun())
    }

    func pass() throws -> PassResult {
      let session = try Session(file, plan: plan, fileSystem: files, clock: clock, report: { _ in })
      defer { try? session.close() }
      return try session.pass(version: "test")
    }
  }

  @Test func aTruncatedRunWaitsAndThenGivesItsCompleteSteps() throws {
    let world = try World()
    let run = Samples.run(5, count: 4)
    let whole = run.vasprun()
    // Cut in the middle of the last step.
    let lastStep = try #require(
      String(decoding: whole, as: UTF8.self).ranges(of: "<calculation>").last)
    let text = String(decoding: whole, as: UTF8.self)
    let cut = Array(text[..<lastStep.lowerBound].utf8) + Array("<calculation>\n  <scstep>\n   <time nam".utf8)
    world.clock.advance(by: .seconds(30))
    world.files.drop("/project/inbox/cut.xml", cut)

    // Just written: not even looked at.
    let first = try world.pass()
    #expect(first.outcome.record.unsettled == ["cut.xml"])
    #expect(first.outcome.record.stage("ingest").counters["files read"] == 2)
    // Settled but open: it may go on growing.
    world.clock.advance(by: .seconds(60))
    let second = try world.pass()
    #expect(second.outcome.record.unsettled == ["cut.xml"])
    #expect(second.outcome.exitStatus == 0)
    #expect(second.outcome.record.stage("featurize").ran == 0)
    #expect(second.published == nil)
    // Long unchanged: taken as it is.
    world.clock.advance(by: .seconds(600))
    let third = try world.pass()
    #expect(third.outcome.record.unsettled == [])
    #expect(third.outcome.record.stage("ingest").ran == 0, "it was read already")
    #expect(third.outcome.record.stage("featurize").counters["frames featurized"] == 3)
    #expect(third.outcome.record.stage("ingest").sources.added.map(\.name) == ["cut.xml"])
    #expect(third.outcome.record.stage("ingest").diagnostics.contains { $0.place.file == "cut.xml" }, "said aloud")
    #expect(third.published?.number == 2)
    // Completed after all: a new version with all four steps, and the old one is gone.
    world.files.drop("/project/inbox/cut.xml", whole)
    world.clock.advance(by: .seconds(30))
    let fourth = try world.pass()
    #expect(fourth.outcome.record.stage("featurize").counters["frames featurized"] == 4)
    #expect(fourth.outcome.record.stage("ingest").sources.removed.count == 1)
    #expect(fourth.outcome.record.stage("ingest").sources.added.count == 1)
  }

  /// A run in its first electronic loop is no bad input, until nothing has come for long.
  @Test func aRunThatHasOnlyBegunWaits() throws {
    let world = try World()
    let text = String(decoding: Samples.run(5).vasprun(), as: UTF8.self)
    let firstStep = try #require(text.ranges(of: "<calculation>").first)
    world.files.drop("/project/inbox/begun.xml", Array(text[..<firstStep.upperBound].utf8))
    world.clock.advance(by: .seconds(30))
    let early = try world.pass()
    #expect(early.outcome.record.unsettled == ["begun.xml"])
    #expect(early.outcome.exitStatus == 0, "\(early.outcome.record.quarantined)")
    world.clock.advance(by: .seconds(600))
    let late = try world.pass()
    #expect(late.outcome.exitStatus == 3)
    #expect(late.outcome.record.quarantined.map(\.name) == ["begun.xml"])
    #expect(late.outcome.record.quarantined.allSatisfy { !$0.diagnostic.remedy.isEmpty })
    #expect(late.outcome.record.stage("ingest").ran == 0, "it was read already")
  }

  /// One sick file in a run folder does not make the other wait.
  @Test func aFailedFileHoldsNothingUp() throws {
    let world = try World()
    world.files.drop("/project/inbox/run/OUTCAR", Samples.run(5).outcar())
    world.files.drop(
      "/project/inbox/run/vasprun.xml",
      "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"c\">]>\n<modeling>\n</modeling>\n")
    world.clock.advance(by: .seconds(30))
    let result = try world.pass()
    #expect(result.outcome.record.unsettled == [])
    #expect(result.outcome.exitStatus == 3)
    #expect(result.outcome.record.quarantined.allSatisfy { $0.name.hasPrefix("run") && !$0.diagnostic.remedy.isEmpty })
    #expect(result.outcome.record.stage("ingest").sources.added.contains { $0.name == "run/OUTCAR" })
  }
}
