import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

/// Forces and strain derivatives of potentials with embeddings and repulsion against finite differences.
@Suite struct EmbeddingTests {
  private static func potential(
    _ kind: InnerCutoffKind, _ embedding: Embedding, core: Double, inner: Double
  ) throws -> Potential {
    let basis = try Sample.basis(
      ["Cu", "Zr"], order: 3, limits: .init(radial: [3, 2, 1], angular: [0, 2, 1]))
    var bonds = basis.bonds
    for i in 0..<2 {
      for j in 0..<2 {
        bonds[i][j].innerCutoffKind = kind
        bonds[i][j].innerCutoff = inner
        bonds[i][j].innerCutoffWidth = 0.9
        bonds[i][j].corePrefactor = core
        bonds[i][j].coreExponent = 0.3
        bonds[i][j].shell = 0.7
      }
    }
    let own = try Basis(elements: basis.elements, bonds: bonds, functions: basis.functions)
    var generator = SeededGenerator(seed: 31)
    return try Potential(
      basis: own,
      coefficients: own.functions.map { list in
        (0..<list.count * embedding.densityCount).map { _ in
          .random(in: -0.3...0.3, using: &generator)
        }
      }, embeddings: [embedding, embedding])
  }

  private static let square = Embedding(
    kind: .finnisSinclairShiftedScaled, terms: [(1, 1), (0.7, 0.5), (-0.2, 2)])
  private static let plain = Embedding(kind: .finnisSinclair, terms: [(1, 1), (0.4, 0.5)])
  private static let switched = Embedding(
    kind: .finnisSinclairShiftedScaled, terms: [(1, 1)], coreCutoff: 3, coreWidth: 2.9)

  @Test(arguments: [
    (InnerCutoffKind.density, "square", 0.0, 0.0), (.density, "plain", 0, 0),
    (.density, "switched", 5, 0), (.distance, "switched", 8, 2.6), (.zbl, "square", 1, 2.6),
  ]) func forcesAreDerivatives(
    _ kind: InnerCutoffKind, _ name: String, _ core: Double, _ inner: Double
  ) throws {
    let embedding = ["square": Self.square, "plain": Self.plain, "switched": Self.switched][name]!
    let potential = try Self.potential(kind, embedding, core: core, inner: inner)
    let c = Sample.configuration(["Cu", "Zr", "Zr", "Cu", "Cu"], size: 4.3, seed: 5)
    for radial in [Evaluator.RadialEvaluation.exact, .tabulated] {
      let evaluator = Evaluator(potential.basis, radial: radial)
      let result = try evaluator.evaluate(potential, c)
      let scale = max(1, result.forces.map(length).max()!)
      func energy(_ change: (inout Configuration) -> Void) throws -> Double {
        var moved = c
        change(&moved)
        return try evaluator.evaluate(potential, moved).energy
      }
      let h = 1e-4
      for atom in 0..<c.count {
        for k in 0..<3 {
          let slope =
            (try energy { $0.positions[atom][k] += h } - (try energy { $0.positions[atom][k] -= h }))
            / (2 * h)
          // Second-order differences; bins of the tables add kinks of their own.
          #expect(
            abs(slope + result.forces[atom][k]) < 1e-5 * scale,
            "\(kind) \(name) \(radial) \(atom) \(k)")
        }
      }
      let e = 1e-5
      let slope =
        (try energy { $0 = $0.stretched(1 + e) } - (try energy { $0 = $0.stretched(1 - e) }))
        / (2 * e)
      #expect(
        abs(slope - result.strainDerivative.x.x) < 1e-5 * max(scale, abs(slope)), "\(kind) \(name)")
    }
  }
}

extension Configuration {
  /// Stretched along x.
  fileprivate func stretched(_ factor: Double) -> Configuration {
    var result = self
    result.positions = positions.map { Vector3($0.x * factor, $0.y, $0.z) }
    let v = cell!.vectors
    result.cell!.vectors = Matrix3(
      [v.x.x * factor, v.x.y, v.x.z], [v.y.x * factor, v.y.y, v.y.z],
      [v.z.x * factor, v.z.y, v.z.z])
    return result
  }
}
