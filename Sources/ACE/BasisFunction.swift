/// One function of the ACE basis: a product of one-particle functions (species, n, l) of the
/// neighbours of a centre, coupled to a rotation invariant.
public struct BasisFunction: Sendable, Hashable {
  /// Index of the centre's element in `Basis.elements`.
  public let centre: Int
  /// Index of each factor's neighbour element, shape [rank].
  public let neighbors: [Int]
  /// Radial index of each factor, from 1; shape [rank].
  public let ns: [Int]
  /// Angular momentum of each factor, shape [rank].
  public let ls: [Int]
  /// Intermediate angular momenta of the coupling tree in order of creation, root excluded: empty
  /// below rank 3, [L] at 3, [L, L] at 4, [L12, L34, L5] at 5, [L12, L34, L56, L56] at 6.
  public let couplings: [Int]

  public var rank: Int { ns.count }

  public init(centre: Int, neighbors: [Int], ns: [Int], ls: [Int], couplings: [Int]) {
    precondition(
      !ns.isEmpty && neighbors.count == ns.count && ls.count == ns.count,
      "one species, n and l per factor")
    self.centre = centre
    self.neighbors = neighbors
    self.ns = ns
    self.ls = ls
    self.couplings = couplings
  }

  /// A measure of roughness for smoothness priors: the sum over factors of
  /// (l / angularScale)^power + (n / radialScale)^power.
  public func roughness(angularScale: Double, radialScale: Double, power: Int) -> Double {
    func raised(_ x: Double) -> Double { (0..<power).reduce(1.0) { product, _ in product * x } }
    return zip(ns, ls).reduce(0) {
      $0 + raised(Double($1.1) / angularScale) + raised(Double($1.0) / radialScale)
    }
  }

  /// Everything but the coupling agrees.
  func hasSameFactors(as other: BasisFunction) -> Bool {
    centre == other.centre && neighbors == other.neighbors && ns == other.ns && ls == other.ls
  }

  /// Lengths of the runs of factors of equal (species, n).
  static func runs(_ neighbors: [Int], _ ns: [Int]) -> [Int] {
    var runs: [Int] = []
    for i in ns.indices {
      if i > 0, neighbors[i] == neighbors[i - 1], ns[i] == ns[i - 1] {
        runs[runs.count - 1] += 1
      } else {
        runs.append(1)
      }
    }
    return runs
  }
}

/// The order in which LAMMPS and pacemaker hold the functions of an element, hence that of columns
/// of projections and of active sets.
package enum EvaluatorOrder {
  /// Rank, centre, species, n, l; couplings are not compared.
  static func precedes(_ a: BasisFunction, _ b: BasisFunction) -> Bool {
    if a.rank != b.rank { return a.rank < b.rank }
    if a.centre != b.centre { return a.centre < b.centre }
    if a.neighbors != b.neighbors { return a.neighbors.lexicographicallyPrecedes(b.neighbors) }
    if a.ns != b.ns { return a.ns.lexicographicallyPrecedes(b.ns) }
    return a.ls.lexicographicallyPrecedes(b.ls)
  }

  /// Indices of `functions` in evaluator order. Functions that differ only in their couplings go by
  /// the number of m-vectors of their half basis, then by the list of those.
  static func sorted(_ functions: [BasisFunction]) -> [Int] {
    var order = functions.indices.sorted { a, b in
      if precedes(functions[a], functions[b]) { return true }
      if precedes(functions[b], functions[a]) { return false }
      return functions[a].couplings.lexicographicallyPrecedes(functions[b].couplings)
    }
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, functions[order[end]].hasSameFactors(as: functions[order[start]]) {
        end += 1
      }
      if end - start > 1 {
        let keyed = order[start..<end].map { index -> (index: Int, vectors: [[Int]]) in
          let f = functions[index]
          return (index, CouplingTree(rank: f.rank).halfBasis(f.ls, f.couplings).map(\.ms))
        }
        order.replaceSubrange(
          start..<end,
          with: keyed.sorted { a, b in
            if a.vectors.count != b.vectors.count { return a.vectors.count < b.vectors.count }
            let (x, y) = (a.vectors.flatMap { $0 }, b.vectors.flatMap { $0 })
            if x != y { return x.lexicographicallyPrecedes(y) }
            return functions[a.index].couplings.lexicographicallyPrecedes(
              functions[b.index].couplings)
          }.map(\.index))
      }
      start = end
    }
    return order
  }

  /// Smallest and largest number of m-vectors that a program may count: couplings that vanish by
  /// accident come out of some libraries as 1e-17 and are then counted.
  package static func vectorCount(ls: [Int], couplings: [Int]) -> ClosedRange<Int> {
    let tree = CouplingTree(rank: ls.count)
    var exact = 0
    var allowed = 0
    CouplingTree.forEachProjection(ls) { ms in
      guard (ms.first { $0 != 0 } ?? 0) >= 0, let value = tree.coupling(ls, couplings, ms) else {
        return
      }
      allowed += 1
      if value != 0 { exact += 1 }
    }
    return exact...allowed
  }

  /// Of functions that differ only in their couplings, those whose order is the same in every
  /// program: a later one whose count could be confused with a kept one's is left out.
  package static func unambiguous(ls: [Int], couplings: [[Int]]) -> [[Int]] {
    guard couplings.count > 1 else { return couplings }
    var kept: [(couplings: [Int], count: ClosedRange<Int>)] = []
    for candidate in couplings {
      let count = vectorCount(ls: ls, couplings: candidate)
      let clear = kept.allSatisfy { other in
        !other.count.overlaps(count)
          || (other.count.count == 1 && count.count == 1)  // equal counts, but no accidents
      }
      if clear { kept.append((candidate, count)) }
    }
    return kept.map(\.couplings)
  }
}
