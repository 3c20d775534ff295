import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

/// Deviations against each member evaluated by itself, with the definitions written out.
@Suite struct EnsembleDeviationTests {
  private static let elements = [Element(symbol: "Al")!, Element(symbol: "Ti")!]

  private static func structure(_ random: inout SeededGenerator, cell: Bool) -> Configuration {
    let positions = (0..<7).map { _ in
      Vector3(
        .random(in: 0...4.5, using: &random), .random(in: 0...4.5, using: &random),
        .random(in: 0...4.5, using: &random))
    }
    return Configuration(
      species: positions.indices.map { elements[$0 % 3 == 0 ? 0 : 1] }, positions: positions,
      cell: cell ? Cell(vectors: Matrix3([4.6, 0.3, 0], [0, 4.5, 0.2], [0.1, 0, 4.8])) : nil)
  }

  @Test(arguments: [true, false]) func everyMemberByItself(hasCell: Bool) throws {
    var random = SeededGenerator(seed: 31)
    let basis = try Basis(
      BasisSpecification(elements: Self.elements, cutoff: 4.2, order: 3, functionsPerElement: 20))
    let evaluator = Evaluator(basis)
    let members = (0..<5).map { _ in (0..<basis.columnCount).map { _ in Double.random(in: -1...1, using: &random) } }
    let energies = (0..<5).map { _ in [Double.random(in: -5...0, using: &random), .random(in: -9...0, using: &random)] }
    let structure = Self.structure(&random, cell: hasCell)
    let atoms = Double(structure.count)
    let own = try zip(members, energies).map {
      try evaluator.evaluate(Potential(basis: basis, columns: $0, referenceEnergies: $1), structure)
    }
    func root(_ squares: [Double]) -> Double { (squares.reduce(0, +) / 5).squareRoot() }
    for precision in [EnsemblePrecision.double, .singleDifferences] {
      let tolerance = precision == .double ? 1e-11 : 1e-5
      func isNear(_ a: Double, _ b: Double) -> Bool { abs(a - b) < tolerance * b }
      let deviation = try EnsembleDeviation(
        evaluator.evaluateEnsemble(Matrix(members), structure, precision: precision), of: structure, basis: basis,
        referenceEnergies: Matrix(energies))

      // Energies include each member's reference energies: without them the deviation would be another one.
      let perAtom = own.map { $0.energy / atoms }
      let mean = perAtom.reduce(0, +) / 5
      #expect(isNear(deviation.energy, root(perAtom.map { ($0 - mean) * ($0 - mean) })))
      #expect(isNear(deviation.largestEnergy, perAtom.map { abs($0 - mean) }.max()!))
      for atom in 0..<structure.count {
        let forces = own.map { $0.forces[atom] }
        let average = 0.2 * forces.reduce(Vector3.zero, +)
        let distances = forces.map { length($0 - average) }
        #expect(isNear(deviation.forces[atom], distances.max()!), "atom \(atom)")
        #expect(isNear(deviation.forceStandardDeviations[atom], root(distances.map { $0 * $0 })), "atom \(atom)")
        #expect(deviation.forces[atom] > deviation.forceStandardDeviations[atom])
      }
      guard hasCell else {
        #expect(deviation.stress == nil && deviation.stressStandardDeviation == nil)
        continue
      }
      let stresses = own.map { m in [m.stress!.x, m.stress!.y, m.stress!.z].flatMap { [$0.x, $0.y, $0.z] } }
      let average = (0..<9).map { k in stresses.reduce(0) { $0 + $1[k] } / 5 }
      let distances = stresses.map { s in zip(s, average).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
      }
      #expect(isNear(deviation.stress!, distances.max()!))
      #expect(isNear(deviation.stressStandardDeviation!, root(distances.map { $0 * $0 })))
    }
  }

  @Test func membersThatAgreeDoNotDeviate() throws {
    var random = SeededGenerator(seed: 8)
    let basis = try Basis(
      BasisSpecification(elements: Self.elements, cutoff: 4.2, order: 2, functionsPerElement: 10))
    let structure = Self.structure(&random, cell: true)
    let coefficients = (0..<basis.columnCount).map { _ in Double.random(in: -1...1, using: &random) }
    let deviation = try EnsembleDeviation(
      Evaluator(basis).evaluateEnsemble(Matrix([coefficients, coefficients, coefficients]), structure), of: structure,
      basis: basis, referenceEnergies: Matrix([[-1, -2], [-1, -2], [-1, -2]]))
    #expect(deviation.energy < 1e-13 && deviation.forces.allSatisfy { $0 < 1e-12 } && deviation.stress! < 1e-13)
  }

  @Test func membersWithoutReferenceEnergiesAreRefused() throws {
    var random = SeededGenerator(seed: 8)
    let basis = try Basis(
      BasisSpecification(elements: Self.elements, cutoff: 4.2, order: 2, functionsPerElement: 10))
    let structure = Self.structure(&random, cell: true)
    let evaluation = try Evaluator(basis).evaluateEnsemble(
      Matrix(rows: 3, columns: basis.columnCount), structure)
    #expect(throws: ACEError.self) {
      try EnsembleDeviation(evaluation, of: structure, basis: basis, referenceEnergies: Matrix([[-1, -2], [-1, -2]]))
    }
  }
}
