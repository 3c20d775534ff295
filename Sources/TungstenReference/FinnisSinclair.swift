// A tungsten configuration comes in, the same configuration with Finnis-Sinclair labels goes out.

import Configurations
import Glibc

/// The Finnis-Sinclair potential for tungsten (doi:10.1080/01418618408244210) with the short-range
/// term of Ackland and Thetford (doi:10.1080/01418618708204464). A cheap, published source of
/// energies, forces and stresses that belong together. Not DFT.
///
/// E = 1/2 sum_ij V(r_ij) - A sum_i sqrt(rho_i), rho_i = sum_j (r_ij - d)^2 for r_ij < d,
/// V(r) = (r - c)^2 (c0 + c1 r + c2 r^2) for r < c, plus B (b0 - r)^3 exp(-alpha r) for r < b0.
/// Lengths Å, energies eV. bcc: a0 = 3.165200 Å, -8.900002 eV/atom, bulk modulus 310.7 GPa.
public struct FinnisSinclairTungsten: Sendable {
  /// Lattice constant of bcc at zero pressure, Å.
  public static let latticeConstant = 3.1652
  /// Range of the interaction, Å.
  public static let cutoff = 4.400224
  public static let tungsten = Element(symbol: "W")!

  private let bindingStrength = 1.896373
  private let pairCutoff = 3.25
  private let pair = (47.1346499, -33.7665655, 6.2541999)
  private let core = (strength: 90.3, decay: 1.2, cutoff: 2.7411)

  public init() {}

  /// The configuration with energy (also as energy without entropy and at zero smearing), forces and,
  /// where it repeats in all directions, stress. Every atom must be tungsten.
  public func label(_ configuration: Configuration) -> Configuration {
    precondition(
      configuration.species.allSatisfy { $0 == Self.tungsten }, "the potential knows W only")
    let result = evaluate(configuration.positions, configuration.cell)
    var labelled = configuration
    labelled.labels = Labels(
      energy: result.energy, energyWithoutEntropy: result.energy, energySigmaZero: result.energy,
      forces: result.forces, electronicallyConverged: true)
    if let cell = configuration.cell, cell.periodic == .all {
      labelled.labels.stress = (1 / cell.volume) * result.strainDerivative
    }
    return labelled
  }

  /// Energy (eV), forces (eV/Å) and dE/d(strain) (eV, symmetric).
  public func evaluate(
    _ positions: [Vector3], _ cell: Cell?
  ) -> (energy: Double, forces: [Vector3], strainDerivative: Matrix3) {
    let bonds = Bonds(positions, cell, cutoff: Self.cutoff)
    var density = [Double](repeating: 0, count: positions.count)
    var energy = 0.0
    for bond in bonds.all {
      let gap = bond.distance - Self.cutoff
      density[bond.from] += gap * gap
      energy += 0.5 * pairEnergy(bond.distance)
    }
    for rho in density { energy -= bindingStrength * rho.squareRoot() }
    var forces = [Vector3](repeating: .zero, count: positions.count)
    var strainDerivative = Matrix3.zero
    for bond in bonds.all {
      // Bonds are listed from both ends, so each counts half of the pair and its own embedding.
      let embedding =
        -bindingStrength / (2 * density[bond.from].squareRoot()) * 2 * (bond.distance - Self.cutoff)
      let slope = 0.5 * pairSlope(bond.distance) + embedding
      let direction = (1 / bond.distance) * bond.vector
      forces[bond.from] += slope * direction
      forces[bond.to] -= slope * direction
      let pull = slope * direction
      for row in 0..<3 { strainDerivative[row] += bond.vector[row] * pull }
    }
    return (energy, forces, strainDerivative)
  }

  private func pairEnergy(_ r: Double) -> Double {
    var value = 0.0
    if r < pairCutoff {
      value += (r - pairCutoff) * (r - pairCutoff) * (pair.0 + r * (pair.1 + r * pair.2))
    }
    if r < core.cutoff {
      let gap = core.cutoff - r
      value += core.strength * gap * gap * gap * exp(-core.decay * r)
    }
    return value
  }

  private func pairSlope(_ r: Double) -> Double {
    var value = 0.0
    if r < pairCutoff {
      let gap = r - pairCutoff
      value +=
        2 * gap * (pair.0 + r * (pair.1 + r * pair.2)) + gap * gap * (pair.1 + 2 * r * pair.2)
    }
    if r < core.cutoff {
      let gap = core.cutoff - r
      value -= core.strength * gap * gap * (3 + core.decay * gap) * exp(-core.decay * r)
    }
    return value
  }
}

/// All pairs within a cutoff, from both ends, images included: a plain loop over cells.
struct Bonds {
  struct Bond {
    var from: Int
    var to: Int
    /// From `from` to the image of `to`, Å.
    var vector: Vector3
    var distance: Double
  }

  private(set) var all: [Bond] = []

  init(_ positions: [Vector3], _ cell: Cell?, cutoff: Double) {
    var images = (0, 0, 0)
    var vectors = Matrix3.zero
    var wrapped = positions
    if let cell {
      vectors = cell.vectors
      let inverse = cell.vectors.inverse!
      // Atoms are moved into the cell, so that images within the cutoff are near; the reach along a
      // direction is the cutoff over the distance of the lattice planes, and one more for the width.
      func reach(_ k: Int) -> Int {
        guard cell.periodic.contains(direction: k) else { return 0 }
        let normal = cross(vectors[(k + 1) % 3], vectors[(k + 2) % 3])
        return Int(cutoff * length(normal) / cell.volume) + 1
      }
      images = (reach(0), reach(1), reach(2))
      wrapped = positions.map { position in
        let fractional = position * inverse
        var moved = position
        for k in 0..<3 where cell.periodic.contains(direction: k) {
          moved -= fractional[k].rounded(.down) * vectors[k]
        }
        return moved
      }
    }
    for i in wrapped.indices {
      for j in wrapped.indices {
        let base = wrapped[j] - wrapped[i]
        for a in -images.0...images.0 {
          for b in -images.1...images.1 {
            for c in -images.2...images.2 {
              if i == j, a == 0, b == 0, c == 0 { continue }
              let vector =
                base + Double(a) * vectors.x + Double(b) * vectors.y + Double(c) * vectors.z
              let square = dot(vector, vector)
              guard square < cutoff * cutoff else { continue }
              all.append(Bond(from: i, to: j, vector: vector, distance: square.squareRoot()))
            }
          }
        }
      }
    }
  }
}
