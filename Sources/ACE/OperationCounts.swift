import CKernels

/// Floating-point additions and multiplications that the kernels do for one atom, by stage; a fused
/// multiply-add counts as two, divisions and square roots as one each. Padding and vector reductions are
/// not counted: this is the work that there is, not the work that is done.
public struct OperationCounts: Sendable, Equatable {
  /// Unit vectors and radial functions; without and with derivatives.
  public let radial: Double
  public let radialWithSlopes: Double
  /// Real spherical harmonics of all neighbours.
  public let harmonics: Double
  /// One-particle sums.
  public let sums: Double
  /// Couplings and functions.
  public let products: Double
  /// The derivative of the energy by every one-particle sum.
  public let adjoint: Double
  /// That contracted with the gradients of the sums, forces and strain included.
  public let contraction: Double
  /// Couplings that only gradients need, the gradients' panel and the rows.
  public let designRows: Double
  /// One-particle sums that the functions use.
  public let sumCount: Int

  public var projections: Double { radial + harmonics + sums + products }
  public var energyAndForces: Double {
    radialWithSlopes + harmonics + sums + products + adjoint + contraction
  }
  public var rows: Double { radialWithSlopes + harmonics + sums + products + designRows }
}

extension Evaluator {
  /// Counts for an atom of `element` (index) with `neighbors` neighbours of every element.
  public func operationCounts(element: Int, neighbors: [Double]) -> OperationCounts {
    let program = programs[element]
    var (radial, slopes, harmonics, sums, contraction, panel) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for (index, count) in neighbors.enumerated() {
      let channel = program.channels.pointer[index]
      let bond = program.bonds[index].bond
      let lmax = Double(channel.lmax)
      let mixed = bond.mixing == nil ? 0 : Double((bond.angularLimit + 1) * bond.radialLimit * bond.functionCount)
      let functions = Self.radialOperations(bond.radial)
      radial += count * (12 + functions.start + functions.value * Double(bond.functionCount) + 2 * mixed)
      slopes += count * (functions.slope * Double(bond.functionCount) + 2 * mixed)
      // Powers of x + iy (6 for each m), the Legendre recursion (4 for each l, m >= 0) and its product
      // with both parts.
      let values = lmax < 0 ? 0 : 6 * lmax + 4 * (lmax + 1) * (lmax + 2) / 2 + (lmax + 1) * (lmax + 1)
      harmonics += count * values
      let leaves = Double(program.places(index).count)
      sums += count * 2 * leaves
      // Value and slope of each sum's weight, their products with F and F', and the assembly; forces and
      // strain take 27.
      let components = lmax < 0 ? 0 : (lmax + 1) * (lmax + 1)
      let recursion = lmax < 0 ? 0 : 6 * lmax + 9 * (lmax + 1) * (lmax + 2) / 2
      contraction += count * (4 * leaves + 6 * components + recursion + max(lmax, 0) * 20 + 8 + 17 + 27)
      // A gradient of three components for each sum; 18 for its strain.
      panel += count * (leaves * (1 + 9 + 15) + 20 * components + recursion)
    }
    let functions = UnsafeBufferPointer(start: program.functions.pointer, count: program.functions.count)
    let couplings = Double(program.entries(0..<program.forwardOps, role: 0))
    let values = functions.reduce(0.0) { $0 + ($1.y < 0 ? 1 : 2 * Double($1.count) + 1) }
    let backward =
      functions.reduce(0.0) { $0 + 3 + ($1.y < 0 ? 1 : 4 * Double($1.count)) }
      + 3
      * Double(
        program.entries(0..<program.forwardOps, role: 1) + program.entries(0..<program.forwardOps, role: 2))
    let terms = UnsafeBufferPointer(start: program.terms.pointer, count: program.terms.count)
    let columns = 3 * neighbors.reduce(0, +) + 9
    let rows = terms.reduce(0.0) { $0 + Double($1.count) * (1 + 2 * columns) }
    let gradients = 3 * Double(program.entries(program.forwardOps..<program.ops.count, role: 0))
    return OperationCounts(
      radial: radial, radialWithSlopes: radial + slopes, harmonics: harmonics, sums: sums,
      products: 3 * couplings + values, adjoint: backward, contraction: contraction,
      designRows: gradients + panel + rows + columns * Double(program.functionCount),
      sumCount: program.leafComponents)
  }

  /// Operations of a family: once for a distance, for each value, for each slope (from `radial.c`).
  private static func radialOperations(_ kind: RadialKind) -> (start: Double, value: Double, slope: Double) {
    switch kind {
    case .sBessel: (80, 14, 7)
    case .chebExpCos: (230, 6, 9)
    case .chebPow, .chebLinear: (12, 6, 9)
    }
  }
}
