import CKernels
import Configurations

extension Evaluator {
  /// Energy, forces and strain derivative of a potential on this basis. `threads`: at most so many share the
  /// work on a structure of more than `atomsInOnePart`; the result does not depend on them.
  public func evaluate(
    _ potential: Potential, _ configuration: Configuration, threads: Int = 1, workspace: Workspace = Workspace()
  ) throws(ACEError) -> Evaluation {
    guard potential.basis == basis else {
      throw .mismatch("the potential was made for another basis")
    }
    let part = try evaluateParts(potential, configuration, nil, nil, threads, workspace)
    return part.totals.evaluation(part.energies, configuration)
  }

  /// What some blocks give. `members`: of an ensemble around the potential, which is linear then.
  func evaluate(
    _ blocks: ArraySlice<AtomBlocks.Block>, of atoms: AtomBlocks, _ potential: Potential, _ grades: GradeCollector?,
    _ members: MemberSet?, _ workspace: Workspace
  ) throws(ACEError) -> PotentialPart {
    var grades = grades
    var energies = [Double](repeating: 0, count: atoms.elements.count)
    var totals = [PairTotals(atoms: atoms.elements.count)]
    var differences = members.map { MemberDifferences(self, $0, blocks, of: atoms, workspace) }
    for block in blocks {
      let program = programs[block.element]
      let environment = try BlockEnvironment(
        block, of: atoms, program: program, gradients: true, workspace: workspace)
      program.multiply(environment.nodes, gradients: members != nil)
      let embedding = potential.embeddings[block.element]
      let coefficients = potential.coefficients[block.element]
      let values = self.values(program, environment, workspace)
      grades?.append(values, block)
      let densities = workspace.lane.reserve(16 * embedding.densityCount + 8 * (members?.count ?? 0))
      let slopes = densities + 8 * embedding.densityCount
      slopes.update(repeating: 0, count: 8 * embedding.densityCount)
      sluice_ace_densities(
        values, Int32(program.functionCount), coefficients, Int32(embedding.densityCount), densities)
      differences?.begin(
        block, program, environment, values: values, sums: densities + 16 * embedding.densityCount, workspace)
      let factors = environment.hasCore(program) ? workspace.coreFactors.reserve(8) : nil
      for (lane, atom) in block.atoms.enumerated() {
        var energy = embedding.energy(densities + lane, slopes: slopes + lane, stride: 8)
        if let factors {
          let core = ShortRange(lane, environment, program, embedding, basis, block.element)
          core.addNearest(ace: energy, environment, atoms, atom, &totals[0])
          factors[lane] = core.factor(ace: energy)
          differences?.fade(core, ace: energy, lane, program, environment, atoms, atom)
          energy = core.weight * energy + core.energy
          for p in 0..<embedding.densityCount { slopes[8 * p + lane] *= core.weight }
        }
        energies[atom] = energy + potential.referenceEnergies[block.element]
      }
      let adjoints = workspace.adjoints.reserve(8 * program.forwardComponents)
      var tables = program.tables
      sluice_ace_backward(
        program.ops.pointer, Int32(program.forwardOps), &tables, program.functions.pointer,
        Int32(program.functionCount), environment.nodes, Int32(program.forwardComponents),
        coefficients, Int32(embedding.densityCount), slopes, adjoints)
      addForces(program, environment, block, workspace, adjoints, core: factors, &totals)
      differences?.addForces(program, block, environment, workspace)
    }
    return PotentialPart(energies: energies, totals: totals[0], grades: grades, members: differences?.part)
  }

  /// Contracts adjoints of one-particle sums with their gradients. `adjoints`: shape
  /// [components][members][8]; `core`: what slopes of the core repulsion count, shape [members][8], nil for none;
  /// one entry of `totals` per member.
  func addForces(
    _ program: ElementProgram, _ environment: BlockEnvironment, _ block: AtomBlocks.Block,
    _ workspace: Workspace, _ adjoints: UnsafePointer<Double>, core: UnsafePointer<Double>?,
    _ totals: inout [PairTotals]
  ) {
    var harmonics = sluice_ace_harmonics.standard
    let members = totals.count
    let largest = environment.segments.map(\.padded).max() ?? 0
    let pairs = workspace.pairs.reserve((3 * largest + program.largestChannel) * members)
    let weights = pairs + 3 * largest * members
    for segment in environment.segments {
      let place = program.places(segment.neighborElement)
      for k in place.indices {
        let source = adjoints + 8 * members * Int(place[k]) + segment.lane
        for m in 0..<members { weights[k * members + m] = source[8 * m] }
      }
      var neighbors = environment.neighbors(segment)
      sluice_ace_contract(
        program.channels.pointer + segment.neighborElement, &harmonics, &neighbors, Int32(members),
        weights, pairs)
      for m in 0..<members {
        if let core {
          sluice_ace_add_radial(
            &neighbors, environment.coreSlopes + segment.start, core[8 * m + segment.lane],
            pairs + 3 * m * segment.padded)
        }
        totals[m].add(
          &neighbors, distance: environment.distance + segment.start, count: segment.count,
          atoms: environment.atoms + segment.start, centre: block.atoms[segment.lane],
          gradients: pairs + 3 * m * segment.padded)
      }
    }
  }
}

/// Sums of dE/dr over pairs: forces and strain derivative.
struct PairTotals: Sendable {
  var forces: [Vector3]
  var strain = Matrix3.zero

  init(atoms: Int) { forces = Array(repeating: .zero, count: atoms) }

  /// `gradient`: derivative of the energy by the displacement neighbour - centre, eV/Å.
  mutating func add(_ gradient: Vector3, centre: Int, neighbor: Int, displacement: Vector3) {
    forces[centre] += gradient
    forces[neighbor] -= gradient
    strain.x += displacement.x * gradient
    strain.y += displacement.y * gradient
    strain.z += displacement.z * gradient
  }

  /// Adds the gradients that the kernel found for one atom's neighbours of one element.
  mutating func add(
    _ neighbors: inout sluice_ace_neighbors, distance: UnsafePointer<Double>, count: Int,
    atoms: UnsafePointer<Int32>, centre: Int, gradients: UnsafePointer<Double>
  ) {
    var sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    forces.withUnsafeMutableBytes { forces in
      withUnsafeMutableBytes(of: &sums) { sums in
        // A Vector3 takes the room of four doubles.
        sluice_ace_scatter(
          &neighbors, distance, Int32(count), atoms, Int32(centre), gradients,
          forces.assumingMemoryBound(to: Double.self).baseAddress!,
          sums.assumingMemoryBound(to: Double.self).baseAddress!)
      }
    }
    strain.x += Vector3(sums.0, sums.1, sums.2)
    strain.y += Vector3(sums.3, sums.4, sums.5)
    strain.z += Vector3(sums.6, sums.7, sums.8)
  }

  mutating func add(_ other: PairTotals) {
    for atom in forces.indices { forces[atom] += other.forces[atom] }
    strain = strain + other.strain
  }

  func evaluation(_ energies: [Double], _ configuration: Configuration) -> Evaluation {
    let symmetric = 0.5 * (strain + strain.transpose)
    let periodic = configuration.cell.map { $0.periodic == .all } ?? false
    return Evaluation(
      energy: energies.reduce(0, +), energies: energies, forces: forces,
      strainDerivative: symmetric,
      stress: periodic ? (1 / configuration.cell!.volume) * symmetric : nil)
  }
}
