import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

@Suite(.enabled(if: SharedData.isAvailable, "skipped: no shared data"))
struct GoldenTests {
  static func potential(_ name: String) throws -> Potential {
    try Potential(yaml: try SharedData.bytes("golden/\(name).yaml"))
  }

  @Test(arguments: Golden.names) func projections(_ name: String) throws {
    let golden = try Golden.load(name)
    let potential = try Self.potential(name)
    #expect(potential.basis.functions.map(\.count) == golden.nfuncs)
    let evaluator = Evaluator(potential.basis)
    var worst = 0.0
    for structure in golden.structures {
      for group in try evaluator.projections(of: structure.configuration) {
        for (row, atom) in group.atoms.enumerated() {
          let expected = structure.projections[atom]
          let scale = expected.map(abs).max()!
          for (value, reference) in zip(group.values.row(row), expected) {
            worst = max(worst, abs(value - reference) / max(abs(reference), 1e-3 * scale))
          }
        }
      }
    }
    #expect(worst < 1e-10, "\(name)")
  }

  @Test(arguments: Golden.names) func energiesForcesAndVirial(_ name: String) throws {
    let golden = try Golden.load(name)
    let potential = try Self.potential(name)
    let evaluator = Evaluator(potential.basis)
    for (index, structure) in golden.structures.enumerated() {
      let result = try evaluator.evaluate(potential, structure.configuration)
      let count = Double(structure.symbols.count)
      #expect(abs(result.energy - structure.energy) / count < 1e-10, "\(name) \(index)")
      let perAtom = zip(result.energies, structure.energies).map { abs($0 - $1) }.max()!
      #expect(perAtom < 1e-10, "\(name) \(index)")
      var worst = 0.0
      for (f, g) in zip(result.forces, structure.forces) {
        for k in 0..<3 { worst = max(worst, abs(f[k] - g[k])) }
      }
      #expect(worst < 1e-8, "\(name) \(index)")
      if let v = structure.virial_xx_yy_zz_xy_xz_yz {
        let w = result.strainDerivative
        let ours = [w.x.x, w.y.y, w.z.z, w.x.y, w.x.z, w.y.z]
        let difference = zip(ours, v).map { abs($0 - $1) }.max()!
        #expect(difference < 1e-9 * max(1, v.map(abs).max()!), "\(name) \(index)")
      }
    }
  }
}
