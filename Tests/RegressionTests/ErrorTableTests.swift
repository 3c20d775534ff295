import FoundationEssentials
import Regression
import TestSupport
import Testing

@Suite struct ErrorTableTests {
  private func table() -> ErrorTable {
    var table = ErrorTable()
    table.add([0.001, -0.003], group: "liquid", quantity: .energy, split: .train)
    table.add([0.1, -0.2, 0.2], group: "bulk", quantity: .force, split: .heldOut)
    table.add([0.004], group: "liquid", quantity: .energy, split: .heldOut)
    table.add([0.01], group: "bulk", quantity: .stress, split: .train)
    table.add([0.005], group: "liquid", quantity: .energy, split: .train)
    table.add([], group: "empty", quantity: .energy, split: .train)
    return table
  }

  @Test func statisticsAreThoseOfTheResiduals() throws {
    let table = table()
    let entry = try #require(table.entry(group: "liquid", quantity: .energy, split: .train))
    #expect(entry.count == 3)
    #expect(abs(entry.meanAbsolute - 3) < 1e-12)
    #expect(abs(entry.rootMeanSquare - (35.0 / 3).squareRoot()) < 1e-12)
    #expect(entry.maximum == 5)
    let stress = try #require(table.entry(group: "bulk", quantity: .stress, split: .train))
    #expect(abs(stress.maximum - 1.602176634) < 1e-12)
    #expect(table.entry(group: "empty", quantity: .energy, split: .train) == nil)
    let order = table.entries.map { "\($0.group) \($0.quantity) \($0.split)" }
    #expect(
      order == [
        "bulk force heldOut", "bulk stress train", "liquid energy train", "liquid energy heldOut",
      ])
  }

  @Test func tablesMerge() {
    var first = ErrorTable()
    first.add([0.001, -0.003], group: "liquid", quantity: .energy, split: .train)
    first.add([0.1, -0.2, 0.2], group: "bulk", quantity: .force, split: .heldOut)
    var second = ErrorTable()
    second.add([0.004], group: "liquid", quantity: .energy, split: .heldOut)
    second.add([0.01], group: "bulk", quantity: .stress, split: .train)
    second.add([0.005], group: "liquid", quantity: .energy, split: .train)
    first.merge(second)
    #expect(first == table())
    #expect(first.totals.map(\.count) == [3, 1, 3, 1])
  }

  @Test func determinationIsThatOfTheLoops() throws {
    var generator = SeededGenerator(seed: 4)
    func random() -> Double { Double.random(in: -1...1, using: &generator) }
    // Far from zero, as total energies are; in three parts, of which two are merged as a table.
    let references = (0..<90).map { _ in -9 + 0.05 * random() }
    let residuals = (0..<90).map { _ in 0.01 * random() }
    var (table, other) = (ErrorTable(), ErrorTable())
    for (range, isOther) in [(0..<20, false), (20..<50, true), (50..<90, true)] {
      let part = (Array(residuals[range]), Array(references[range]))
      if isOther {
        other.add(part.0, references: part.1, group: "a", quantity: .energy, split: .train)
      } else {
        table.add(part.0, references: part.1, group: "b", quantity: .energy, split: .train)
      }
    }
    table.merge(other)
    let mean = references.reduce(0, +) / 90
    let spread = references.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let direct = 1 - residuals.reduce(0) { $0 + $1 * $1 } / spread
    #expect(abs(try #require(table.totals[0].determination) - direct) < 1e-9)
    // Without references, and where they do not differ, there is none.
    other.add([0.1], group: "a", quantity: .energy, split: .train)
    #expect(other.totals[0].determination == nil)
    var same = ErrorTable()
    same.add([0.1, 0.2], references: [-9.1, -9.1], group: "", quantity: .energy, split: .train)
    #expect(same.totals[0].determination == nil)
  }

  @Test func notFiniteResidualsAreCountedApart() throws {
    var table = table()
    table.add([.nan, .infinity, 0], group: "liquid", quantity: .energy, split: .train)
    let entry = try #require(table.entry(group: "liquid", quantity: .energy, split: .train))
    #expect(entry.notFinite == 2 && entry.count == 4 && entry.maximum == 5)
    #expect(table.lines.contains { $0.contains("2 not finite") })
  }

  @Test func encodingIsStable() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let bytes = try encoder.encode(table())
    #expect(try encoder.encode(table()) == bytes)
    #expect(try JSONDecoder().decode(ErrorTable.self, from: bytes) == table())
  }

  @Test func linesAreOneWidth() {
    let lines = table().lines
    #expect(Set(lines.map(\.count)).count == 1)
    #expect(lines.count == 1 + 4 + 4)
    #expect(
      lines[0].hasPrefix("group   quantity  set       count      MAE     RMSE      max  R²  unit"))
    #expect(lines[3].hasPrefix("liquid  energy    train         3    3.000    3.416    5.000   -  meV"))
  }
}
