import ACE
import Configurations
import Foundation
import TestSupport
import Testing

/// A basis whose functions were named one by one.
@Suite struct ChosenBasisTests {
  private let specification = BasisSpecification(
    elements: [Element(symbol: "Cu")!, Element(symbol: "Zr")!], cutoff: 4.5, order: 3, functionsPerElement: 300,
    ordering: .standard, repulsion: PairRepulsion.automatic([Element(symbol: "Cu")!, Element(symbol: "Zr")!]))

  /// Of both elements, some of them with couplings.
  private func columns(_ basis: Basis) -> [Int] { (0..<basis.columnCount).filter { $0 % 3 == 1 || $0 == 0 } }

  @Test func itsFunctionsHaveTheValuesThatTheyHadAmongAll() throws {
    let whole = try Basis(specification)
    let columns = columns(whole)
    let chosen = specification.choosing(columns, of: whole)
    try chosen.validate()
    let basis = try Basis(chosen)
    #expect(basis.columnFunctions == columns.map { whole.columnFunctions[$0] })
    #expect(basis.columnFunctions.contains { !$0.couplings.isEmpty })
    #expect(basis.bonds[0][1].corePrefactor == whole.bonds[0][1].corePrefactor)
    let frame = Sample.configuration(["Cu", "Zr", "Zr", "Cu", "Zr"], size: 5, seed: 3, periodic: true)
    let (own, all) = try (Evaluator(basis).features(of: frame).rows, Evaluator(whole).features(of: frame).rows)
    for (a, b) in zip(own.energy, columns.map { all.energy[$0] }) { #expect(abs(a - b) <= 1e-13 * (1 + abs(b))) }
    for i in 0..<own.forces.rows {
      for (j, column) in columns.enumerated() {
        #expect(abs(own.forces[i, j] - all.forces[i, column]) <= 1e-12 * (1 + abs(all.forces[i, column])))
      }
    }
  }

  @Test func itIsWrittenAndReadBack() throws {
    let whole = try Basis(specification)
    let chosen = specification.choosing(columns(whole), of: whole)
    let text = try JSONEncoder().encode(chosen)
    #expect(try JSONDecoder().decode(BasisSpecification.self, from: text) == chosen)
    // As a potential, too, in the order of every program.
    let basis = try Basis(chosen)
    let coefficients = (0..<basis.columnCount).map { 1 / Double($0 + 2) }
    let potential = try Potential(basis: basis, columns: coefficients, referenceEnergies: [-1, -2])
    let read = try Potential(yaml: potential.yaml)
    #expect(read.basis.columnFunctions == basis.columnFunctions)
    let frame = Sample.configuration(["Cu", "Zr", "Zr", "Cu"], size: 5, seed: 4, periodic: true)
    let energies = try [potential, read].map { try Evaluator($0.basis).evaluate($0, frame).energy }
    #expect(abs(energies[0] - energies[1]) < 1e-10)
  }

  @Test func whatIsNoChoiceIsRefused() throws {
    let whole = try Basis(specification)
    var twice = specification.choosing([0, 4], of: whole)
    twice.chosen!.append(twice.chosen![0])
    #expect(throws: ACEError.self) { try Basis(twice) }
    var both = specification.choosing([0, 4], of: whole)
    both.functionsPerElement = 5
    #expect(throws: ACEError.self) { try Basis(both) }
    var none = both
    (none.functionsPerElement, none.chosen) = (nil, [])
    #expect(throws: ACEError.self) { try Basis(none) }
    let text = String(decoding: try JSONEncoder().encode(specification.choosing([0, 4], of: whole)), as: UTF8.self)
    for (old, new) in [("\"element\":\"Cu\"", "\"element\":\"Fe\""), ("\"n\":[", "\"n\":[1,")] {
      let broken = text.replacingOccurrences(of: old, with: new)
      #expect(broken != text, "\(old)")
      #expect(throws: (any Error).self) { try JSONDecoder().decode(BasisSpecification.self, from: Data(broken.utf8)) }
    }
    // Impossible couplings are for the basis to refuse.
    var impossible = specification.choosing([0], of: whole)
    impossible.order = 3
    impossible.chosen = [
      BasisFunction(centre: 0, neighbors: [0, 0, 0], ns: [1, 1, 1], ls: [1, 1, 2], couplings: [3])
    ]
    #expect(throws: ACEError.self) { try Basis(impossible) }
  }
}
