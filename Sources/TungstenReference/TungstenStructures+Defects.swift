import Configurations
import Glibc

// Environments far from the perfect crystal.
extension TungstenStructures {
  /// `count` atoms thrown into a cubic cell of `density` times bcc's density, pushed apart until no two
  /// are closer than `closest`, then led downhill for `steps` short steps: an amorphous start for a
  /// liquid, with no pair closer than 2.1 Å.
  public static func disordered(
    count: Int, density: Double = 0.92, closest: Double = 2.15, steps: Int = 40,
    _ random: inout RandomNumbers
  ) -> Configuration {
    let side = a0 * cbrt(Double(count) / (2 * density))
    let cell = Cell(vectors: Matrix3([side, 0, 0], [0, side, 0], [0, 0, side]))
    while true {
      var positions = (0..<count).map { _ in
        side * Vector3(random.uniform(), random.uniform(), random.uniform())
      }
      guard pushApart(&positions, cell, closest: closest) else { continue }
      descend(&positions, cell, steps: steps)
      let configuration = tungsten(positions, cell, group: "liquid")
      if closestDistance(configuration) >= 2.1 { return configuration }
    }
  }

  /// Moves pairs that are too close away from each other, in turns; false where that does not end.
  static func pushApart(_ positions: inout [Vector3], _ cell: Cell, closest: Double) -> Bool {
    for _ in 0..<2000 {
      let bonds = Bonds(positions, cell, cutoff: closest).all
      if bonds.isEmpty { return true }
      for bond in bonds where bond.distance > 1e-6 {
        let push = 0.26 * (closest * 1.02 - bond.distance) / bond.distance
        positions[bond.from] -= push * bond.vector
        positions[bond.to] += push * bond.vector
      }
    }
    return false
  }

  /// Moves along the forces, 0.02 Å per eV/Å and at most 0.1 Å a step.
  static func descend(_ positions: inout [Vector3], _ cell: Cell, steps: Int) {
    let potential = FinnisSinclairTungsten()
    for _ in 0..<steps {
      let forces = potential.evaluate(positions, cell).forces
      for k in positions.indices {
        let step = 0.02 * forces[k]
        positions[k] += min(1, 0.1 / max(length(step), 1e-9)) * step
      }
    }
  }

  /// A compact ball of `count` atoms cut out of bcc, free in space, shaken by `amplitude`.
  public static func cluster(
    count: Int, amplitude: Double = 0.05, _ random: inout RandomNumbers
  ) -> Configuration {
    let bulk = bulk((7, 7, 7))
    let centre = a0 * Vector3(3.5 + 0.01, 3.5 + 0.02, 3.5 + 0.03)
    let order = bulk.positions.indices.sorted {
      length(bulk.positions[$0] - centre) < length(bulk.positions[$1] - centre)
    }
    let positions = order.prefix(count).map { bulk.positions[$0] - centre }
    return displaced(
      tungsten(positions, nil, group: "cluster"), amplitude: amplitude, &random)
  }

  /// A <111> or <110> dumbbell: one atom of bcc becomes two, `separation` apart.
  public static func dumbbell(
    along direction: Vector3, in cells: (Int, Int, Int) = (3, 3, 3), separation: Double = 2.15
  ) -> Configuration {
    var configuration = bulk(cells)
    let unit = (1 / length(direction)) * direction
    let site = configuration.count / 2
    let centre = configuration.positions[site]
    configuration.positions[site] = centre - (separation / 2) * unit
    configuration.positions.append(centre + (separation / 2) * unit)
    configuration.species.append(FinnisSinclairTungsten.tungsten)
    // Neighbours on the dumbbell's axis give way.
    let cell = configuration.cell!
    _ = pushApart(&configuration.positions, cell, closest: min(separation, 2.1) - 0.01)
    configuration.provenance.group = "interstitial"
    return configuration
  }

  /// The isotropic displacement field of two opposite <111> screw dislocations, laid over a bcc cell
  /// whose third axis is the dislocation line: u_z = (b / 2 pi) (angle about one - angle about the
  /// other). Axes [11-2], [1-10], [111]; `size` periods of the first two.
  public static func screwDipole(size: (Int, Int) = (2, 3), periods: Int = 1) -> Configuration {
    let u = 6.0.squareRoot() * a0
    let v = 2.0.squareRoot() * a0
    let w = 3.0.squareRoot() / 2 * a0
    let x = Vector3(1, 1, -2) / 6.0.squareRoot()
    let y = Vector3(1, -1, 0) / 2.0.squareRoot()
    let z = Vector3(1, 1, 1) / 3.0.squareRoot()
    let (width, height) = (u * Double(size.0), v * Double(size.1))
    let vectors = Matrix3([width, 0, 0], [0, height, 0], [0, 0, w * Double(periods)])
    var positions: [Vector3] = []
    let reach = 8 * (size.0 + size.1 + periods)
    for i in -reach...reach {
      for j in -reach...reach {
        for k in -reach...reach where (i + j) % 2 == 0 && (j + k) % 2 == 0 {
          let point = (0.5 * a0) * Vector3(Double(i), Double(j), Double(k))
          let local = Vector3(dot(point, x), dot(point, y), dot(point, z))
          let scaled = Vector3(local.x / width, local.y / height, local.z / vectors.z.z)
          let inside = (0..<3).allSatisfy { scaled[$0] > -1e-9 && scaled[$0] < 1 - 1e-9 }
          if inside { positions.append(local) }
        }
      }
    }
    let cores = (
      Vector3(0.25 * width + 0.3, 0.5 * height + 0.2, 0),
      Vector3(0.75 * width + 0.3, 0.5 * height + 0.2, 0)
    )
    for k in positions.indices {
      let (p, q) = (positions[k] - cores.0, positions[k] - cores.1)
      positions[k].z += w / (2 * .pi) * (atan2(p.y, p.x) - atan2(q.y, q.x))
    }
    return tungsten(positions, Cell(vectors: vectors), group: "dislocation")
  }
}
