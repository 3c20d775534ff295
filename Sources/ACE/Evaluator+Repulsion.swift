import Configurations

extension Evaluator {
  /// What the core repulsion of the bonds alone gives: `energies` are each atom's own share, whose growth
  /// switches ACE off (see `Embedding`). nil where no bond repels. A fit subtracts it from its labels.
  public func repulsion(of configuration: Configuration) throws(ACEError) -> Evaluation? {
    guard basis.bonds.joined().contains(where: { $0.corePrefactor != 0 }) else { return nil }
    var elements: [Int] = []
    for (atom, element) in configuration.species.enumerated() {
      guard let index = basis.index(of: element) else { throw .unknownElement(element, atom: atom) }
      elements.append(index)
    }
    let list: NeighborList
    do { list = try NeighborList(configuration, cutoff: basis.cutoff) } catch { throw .neighborList(error) }
    var energies = [Double](repeating: 0, count: configuration.count)
    var totals = PairTotals(atoms: configuration.count)
    for atom in energies.indices {
      let kernels = programs[elements[atom]].bonds
      for neighbor in list[atom] {
        let other = Int(neighbor.index)
        let r = neighbor.distance
        guard r >= BlockEnvironment.shortest else {
          throw .atomsTooClose(atom: atom, neighbor: other, distance: r)
        }
        let (energy, slope) = kernels[elements[other]].core(
          configuration.species[atom], configuration.species[other], r)
        if energy == 0 && slope == 0 { continue }
        energies[atom] += energy
        totals.add(
          (slope / r) * neighbor.displacement, centre: atom, neighbor: other, displacement: neighbor.displacement)
      }
    }
    return totals.evaluation(energies, configuration)
  }
}
