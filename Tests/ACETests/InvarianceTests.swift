import ACE
import Configurations
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite struct InvarianceTests {
  private let basis: Basis
  private let evaluator: Evaluator
  private let potential: Potential
  private let configuration = Sample.configuration(
    ["Cu", "Zr", "Cu", "Cu", "Zr", "Zr"], size: 4.7, seed: 21)

  init() throws {
    basis = try Sample.basis(
      ["Cu", "Zr"], order: 5, cutoff: 4, functions: 90,
      limits: .init(radial: [6, 4, 3, 2, 1], angular: [0, 4, 3, 2, 1]))
    evaluator = Evaluator(basis)
    var generator = SeededGenerator(seed: 4)
    potential = try Potential(
      basis: basis,
      columns: (0..<basis.columnCount).map { _ in .random(in: -1...1, using: &generator) })
  }

  private func rotation(_ angle: Double, reflected: Bool) -> Matrix3 {
    let (c, s) = (cos(angle), sin(angle))
    let z = Matrix3([c, s, 0], [-s, c, 0], [0, 0, 1])
    let x = Matrix3([1, 0, 0], [0, c, s], [0, -s, c])
    return (reflected ? -1.0 : 1.0) * (z * x)
  }

  /// Grouped projections with atoms and values compared to rounding.
  private func expectSame(_ a: [Projections], _ b: [Projections], _ label: String) {
    #expect(a.count == b.count)
    for (x, y) in zip(a, b) {
      #expect(x.element == y.element && x.atoms == y.atoms, "\(label)")
      let scale = x.values.storage.map(abs).max()!
      for (p, q) in zip(x.values.storage, y.values.storage) {
        #expect(abs(p - q) < 1e-11 * scale, "\(label)")
      }
    }
  }

  @Test(arguments: [false, true]) func rotationsAndReflections(_ reflected: Bool) throws {
    let r = rotation(0.83, reflected: reflected)
    var turned = configuration
    turned.positions = turned.positions.map { $0 * r }
    turned.cell!.vectors = turned.cell!.vectors * r
    expectSame(
      try evaluator.projections(of: configuration), try evaluator.projections(of: turned),
      "rotation")
    let (a, b) = (
      try evaluator.evaluate(potential, configuration), try evaluator.evaluate(potential, turned)
    )
    #expect(abs(a.energy - b.energy) < 1e-10 * max(1, abs(a.energy)))
    let scale = a.forces.map(length).max()!
    for (f, g) in zip(a.forces, b.forces) { #expect(length(f * r - g) < 1e-10 * scale) }
  }

  @Test func translationsAndWrapping() throws {
    var moved = configuration
    moved.positions = moved.positions.enumerated().map {
      $1 + Vector3(0.3, -7.1, 2.2) + Double($0 % 3 - 1) * moved.cell!.vectors.y
    }
    expectSame(
      try evaluator.projections(of: configuration), try evaluator.projections(of: moved),
      "translation")
  }

  @Test func permutations() throws {
    let order = [3, 5, 0, 4, 2, 1]
    var permuted = configuration
    permuted.species = order.map { configuration.species[$0] }
    permuted.positions = order.map { configuration.positions[$0] }
    let (a, b) = (
      try evaluator.evaluate(potential, configuration), try evaluator.evaluate(potential, permuted)
    )
    for (new, old) in order.enumerated() {
      #expect(abs(b.energies[new] - a.energies[old]) < 1e-10)
      #expect(length(b.forces[new] - a.forces[old]) < 1e-10 * max(1, length(a.forces[old])))
    }
  }

  @Test func supercells() throws {
    let cell = configuration.cell!.vectors
    let big = Configuration(
      species: configuration.species + configuration.species,
      positions: configuration.positions + configuration.positions.map { $0 + cell.z },
      cell: Cell(vectors: Matrix3(cell.x + cell.y, cell.y, 2 * cell.z)))
    let (a, b) = (
      try evaluator.evaluate(potential, configuration), try evaluator.evaluate(potential, big)
    )
    #expect(abs(b.energy - 2 * a.energy) < 1e-10 * abs(a.energy) + 1e-10)
    for k in 0..<6 {
      #expect(length(b.forces[k] - a.forces[k]) < 1e-9 * max(1, length(a.forces[k])))
    }
    for k in 0..<3 {
      #expect(length(b.stress![k] - a.stress![k]) < 1e-10 * max(1, length(a.stress![k])))
    }
  }

  /// Eight lanes, reused memory, other neighbours in the block: an atom's bits do not change.
  @Test func blocksAndWorkspacesDoNotChangeBits() throws {
    let workspace = Workspace()
    let big = Sample.configuration(Array(repeating: "Zr", count: 9), size: 6.4, seed: 3)
    _ = try evaluator.designRows(of: big, workspace: workspace)
    let first = try evaluator.designRows(of: configuration, workspace: workspace)
    #expect(try evaluator.designRows(of: configuration) == first)
    #expect(
      try evaluator.evaluate(potential, configuration, workspace: workspace)
        == evaluator.evaluate(potential, configuration))
  }

  /// Energies, forces and grades in one pass are those of two, bit for bit; several batches of one element.
  @Test func gradesBesideForcesAreTheSame() throws {
    var generator = SeededGenerator(seed: 8)
    let inverses = basis.functions.map { list -> Matrix? in
      Matrix(
        rows: list.count, columns: list.count,
        storage: (0..<list.count * list.count).map { _ in .random(in: -1...1, using: &generator) })
    }
    var positions: [Vector3] = []
    var species: [Element] = []
    let cell = configuration.cell!.vectors
    for x in 0..<5 {
      for y in 0..<5 {
        for z in 0..<4 {
          let shift = Double(x) * cell.x + Double(y) * cell.y + Double(z) * cell.z
          positions += configuration.positions.map { $0 + shift }
          species += configuration.species
        }
      }
    }
    let big = Configuration(
      species: species, positions: positions, cell: Cell(vectors: Matrix3(5 * cell.x, 5 * cell.y, 4 * cell.z)))
    for c in [configuration, big] {
      let both = try evaluator.evaluate(potential, c, inverses: inverses)
      #expect(try both.evaluation == evaluator.evaluate(potential, c))
      #expect(try both.grades == evaluator.grades(of: c, inverses: inverses))
      // By plain sums.
      for group in try evaluator.projections(of: c) {
        for (row, atom) in group.atoms.enumerated().prefix(3) {
          let expected = group.values.row(row)
          let inverse = inverses[group.element]!
          let plain = (0..<inverse.columns).map { j in
            abs(expected.indices.reduce(0) { $0 + expected[$1] * inverse[$1, j] })
          }.max()!
          #expect(abs(both.grades[atom] - plain) < 1e-10 * max(1, plain))
        }
      }
    }
    let without = try evaluator.evaluate(potential, configuration, inverses: [inverses[0], nil])
    #expect(without.grades.enumerated().allSatisfy { ($1 == .infinity) == (configuration.species[$0].symbol == "Zr") })
    #expect(throws: ACEError.self) { try evaluator.evaluate(potential, configuration, inverses: [inverses[0]]) }
  }

  @Test func threadsShareAnEvaluator() async throws {
    let expected = try evaluator.designRows(of: configuration)
    let (evaluator, configuration) = (evaluator, configuration)
    try await withThrowingTaskGroup(of: DesignRows.self) { group in
      for _ in 0..<8 { group.addTask { try evaluator.designRows(of: configuration) } }
      for try await rows in group { #expect(rows == expected) }
    }
  }

  @Test(arguments: [RadialKind.sBessel, .chebExpCos(lambda: 5.25), .chebPow(lambda: 2)])
  func energyAndForcesVanishSmoothlyAtTheCutoff(_ radial: RadialKind) throws {
    let basis = try Sample.basis(
      ["W"], radial: radial, order: 3, cutoff: 4,
      limits: .init(radial: [6, 4, 3], angular: [0, 3, 2]))
    let potential = try Potential(
      basis: basis, columns: Array(repeating: 1, count: basis.columnCount))
    let evaluator = Evaluator(basis)
    let w = Element(symbol: "W")!
    func at(_ r: Double) throws -> Evaluation {
      try evaluator.evaluate(
        potential,
        Configuration(species: [w, w, w], positions: [.zero, [0, 2.4, 0], [r, 0, 0]], cell: nil))
    }
    let beyond = try at(20)
    for distance in [1e-4, 1e-6, 1e-8] {
      let near = try at(4 - distance)
      #expect(abs(near.energy - beyond.energy) < 50 * distance * distance + 1e-12, "\(distance)")
      #expect(length(near.forces[2]) < 100 * distance + 1e-12, "\(distance)")
    }
    #expect(try at(4) == beyond || length(try at(4).forces[2]) == 0)
  }
}
