import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

@Suite struct DerivativeTests {
  private static func random(_ count: Int, seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in .random(in: -1...1, using: &generator) }
  }

  /// Bases that between them use every branch: ranks, elements, mixing, images of the centre itself.
  private static func cases() throws -> [(Basis, Configuration)] {
    let ranks = try Sample.basis(
      ["W"], limits: .init(radial: [4, 3, 2, 2, 1, 1], angular: [0, 3, 3, 2, 2, 1]))
    let binary = try Sample.basis(
      ["Cu", "Zr"], radial: .chebExpCos(lambda: 4, shell: 0.5), order: 4,
      limits: .init(radial: [4, 2, 2, 1], angular: [0, 2, 1, 1]))
    return [
      (ranks, Sample.configuration(["W", "W"], size: 3.1, seed: 7)),
      (ranks, Sample.configuration(Array(repeating: "W", count: 11), size: 6, seed: 8)),
      (binary, Sample.configuration(["Cu", "Zr", "Zr", "Cu", "Cu"], size: 4.4, seed: 9)),
      (
        try Sample.mixed(binary, seed: 10, inner: 2.2),
        Sample.configuration(["Zr", "Cu", "Zr", "Cu"], size: 4.4, seed: 11, periodic: false)
      ),
    ]
  }

  /// Fourth-order central difference.
  private static func difference(_ step: Double, _ f: (Double) throws -> [Double]) rethrows
    -> [Double]
  {
    let (a, b, c, d) = (try f(2 * step), try f(step), try f(-step), try f(-2 * step))
    return a.indices.map { (-a[$0] + 8 * b[$0] - 8 * c[$0] + d[$0]) / (12 * step) }
  }

  private static func strained(_ c: Configuration, _ i: Int, _ j: Int, _ e: Double) -> Configuration {
    var strain = Matrix3.identity
    strain[i, j] += e / 2
    strain[j, i] += e / 2
    var c = c
    c.positions = c.positions.map { $0 * strain }
    if var cell = c.cell {
      cell.vectors = cell.vectors * strain
      c.cell = cell
    }
    return c
  }

  private static let voigt = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]

  @Test(arguments: 0..<4) func designRowsAreDerivatives(_ index: Int) throws {
    let (basis, c) = try Self.cases()[index]
    let evaluator = Evaluator(basis)
    let rows = try evaluator.designRows(of: c)
    let scale = rows.forces.storage.map(abs).max()!
    for (atom, k) in [(0, 0), (c.count - 1, 1), (1, 2)] {
      let numeric = try Self.difference(1e-3) { h in
        var moved = c
        moved.positions[atom][k] += h
        return try evaluator.designRows(of: moved).energy
      }
      for (analytic, n) in zip(rows.forces.row(3 * atom + k), numeric) {
        // Fourth-order differences at 1e-3 Å leave about 1e-9 of the largest derivative.
        #expect(
          abs(analytic + n) < 2e-8 * max(abs(n), 0.05 * scale), "case \(index), atom \(atom), \(k)")
      }
    }
    let strainScale = rows.virial.storage.map(abs).max()!
    for (row, (i, j)) in Self.voigt.enumerated() {
      let numeric = try Self.difference(2e-4) { e in
        try evaluator.designRows(of: Self.strained(c, i, j, e)).energy
      }
      for (analytic, n) in zip(rows.virial.row(row), numeric) {
        #expect(
          abs(analytic - n) < 2e-8 * max(abs(n), 0.05 * strainScale), "case \(index), strain \(row)"
        )
      }
    }
  }

  @Test(arguments: 0..<4) func rowsAdjointsProjectionsAndEnsembleAgree(_ index: Int) throws {
    let (basis, c) = try Self.cases()[index]
    let evaluator = Evaluator(basis)
    let rows = try evaluator.designRows(of: c)
    let members = (0..<6).map { Self.random(basis.columnCount, seed: UInt64(100 + $0)) }
    let ensemble = try evaluator.evaluateEnsemble(Matrix(members), c)
    for (m, columns) in members.enumerated() {
      let potential = try Potential(
        basis: basis, columns: columns, referenceEnergies: basis.elements.map { _ in 2 })
      let result = try evaluator.evaluate(potential, c)
      let energy = zip(rows.energy, columns).reduce(0) { $0 + $1.0 * $1.1 }
      let scale = zip(rows.energy, columns).reduce(0) { $0 + abs($1.0 * $1.1) }
      let tolerance = 1e-12 * scale  // sums of the same terms in other orders
      #expect(abs(result.energy - 2 * Double(c.count) - energy) < tolerance)
      #expect(abs(ensemble.energies[m] - energy) < tolerance)
      let forces = rows.forces.times(columns)
      let virial = rows.virial.times(columns)
      for atom in 0..<c.count {
        for k in 0..<3 {
          #expect(abs(result.forces[atom][k] - forces[3 * atom + k]) < 10 * tolerance)
          #expect(abs(ensemble.forces[m][atom][k] - forces[3 * atom + k]) < 10 * tolerance)
        }
      }
      for (row, (i, j)) in Self.voigt.enumerated() {
        #expect(abs(result.strainDerivative[i, j] - virial[row]) < 100 * tolerance)
        #expect(abs(ensemble.strainDerivatives[m][i, j] - virial[row]) < 100 * tolerance)
      }
    }
    let both = try evaluator.features(of: c)
    #expect(both.rows == rows)
    #expect(try both.projections == evaluator.projections(of: c))
    var sums = [Double](repeating: 0, count: basis.columnCount)
    for group in try evaluator.projections(of: c) {
      for row in 0..<group.atoms.count {
        for (k, column) in basis.columns(ofElement: group.element).enumerated() {
          sums[column] += group.values[row, k]
        }
      }
    }
    #expect(zip(sums, rows.energy).allSatisfy { abs($0 - $1) <= 1e-12 * max(1, abs($1)) })
  }

  @Test func stressIsTheStrainDerivativeOverVolume() throws {
    let (basis, c) = try Self.cases()[1]
    let potential = try Potential(basis: basis, columns: Self.random(basis.columnCount, seed: 3))
    let result = try Evaluator(basis).evaluate(potential, c)
    #expect(result.stress!.x.y == result.strainDerivative.x.y * (1 / c.cell!.volume))
    var free = c
    free.cell = nil
    #expect(try Evaluator(basis).evaluate(potential, free).stress == nil)
  }
}
