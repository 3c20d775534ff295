import LinearAlgebra

/// Divides rows into clusters that are large enough for their rank.
struct ClusterBuilder {
  let rows: RowBlocks
  let points: Matrix
  let options: Clustering.Options
  let threads: Int

  private var assignments: [Int] = []
  private var names: [String] = []
  private var notes: [String] = []

  init(rows: RowBlocks, points: Matrix, options: Clustering.Options, threads: Int) {
    self.rows = rows
    self.points = points
    self.options = options
    self.threads = threads
  }

  mutating func divide(_ count: Int) {
    let clusters = min(max(count, 1), points.rows)
    let found = KMeans(
      points, clusters: clusters, seed: options.seed, restarts: options.restarts,
      maximumIterations: options.maximumIterations, threads: threads)
    assignments = found.assignments
    names = []
    renumber()
  }

  mutating func adopt(names: [String], ofRow: [Int]) {
    assignments = ofRow
    self.names = names
    renumber()
  }

  /// From the maximum downwards, the division that keeps the most clusters once small ones are merged. A division into k
  /// cannot keep more than k, so the search ends early.
  mutating func chooseLargest(upTo maximum: Int) throws {
    var best: (assignments: [Int], names: [String], notes: [String])?
    var count = min(max(maximum, 1), points.rows)
    while count > best?.names.count ?? 0 {
      notes = []
      divide(count)
      try mergeSmall()
      if names.count > best?.names.count ?? 0 { best = (assignments, names, notes) }
      count -= 1
    }
    if let best { (assignments, names, notes) = best }
  }

  /// Merges the smallest cluster that is too small into the one with the nearest centroid, until none is.
  mutating func mergeSmall() throws {
    while names.count > 1, let small = try firstSmall() {
      let centroids = means()
      var best = (square: Double.infinity, cluster: -1)
      for k in names.indices where k != small.cluster {
        var square = 0.0
        for j in 0..<centroids.columns {
          square +=
            (centroids[k, j] - centroids[small.cluster, j])
            * (centroids[k, j] - centroids[small.cluster, j])
        }
        if square < best.square || best.cluster < 0 { best = (square, k) }
      }
      notes.append(
        "cluster '\(names[small.cluster])' (\(small.size) rows of rank \(small.rank), fewer than \(options.rowsPerRank) per direction) was merged into '\(names[best.cluster])'"
      )
      names[best.cluster] += "+" + names[small.cluster]
      for i in assignments.indices where assignments[i] == small.cluster {
        assignments[i] = best.cluster
      }
      renumber()
    }
  }

  func finish() throws -> (
    assignments: [Int], centroids: Matrix, sizes: [Int], ranks: [Int], names: [String],
    notes: [String]
  ) {
    let members = members()
    let ranks = try members.map {
      try RowSpace.rank(rows.selecting($0), tolerance: options.rankTolerance, threads: threads)
    }
    return (assignments, means(), members.map(\.count), ranks, names, notes)
  }

  /// The smallest cluster that has too few rows for its rank, the lower index on ties.
  private func firstSmall() throws -> (cluster: Int, size: Int, rank: Int)? {
    let members = members()
    for k in members.indices.sorted(by: { (members[$0].count, $0) < (members[$1].count, $1) }) {
      let size = members[k].count
      // No rank is larger than the number of functions.
      if Double(size) >= options.rowsPerRank * Double(rows.columns) { return nil }
      let rank = try RowSpace.rank(
        rows.selecting(members[k]), tolerance: options.rankTolerance, threads: threads)
      if Double(size) < options.rowsPerRank * Double(rank) { return (k, size, rank) }
    }
    return nil
  }

  private func members() -> [[Int]] {
    var result = [[Int]](repeating: [], count: names.count)
    for (row, cluster) in assignments.enumerated() { result[cluster].append(row) }
    return result
  }

  private func means() -> Matrix {
    var (sums, counts) = clusterSums(points, assignments, clusters: names.count, threads: threads)
    for k in counts.indices { for j in 0..<sums.columns { sums[k, j] /= Double(counts[k]) } }
    return sums
  }

  /// Numbers clusters by their first row and drops empty ones. Names follow; without names, numbers.
  private mutating func renumber() {
    var number: [Int?] = Array(repeating: nil, count: (assignments.max() ?? -1) + 1)
    var order: [Int] = []
    for i in assignments.indices {
      let old = assignments[i]
      if number[old] == nil {
        number[old] = order.count
        order.append(old)
      }
      assignments[i] = number[old]!
    }
    names = names.isEmpty ? order.indices.map(String.init) : order.map { names[$0] }
  }
}
