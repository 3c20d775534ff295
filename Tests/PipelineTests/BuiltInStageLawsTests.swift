import Configurations
import Engine
import Platform
import StageKit
import StageLaws
import Testing
import TungstenReference

/// The six laws on the eight built-in stages together.
@Suite struct BuiltInStageLawsTests {
  private static func drops() -> LawDrops {
    let both = Samples.run(3, amplitude: 0.15)
    return LawDrops(
      good: [
        ("ingest", .init("bulk/vasprun.xml", group: "bulk", Samples.run(1).vasprun())),
        ("candidates", .init("pool.xyz", Samples.pool)),
        ("ingest", .init("OUTCAR", Samples.run(2, strain: 0.02).outcar())),
        (
          "ingest",
          .init(folder: "run7", files: [("OUTCAR", both.outcar()), ("vasprun.xml", both.vasprun())])
        ),
        ("ingest", .init("frames.xyz", Samples.collection)),
      ], bad: ("ingest", .init("broken/vasprun.xml", Samples.malformed())))
  }

  @Test(arguments: LawViolation.Law.allCases)
  func everyLawHolds(_ law: LawViolation.Law) throws {
    let (_, plan) = try TinyPipeline().load(in: "/nowhere")
    let violations = try checkStageLaws(plan, Self.drops(), laws: [law], samples: 3)
    #expect(violations.isEmpty, "\(violations)")
  }

  /// Steps are chosen within each source, whatever else was dropped.
  @Test(arguments: ["energy:0.002+last", "distance:0.02"])
  func lawsHoldWhereStepsAreChosen(_ steps: String) throws {
    let (_, plan) = try TinyPipeline(ingest: "steps: '\(steps)'").load(in: "/nowhere")
    let violations = try checkStageLaws(plan, Self.drops(), laws: [.fold, .identity], samples: 2)
    #expect(violations.isEmpty, "\(violations)")
  }

  /// The pipeline really has all of them, so that the laws are not kept by leaving a stage out.
  @Test func allStagesTakePart() throws {
    let (_, plan) = try TinyPipeline().load(in: "/nowhere")
    #expect(Set(plan.stages.map(\.description.name)) == Set(BuiltIn.registry.keys))
  }
}
