// Configurations come in; projections, design rows, energies, forces and grades go out.
//
// One-particle sums are formed neighbour by neighbour, eight at a time. Their products are couplings
// of pairs in real components, shared among all functions and formed for eight atoms at a time.

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

  /// What tables of radial functions may take, all bonds together; 0.7 MB for 8 functions and 5500 bins.
  static let tableBytes = 128 << 20

  public init(_ basis: Basis, radial: RadialEvaluation = .exact) {
    self.init(basis, radial: radial, tableBytes: Self.tableBytes)
  }

  /// `tableBytes`: what does not fit is evaluated at both ends of each distance's bin instead.
  package init(_ basis: Basis, radial: RadialEvaluation, tableBytes: Int) {
    self.basis = basis
    let spline = radial == .tabulated ? basis.splineBinWidth : nil
    let tableBytes = tableBytes / (basis.elements.count * basis.elements.count)
    programs = basis.elements.indices.map {
      ElementProgram(functions: basis.functions[$0], bonds: basis.bonds[$0], spline: spline, tableBytes: tableBytes)
    }
  }

  /// The B values of every atom, one entry per element that occurs.
  public func projections(
    of configuration: Configuration, workspace: Workspace = Workspace()
  ) throws(ACEError) -> [Projections] {
    let atoms = try AtomBlocks(configuration, basis: basis)
    var rows = ProjectionRows(atoms, basis)
    for block in atoms.blocks { rows.append(try values(block, atoms, workspace), block) }
    return rows.projections
  }

  /// Values of all functions of a block's element, shape [functions][8].
  func values(
    _ block: AtomBlocks.Block, _ atoms: AtomBlocks, _ workspace: Workspace
  ) throws(ACEError) -> UnsafeMutablePointer<Double> {
    let program = programs[block.element]
    let environment = try BlockEnvironment(
      block, of: atoms, program: program, gradients: false, workspace: workspace)
    program.multiply(environment.nodes, gradients: false)
    return values(program, environment, workspace)
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

/// Collects projections block by block as rows per element.
struct ProjectionRows {
  private let counts: [Int]
  private let members: [[Int]]
  private var storage: [[Double]]
  private var done: [Int]

  init(_ atoms: AtomBlocks, _ basis: Basis) {
    var members = [[Int]](repeating: [], count: basis.elements.count)
    for block in atoms.blocks { members[block.element] += block.atoms }
    let counts = basis.functions.map(\.count)
    storage = zip(members, counts).map { Array(repeating: 0, count: $0.count * $1) }
    done = Array(repeating: 0, count: basis.elements.count)
    self.members = members
    self.counts = counts
  }

  /// `values`: shape [functions][8]; blocks of an element in their order.
  mutating func append(_ values: UnsafePointer<Double>, _ block: AtomBlocks.Block) {
    let count = counts[block.element]
    let first = done[block.element]
    storage[block.element].withUnsafeMutableBufferPointer {
      precondition($0.count >= (first + block.atoms.count) * count, "room for the block")
      guard let base = $0.baseAddress else { return }
      sluice_ace_rows(
        values, Int32(count), Int32(block.atoms.count), base + first * count, Int64(count))
    }
    done[block.element] += block.atoms.count
  }

  /// One entry per element that occurs.
  var projections: [Projections] {
    members.indices.filter { !members[$0].isEmpty }.map {
      Projections(
        element: $0, atoms: members[$0],
        values: Matrix(rows: members[$0].count, columns: counts[$0], storage: storage[$0]))
    }
  }
}
