// Sizes, strains and seeds come in, unlabelled tungsten structures go out.

import Configurations
import Glibc

/// Builders of tungsten structures; lengths in Å, the same seed gives the same bits.
public enum TungstenStructures {
  static let a0 = FinnisSinclairTungsten.latticeConstant

  static func tungsten(_ positions: [Vector3], _ cell: Cell?, group: String) -> Configuration {
    Configuration(
      species: Array(repeating: FinnisSinclairTungsten.tungsten, count: positions.count),
      positions: positions, cell: cell, provenance: Provenance(group: group))
  }

  /// bcc of `cells` conventional cells (two atoms each) under `strain` (added to the identity; rows of
  /// the cell are multiplied by it).
  public static func bulk(_ cells: (Int, Int, Int) = (3, 3, 3), strain: Matrix3 = .zero)
    -> Configuration
  {
    let deformation = Matrix3.identity + strain
    let (na, nb, nc) = cells
    let vectors =
      Matrix3([Double(na) * a0, 0, 0], [0, Double(nb) * a0, 0], [0, 0, Double(nc) * a0])
      * deformation
    var positions: [Vector3] = []
    for i in 0..<na {
      for j in 0..<nb {
        for k in 0..<nc {
          let corner = Vector3(Double(i), Double(j), Double(k))
          positions.append((a0 * corner) * deformation)
          positions.append((a0 * (corner + Vector3(repeating: 0.5))) * deformation)
        }
      }
    }
    return tungsten(positions, Cell(vectors: vectors), group: "bulk")
  }

  /// A symmetric strain with components of standard deviation `size`.
  public static func randomStrain(_ size: Double, _ random: inout RandomNumbers) -> Matrix3 {
    let v = (0..<6).map { _ in size * random.normal() }
    return Matrix3([v[0], v[5], v[4]], [v[5], v[1], v[3]], [v[4], v[3], v[2]])
  }

  /// Every atom moved by a normal deviate of standard deviation `amplitude` per component.
  public static func displaced(
    _ configuration: Configuration, amplitude: Double, _ random: inout RandomNumbers
  ) -> Configuration {
    var moved = configuration
    for k in moved.positions.indices {
      moved.positions[k] += amplitude * Vector3(random.normal(), random.normal(), random.normal())
    }
    return moved
  }

  /// Standard deviation of an atom's displacement per component in harmonic bcc tungsten at `kelvin`
  /// (classical, Debye temperature 310 K): sqrt(3 hbar^2 T / (m k T_D^2)).
  public static func thermalAmplitude(kelvin: Double) -> Double {
    // hbar^2 / (u k) = 48.509 Å^2 K; mass 183.84 u.
    (3 * 48.509 / 183.84 * kelvin).squareRoot() / 310
  }

  /// bcc without the atoms of `sites`.
  public static func vacancies(_ sites: [Int], in cells: (Int, Int, Int) = (3, 3, 3))
    -> Configuration
  {
    var configuration = bulk(cells)
    for site in sites.sorted(by: >) {
      configuration.species.remove(at: site)
      configuration.positions.remove(at: site)
    }
    configuration.provenance.group = sites.count == 1 ? "vacancy" : "divacancy"
    return configuration
  }

  /// A (100) slab of `layers` atomic layers, `width` cells wide, with `vacuum` of empty space.
  public static func surface100(layers: Int, width: Int = 2, vacuum: Double = 10) -> Configuration {
    var positions: [Vector3] = []
    for layer in 0..<layers {
      let shift = layer % 2 == 0 ? 0.0 : 0.5
      for i in 0..<width {
        for j in 0..<width {
          positions.append(a0 * Vector3(Double(i) + shift, Double(j) + shift, 0.5 * Double(layer)))
        }
      }
    }
    let side = Double(width) * a0
    let height = 0.5 * a0 * Double(layers) + vacuum
    return tungsten(
      positions, Cell(vectors: Matrix3([side, 0, 0], [0, side, 0], [0, 0, height])),
      group: "surface")
  }

  /// A (110) slab of `layers` layers; in-plane cell a0 by sqrt(2) a0 with two atoms per layer.
  public static func surface110(layers: Int, width: Int = 2, vacuum: Double = 10) -> Configuration {
    layers110(layers, width: width, vacuum: vacuum, shiftAbove: nil, shift: .zero, group: "surface")
  }

  /// The bulk cut on (110) with the upper half shifted along [1-11] by `fraction` of a Burgers vector:
  /// a stacking fault of the gamma surface, between two free surfaces.
  public static func gammaSurface(
    layers: Int, fraction: Double, width: Int = 2, vacuum: Double = 10
  ) -> Configuration {
    // In the frame of `layers110`, [1-11]/2 is (1/2, 1/sqrt 2, 0) a0.
    let burgers = a0 * Vector3(0.5, 0.5.squareRoot(), 0)
    return layers110(
      layers, width: width, vacuum: vacuum, shiftAbove: layers / 2, shift: fraction * burgers,
      group: "gamma_surface")
  }

  private static func layers110(
    _ layers: Int, width: Int, vacuum: Double, shiftAbove: Int?, shift: Vector3, group: String
  ) -> Configuration {
    let b = a0 * 2.0.squareRoot()
    let spacing = a0 / 2.0.squareRoot()
    var positions: [Vector3] = []
    for layer in 0..<layers {
      let stagger = layer % 2 == 0 ? Vector3.zero : Vector3(0, 0.5 * b, 0)
      let sheared = shiftAbove.map { layer >= $0 } ?? false
      for i in 0..<width {
        for j in 0..<width {
          let corner = Vector3(Double(i) * a0, Double(j) * b, Double(layer) * spacing)
          for basis in [Vector3.zero, Vector3(0.5 * a0, 0.5 * b, 0)] {
            positions.append(corner + basis + stagger + (sheared ? shift : .zero))
          }
        }
      }
    }
    let vectors = Matrix3(
      [Double(width) * a0, 0, 0], [0, Double(width) * b, 0],
      [0, 0, Double(layers) * spacing + vacuum])
    return tungsten(positions, Cell(vectors: vectors), group: group)
  }

  /// The shortest distance between two atoms or images, Å; infinite beyond the potential's range.
  public static func closestDistance(_ configuration: Configuration) -> Double {
    let bonds = Bonds(
      configuration.positions, configuration.cell, cutoff: FinnisSinclairTungsten.cutoff)
    return bonds.all.map(\.distance).min() ?? .infinity
  }
}
