/// What one atom of an element costs, counted rather than timed: sizes of the tables that its kernels walk
/// through, and floating-point operations (a multiplication and an addition are two) of each stage.
/// `docs/ace.md` derives them.
public struct OperationCounts: Sendable, Equatable, Codable {
  /// Real components of all one-particle sums.
  public var oneParticleSums = 0
  /// Couplings of two factors to a third that values need, and those that gradients need besides.
  public var couplings = 0
  public var gradientCouplings = 0
  /// Triple products c·x·y in these.
  public var couplingTerms = 0
  public var gradientCouplingTerms = 0
  /// Products in the last step of all functions.
  public var functionTerms = 0
  /// Terms of all gradients by one-particle sums.
  public var gradientTerms = 0
  /// Neighbours within the cutoff, of all elements together.
  public var neighbors = 0.0

  /// Values and slopes of radial functions, mixed ones included.
  public var radial = 0.0
  public var harmonics = 0.0
  /// One-particle sums of all neighbours.
  public var accumulation = 0.0
  /// Couplings and values of all functions.
  public var products = 0.0
  /// Derivatives of the energy by one-particle sums.
  public var backward = 0.0
  /// From these to forces on all neighbours.
  public var contraction = 0.0
  /// Gradients of all functions accumulated into force and strain rows.
  public var designRows = 0.0
  /// The product with the inverse active set.
  public var grade = 0.0

  /// Projections alone.
  public var projection: Double { radial + harmonics + accumulation + products }
  public var energyAndForces: Double { projection + backward + contraction }

  /// Floating-point operations per triple product.
  private static let triple = 3.0

  /// `share`: neighbours of each element.
  init(_ functions: [BasisFunction], _ bonds: [Bond], share: [Double]) {
    let program = ProgramBuilder(functions: functions, bonds: bonds)
    func entries(_ table: Int32) -> Int {
      Int(program.tableRows[Int(program.tableStarts[Int(table) + 1])])
        - Int(program.tableRows[Int(program.tableStarts[Int(table)])])
    }
    oneParticleSums = program.leafComponents
    couplings = program.forwardOps
    gradientCouplings = program.ops.count - program.forwardOps
    couplingTerms = program.ops.prefix(program.forwardOps).reduce(0) { $0 + entries($1.table) }
    gradientCouplingTerms = program.ops.dropFirst(program.forwardOps).reduce(0) { $0 + entries($1.table) }
    functionTerms = program.functions.reduce(0) { $0 + Int($1.count) }
    gradientTerms = program.terms.reduce(0) { $0 + Int($1.count) }
    neighbors = share.reduce(0, +)
    for (element, count) in share.enumerated() {
      let bond = bonds[element]
      let sums = Double(program.place[element].count)
      let angular = Double(max(Int(program.channels[element].lmax), 0))
      // A recursion of two operations for the value and three for the slope.
      radial += count * 5 * Double(bond.functionCount)
      if bond.mixing != nil {
        radial += count * 4 * Double(bond.functionCount * bond.radialLimit * (bond.angularLimit + 1))
      }
      // Two recursions, over l and m, of two operations each.
      harmonics += count * 4 * (angular + 1) * (angular + 1)
      accumulation += count * 2 * sums
      // Sums over n of weight · g and weight · dg, then the harmonics and their gradient.
      contraction += count * (4 * sums + 12 * (angular + 1) * (angular + 1))
    }
    products = Self.triple * Double(couplingTerms) + 2 * Double(functionTerms)
    backward = 2 * Self.triple * Double(couplingTerms) + 4 * Double(functionTerms)
    let columns = 3 * (neighbors + 1) + 6
    designRows = Self.triple * Double(gradientCouplingTerms) + 2 * columns * Double(gradientTerms)
    grade = 2 * Double(functions.count) * Double(functions.count)
  }
}

extension Basis {
  /// Per element, for an atom with so many neighbours within the cutoff, spread evenly over the elements.
  public func operationCounts(neighbors: Double) -> [OperationCounts] {
    let share = elements.map { _ in neighbors / Double(elements.count) }
    return elements.indices.map { OperationCounts(functions[$0], bonds[$0], share: share) }
  }
}
