import CKernels
import Configurations
import LinearAlgebra

/// Forces of an ensemble's members as differences from those of their mean, in single precision, sixteen
/// members to a group. Pairs of one element are contracted once, for both atoms, when the later one comes up.
/// Its memory is the workspace's: it lives no longer than one evaluation.
struct MemberDifferences {
  private let evaluator: Evaluator
  private let members: Int
  private let groups: Int
  private let atomCount: Int
  /// Mean over members, shape [columns].
  private let mean: [Double]
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
  /// Slot of each atom once it has weights, -1 before.
  private var slotOfAtom: [Int32]
  private var nextSlot = 0
  /// What changes where core repulsion fades ACE, shape [members]; empty where it does not.
  private var fading: [PairTotals] = []

  /// Weights of all atoms are kept up to this size; beyond it no pair is shared.
  static let largestMemory = 256 << 20

  init(
    _ evaluator: Evaluator, _ members: Matrix, _ atoms: AtomBlocks, atMost memory: Int, _ workspace: Workspace
  ) {
    self.evaluator = evaluator
    self.members = members.rows
    groups = (members.rows + 15) / 16
    atomCount = atoms.elements.count
    let columns = members.columns
    var mean = [Double](repeating: 0, count: columns)
    for m in 0..<members.rows { for k in 0..<columns { mean[k] += members[m, k] } }
    for k in 0..<columns { mean[k] /= Double(max(members.rows, 1)) }
    self.mean = mean
    coefficients = workspace.memberCoefficients.reserve(16 * groups * columns)
    coefficients.update(repeating: 0, count: 16 * groups * columns)
    for m in 0..<members.rows {
      for k in 0..<columns {
        coefficients[((m / 16) * columns + k) * 16 + m % 16] = Float(members[m, k] - mean[k])
      }
    }
    stride = 16 * (evaluator.programs.map { $0.leafCount }.max() ?? 0)
    let shares = groups * atomCount * stride * MemoryLayout<Float>.stride <= memory
    slots = shares ? atomCount : 8
    slotOfAtom = Array(repeating: -1, count: shares ? atomCount : 0)
    weights = workspace.memberWeights.reserve(groups * slots * stride + stride)
    zeros = weights + groups * slots * stride
    zeros.update(repeating: 0, count: stride)
    forces = workspace.memberForces.reserve(48 * groups * atomCount)
    forces.update(repeating: 0, count: 48 * groups * atomCount)
    strain = workspace.memberStrain.reserve(144 * groups)
    strain.update(repeating: 0, count: 144 * groups)
  }

  /// Adjoints of the mean of all members, shape [components][8].
  func meanAdjoints(
    _ program: ElementProgram, _ block: AtomBlocks.Block, _ environment: BlockEnvironment,
    _ adjoints: UnsafeMutablePointer<Double>
  ) {
    let own = Array(mean[evaluator.basis.columns(ofElement: block.element)])
    var tables = program.tables
    let ones = ConstantBuffer([Double](repeating: 1, count: 8))
    sluice_ace_backward(
      program.ops.pointer, Int32(program.forwardOps), &tables, program.functions.pointer,
      Int32(program.functionCount), environment.nodes, Int32(program.forwardComponents), own, 1, ones.pointer,
      adjoints)
  }

  private func weights(group: Int, slot: Int) -> UnsafeMutablePointer<Float> {
    weights + (group * slots + slot) * stride
  }

  /// Adjoints of the differences for the atoms of a block.
  mutating func addWeights(
    _ program: ElementProgram, _ block: AtomBlocks.Block, _ environment: BlockEnvironment, _ workspace: Workspace
  ) {
    if slotOfAtom.isEmpty { nextSlot = 0 }
    let first = evaluator.basis.columns(ofElement: block.element).lowerBound
    let single = workspace.memberScratch.reserve(8 * program.components)
    for group in 0..<groups {
      sluice_ace_member_weights(
        program.leafTerms.pointer, program.leafStarts.pointer, Int32(program.leafCount), environment.nodes,
        Int32(program.components), coefficients + (group * mean.count + first) * 16, Int32(block.atoms.count),
        single, weights(group: group, slot: nextSlot), Int64(stride))
    }
    if !slotOfAtom.isEmpty {
      for (lane, atom) in block.atoms.enumerated() { slotOfAtom[atom] = Int32(nextSlot + lane) }
    }
  }

  /// Lets the differences of one atom fade. `energies`: differences of the members' ACE energies, eV.
  mutating func fade(
    _ core: ShortRange, _ energies: [Double], _ lane: Int, _ program: ElementProgram,
    _ environment: BlockEnvironment, _ atoms: AtomBlocks, _ atom: Int
  ) {
    for group in 0..<groups {
      let own = weights(group: group, slot: nextSlot + lane)
      for k in 0..<16 * program.leafCount { own[k] *= Float(core.weight) }
    }
    if fading.isEmpty { fading = Array(repeating: PairTotals(atoms: atomCount), count: members) }
    for (m, energy) in energies.enumerated() {
      core.addDifference(energy, environment, atoms, atom, &fading[m])
    }
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
            // A pair waits for the later of its atoms.
            let known = Int(slotOfAtom[other])
            if known < 0 || known > slot { continue }
            partner = UnsafePointer(weights(group: group, slot: known) + channel)
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

  /// The members' sums over pairs, from those of their mean.
  func totals(around mean: PairTotals) -> [PairTotals] {
    (0..<members).map { m in
      var totals = mean
      let own = forces + 48 * (m / 16) * atomCount + m % 16
      for atom in 0..<atomCount {
        let f = own + 48 * atom
        totals.forces[atom] += Vector3(Double(f[0]), Double(f[16]), Double(f[32]))
      }
      let s = strain + 144 * (m / 16) + m % 16
      for a in 0..<3 { totals.strain[a] += Vector3(s[48 * a], s[48 * a + 16], s[48 * a + 32]) }
      if !fading.isEmpty { totals.add(fading[m]) }
      return totals
    }
  }
}
