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

extension Evaluator {
  /// Evaluates several linear potentials that share this basis and its core repulsion; what depends on
  /// the atoms alone is done once. `coefficients`: shape [members][columns]. `embeddings`: one per
  /// element, linear; they say where core repulsion switches ACE off (nil: nowhere).
  public func evaluateEnsemble(
    _ coefficients: Matrix, _ configuration: Configuration, embeddings: [Embedding]? = nil,
    workspace: Workspace = Workspace()
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
    var totals = Array(repeating: PairTotals(atoms: configuration.count), count: members)
    var shared = PairTotals(atoms: configuration.count)
    // Kernels read coefficients as [function][member].
    let transposed = coefficients.transposed.storage
    for block in atoms.blocks {
      let program = programs[block.element]
      if members == 0 { continue }
      let environment = try BlockEnvironment(
        block, of: atoms, program: program, gradients: true, workspace: workspace)
      program.multiply(environment.nodes, gradients: true)
      let columns = basis.columns(ofElement: block.element)
      let own = Array(transposed[columns.lowerBound * members..<columns.upperBound * members])
      let values = self.values(program, environment, workspace)
      let sums = workspace.lane.reserve(8 * members)
      sluice_ace_densities(values, Int32(program.functionCount), own, Int32(members), sums)
      for (lane, atom) in block.atoms.enumerated() {
        for m in 0..<members { atomEnergies[m, atom] = sums[8 * m + lane] }
      }
      let adjoints = workspace.adjoints.reserve(8 * program.leafComponents * members)
      sluice_ace_member_adjoints(
        program.terms.pointer, program.termStarts.pointer, Int32(program.functionCount),
        environment.nodes, Int32(program.leafComponents), own, Int32(members), adjoints)
      for (lane, atom) in block.atoms.enumerated() where environment.hasCore(program) {
        let core = ShortRange(lane, environment, program, embeddings[block.element], basis, block.element)
        if core.isPlain {
          core.add(ace: 0, environment, atoms, atom, &shared)
        } else {
          for m in 0..<members { core.add(ace: atomEnergies[m, atom], environment, atoms, atom, &totals[m]) }
          for k in 0..<program.leafComponents * members { adjoints[8 * k + lane] *= core.weight }
        }
        for m in 0..<members { atomEnergies[m, atom] = core.weight * atomEnergies[m, atom] + core.energy }
      }
      addForces(program, environment, block, workspace, adjoints, &totals)
    }
    for m in 0..<members { totals[m].add(shared) }
    return EnsembleEvaluation(
      energies: (0..<members).map { atomEnergies.row($0).reduce(0, +) },
      atomEnergies: atomEnergies, forces: totals.map(\.forces),
      strainDerivatives: totals.map { 0.5 * ($0.strain + $0.strain.transpose) })
  }
}
