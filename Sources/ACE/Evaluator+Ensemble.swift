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
}

/// How the forces of an ensemble's members are computed.
public enum EnsemblePrecision: Sendable {
  /// As each member by itself, to rounding.
  case double
  /// The mean of the members as above, differences from it in single precision: about 1e-6 of the largest
  /// difference, which is more than any use of a deviation needs, in half to a third of the time. Energies
  /// are exact either way.
  case singleDifferences
}

extension Evaluator {
  /// Evaluates several linear potentials that share this basis and its core repulsion; what depends on
  /// the atoms alone is done once. `coefficients`: shape [members][columns]. `embeddings`: one per
  /// element, linear; they say where core repulsion switches ACE off (nil: nowhere).
  public func evaluateEnsemble(
    _ coefficients: Matrix, _ configuration: Configuration, embeddings: [Embedding]? = nil,
    precision: EnsemblePrecision = .double, workspace: Workspace = Workspace()
  ) throws(ACEError) -> EnsembleEvaluation {
    try evaluateEnsemble(
      coefficients, configuration, embeddings: embeddings, precision: precision,
      pairMemory: MemberDifferences.largestMemory, workspace: workspace)
  }

  /// `pairMemory`: bytes that adjoints of all atoms may take, so that pairs are done once for both atoms.
  package func evaluateEnsemble(
    _ coefficients: Matrix, _ configuration: Configuration, embeddings: [Embedding]? = nil,
    precision: EnsemblePrecision, pairMemory: Int, workspace: Workspace = Workspace()
  ) throws(ACEError) -> EnsembleEvaluation {
    guard coefficients.columns == basis.columnCount else {
      throw .mismatch("\(coefficients.columns) coefficients for \(basis.columnCount) columns")
    }
    let embeddings = embeddings ?? basis.elements.map { _ in .linear }
    guard embeddings.count == basis.elements.count, embeddings.allSatisfy(\.isLinear) else {
      throw .mismatch("an ensemble needs a linear embedding of every element")
    }
    let members = coefficients.rows
    let atoms = try AtomBlocks(configuration, basis: basis)
    var atomEnergies = Matrix(rows: members, columns: configuration.count)
    let exact = precision == .double
    var totals = Array(repeating: PairTotals(atoms: configuration.count), count: exact ? members : 1)
    var differences = exact ? nil : MemberDifferences(self, coefficients, atoms, atMost: pairMemory, workspace)
    // Kernels read coefficients as [function][member].
    let transposed = coefficients.transposed.storage
    let owned = basis.elements.indices.map { element in
      let columns = basis.columns(ofElement: element)
      return Array(transposed[columns.lowerBound * members..<columns.upperBound * members])
    }
    for block in atoms.blocks where members > 0 {
      let program = programs[block.element]
      let environment = try BlockEnvironment(
        block, of: atoms, program: program, gradients: true, workspace: workspace)
      program.multiply(environment.nodes, gradients: true)
      let own = owned[block.element]
      let values = self.values(program, environment, workspace)
      let sums = workspace.lane.reserve(8 * members)
      sluice_ace_densities(values, Int32(program.functionCount), own, Int32(members), sums)
      for (lane, atom) in block.atoms.enumerated() {
        for m in 0..<members { atomEnergies[m, atom] = sums[8 * m + lane] }
      }
      let vectors = exact ? members : 1
      let adjoints = workspace.adjoints.reserve(
        8 * max(program.leafComponents * vectors, program.forwardComponents))
      if let differences {
        differences.meanAdjoints(program, block, environment, adjoints)
      } else {
        sluice_ace_member_adjoints(
          program.terms.pointer, program.termStarts.pointer, Int32(program.functionCount),
          environment.nodes, Int32(program.leafComponents), own, Int32(members), adjoints)
      }
      let factors = environment.hasCore(program) ? workspace.coreFactors.reserve(8 * vectors) : nil
      differences?.addWeights(program, block, environment, workspace)
      for (lane, atom) in block.atoms.enumerated() {
        guard let factors else { continue }
        let core = ShortRange(lane, environment, program, embeddings[block.element], basis, block.element)
        let ace = (0..<members).map { atomEnergies[$0, atom] }
        let energies = exact ? ace : [ace.reduce(0, +) / Double(members)]
        for m in 0..<vectors {
          core.addNearest(ace: energies[m], environment, atoms, atom, &totals[m])
          factors[8 * m + lane] = core.factor(ace: energies[m])
        }
        if !core.isPlain {
          for k in 0..<program.leafComponents * vectors { adjoints[8 * k + lane] *= core.weight }
          differences?.fade(core, ace.map { $0 - energies[0] }, lane, program, environment, atoms, atom)
        }
        for m in 0..<members { atomEnergies[m, atom] = core.weight * ace[m] + core.energy }
      }
      addForces(program, environment, block, workspace, adjoints, core: factors, &totals)
      differences?.addForces(program, block, environment, workspace)
    }
    if let differences { totals = differences.totals(around: totals[0]) }
    return EnsembleEvaluation(
      energies: (0..<members).map { atomEnergies.row($0).reduce(0, +) },
      atomEnergies: atomEnergies, forces: totals.map(\.forces),
      strainDerivatives: totals.map { 0.5 * ($0.strain + $0.strain.transpose) })
  }
}
