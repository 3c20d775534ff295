/// Which lists of intermediate angular momenta give linearly independent functions when some of the
/// factors are the same one-particle function. Remembers what it worked out.
package struct IndependentCouplings {
  package init() {}

  private struct Key: Hashable {
    let ls: [Int]
    let runs: [Int]
  }

  private var known: [Key: [[Int]]] = [:]

  /// `runs`: lengths of the runs of equal (species, n) among the factors; `ls` must not decrease
  /// inside a run. Lexicographic order.
  package mutating func intermediates(ls: [Int], runs: [Int]) -> [[Int]] {
    let key = Key(ls: ls, runs: runs)
    if let found = known[key] { return found }
    let tree = CouplingTree(rank: ls.count)
    var candidates = tree.intermediates(ls)
    // Factors that are equal in l too; only these can make functions dependent.
    var groups: [Range<Int>] = []
    var start = 0
    for run in runs {
      var begin = start
      for i in start..<start + run where i + 1 == start + run || ls[i + 1] != ls[i] {
        groups.append(begin..<i + 1)
        begin = i + 1
      }
      start += run
    }
    if groups.contains(where: { $0.count > 1 }) {
      candidates = Self.independent(candidates, ls, groups, tree)
    }
    known[key] = candidates
    return candidates
  }

  private static func independent(
    _ candidates: [[Int]], _ ls: [Int], _ groups: [Range<Int>], _ tree: CouplingTree
  ) -> [[Int]] {
    // m-vectors that differ by exchange of equal factors are one column.
    var columns: [[Int]: Int] = [:]
    var places: [(ms: [Int], column: Int)] = []
    CouplingTree.forEachProjection(ls) { ms in
      var sorted = ms
      for group in groups where group.count > 1 { sorted[group].sort() }
      let column = columns[sorted] ?? columns.count
      columns[sorted] = column
      places.append((ms, column))
    }
    var kept: [[Int]] = []
    var orthonormal: [[Double]] = []
    for candidate in candidates {
      var v = [Double](repeating: 0, count: columns.count)
      for (ms, column) in places {
        if let value = tree.coupling(ls, candidate, ms) { v[column] += value }
      }
      // Vectors of these couplings have norms of order 1, or vanish to rounding.
      for _ in 0..<2 {
        for q in orthonormal {
          let overlap = zip(v, q).reduce(0) { $0 + $1.0 * $1.1 }
          for k in v.indices { v[k] -= overlap * q[k] }
        }
      }
      let norm = v.reduce(0) { $0 + $1 * $1 }.squareRoot()
      if norm > 1e-8 {
        orthonormal.append(v.map { $0 / norm })
        kept.append(candidate)
      }
    }
    return kept
  }
}
