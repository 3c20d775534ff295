import CKernels
import Configurations

/// Core repulsion of one atom and how it displaces the ACE energy: E = weight * E_ACE + energy.
struct ShortRange {
  let weight: Double
  /// eV
  let energy: Double
  private let zbl: Bool
  private let repulsion: Double
  /// d weight / d repulsion (core types), or / d distance of the nearest neighbour (zbl).
  private let weightSlope: Double
  /// Entry of the block's neighbours that is nearest to its inner cutoff.
  private let nearest: Int
  /// d repulsion / d distance of each of the atom's neighbours, with its entry.
  private let slopes: [(entry: Int, slope: Double)]

  init(
    _ lane: Int, _ environment: BlockEnvironment, _ program: ElementProgram, _ embedding: Embedding,
    _ basis: Basis, _ element: Int
  ) {
    var repulsion = 0.0
    var slopes: [(entry: Int, slope: Double)] = []
    var smallest = Double.infinity
    var nearest = -1
    var width = 0.0
    for segment in environment.segments where segment.lane == lane {
      let bond = program.bonds[segment.neighborElement].bond
      for entry in segment.start..<segment.start + segment.count {
        let r = environment.distance[entry]
        let (value, slope) = program.bonds[segment.neighborElement].core(
          basis.elements[element], basis.elements[segment.neighborElement], r)
        repulsion += value
        if slope != 0 { slopes.append((entry, slope)) }
        let depth = r - (bond.innerCutoff - bond.innerCutoffWidth)
        if depth < smallest { (smallest, nearest, width) = (depth, entry, bond.innerCutoffWidth) }
      }
    }
    zbl = program.bonds[0].bond.innerCutoffKind == .zbl
    if zbl {
      let (w, slope) =
        width > 0 && nearest >= 0
        ? smoothStep(width - smallest, edge: width, width: width) : (1, 0)
      weight = w
      weightSlope = -slope
      energy = (1 - w) * repulsion
    } else {
      let (w, slope) = smoothStep(repulsion, edge: embedding.coreCutoff, width: embedding.coreWidth)
      weight = w
      weightSlope = slope
      energy = repulsion
    }
    self.repulsion = repulsion
    self.nearest = nearest
    self.slopes = slopes
  }

  /// Whether it only adds to the ACE energy.
  var isPlain: Bool { !zbl && weight == 1 && weightSlope == 0 }

  /// Adds the forces of the repulsion and of the changing weight.
  func add(
    ace: Double, _ environment: BlockEnvironment, _ atoms: AtomBlocks, _ atom: Int,
    _ totals: inout PairTotals
  ) {
    func add(_ entry: Int, _ slope: Double) {
      let neighbor = atoms.list.neighbors[Int(environment.sources[entry])]
      let u = Vector3(environment.x[entry], environment.y[entry], environment.z[entry])
      totals.add(
        slope * u, centre: atom, neighbor: Int(neighbor.index), displacement: neighbor.displacement)
    }
    let factor = zbl ? 1 - weight : 1 + weightSlope * ace
    for (entry, slope) in slopes { add(entry, factor * slope) }
    if zbl, weightSlope != 0 { add(nearest, weightSlope * (ace - repulsion)) }
  }
}

extension BlockEnvironment {
  /// Whether any bond of this centre repels or mixes by distance.
  func hasCore(_ program: ElementProgram) -> Bool {
    program.bonds.contains { $0.bond.corePrefactor != 0 || $0.bond.innerCutoffKind == .zbl }
  }
}
