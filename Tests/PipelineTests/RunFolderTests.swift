import Configurations
import Engine
import Platform
import StageKit
import TestSupport
import Testing
import TungstenReference

/// What arrives later in a known run folder changes that source and nothing else.
struct RunFolderTests {
  private func oszicar(_ run: VASPRun, factor: Double = 1) -> [UInt8] {
    var text = "       N       E                     dE             d eps       ncg     rms          rms(c)\n"
    for (k, step) in run.steps.enumerated() {
      text += "   \(k + 1) F= \(step.labels.energy! * factor) E0= \(step.labels.energy! * factor)  d E =0.0\n"
    }
    return Array(text.utf8)
  }

  @Test func aFileThatOnlyConfirmsChangesNothing() throws {
    let project = try Project.withRuns()
    let first = try project.pass()
    try project.write("inbox/run7/OSZICAR", oszicar(Samples.run(3, amplitude: 0.15)))
    let second = try project.pass()
    #expect(second.outcome.record.stage("ingest").counters == ["files read": 3])
    #expect(second.outcome.record.busy == ["ingest"])
    #expect(second.outcome.record.stage("ingest").sources.unchanged == 4)
    #expect(second.outcome.publication == first.outcome.publication)
  }

  @Test func aLateOutcarChangesItsSourceOnly() throws {
    let project = try Project.withRuns()
    let run = Samples.run(50)
    let whole = String(decoding: run.vasprun(), as: UTF8.self)
    let cut = whole.ranges(of: "<calculation>")[1].lowerBound
    let clean = whole[..<cut] + "</modeling>\n"
    try project.write("inbox/run8/vasprun.xml", Array(clean.utf8))
    let first = try project.pass()
    func frames(_ result: PassResult) throws -> Int {
      let item = try #require(
        result.outcome.results["ingest"]?.collections[.configurations]?.first { $0.source.name.hasPrefix("run8") })
      return try CanonicalJSON.decode([FrameSummary].self, project.artifactBytes(item.artifact, "frames.json")).count
    }
    #expect(try frames(first) == 1)
    try project.write("inbox/run8/OUTCAR", run.outcar())
    let second = try project.pass()
    #expect(try frames(second) == 3)
    let record = second.outcome.record.stage("ingest")
    #expect(record.counters == ["files read": 2] && record.sources.added.count == 1 && record.sources.unchanged == 4)
    #expect(record.sources.removed.count == 1)
    #expect(second.outcome.record.stage("featurize").counters["sources featurized"] == 1)
    // As if both had been there from the beginning.
    let fresh = try Project.withRuns()
    try fresh.write("inbox/run8/vasprun.xml", Array(clean.utf8))
    try fresh.write("inbox/run8/OUTCAR", run.outcar())
    let wanted = try fresh.pass()
    #expect(wanted.outcome.results["refit"]?.wholes == second.outcome.results["refit"]?.wholes)
  }
}
