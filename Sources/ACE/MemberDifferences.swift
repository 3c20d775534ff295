import CKernels
import Configurations
import LinearAlgebra

/// The members of an ensemble as kernels take them, and the potential that their forces are told as differences from.
struct MemberSet: Sendable {
  /// Shape [members][columns].
  let coefficients: Matrix
  /// Of that potential, shape [columns].
  let centre: [Double]
  /// Per element, shape [functions][members].
  let owned: [[Double]]
  /// Bytes that adjoints of all atoms may take, so that pairs are done once for both atoms.
  let pairMemory: Int

  /// Adjoints of all atoms are kept up to this size; beyond it no pair is shared.
  static let largestMemory = 256 << 20

  var count: Int { coefficients.rows }

  init(
    _ coefficients: Matrix, around centre: [Double], _ basis: Basis, pairMemory: Int = largestMemory
  ) throws(ACEError) {
    guard coefficients.columns == basis.columnCount else {
      throw .mismatch("\(coefficients.columns) coefficients for \(basis.columnCount) columns")
    }
    let (members, transposed) = (coefficients.rows, coefficients.transposed.storage)
    owned = basis.elements.indices.map { element in
      let columns = basis.columns(ofElement: element)
      return Array(transposed[columns.lowerBound * members..<columns.upperBound * members])
    }
    self.coefficients = coefficients
    self.centre = centre
    self.pairMemory = pairMemory
  }
}

/// Forces of an ensemble's members as differences from those of one potential, in single precision, sixteen
/// members to a group. Pairs of one element within the blocks are contracted once, for both atoms, when the later one
/// comes up. Its memory is the workspace's: it lives no longer than one evaluation.
struct MemberDifferences {
  private let evaluator: Evaluator
  private let set: MemberSet
  private let groups: Int
  private let atomCount: Int
  /// Shape [groups][columns][16].
  private let coefficients: UnsafeMutablePointer<Float>
  /// Adjoints of an atom's sums, shape [groups][slots][stride]; slots in the order of evaluation, or of one block.
  private let weights: UnsafeMutablePointer<Float>
  private let stride: Int
  private let slots: Int
  /// What neighbours count for whom there is nothing to contract with.
  private let zeros: UnsafeMutablePointer<Float>
  /// Shape [groups][atoms][3][16].
  private let forces: UnsafeMutablePointer<Float>
  /// Shape [groups][9][16].
  private let strain: UnsafeMutablePointer<Double>
  /// Slot of each atom once it has weights, `waiting` before, `elsewhere` where it is in none of the blocks.
  private var slotOfAtom: [Int32]
  private var nextSlot = 0
  private var energies: Matrix
  /// What changes where core repulsion fades ACE, shape [members]; empty where it does not.
  private var fading: [PairTotals] = []

  private static let waiting: Int32 = -1
  private static let elsewhere: Int32 = -2

  init(
    _ evaluator: Evaluator, _ set: MemberSet, _ blocks: ArraySlice<AtomBlocks.Block>, of atoms: AtomBlocks,
    _ workspace: Workspace
  ) {
    self.evaluator = evaluator
    self.set = set
    let (members, columns) = (set.count, set.centre.count)
    groups = (members + 15) / 16
    atomCount = atoms.elements.count
    coefficients = workspace.memberCoefficients.reserve(16 * groups * columns)
    coefficients.update(repeating: 0, count: 16 * groups * columns)
    for m in 0..<members {
      for k in 0..<columns {
        coefficients[((m / 16) * columns + k) * 16 + m % 16] = Float(set.coefficients[m, k] - set.centre[k])
      }
    }
    stride = 16 * (evaluator.programs.map { $0.leafCount }.max() ?? 0)
    let shares = groups * atomCount * stride * MemoryLayout<Float>.stride <= set.pairMemory
    slots = shares ? blocks.reduce(0) { $0 + $1.atoms.count } : 8
    slotOfAtom = Array(repeating: Self.elsewhere, count: shares ? atomCount : 0)
    if shares { for block in blocks { for atom in block.atoms { slotOfAtom[atom] = Self.waiting } } }
    weights = workspace.memberWeights.reserve(groups * slots * stride + stride)
    zeros = weights + groups * slots * stride
    zeros.update(repeating: 0, count: stride)
    forces = workspace.memberForces.reserve(48 * groups * atomCount)
    forces.update(repeating: 0, count: 48 * groups * atomCount)
    strain = workspace.memberStrain.reserve(144 * groups)
    strain.update(repeating: 0, count: 144 * groups)
    energies = Matrix(rows: members, columns: atomCount)
  }

  private func weights(group: Int, slot: Int) -> UnsafeMutablePointer<Float> {
    weights + (group * slots + slot) * stride
  }

  /// Energies of the members and adjoints of their differences for the atoms of a block. `values` of all functions;
  /// `sums`: room for [members][8].
  mutating func begin(
    _ block: AtomBlocks.Block, _ program: ElementProgram, _ environment: BlockEnvironment,
    values: UnsafePointer<Double>, sums: UnsafeMutablePointer<Double>, _ workspace: Workspace
  ) {
    sluice_ace_densities(values, Int32(program.functionCount), set.owned[block.element], Int32(set.count), sums)
    for (lane, atom) in block.atoms.enumerated() {
      for m in 0..<set.count { energies[m, atom] = sums[8 * m + lane] }
    }
    addWeights(program, block, environment, workspace)
  }

  private mutating func addWeights(
    _ program: ElementProgram, _ block: AtomBlocks.Block, _ environment: BlockEnvironment, _ workspace: Workspace
  ) {
    if slotOfAtom.isEmpty { nextSlot = 0 }
    let first = evaluator.basis.columns(ofElement: block.element).lowerBound
    let single = workspace.memberScratch.reserve(8 * program.components)
    for group in 0..<groups {
      sluice_ace_member_weights(
        program.leafTerms.pointer, program.leafStarts.pointer, Int32(program.leafCount), environment.nodes,
        Int32(program.components), coefficients + (group * set.centre.count + first) * 16, Int32(block.atoms.count),
        single, weights(group: group, slot: nextSlot), Int64(stride))
    }
    if !slotOfAtom.isEmpty {
      for (lane, atom) in block.atoms.enumerated() { slotOfAtom[atom] = Int32(nextSlot + lane) }
    }
  }

  /// Lets core repulsion act on the members' energies and differences of one atom. `ace`: the ACE energy of the
  /// potential in the centre, eV.
  mutating func fade(
    _ core: ShortRange, ace: Double, _ lane: Int, _ program: ElementProgram, _ environment: BlockEnvironment,
    _ atoms: AtomBlocks, _ atom: Int
  ) {
    if !core.isPlain {
      for group in 0..<groups {
        let own = weights(group: group, slot: nextSlot + lane)
        for k in 0..<16 * program.leafCount { own[k] *= Float(core.weight) }
      }
      if fading.isEmpty { fading = Array(repeating: PairTotals(atoms: atomCount), count: set.count) }
      for m in 0..<set.count {
        core.addDifference(energies[m, atom] - ace, environment, atoms, atom, &fading[m])
      }
    }
    for m in 0..<set.count { energies[m, atom] = core.weight * energies[m, atom] + core.energy }
  }

  /// Forces of the pairs that are complete with this block.
  mutating func addForces(
    _ program: ElementProgram, _ block: AtomBlocks.Block, _ environment: BlockEnvironment, _ workspace: Workspace
  ) {
    for segment in environment.segments {
      let (element, atom) = (segment.neighborElement, block.atoms[segment.lane])
      let slot = nextSlot + segment.lane
      let shares = element == block.element && !slotOfAtom.isEmpty
      let channel = 16 * program.leafOffsets.pointer[element]
      let rows = program.bonds[element].rowCount
      let pairs = workspace.memberPairs.reserve(segment.count)
      let scratch = workspace.memberScratch.reserve(16 * rows)
      var neighbors = environment.neighbors(segment)
      for group in 0..<groups {
        let pairForces = forces + 48 * group * atomCount
        var count = 0
        for entry in 0..<segment.count {
          let other = Int(environment.atoms[segment.start + entry])
          var partner = UnsafePointer(zeros)
          if shares, other != atom {
            // A pair waits for the later of its atoms; with an atom of other blocks it is done from either side.
            let known = slotOfAtom[other]
            if known == Self.waiting || known > slot { continue }
            if known >= 0 { partner = UnsafePointer(weights(group: group, slot: Int(known)) + channel) }
          }
          pairs[count] = sluice_ace_member_pair(
            weights: partner, forces: pairForces + 48 * other,
            distance: Float(environment.distance[segment.start + entry]), entry: Int32(entry))
          count += 1
        }
        withUnsafePointer(to: sluice_ace_harmonics.standard) { harmonics in
          sluice_ace_member_forces(
            program.channels.pointer + element, harmonics, &neighbors, Int32(rows), pairs, Int32(count),
            weights(group: group, slot: slot) + channel, pairForces + 48 * atom, scratch, strain + 144 * group)
        }
      }
    }
    nextSlot += block.atoms.count
  }

  /// What the blocks gave.
  var part: MemberPart {
    MemberPart(
      energies: energies, forces: Array(UnsafeBufferPointer(start: forces, count: 48 * groups * atomCount)),
      strain: Array(UnsafeBufferPointer(start: strain, count: 144 * groups)), fading: fading)
  }
}

/// What some of a structure's atoms give of an ensemble's members.
struct MemberPart: Sendable {
  /// eV, shape [members][atoms]; zero for atoms of other parts.
  private var energies: Matrix
  /// Differences, as in `MemberDifferences`.
  private var forces: [Float]
  private var strain: [Double]
  private var fading: [PairTotals]

  fileprivate init(energies: Matrix, forces: [Float], strain: [Double], fading: [PairTotals]) {
    (self.energies, self.forces, self.strain, self.fading) = (energies, forces, strain, fading)
  }

  mutating func add(_ other: MemberPart) {
    for k in energies.storage.indices { energies.storage[k] += other.energies.storage[k] }
    for k in forces.indices { forces[k] += other.forces[k] }
    for k in strain.indices { strain[k] += other.strain[k] }
    if fading.isEmpty {
      fading = other.fading
    } else {
      for (m, totals) in other.fading.enumerated() { fading[m].add(totals) }
    }
  }

  /// The members themselves. `centre`: sums over pairs of the potential that they are differences from.
  func evaluation(around centre: PairTotals) -> EnsembleEvaluation {
    let atomCount = energies.columns
    let totals = (0..<energies.rows).map { m in
      var totals = centre
      for atom in 0..<atomCount {
        let first = 48 * ((m / 16) * atomCount + atom) + m % 16
        totals.forces[atom] += Vector3(Double(forces[first]), Double(forces[first + 16]), Double(forces[first + 32]))
      }
      let s = 144 * (m / 16) + m % 16
      for a in 0..<3 {
        totals.strain[a] += Vector3(strain[s + 48 * a], strain[s + 48 * a + 16], strain[s + 48 * a + 32])
      }
      if !fading.isEmpty { totals.add(fading[m]) }
      return totals
    }
    return EnsembleEvaluation(energies, totals)
  }
}
