import Configurations
import Engine
import Platform
import StageKit
import StageLaws
import TestSupport
import Testing
import TungstenReference
import VASP

/// Stress labels that contradict energies and forces: noticed, acted upon, told.
@Suite struct StressWeightTests {
  private struct World {
    let store = InMemoryActionStore()
    let inbox = InMemoryDrops()

    func run(
      _ refit: String = "", element: String = "W", featurize: String = "cutoff: 4.5, order: 3, functions: 60",
      threads: Int = 2
    ) throws -> (fit: FitSummary, record: StageRecord, potential: Digest) {
      let text = """
        { sluice: 1, project: 'fit', elements: ['\(element)'], inbox: 'inbox', outbox: 'outbox', stages: [
          { use: 'ingest' }, { use: 'screen', maxForce: 1000 }, { use: 'featurize', \(featurize) },
          { use: 'refit', ensemble: { method: 'none' }, leaveOut: 0, errorAtoms: 300, \(refit) } ] }
        """
      let (_, plan) = try BuiltIn.load(text, path: "/nowhere/fit.json5")
      let outcome = try Runner(plan: plan, store: store, drops: inbox, threads: threads).run()
      let artifact = try #require(outcome.results["refit"]?.wholes[.potential])
      let bytes = try store.bytes(#require(artifact.part("fit.json")))
      return (
        try CanonicalJSON.decode(FitSummary.self, bytes), outcome.record.stage("refit"), artifact.digest
      )
    }
  }

  /// Sources of two frames; `tension` (GPa) is added to every stress.
  private static func drops(_ sources: Range<Int> = 0..<12, tension: Double) -> [InMemoryDrops.Unit] {
    sources.map { number in
      var frames = Samples.frames(
        UInt64(number + 1), count: 2, amplitude: 0.15, strain: [0, 0.02, -0.03, 0.04][number % 4])
      for k in frames.indices {
        frames[k].labels.stress = frames[k].labels.stress.map { $0 + (tension / 160.2176634) * Matrix3.identity }
        frames[k].provenance.group = number % 3 == 0 ? "third" : "others"
      }
      return .init("source\(number).xyz", Samples.extendedXYZ(frames))
    }
  }

  private func world(tension: Double) -> World {
    let world = World()
    world.inbox.drop(Self.drops(tension: tension), into: "ingest")
    return world
  }

  @Test func anEqualTensionIsNoticedAndTold() throws {
    let (fit, record, _) = try world(tension: 30).run()
    let agreement = try #require(fit.stressAgreement)
    #expect(agreement.contradicts && agreement.isAutomatic && agreement.weight == 1.0 / 32)
    #expect(fit.weightValues["stress"] == 1.0 / 32 && fit.weights.contains("stress 0.03125"))
    let difference = try #require(agreement.difference)
    #expect(difference.mean > 15 && difference.mean < 45, "\(difference)")
    let told = record.diagnostics.filter { $0.code == "stress-contradicts" }
    #expect(told.count == 1 && told[0].severity == .warning && told[0].cause.contains("GPa"), "\(told)")
    #expect(told[0].remedy.contains("ENCUT") && told[0].remedy.contains("weights.stress"))
    #expect(fit.notes.contains { $0.contains("contradict") })
  }

  @Test func stressesThatAgreeKeepTheirWeight() throws {
    let (fit, record, _) = try world(tension: 0).run()
    #expect(fit.stressAgreement?.contradicts == false && fit.stressAgreement?.difference == nil)
    #expect(fit.weightValues["stress"] == 1)
    #expect(!record.diagnostics.contains { $0.code == "stress-contradicts" })
  }

  @Test func givenWeightsAreTakenAsTheyAre() throws {
    let world = world(tension: 30)
    let (given, record, _) = try world.run("weights: { stress: 0.5 }")
    #expect(given.weightValues["stress"] == 0.5 && given.stressAgreement?.contradicts == true)
    #expect(record.diagnostics.contains { $0.code == "stress-contradicts" && $0.cause.contains("0.5 that was given") })
    #expect(try world.run("weights: { stress: 0 }").fit.stressAgreement == nil)
    let groups = "groups: { third: { stress: 0 }, others: { stress: 0.1 } }"
    let own = try world.run("weights: { \(groups) }").fit
    #expect(own.stressAgreement == nil && own.weightValues["stress"] == 1, "no stress counts by the general weight")
  }

  @Test func whatTestsTheFitHasNoSay() throws {
    let world = World()
    world.inbox.drop(Self.drops(0..<8, tension: 0), into: "ingest")
    var shifted = Samples.frames(90, count: 8, amplitude: 0.15)
    for k in shifted.indices {
      shifted[k].labels.stress = shifted[k].labels.stress.map { $0 + 0.3 * Matrix3.identity }
      shifted[k].provenance.group = "validation"
    }
    let options = "heldOut: 0, test: { groups: ['validation'] }"
    let without = try world.run(options).fit
    world.inbox.drop([.init("validation.xyz", Samples.extendedXYZ(shifted))], into: "ingest")
    let with = try world.run(options).fit
    #expect(with.stressAgreement == without.stressAgreement && with.stressAgreement?.contradicts == false)
  }

  @Test func orderThreadsAndMemosDoNotMatter() throws {
    let drops = Self.drops(tension: 30)
    let all = World()
    all.inbox.drop(drops, into: "ingest")
    let expected = try all.run(threads: 1)
    #expect(expected.record.counters["stress weights compared"] == 1)
    let grown = World()
    grown.inbox.drop(Array(drops[6...].reversed()), into: "ingest")
    _ = try grown.run()
    grown.inbox.drop(Array(drops[..<6]), into: "ingest")
    #expect(try grown.run().potential == expected.potential)
    // Other parameters of the fit compare nothing again.
    #expect(try all.run("prior: 'smoothness'").record.counters["stress weights compared"] == nil)
    all.inbox.drop(Self.drops(40..<41, tension: 30), into: "ingest")
    _ = try all.run()
    all.inbox.remove("source40.xyz", from: "ingest")
    let back = try all.run("heldOutSeed: 0")
    #expect(back.potential == expected.potential && back.record.counters["stress weights compared"] == nil)
  }

  @Test(.enabled(if: SharedData.isAvailable, "\(SharedData.skipped)"), arguments: [("Ni", true), ("Si", false)])
  func publishedSetsAreTold(_ element: String, _ contradicts: Bool) throws {
    let name = "datasets/mlearn/\(element)_train.xyz.xz"
    let stream = SourceStream(MemoryByteSource(try SharedData.bytes(name)), name: name)
    let entry = try #require(try stream.next())
    var reader = ExtendedXYZReader(entry, name: name)
    let labelled = try reader.readAll().filter { $0.labels.stress != nil }
    let world = World()
    world.inbox.drop(
      stride(from: 0, to: labelled.count, by: 7).map {
        .init("frame\($0).xyz", Samples.extendedXYZ([labelled[$0]]))
      }, into: "ingest")
    let fit = try world.run(element: element, featurize: "cutoff: 5, order: 3, functions: 60").fit
    #expect(fit.stressAgreement?.contradicts == contradicts, "\(String(describing: fit.stressAgreement))")
    if contradicts { #expect(try #require(fit.stressAgreement?.difference).mean > 1) }
  }
}
