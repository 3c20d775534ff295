// A specification or a file comes in, the functions of linear ACE in their one order go out.
//
// Drautz 2019, doi:10.1103/PhysRevB.99.014104 (the expansion); Lysogorskiy et al. 2021,
// doi:10.1038/s41524-021-00559-9 (the product basis and its files); Bochkarev et al. 2022,
// doi:10.1103/PhysRevMaterials.6.013804 (several elements, selection of functions).

import Configurations

/// A resolved ACE basis: bonds and, per element, functions in evaluator order. That order is the
/// column order of projections, design rows, coefficients and active sets.
public struct Basis: Sendable, Equatable {
  /// Sorted by symbol; every element index refers to this list.
  public let elements: [Element]
  /// `bonds[i][j]`: centre element i, neighbour element j.
  public let bonds: [[Bond]]
  /// Per centre element, in evaluator order.
  public let functions: [[BasisFunction]]
  /// Bin width of the radial splines with which LAMMPS tabulates; written to files, not used here.
  public var splineBinWidth: Double

  /// Brings functions into evaluator order; throws where a function does not fit its bonds.
  public init(
    elements: [Element], bonds: [[Bond]], functions: [[BasisFunction]],
    splineBinWidth: Double = 0.001
  ) throws(ACEError) {
    try Self.validate(elements, bonds, functions)
    self.elements = elements
    self.bonds = bonds
    self.functions = functions.map { list in EvaluatorOrder.sorted(list).map { list[$0] } }
    self.splineBinWidth = splineBinWidth
  }

  /// Number of columns: all functions of all elements.
  public var columnCount: Int { functions.reduce(0) { $0 + $1.count } }

  /// The columns of an element's functions: blocks in the order of `elements`.
  public func columns(ofElement index: Int) -> Range<Int> {
    let start = functions[..<index].reduce(0) { $0 + $1.count }
    return start..<start + functions[index].count
  }

  /// All functions in column order.
  public var columnFunctions: [BasisFunction] { functions.flatMap { $0 } }

  public func index(of element: Element) -> Int? { elements.firstIndex(of: element) }

  /// The largest cutoff of any bond, Å.
  public var cutoff: Double { bonds.joined().map(\.cutoff).max() ?? 0 }

  private static func validate(
    _ elements: [Element], _ bonds: [[Bond]], _ functions: [[BasisFunction]]
  ) throws(ACEError) {
    let count = elements.count
    guard count > 0, elements == BasisSpecification.ordered(elements) else {
      throw .mismatch("elements must be given once each, sorted by symbol")
    }
    guard functions.count == count, bonds.count == count, bonds.allSatisfy({ $0.count == count })
    else {
      throw .mismatch("a basis needs the functions of every element and a bond of every pair")
    }
    for (i, row) in bonds.enumerated() {
      for (j, bond) in row.enumerated() {
        let name = "\(elements[i])-\(elements[j])"
        guard bond.cutoff > 0, bond.cutoff <= 100, (1...200).contains(bond.functionCount),
          (0...200).contains(bond.radialLimit), (0...10).contains(bond.angularLimit)
        else { throw .mismatch("bond \(name) has a cutoff or limits out of range") }
        if let mixing = bond.mixing {
          guard mixing.count == bond.radialLimit * (bond.angularLimit + 1) * bond.functionCount
          else {
            throw .mismatch(
              "bond \(name): radcoefficients must have shape [nradmax][lmax + 1][nradbase]")
          }
        } else if bond.radialLimit > bond.functionCount {
          throw .mismatch("bond \(name) has more mixed radial functions than radial functions")
        }
      }
    }
    for (centre, list) in functions.enumerated() {
      for f in list { try validate(f, elements[centre], centre, bonds[centre]) }
    }
  }

  /// More combinations of m than this (rank 5 with l = 4 has 59,049) take too long to couple.
  static let largestCoupling = 1_000_000

  static func validate(
    _ f: BasisFunction, _ element: Element, _ centre: Int, _ bonds: [Bond]
  ) throws(ACEError) {
    let name = "function n \(f.ns), l \(f.ls) of \(element)"
    guard f.centre == centre, (1...6).contains(f.rank) else {
      throw .mismatch("\(name): rank must lie in 1...6")
    }
    for t in 0..<f.rank {
      guard bonds.indices.contains(f.neighbors[t]) else {
        throw .mismatch("\(name): unknown neighbour element")
      }
      let bond = bonds[f.neighbors[t]]
      let nLimit = f.rank == 1 ? bond.functionCount : bond.radialLimit
      guard (1...max(nLimit, 1)).contains(f.ns[t]), nLimit > 0 else {
        throw .mismatch("\(name): n = \(f.ns[t]) is beyond its bond's 1...\(nLimit)")
      }
      guard f.ls[t] >= 0, f.ls[t] <= bond.angularLimit || f.rank == 1 else {
        throw .mismatch("\(name): l = \(f.ls[t]) is beyond its bond's 0...\(bond.angularLimit)")
      }
    }
    guard f.rank > 1 || f.ls == [0], f.ls.reduce(0, +) % 2 == 0,
      CouplingTree(rank: f.rank).isAdmissible(f.ls, f.couplings)
    else { throw .mismatch("\(name): the couplings \(f.couplings) are not possible") }
    guard f.ls.reduce(1, { $0 * (2 * $1 + 1) }) <= largestCoupling else {
      throw .mismatch("\(name): rank and l are too large together")
    }
  }
}

extension CouplingTree {
  /// Whether the triangle rules allow these intermediates.
  func isAdmissible(_ ls: [Int], _ intermediates: [Int]) -> Bool {
    guard intermediates.count == max(steps.count - 1, 0) else { return false }
    var momenta = ls
    for (s, step) in steps.enumerated() {
      let momentum = s < intermediates.count ? intermediates[s] : 0
      let (l, r) = (momenta[step.left], momenta[step.right])
      guard momentum >= abs(l - r), momentum <= l + r else { return false }
      momenta.append(momentum)
    }
    return true
  }
}
