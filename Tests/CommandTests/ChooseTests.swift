import ACE
import Configurations
import Foundation
import Platform
import Testing
import TungstenReference

/// Functions that the data choose, and the file that keeps them.
@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct ChooseTests {
  private static let small = ["-c", "4.2", "--order", "3", "--ensemble", "bootstrap:3"]
  private static let choosing = ["-n", "20", "--choose-from", "60"] + small

  private func prepared() throws -> Program {
    let program = try Program()
    for (number, name) in ["bulk", "cold", "hot", "liquid"].enumerated() {
      try program.write("data/\(name)/vasprun.xml", Samples.run(3, seed: UInt64(number + 1)).vasprun())
    }
    return program
  }

  private func fit(_ program: Program, _ words: [String]) throws -> Program.Outcome {
    try program.run(["fit", "data"] + words)
  }

  private func functions(_ program: Program, _ potential: String) throws -> [BasisFunction] {
    try Potential(yaml: program.read(potential)).basis.columnFunctions
  }

  private func pipeline(_ program: Program, _ featurize: String, executor: String = "'local'") throws {
    try program.write(
      "p.json5",
      """
      { sluice: 1, project: 'potential', elements: ['W'], inbox: 'data', outbox: 'out', settle: 0,
        executor: \(executor),
        stages: [ { use: 'ingest' }, { use: 'screen' }, { use: 'featurize', \(featurize) },
          { use: 'refit', ensemble: { method: 'bootstrap', members: 3 } },
          { use: 'recluster' }, { use: 'candidates', pools: [] }, { use: 'rank' },
          { use: 'publish', structures: 'none' } ] }
      """)
  }

  @Test func theChosenAreAmongTheCandidatesAndFitBetterThanTheSimplest() throws {
    let program = try prepared()
    let outcome = try fit(program, ["-o", "fit"] + Self.choosing)
    #expect(outcome.status == 0, "\(outcome.messages)")
    #expect(outcome.messages.contains("20 of 60 functions were chosen by the data"), "\(outcome.messages)")
    let chosen = try functions(program, "fit/potential.yaml")
    #expect(chosen.count == 20)
    #expect(try fit(program, ["-o", "all", "-n", "60"] + Self.small).status == 0)
    let candidates = try functions(program, "all/potential.yaml")
    #expect(Set(chosen).isSubset(of: Set(candidates)))
    #expect(try fit(program, ["-o", "simple", "-n", "20"] + Self.small).status == 0)
    #expect(try functions(program, "simple/potential.yaml") != chosen)
    func error(_ folder: String) throws -> Double {
      let summary = try JSONSerialization.jsonObject(with: Data(program.read(folder + "/fit.json"))) as? [String: Any]
      let errors = try #require(summary?["errors"] as? [[String: Any]])
      let line = try #require(
        errors.first {
          $0["group"] as? String == "all" && $0["heldOut"] as? Bool == false && $0["quantity"] as? String == "force"
        })
      return try #require(line["rootMeanSquare"] as? Double)
    }
    #expect(try error("fit") < error("simple"))
    // Pairs are never taken away, and nothing is left of what was compared.
    #expect(chosen.count { $0.rank == 1 } == candidates.count { $0.rank == 1 })
    #expect(!program.exists("fit/.sluice/choosing"))
    let listing = try program("basis", "fit/basis.json", "--json", "--no-timing")
    #expect(listing.status == 0, "\(listing.messages)")
  }

  @Test func theFileGivesTheSamePotentialInALaterFitAndInAPipeline() throws {
    let program = try prepared()
    #expect(try fit(program, ["-o", "fit"] + Self.choosing).status == 0)
    let again = try fit(program, ["-o", "again", "--basis", "fit/basis.json", "--ensemble", "bootstrap:3"])
    #expect(again.status == 0, "\(again.messages)")
    #expect(try program.read("again/potential.yaml") == program.read("fit/potential.yaml"))
    try pipeline(program, "basis: 'fit/basis.json'")
    let run = try program("run", "p.json5", "-v")
    #expect(run.status == 0 && run.messages.contains("sources featurized: 4"), "\(run.messages)")
    #expect(try program.read("out/latest/potential/potential.yaml") == program.read("fit/potential.yaml"))
    #expect(
      try program("basis", "p.json5", "--no-timing").text == program("basis", "fit/basis.json", "--no-timing").text)
    // The file's content is part of the key: other functions, other features.
    #expect(try program("run", "p.json5").messages.contains("Nothing new"))
    #expect(try fit(program, ["-o", "fit", "-n", "12", "--choose-from", "60"] + Self.small).status == 0)
    let other = try program("run", "p.json5", "-v")
    #expect(other.status == 0 && other.messages.contains("sources featurized: 4"), "\(other.messages)")
    #expect(try functions(program, "out/latest/potential/potential.yaml").count == 12)
  }

  @Test func threadsAndOrderDoNotMatter() throws {
    let program = try prepared()
    #expect(try fit(program, ["-o", "a", "--threads", "1"] + Self.choosing).status == 0)
    let outcome = try program.run(
      ["fit", "data/hot", "data/bulk", "data/liquid", "data/cold", "-o", "b", "--threads", "3", "--no-active-set"]
        + Self.choosing)
    #expect(outcome.status == 0, "\(outcome.messages)")
    #expect(try program.read("a/basis.json") == program.read("b/basis.json"))
  }

  @Test func otherProcessesGetTheFile() throws {
    let program = try prepared()
    #expect(try fit(program, ["-o", "fit"] + Self.choosing).status == 0)
    try pipeline(program, "basis: 'fit/basis.json'", executor: "'manual'")
    for round in 1...4 {
      let outcome = try program("run", "p.json5")
      guard outcome.status == 75 else {
        #expect(outcome.status == 0 && round == 3, "\(outcome.messages)")
        break
      }
      try program.folder.shell(outcome.text)
    }
    #expect(try program.read("out/latest/potential/potential.yaml") == program.read("fit/potential.yaml"))
  }

  @Test func whatMakesNoSenseIsSaid() throws {
    let program = try prepared()
    for (words, says) in [
      (["-n", "20", "--choose-from", "20"], "must be more than the 20 functions"),
      (["--choose-from", "600", "--degree", "10"], "exclude each other"),
      (["--choose-from", "600", "--basis", "x.json"], "exclude each other"),
      (["--basis", "x.json", "-n", "20"], "functions is said by the file"),
    ] {
      let outcome = try fit(program, ["-o", "fit"] + words)
      #expect(outcome.status == 2 && outcome.messages.contains(says), "\(words): \(outcome.messages)")
    }
    try pipeline(program, "basis: 'none.json'")
    let missing = try program("run", "p.json5")
    #expect(missing.status != 0 && missing.messages.contains("none.json"), "\(missing.messages)")
    try program.write("none.json", "{ \"schema\": \"other\" }")
    let other = try program("run", "p.json5")
    #expect(other.status != 0 && other.messages.contains("cannot be read as a basis"), "\(other.messages)")
    // A choice for other elements.
    #expect(try fit(program, ["-o", "fit"] + Self.choosing).status == 0)
    let text = String(decoding: try program.read("fit/basis.json"), as: UTF8.self)
    try program.write("none.json", text.replacingOccurrences(of: "W", with: "Mo"))
    let elements = try program("run", "p.json5")
    #expect(elements.status != 0 && elements.messages.contains("is a basis for Mo"), "\(elements.messages)")
  }
}
