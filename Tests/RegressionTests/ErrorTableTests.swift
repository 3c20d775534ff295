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
      lines[0].hasPrefix("group   quantity  set       count      MAE     RMSE      max  unit"))
    #expect(lines[3].hasPrefix("liquid  energy    train         3    3.000    3.416    5.000  meV"))
  }
}
