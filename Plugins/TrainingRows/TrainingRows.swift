// A labelled configuration and its basis rows come in; the rows of the fit, core repulsion subtracted, go out.

import ACE
import Configurations
import LinearAlgebra
import Regression

/// What the labels of one configuration become in the fit: the one place where basis functions, labels and
/// core repulsion meet (docs/fit.md, "Rows"). Everything is as `ColumnLayout` has it, not weighted.
public struct TrainingRows: Sendable {
  public let configuration: Configuration
  public let layout: ColumnLayout
  /// Atoms of each element, in the basis' order.
  public let composition: [Int]
  /// What each atom feels of the core repulsion, which labels have subtracted; nil without any.
  public let core: Evaluation?
  /// eV/Å; nil without labelled forces.
  private let forces: [Vector3]?

  public init(
    _ configuration: Configuration, _ evaluator: Evaluator, workspace: Workspace = Workspace()
  ) throws(ACEError) {
    self.configuration = configuration
    layout = ColumnLayout(basis: evaluator.basis.columnCount, elements: evaluator.basis.elements.count)
    composition = evaluator.basis.composition(of: configuration)
    let core = try evaluator.repulsion(of: configuration, workspace: workspace)
    self.core = core
    forces = configuration.labels.forces.map { forces in
      core.map { core in zip(forces, core.forces).map { $0 - $1 } } ?? forces
    }
  }

  /// nil without an energy; otherwise shape [1][columns].
  /// - Parameter basisSums: Σ_i B_v(i), shape [basis].
  public func energy(basisSums: [Double]) -> Matrix? {
    configuration.labels.energy.map {
      layout.energyRow(basisSums: basisSums, composition: composition, energy: $0 - (core?.energy ?? 0))
    }
  }

  /// nil without forces; otherwise shape [3 atoms][columns].
  /// - Parameters:
  ///   - atoms: whose rows they are; all where nothing is given.
  ///   - basis: -d(Σ_i B_v(i))/dr of these atoms, shape [3 atoms][basis].
  public func forces(of atoms: [Int]? = nil, basis: Matrix) -> Matrix? {
    forces.map { forces in
      let own = atoms.map { $0.map { forces[$0] } } ?? forces
      return layout.forceRows(basis: basis, forces: own.flatMap { [$0.x, $0.y, $0.z] })
    }
  }

  /// nil without a stress or a cell; otherwise shape [6][columns].
  /// - Parameter basis: d(Σ_i B_v(i))/dstrain, xx yy zz yz xz xy, shape [6][basis].
  public func stress(basis: Matrix) -> Matrix? {
    guard var stress = configuration.labels.stress, let cell = configuration.cell else { return nil }
    if let core { stress = stress + (-1 / cell.volume) * core.strainDerivative }
    return layout.stressRows(basis: basis, stress: stress.voigt, volume: cell.volume, atoms: configuration.count)
  }

  /// All rows, for configurations whose force rows fit into memory.
  public static func all(
    of configuration: Configuration, _ evaluator: Evaluator, workspace: Workspace = Workspace()
  ) throws(ACEError) -> [(kind: RowKind, rows: Matrix)] {
    let basis = try evaluator.features(of: configuration, workspace: workspace).rows
    let labelled = try TrainingRows(configuration, evaluator, workspace: workspace)
    let rows: [(RowKind, Matrix?)] = [
      (.energy, labelled.energy(basisSums: basis.energy)), (.force, labelled.forces(basis: basis.forces)),
      (.stress, labelled.stress(basis: basis.virial)),
    ]
    return rows.compactMap { kind, rows in rows.map { (kind, $0) } }
  }
}

extension Basis {
  /// Atoms of each element, in the basis' order.
  public func composition(of configuration: Configuration) -> [Int] {
    var composition = [Int](repeating: 0, count: elements.count)
    for element in configuration.species {
      if let index = index(of: element) { composition[index] += 1 }
    }
    return composition
  }
}

extension Matrix3 {
  /// xx yy zz yz xz xy, off-diagonal elements averaged.
  public var voigt: [Double] {
    [x.x, y.y, z.z, (y.z + z.y) / 2, (x.z + z.x) / 2, (x.y + y.x) / 2]
  }
}
