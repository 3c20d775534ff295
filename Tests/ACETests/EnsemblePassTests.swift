import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

/// A potential, its grades and its ensemble in one pass, against each by itself.
@Suite struct EnsemblePassTests {
  private static func inverses(_ basis: Basis) -> [Matrix?] {
    basis.elements.indices.map { element in
      let n = basis.functions[element].count
      return Matrix(rows: n, columns: n, storage: FastPathTests.columns(n * n, seed: 5))
    }
  }

  /// Members that differ by a hundredth from a potential that is not their mean.
  private static func members(_ count: Int, around columns: [Double]) -> Matrix {
    Matrix(
      (0..<count).map { m in
        zip(columns, FastPathTests.columns(columns.count, seed: UInt64(10 + m))).map { $0 + 0.01 * $1 }
      })
  }

  @Test(arguments: [(1, 2), (2, 1), (2, 3)]) func onePassGivesWhatThreeGive(_ elements: Int, _ cells: Int) throws {
    let symbols = Array(["Al", "Ti"][..<elements])
    let basis = try FastPathTests.basis(symbols)
    let evaluator = Evaluator(basis)
    let c = FastPathTests.crystal(symbols, cells: cells)
    let potential = try Potential(
      basis: basis, columns: FastPathTests.columns(basis.columnCount, seed: 2),
      referenceEnergies: Array([-3, -7].prefix(elements)))
    let (inverses, expected) = (Self.inverses(basis), try evaluator.evaluate(potential, c))
    for count in [2, 19] {
      let members = Self.members(count, around: potential.columnCoefficients!)
      let (own, ensemble, grades) = try evaluator.evaluate(potential, members: members, c, inverses: inverses)
      #expect(own == expected)
      #expect(try grades == evaluator.grades(of: c, inverses: inverses))
      let exact = try evaluator.evaluateEnsemble(members, c)
      #expect(ensemble.energies == exact.energies && ensemble.atomEnergies == exact.atomEnergies)
      try FastPathTests.expectSameDifferences(ensemble, exact, "\(count) members")
      #expect(try evaluator.evaluate(potential, members: members, c).grades == nil)
    }
  }

  /// Where core repulsion switches ACE off.
  @Test func onePassFadesLikeThree() throws {
    let basis = try FastPathTests.basis(["Al", "Ti"])
    let evaluator = Evaluator(basis)
    let c = Sample.configuration(["Al", "Ti", "Ti", "Al", "Ti"], size: 4.6, seed: 5)
    let onset = try #require(try evaluator.repulsion(of: c)).energies.sorted()[2] - 0.5
    let embeddings = Handover(basis: basis, coreEnergies: ["Al": onset, "Ti": onset]).embeddings
    let columns = FastPathTests.columns(basis.columnCount, seed: 30)
    let potential = try Potential(
      basis: basis, coefficients: basis.elements.indices.map { Array(columns[basis.columns(ofElement: $0)]) },
      embeddings: embeddings)
    let members = Self.members(5, around: columns)
    let (own, ensemble, _) = try evaluator.evaluate(potential, members: members, c)
    #expect(try own == evaluator.evaluate(potential, c))
    let exact = try evaluator.evaluateEnsemble(members, c, embeddings: embeddings)
    let plain = try evaluator.evaluateEnsemble(members, c)
    #expect(FastPathTests.worst(plain.forces[0], exact.forces[0]) > 0.01, "nothing fades")
    #expect(ensemble.energies == exact.energies)
    try FastPathTests.expectSameDifferences(ensemble, exact, "fade")
  }

  /// A structure that is evaluated in parts, with pairs between them, two elements and core repulsion that fades.
  @Test func largeStructuresAreTheSameOnAnyNumberOfThreads() throws {
    let elements = [Element(symbol: "Al")!, Element(symbol: "Ti")!]
    let basis = try Basis(
      BasisSpecification(
        elements: elements, cutoff: 3.4, order: 2, functionsPerElement: 6,
        repulsion: PairRepulsion.automatic(elements)))
    let evaluator = Evaluator(basis)
    let c = FastPathTests.crystal(["Al", "Ti", "Ti"], cells: 13)
    #expect(c.count > Evaluator.atomsInOnePart)
    let core = try #require(try evaluator.repulsion(of: c)).energies.sorted()
    let onset = core[core.count * 99 / 100]
    let embeddings = Handover(basis: basis, coreEnergies: ["Al": onset, "Ti": onset]).embeddings
    let columns = FastPathTests.columns(basis.columnCount, seed: 4)
    let potential = try Potential(
      basis: basis, coefficients: basis.elements.indices.map { Array(columns[basis.columns(ofElement: $0)]) },
      embeddings: embeddings)
    let members = Self.members(3, around: columns)
    let inverses = Self.inverses(basis)
    let (own, ensemble, grades) = try evaluator.evaluate(potential, members: members, c, inverses: inverses)
    #expect(try own == evaluator.evaluate(potential, c) && grades == evaluator.grades(of: c, inverses: inverses))
    for threads in [2, 3, 7] {
      let (several, others, same) = try evaluator.evaluate(
        potential, members: members, c, inverses: inverses, threads: threads)
      #expect(several == own && others == ensemble && same == grades, "\(threads) threads")
    }
    // Sums over all atoms are made in parts.
    let exact = try evaluator.evaluateEnsemble(members, c, embeddings: embeddings)
    #expect(ensemble.energies == exact.energies && ensemble.atomEnergies == exact.atomEnergies)
    try FastPathTests.expectSameDifferences(ensemble, exact, "parts")
    let alone = try evaluator.evaluateEnsemble(
      members, c, embeddings: embeddings, precision: .singleDifferences, pairMemory: 0)
    try FastPathTests.expectSameDifferences(alone, exact, "no pair is shared")
  }

  @Test func whatIsNoEnsembleOfThePotentialIsRefused() throws {
    let basis = try FastPathTests.basis(["Al"])
    let c = FastPathTests.crystal(["Al"], cells: 1)
    let columns = FastPathTests.columns(basis.columnCount, seed: 1)
    let potential = try Potential(basis: basis, columns: columns)
    #expect(throws: ACEError.self) {
      try Evaluator(basis).evaluate(potential, members: Matrix(rows: 2, columns: basis.columnCount - 1), c)
    }
    let curved = try Potential(
      basis: basis, coefficients: [columns],
      embeddings: [Embedding(kind: .finnisSinclairShiftedScaled, terms: [(weight: 1, exponent: 0.5)])])
    #expect(throws: ACEError.self) {
      try Evaluator(basis).evaluate(curved, members: Matrix(rows: 2, columns: basis.columnCount), c)
    }
  }
}
