import CKernels
import Configurations
import LinearAlgebra

/// Projections of the atoms of one element.
public struct Projections: Sendable, Equatable {
  /// Index in `Basis.elements`.
  public let element: Int
  /// Indices in the configuration, ascending.
  public let atoms: [Int]
  /// B values, shape [atoms][functions of the element], columns in evaluator order.
  public let values: Matrix
}

/// Rows of the linear problem for one configuration, unscaled. Shape [.. ][columns] with the basis'
/// columns.
public struct DesignRows: Sendable, Equatable {
  /// Sum of B over the atoms: row of the total energy (reference energies excluded), shape [columns].
  public let energy: [Double]
  /// Row 3a + k is component k of the force on atom a, -d(sum of B)/dr; shape [3 atoms][columns].
  public let forces: Matrix
  /// d(sum of B)/d strain in the order xx yy zz yz xz xy; shape [6][columns]. Times coefficients this
  /// is the volume times the stress (tension positive); sum over pairs of r (x) dE/dr.
  public let virial: Matrix
}

/// What a potential says of a configuration.
public struct Evaluation: Sendable, Equatable {
  /// eV, reference energies included.
  public let energy: Double
  /// eV per atom, reference energies included.
  public let energies: [Double]
  /// eV/Å.
  public let forces: [Vector3]
  /// dE/d strain, eV; symmetric. The stress (tension positive) is this divided by the volume.
  public let strainDerivative: Matrix3
  /// eV/Å³, tension positive; nil where the configuration does not repeat in all directions.
  public let stress: Matrix3?
}

/// Evaluates a basis. Immutable and shareable between threads; give each thread its own `Workspace`.
public struct Evaluator: Sendable {
  public let basis: Basis
  let programs: [ElementProgram]

  /// How radial functions are computed.
  public enum RadialEvaluation: Sendable {
    /// From their formulas.
    case exact
    /// By cubic interpolation in bins of the basis' spline width, as LAMMPS and pacemaker do: agrees
    /// with them to rounding, where exact functions differ by up to 1e-7 eV/Å.
    case tabulated
  }

  public init(_ basis: Basis, radial: RadialEvaluation = .exact) {
    self.basis = basis
    let spline = radial == .tabulated ? basis.splineBinWidth : nil
    programs = basis.elements.indices.map {
      ElementProgram(functions: basis.functions[$0], bonds: basis.bonds[$0], spline: spline)
    }
  }

  /// The B values of every atom, one entry per element that occurs.
  public func projections(
    of configuration: Configuration, workspace: Workspace = Workspace()
  ) throws(ACEError) -> [Projections] {
    let atoms = try AtomBlocks(configuration, basis: basis)
    var members = [[Int]](repeating: [], count: basis.elements.count)
    for block in atoms.blocks { members[block.element] += block.atoms }
    var storage = basis.elements.indices.map {
      [Double](repeating: 0, count: members[$0].count * basis.functions[$0].count)
    }
    var done = [Int](repeating: 0, count: basis.elements.count)
    for block in atoms.blocks {
      try fill(
        &storage[block.element], at: done[block.element], block, atoms, workspace)
      done[block.element] += block.atoms.count
    }
    return basis.elements.indices.filter { !members[$0].isEmpty }.map {
      Projections(
        element: $0, atoms: members[$0],
        values: Matrix(
          rows: members[$0].count, columns: basis.functions[$0].count, storage: storage[$0]))
    }
  }

  /// Writes the projections of a block's atoms as rows, from row `first` on.
  func fill(
    _ rows: inout [Double], at first: Int, _ block: AtomBlocks.Block, _ atoms: AtomBlocks,
    _ workspace: Workspace
  ) throws(ACEError) {
    let program = programs[block.element]
    let count = program.functionCount
    precondition(rows.count >= (first + block.atoms.count) * count, "room for the block")
    let environment = try BlockEnvironment(block, of: atoms, program: program, workspace: workspace)
    program.multiply(environment.nodes, gradients: false)
    let values = self.values(program, environment, workspace)
    rows.withUnsafeMutableBufferPointer {
      guard let base = $0.baseAddress else { return }
      sluice_ace_rows(
        values, Int32(count), Int32(block.atoms.count), base + first * count, Int64(count))
    }
  }

  /// Values of all functions, shape [functions][8].
  func values(
    _ program: ElementProgram, _ environment: BlockEnvironment, _ workspace: Workspace
  ) -> UnsafeMutablePointer<Double> {
    let values = workspace.values.reserve(8 * program.functionCount)
    sluice_ace_values(
      program.functions.pointer, Int32(program.functionCount), environment.nodes, values)
    return values
  }
}
