import CKernels
import Configurations

/// Core repulsion of one atom and how it displaces the ACE energy: E = weight * E_ACE + energy. Its slopes by
/// distance are left in the environment.
struct ShortRange {
  let weight: Double
  /// eV
  let energy: Double
  private let zbl: Bool
  private let repulsion: Double
  /// d weight / d repulsion (core types), or / d distance of the nearest neighbour (zbl).
  private let weightSlope: Double
  private let lane: Int
  /// Entry of the block's neighbours that is nearest to its inner cutoff.
  private let nearest: Int

  init(
    _ lane: Int, _ environment: BlockEnvironment, _ program: ElementProgram, _ embedding: Embedding,
    _ basis: Basis, _ element: Int
  ) {
    var repulsion = 0.0
    for segment in environment.segments where segment.lane == lane {
      repulsion += program.bonds[segment.neighborElement].core(
        basis.elements[element], basis.elements[segment.neighborElement], environment.distance + segment.start,
        count: segment.count, padded: segment.padded, slopes: environment.coreSlopes + segment.start)
    }
    self.lane = lane
    self.repulsion = repulsion
    zbl = program.bonds[0].bond.innerCutoffKind == .zbl
    if zbl {
      let (nearest, depth, width) = Self.nearest(lane, environment, program)
      let (w, slope) =
        width > 0 && nearest >= 0
        ? smoothStep(width - depth, edge: width, width: width) : (1, 0)
      weight = w
      weightSlope = -slope
      energy = (1 - w) * repulsion
      self.nearest = nearest
    } else {
      let (w, slope) = smoothStep(repulsion, edge: embedding.coreCutoff, width: embedding.coreWidth)
      weight = w
      weightSlope = slope
      energy = repulsion
      nearest = -1
    }
  }

  private static func nearest(
    _ lane: Int, _ environment: BlockEnvironment, _ program: ElementProgram
  ) -> (entry: Int, depth: Double, width: Double) {
    var found = (entry: -1, depth: Double.infinity, width: 0.0)
    for segment in environment.segments where segment.lane == lane {
      let bond = program.bonds[segment.neighborElement].bond
      for entry in segment.start..<segment.start + segment.count {
        let depth = environment.distance[entry] - (bond.innerCutoff - bond.innerCutoffWidth)
        if depth < found.depth { found = (entry, depth, bond.innerCutoffWidth) }
      }
    }
    return found
  }

  /// What the slopes count in the energy of an atom with this ACE energy.
  func factor(ace: Double) -> Double { zbl ? 1 - weight : 1 + weightSlope * ace }

  /// Adds the force on the nearest neighbour that the changing weight exerts (zbl).
  func addNearest(
    ace: Double, _ environment: BlockEnvironment, _ atoms: AtomBlocks, _ atom: Int, _ totals: inout PairTotals
  ) {
    if zbl, weightSlope != 0 { add(nearest, weightSlope * (ace - repulsion), environment, atoms, atom, &totals) }
  }

  /// Whether energies and forces of ACE enter as they are.
  var isPlain: Bool { weight == 1 && weightSlope == 0 }

  /// Adds what another `difference` of the ACE energy changes in the forces of the changing weight.
  func addDifference(
    _ difference: Double, _ environment: BlockEnvironment, _ atoms: AtomBlocks, _ atom: Int,
    _ totals: inout PairTotals
  ) {
    if weightSlope == 0 { return }
    if zbl { return add(nearest, weightSlope * difference, environment, atoms, atom, &totals) }
    for segment in environment.segments where segment.lane == lane {
      for entry in segment.start..<segment.start + segment.count {
        let slope = weightSlope * difference * environment.coreSlopes[entry]
        add(entry, slope, environment, atoms, atom, &totals)
      }
    }
  }

  private func add(
    _ entry: Int, _ slope: Double, _ environment: BlockEnvironment, _ atoms: AtomBlocks, _ atom: Int,
    _ totals: inout PairTotals
  ) {
    let neighbor = atoms.list.neighbors[Int(environment.sources[entry])]
    let u = Vector3(environment.x[entry], environment.y[entry], environment.z[entry])
    totals.add(slope * u, centre: atom, neighbor: Int(neighbor.index), displacement: neighbor.displacement)
  }
}

extension BlockEnvironment {
  /// Whether any bond of this centre repels or mixes by distance.
  func hasCore(_ program: ElementProgram) -> Bool {
    program.bonds.contains { $0.bond.corePrefactor != 0 || $0.bond.innerCutoffKind == .zbl }
  }
}
