import CKernels
import Configurations

extension Evaluator {
  /// What the core repulsion of the bonds alone gives: `energies` are each atom's own share, whose growth
  /// switches ACE off (see `Embedding`). nil where no bond repels. A fit subtracts it from its labels.
  public func repulsion(
    of configuration: Configuration, workspace: Workspace = Workspace()
  ) throws(ACEError) -> Evaluation? {
    guard basis.bonds.joined().contains(where: { $0.corePrefactor != 0 }) else { return nil }
    let atoms = try AtomBlocks(configuration, basis: basis)
    var energies = [Double](repeating: 0, count: configuration.count)
    var totals = PairTotals(atoms: configuration.count)
    for block in atoms.blocks {
      let program = programs[block.element]
      let environment = try BlockEnvironment(geometryOf: block, of: atoms, program: program, workspace: workspace)
      for segment in environment.segments {
        let atom = block.atoms[segment.lane]
        let slopes = environment.coreSlopes + segment.start
        energies[atom] += program.bonds[segment.neighborElement].core(
          basis.elements[block.element], basis.elements[segment.neighborElement],
          environment.distance + segment.start, count: segment.count, padded: segment.padded, slopes: slopes)
        let gradients = workspace.pairs.reserve(3 * segment.padded)
        gradients.update(repeating: 0, count: 3 * segment.padded)
        var neighbors = environment.neighbors(segment)
        sluice_ace_add_radial(&neighbors, slopes, 1, gradients)
        totals.add(
          &neighbors, distance: environment.distance + segment.start, count: segment.count,
          atoms: environment.atoms + segment.start, centre: atom, gradients: gradients)
      }
    }
    return totals.evaluation(energies, configuration)
  }
}
