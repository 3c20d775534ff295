import ACE
import Configurations
import Foundation
import Platform
import Testing
import TungstenReference

@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct FitTests {
  private static let small = ["-n", "20", "-c", "4.2", "--order", "3", "--ensemble", "bootstrap:3"]

  /// Runs in folders, a collection in two groups.
  private func prepared() throws -> Program {
    let program = try Program()
    try program.write("data/bulk/vasprun.xml", Samples.run(3, seed: 1).vasprun())
    try program.write("data/hot/run/OUTCAR", Samples.run(3, seed: 2).outcar())
    let both = Samples.run(2, seed: 3)
    try program.write("data/hot/both/vasprun.xml", both.vasprun())
    try program.write("data/hot/both/OUTCAR", both.outcar())
    try program.write("data/frames.xyz", collection(seed: 4))
    return program
  }

  private func collection(seed: UInt64, count: Int = 6) -> [UInt8] {
    var frames = Samples.steps(count, seed: seed)
    for index in frames.indices { frames[index].provenance.group = index % 2 == 0 ? "cold" : "warm" }
    return Samples.extendedXYZ(frames)
  }

  private func fit(_ program: Program, _ words: String...) throws -> Program.Outcome {
    try program.run(["fit"] + words + Self.small)
  }

  private func json(_ bytes: [UInt8]) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
  }

  @Test func theSameDataInAnInboxGiveTheSameBytes() throws {
    let program = try prepared()
    let outcome = try fit(program, "data", "-o", "fit", "--name", "tiny", "--weights", "20/1/0.5", "--seed", "3")
    #expect(outcome.status == 0, "\(outcome.messages)")
    try program.write("pool/.keep", "")
    try program.write(
      "tiny.json5",
      """
      { sluice: 1, project: 'tiny', elements: ['W'], inbox: 'data', outbox: 'out', settle: 0,
        stages: [ { use: 'ingest' }, { use: 'screen' }, { use: 'featurize', functions: 20, cutoff: 4.2, order: 3 },
          { use: 'refit', weights: { energy: 20, forces: 1, stress: 0.5 }, heldOutSeed: 3,
            ensemble: { method: 'bootstrap', members: 3 } },
          { use: 'recluster', clusters: 1 }, { use: 'candidates', pools: ['pool'] },
          { use: 'rank', score: 'd-optimality' }, { use: 'publish', structures: 'none' } ] }
      """)
    let run = try program("run", "tiny.json5")
    #expect(run.status == 0, "\(run.messages)")
    for name in ["tiny.yaml", "tiny.yace", "tiny.asi"] {
      #expect(try program.read("fit/" + name) == program.read("out/latest/potential/" + name), "\(name)")
    }
    #expect(try program.read("fit/fit.json") == program.read("out/latest/fit.json"))
    // What it wrote is a potential, and the labels are those of the data.
    let potential = try Potential(yaml: program.read("fit/tiny.yaml"))
    let frame = Samples.steps(3, seed: 1)[0]
    let energy = try Evaluator(potential.basis).evaluate(potential, frame).energy
    #expect(abs(energy - frame.labels.energy!) < 0.05 * 16)
    #expect(outcome.text.contains("energy MAE") && outcome.text.contains("training") && outcome.text.contains("hot"))
    #expect(outcome.messages.contains("featurize") && !outcome.messages.contains("candidate"))
  }

  @Test func threadsAndOrderDoNotMatter() throws {
    let program = try prepared()
    #expect(try fit(program, "data/bulk", "data/hot", "data/frames.xyz", "-o", "a", "--threads", "1").status == 0)
    #expect(try fit(program, "data/frames.xyz", "data/hot", "data/bulk", "-o", "b", "--threads", "3").status == 0)
    for name in ["potential.yaml", "potential.yace", "potential.asi", "fit.json", "report.html"] {
      #expect(try program.read("a/" + name) == program.read("b/" + name), "\(name)")
    }
  }

  @Test func anotherFitOfTheSameFolderDoesOnlyWhatIsNew() throws {
    let program = try prepared()
    #expect(try fit(program, "data", "-o", "fit", "-v").messages.contains("sources featurized: 4"))
    let first = try program.read("fit/potential.yaml")
    let other = try fit(program, "data", "-o", "fit", "-v", "--weights", "100/1/0", "--outliers", "4")
    #expect(other.status == 0 && !other.messages.contains("featurized"), "\(other.messages)")
    #expect(other.text.contains("too few to tell"))
    #expect(try program.read("fit/potential.yaml") != first)
    try program.write("data/late.xyz", collection(seed: 9))
    #expect(try fit(program, "data", "-o", "fit", "-v").messages.contains("sources featurized: 1"))
    // As if it had never been otherwise.
    #expect(try fit(program, "data", "-o", "fresh").status == 0)
    #expect(try program.read("fit/potential.yaml") == program.read("fresh/potential.yaml"))
    #expect(try program.read("fit/fit.json") == program.read("fresh/fit.json"))
  }

  @Test func testFilesAreNotLearnedFrom() throws {
    let program = try prepared()
    try program.write("test.xyz", collection(seed: 50, count: 5))
    let outcome = try fit(program, "data", "--test", "test.xyz", "-o", "fit", "--json")
    #expect(outcome.status == 0, "\(outcome.messages)")
    let metrics = try json(outcome.output)
    #expect(metrics["schema"] as? String == "sluice-fit" && metrics["version"] as? Int == 1)
    #expect(metrics["elements"] as? [String] == ["W"] && metrics["exit"] as? Int == 0)
    #expect((metrics["files"] as? [String])?.contains("potential.yaml") == true)
    let fit = try #require(metrics["fit"] as? [String: Any])
    let errors = try #require(fit["errors"] as? [[String: Any]])
    let test = try #require(
      errors.first {
        $0["group"] as? String == "all" && $0["heldOut"] as? Bool == true && $0["quantity"] as? String == "energy"
      })
    #expect(test["count"] as? Int == 5)
    // The very coefficients of a fit that never saw the file.
    #expect(try self.fit(program, "data", "--test", "0", "--set", "screen.duplicates=false", "-o", "plain").status == 0)
    #expect(try program.read("fit/potential.yaml") == program.read("plain/potential.yaml"))
    // By hand.
    let potential = try Potential(yaml: program.read("fit/potential.yaml"))
    let evaluator = Evaluator(potential.basis)
    let differences = try Samples.steps(5, seed: 50).map {
      1000 * abs(try evaluator.evaluate(potential, $0).energy - $0.labels.energy!) / Double($0.count)
    }
    let said = try #require(test["meanAbsolute"] as? Double)
    // Labels pass through text with 17 digits; sums in another order.
    #expect(abs(said - differences.reduce(0, +) / 5) < 1e-6)
  }

  @Test func elementsAreThoseOfTheDataOrThoseThatAreNamed() throws {
    let program = try prepared()
    var alloy = Samples.steps(3, seed: 7)
    for index in alloy.indices { alloy[index].species[0] = Element(symbol: "Re")! }
    try program.write("alloy.xyz", Samples.extendedXYZ(alloy))
    #expect(try fit(program, "data", "alloy.xyz", "-o", "all", "--no-active-set").status == 0)
    #expect(try Potential(yaml: program.read("all/potential.yaml")).basis.elements.map(\.symbol) == ["Re", "W"])
    #expect(!program.exists("all/potential.asi") && program.exists("all/potential.yace"))
    let only = try fit(program, "data", "alloy.xyz", "-o", "only", "-e", "W")
    #expect(only.status == 0 && only.messages.contains("an element that the pipeline does not name"))
    #expect(try fit(program, "data", "-o", "plain").status == 0)
    #expect(try program.read("only/potential.yaml") == program.read("plain/potential.yaml"))
  }

  @Test func labelsOfOtherProgramsAndCompressionAreRead() throws {
    let program = try prepared()
    #expect(try program("convert", "data/frames.xyz", "-o", "mace.xyz", "--keys", "mace").status == 0)
    #expect(String(decoding: try program.read("mace.xyz"), as: UTF8.self).contains("REF_energy"))
    #expect(try fit(program, "data/bulk", "data/frames.xyz", "-o", "ase", "--no-active-set").status == 0)
    #expect(try fit(program, "data/bulk", "mace.xyz", "-o", "mace", "--no-active-set").status == 0)
    let (a, b) = try (
      Potential(yaml: program.read("ase/potential.yaml")), Potential(yaml: program.read("mace/potential.yaml"))
    )
    let frame = Samples.steps(1, seed: 70)[0]
    let energies = try [a, b].map { try Evaluator($0.basis).evaluate($0, frame).energy }
    // Other digests, so another order of merging.
    #expect(abs(energies[0] - energies[1]) < 1e-6)
  }

  @Test func whatMakesNoSenseEndsBeforeAnythingIsRead() throws {
    let program = try prepared()
    try program.write("mine/notes.txt", "precious")
    for (words, says) in [
      (["-o", "fit", "--cutoff", "-1"], "cutoff must be"),
      (["-o", "fit", "--prior", "strong"], "prior must be one of"),
      (["-o", "fit", "--weights", "1/2"], "three numbers"), (["-o", "fit", "--set", "fit.x=1"], "STAGE.KEY=VALUE"),
      (["-o", "fit", "--set", "refit.membres=1"], "membres"), (["-o", "mine"], "holds files that no fit made"),
      (["-o", "mine/notes.txt"], "is no folder"), ([], "--output is missing"), (["-o", "fit", "-e", "Xx"], "'Xx'"),
      (["-o", "fit", "--test", "0.1", "--test", "a.xyz"], "either one share"),
      (["-o", "fit", "--energy-weights", "hill"], "above must be one of"),
      (["-o", "fit", "--reference-energies", "W=x"], "energies by element"),
      (["-o", "fit", "--name", "../evil"], "plain file name"),
      (["-o", "fit", "--test", "data/frames.xyz"], "cannot be both"),
    ] {
      let outcome = try program.run(["fit", "data"] + words)
      #expect(outcome.status == 2 && outcome.messages.contains(says), "\(words): \(outcome.messages)")
    }
    #expect(!program.exists("fit/potential.yaml") && program.exists("mine/notes.txt"))
  }

  @Test func badInputsAreToldAndTheRestIsFitted() throws {
    let program = try prepared()
    try program.write("data/torn.xyz", Array(collection(seed: 8).prefix(900)))
    let outcome = try fit(program, "data", "missing.xyz", "-o", "fit", "--no-active-set")
    #expect(outcome.status == 3, "\(outcome.messages)")
    #expect(outcome.messages.contains("data/torn.xyz") && outcome.messages.contains("missing.xyz"))
    #expect(program.exists("fit/potential.yaml"))
    let none = try fit(program, "missing.xyz", "-o", "none")
    #expect(none.status == 1 && none.messages.contains("no labelled configuration was found in missing.xyz"))
    try program.write("POSCAR", POSCARWriter().bytes(Samples.steps(1)[0], comment: "W"))
    #expect(try fit(program, "POSCAR", "-o", "none").status == 1)
    #expect(!program.exists("none/potential.yaml"))
  }
}
