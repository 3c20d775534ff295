import CKernels
import Configurations
import LinearAlgebra

/// What the members of an ensemble of linear potentials say of one configuration.
public struct EnsembleEvaluation: Sendable, Equatable {
  /// eV, shape [members]; reference energies excluded.
  public let energies: [Double]
  /// eV per atom, shape [members][atoms]; reference energies excluded.
  public let atomEnergies: Matrix
  /// eV/Å, shape [members][atoms].
  public let forces: [[Vector3]]
  /// dE/d strain, eV, shape [members].
  public let strainDerivatives: [Matrix3]

  /// `totals`: sums over pairs, one entry per member.
  init(_ atomEnergies: Matrix, _ totals: [PairTotals]) {
    self.atomEnergies = atomEnergies
    energies = (0..<atomEnergies.rows).map { atomEnergies.row($0).reduce(0, +) }
    forces = totals.map(\.forces)
    strainDerivatives = totals.map { 0.5 * ($0.strain + $0.strain.transpose) }
  }
}

/// How the forces of an ensemble's members are computed.
public enum EnsemblePrecision: Sendable {
  /// As each member by itself, to rounding.
  case double
  /// The mean of the members (or a potential that is given) as above, differences from it in single precision: about
  /// 1e-6 of the largest difference, which is more than any use of a deviation needs, in half to a third of the time. Energies
  /// are exact either way.
  case singleDifferences
}

extension Evaluator {
  /// A linear potential, as `evaluate` gives it to the last bit, and an ensemble of others that share its basis and
  /// core repulsion: what depends on the atoms alone is done once for all. `members`: coefficients, shape
  /// [members][columns]; their forces are as precise as differences from the potential in single precision (see
  /// `EnsemblePrecision`). `inverses`: as in `grades`, nil for no grades. `threads`: as in `evaluate`.
  public func evaluate(
    _ potential: Potential, members: Matrix, _ configuration: Configuration, inverses: [Matrix?]? = nil,
    threads: Int = 1, workspace: Workspace = Workspace()
  ) throws(ACEError) -> (evaluation: Evaluation, ensemble: EnsembleEvaluation, grades: [Double]?) {
    guard potential.basis == basis else {
      throw .mismatch("the potential was made for another basis")
    }
    guard let centre = potential.columnCoefficients else { throw Self.notLinear }
    var collector: GradeCollector?
    if let inverses { collector = try GradeCollector(inverses, basis, atoms: configuration.count) }
    let set = try MemberSet(members, around: centre, basis)
    var part = try evaluateParts(potential, configuration, collector, set, threads, workspace)
    return (
      part.totals.evaluation(part.energies, configuration), part.members!.evaluation(around: part.totals),
      part.grades?.finish()
    )
  }

  private static var notLinear: ACEError { .mismatch("an ensemble needs a linear embedding of every element") }

  /// Evaluates several linear potentials that share this basis and its core repulsion; what depends on
  /// the atoms alone is done once. `coefficients`: shape [members][columns]. `embeddings`: one per
  /// element, linear; they say where core repulsion switches ACE off (nil: nowhere).
  public func evaluateEnsemble(
    _ coefficients: Matrix, _ configuration: Configuration, embeddings: [Embedding]? = nil,
    precision: EnsemblePrecision = .double, workspace: Workspace = Workspace()
  ) throws(ACEError) -> EnsembleEvaluation {
    try evaluateEnsemble(
      coefficients, configuration, embeddings: embeddings, precision: precision,
      pairMemory: MemberSet.largestMemory, workspace: workspace)
  }

  /// `pairMemory`: bytes that adjoints of all atoms may take, so that pairs are done once for both atoms.
  package func evaluateEnsemble(
    _ coefficients: Matrix, _ configuration: Configuration, embeddings: [Embedding]? = nil,
    precision: EnsemblePrecision, pairMemory: Int, threads: Int = 1, workspace: Workspace = Workspace()
  ) throws(ACEError) -> EnsembleEvaluation {
    let embeddings = embeddings ?? basis.elements.map { _ in .linear }
    guard embeddings.count == basis.elements.count, embeddings.allSatisfy(\.isLinear) else { throw Self.notLinear }
    let members = coefficients.rows
    let mean = (0..<coefficients.columns).map { k in
      (0..<members).reduce(0) { $0 + coefficients[$1, k] } / Double(max(members, 1))
    }
    let set = try MemberSet(coefficients, around: mean, basis, pairMemory: pairMemory)
    guard precision == .singleDifferences else {
      return try evaluateExactly(set, configuration, embeddings, workspace)
    }
    let centre = try Potential(
      basis: basis, coefficients: basis.elements.indices.map { Array(mean[basis.columns(ofElement: $0)]) },
      embeddings: embeddings)
    let part = try evaluateParts(centre, configuration, nil, set, threads, workspace)
    return part.members!.evaluation(around: part.totals)
  }

  /// Every member in double precision.
  private func evaluateExactly(
    _ set: MemberSet, _ configuration: Configuration, _ embeddings: [Embedding], _ workspace: Workspace
  ) throws(ACEError) -> EnsembleEvaluation {
    let members = set.count
    let atoms = try AtomBlocks(configuration, basis: basis)
    var atomEnergies = Matrix(rows: members, columns: configuration.count)
    var totals = Array(repeating: PairTotals(atoms: configuration.count), count: members)
    for block in atoms.blocks where members > 0 {
      let program = programs[block.element]
      let environment = try BlockEnvironment(
        block, of: atoms, program: program, gradients: true, workspace: workspace)
      program.multiply(environment.nodes, gradients: true)
      let own = set.owned[block.element]
      let values = self.values(program, environment, workspace)
      let sums = workspace.lane.reserve(8 * members)
      sluice_ace_densities(values, Int32(program.functionCount), own, Int32(members), sums)
      let adjoints = workspace.adjoints.reserve(8 * program.leafComponents * members)
      sluice_ace_member_adjoints(
        program.terms.pointer, program.termStarts.pointer, Int32(program.functionCount),
        environment.nodes, Int32(program.leafComponents), own, Int32(members), adjoints)
      let factors = environment.hasCore(program) ? workspace.coreFactors.reserve(8 * members) : nil
      for (lane, atom) in block.atoms.enumerated() {
        for m in 0..<members { atomEnergies[m, atom] = sums[8 * m + lane] }
        guard let factors else { continue }
        let core = ShortRange(lane, environment, program, embeddings[block.element], basis, block.element)
        for m in 0..<members {
          let ace = atomEnergies[m, atom]
          core.addNearest(ace: ace, environment, atoms, atom, &totals[m])
          factors[8 * m + lane] = core.factor(ace: ace)
          atomEnergies[m, atom] = core.weight * ace + core.energy
        }
        if !core.isPlain {
          for k in 0..<program.leafComponents * members { adjoints[8 * k + lane] *= core.weight }
        }
      }
      addForces(program, environment, block, workspace, adjoints, core: factors, &totals)
    }
    return EnsembleEvaluation(atomEnergies, totals)
  }
}
