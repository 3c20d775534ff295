import ACE
import Configurations
import Foundation
import Testing

@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct BasisTests {
  private func json(_ outcome: Program.Outcome) throws -> [String: Any] {
    #expect(outcome.status == 0, "\(outcome.messages)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output)) as? [String: Any])
  }

  @Test func everyFunctionIsListedWithItsColumn() throws {
    let program = try Program()
    let listed = try json(
      program("basis", "--elements", "Zr,Cu", "--order", "3", "--functions", "60", "--no-timing", "--json"))
    let basis = try Basis(
      BasisSpecification(
        elements: ["Cu", "Zr"].map { Element(symbol: $0)! }, cutoff: 5, order: 3, functionsPerElement: 60,
        ordering: .standard))
    #expect(listed["schema"] as? String == "sluice-basis" && listed["columns"] as? Int == basis.columnCount)
    let functions = try #require(listed["functions"] as? [[String: Any]])
    #expect(functions.count == basis.columnCount)
    for (index, (record, f)) in zip(functions, basis.columnFunctions).enumerated() {
      #expect(record["column"] as? Int == index + 1)
      #expect(record["centre"] as? String == basis.elements[f.centre].symbol)
      #expect(record["neighbors"] as? [String] == f.neighbors.map { basis.elements[$0].symbol })
      #expect(record["n"] as? [Int] == f.ns && record["l"] as? [Int] == f.ls)
      #expect(record["couplings"] as? [Int] == f.couplings)
      #expect(record["level"] as? Int == 5 * f.rank + 2 * f.ns.reduce(0, +) + f.ls.reduce(0, +))
    }
    let power = try json(
      program("basis", "-e", "W", "--functions", "60", "--costs", "1,1,1", "--no-timing", "--json"))
    let levels = try #require(power["functions"] as? [[String: Any]]).map { $0["level"] as? Int ?? -1 }
    #expect(levels.count == 60 && levels.min() == 2 && levels.max()! < 12)
    #expect(try program("basis", "-e", "W", "--costs", "1,0,1").status == 2)
    let blocks = try #require(listed["blocks"] as? [[String: Any]])
    #expect(blocks.map { $0["functions"] as? Int } == [30, 30, 30, 30])
    let cost = try #require(listed["cost"] as? [String: Any])
    #expect(cost["designRowBytesPerAtom"] as? Int == 24 * basis.columnCount)
    #expect(cost["microsecondsPerAtom"] == nil)
  }

  @Test func functionsOfManyElementsAreLeftOut() throws {
    let words = ["basis", "-e", "Mo,Ta,W", "--order", "3", "--functions", "90", "--no-timing", "--json"]
    let listed = try json(Program().run(words + ["--elements-per-function", "2"]))
    let functions = try #require(listed["functions"] as? [[String: Any]])
    #expect(functions.count == 270)
    for record in functions {
      let neighbors = try #require(record["neighbors"] as? [String])
      let centre = try #require(record["centre"] as? String)
      #expect(Set(neighbors + [centre]).count <= 2)
    }
  }

  @Test func theListIsTheSameEveryTime() throws {
    let program = try Program()
    let words = ["basis", "-e", "W", "--order", "3", "--degree", "10,9,8", "--no-timing"]
    let first = try program.run(words)
    let second = try program.run(words)
    #expect(first.status == 0 && first.output == second.output)
    #expect(first.text.contains("rank 3") && first.text.contains("design rows"))
  }

  @Test func timesAreMeasuredHere() throws {
    let listed = try json(
      Program()("basis", "-e", "W", "--order", "2", "--functions", "10", "--summary", "--json"))
    let times = try #require((listed["cost"] as? [String: Any])?["microsecondsPerAtom"] as? [String: Double])
    #expect(["projections", "energyAndForces", "designRows", "grades"].allSatisfy { (times[$0] ?? 0) > 0 })
    #expect(listed["functions"] == nil)
  }

  @Test func filesSayWhatTheirBasisIs() throws {
    let program = try Program()
    let potential = try Samples.potential()
    try program.write("p.yace", potential.yace)
    let ofFile = try json(program("basis", "p.yace", "--json", "--no-timing"))
    #expect(ofFile["columns"] as? Int == potential.basis.columnCount)
    #expect(ofFile["specification"] == nil)
    try program.write(
      "a.json5",
      """
      { sluice: 1, project: 'a', elements: ['Mo', 'W'], inbox: 'in', outbox: 'out', stages: [
        { use: 'ingest' }, { use: 'screen' },
        { use: 'featurize', cutoff: 4.5, order: 3, degree: [8, 7, 6], radial: 'ChebPow' } ] }
      """)
    let ofPipeline = try json(program("basis", "a.json5", "--json", "--no-timing"))
    let basis = try Basis(
      BasisSpecification(
        elements: ["Mo", "W"].map { Element(symbol: $0)! }, cutoff: 4.5, radial: .chebPow(lambda: 2), order: 3,
        totalDegree: TotalDegree([8, 7, 6])))
    #expect(ofPipeline["columns"] as? Int == basis.columnCount)
  }

  @Test(arguments: [
    (["basis"], "name the elements"), (["basis", "-e", "W,W"], "every element once"),
    (["basis", "-e", "Wo"], "'Wo' is no chemical symbol"),
    (["basis", "-e", "W", "--cutoff", "five"], "--cutoff must be a number"),
    (["basis", "-e", "W", "--cutoff", "50"], "cutoff"), (["basis", "-e", "W", "--order", "7"], "order"),
    (["basis", "-e", "W", "--degree", "6", "--functions", "5"], "exclude each other"),
    (["basis", "-e", "W", "--degree", "90"], "beyond"), (["basis", "-e", "W", "--radial", "Bessel"], "radial"),
    (["basis", "-e", "W", "--radial", "ChebPow", "--lambda", "1"], "at least 2"),
    (["basis", "-e", "W", "--density", "0"], "--density"),
    (["basis", "p.yaml", "--order", "2"], "goes without a file"),
  ]) func whatMakesNoSenseIsSaid(_ words: [String], _ cause: String) throws {
    let outcome = try Program().run(words)
    #expect(outcome.status == 2 && outcome.messages.contains(cause), "\(words): \(outcome.messages)")
    #expect(outcome.output.isEmpty)
  }
}
