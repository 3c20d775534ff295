import LinearAlgebra

/// Lloyd's k-means from k-means++ starts. Sums run over fixed blocks in order, ties go to the lower index,
/// and the random numbers come from the seed: the same bits for any number of threads.
package struct KMeans: Sendable {
  /// Shape [clusters][coordinates].
  package private(set) var centroids: Matrix
  /// Shape [rows].
  package private(set) var assignments: [Int]
  /// Sum of squared distances to the own centroid.
  package private(set) var inertia: Double

  /// The best of `restarts` runs; the earliest on ties.
  package init(
    _ coordinates: Matrix, clusters: Int, seed: UInt64, restarts: Int, maximumIterations: Int = 100,
    threads: Int = 1
  ) {
    precondition(
      clusters > 0 && clusters <= coordinates.rows, "between one cluster and one per row")
    var best: KMeans?
    for restart in 0..<max(restarts, 1) {
      var random = SplitMix(seed: seed &+ UInt64(restart) &* 0x9e37_79b9_7f4a_7c15)
      let run = KMeans(
        coordinates, start: Self.plusPlus(coordinates, clusters, &random, threads),
        maximumIterations: maximumIterations, threads: threads)
      if best.map({ run.inertia < $0.inertia }) ?? true { best = run }
      if clusters == 1 { break }
    }
    self = best!
  }

  private init(_ coordinates: Matrix, start: Matrix, maximumIterations: Int, threads: Int) {
    centroids = start
    var nearest = nearestCentroids(coordinates, start, threads: threads)
    for _ in 0..<maximumIterations {
      centroids = Self.means(coordinates, nearest, clusters: start.rows, threads: threads)
      let next = nearestCentroids(coordinates, centroids, threads: threads)
      let settled = next.clusters == nearest.clusters
      nearest = next
      if settled { break }
    }
    assignments = nearest.clusters
    inertia = nearest.squares.reduce(0, +)
  }

  /// Arthur, Vassilvitskii 2007: each next centre is a row drawn with probability ∝ squared distance to the
  /// nearest centre so far.
  private static func plusPlus(
    _ coordinates: Matrix, _ clusters: Int, _ random: inout SplitMix, _ threads: Int
  ) -> Matrix {
    var centres = coordinates.slice(
      {
        let first = min(coordinates.rows - 1, Int(random.unit() * Double(coordinates.rows)))
        return first..<first + 1
      }())
    var squares = nearestCentroids(coordinates, centres, threads: threads).squares
    while centres.rows < clusters {
      let target = random.unit() * squares.reduce(0, +)
      var sum = 0.0
      var pick = 0
      for (i, square) in squares.enumerated() where square > 0 {
        sum += square
        pick = i
        if sum > target { break }
      }
      let centre = coordinates.slice(pick..<pick + 1)
      centres = centres.stacked(on: centre)
      let new = nearestCentroids(coordinates, centre, threads: threads).squares
      for i in squares.indices { squares[i] = min(squares[i], new[i]) }
    }
    return centres
  }

  /// Means of the assigned rows. A centre that lost all rows moves to the row farthest from its own centre,
  /// the first on ties; several such centres take the next farthest.
  private static func means(
    _ coordinates: Matrix, _ nearest: (clusters: [Int], squares: [Double]), clusters: Int,
    threads: Int
  ) -> Matrix {
    var (sums, counts) = clusterSums(
      coordinates, nearest.clusters, clusters: clusters, threads: threads)
    let empty = counts.indices.filter { counts[$0] == 0 }
    if !empty.isEmpty {
      let farthest = nearest.squares.indices.sorted {
        (nearest.squares[$1], $0) < (nearest.squares[$0], $1)
      }
      for (cluster, row) in zip(empty, farthest) {
        for j in 0..<coordinates.columns { sums[cluster, j] = coordinates[row, j] }
        counts[cluster] = 1
      }
    }
    for k in 0..<clusters { for j in 0..<sums.columns { sums[k, j] /= Double(counts[k]) } }
    return sums
  }
}

/// Sums of the rows of each cluster, block by block in order, and their counts.
func clusterSums(
  _ coordinates: Matrix, _ assignments: [Int], clusters: Int, threads: Int
) -> (sums: Matrix, counts: [Int]) {
  let d = coordinates.columns
  let parts = mapRowBlocks(coordinates.rows, threads: threads) { range in
    var sums = [Double](repeating: 0, count: clusters * d)
    for i in range {
      let k = assignments[i]
      for j in 0..<d { sums[k * d + j] += coordinates.storage[i * d + j] }
    }
    return sums
  }
  var total = Matrix(rows: clusters, columns: d)
  for part in parts { for i in part.indices { total.storage[i] += part[i] } }
  var counts = [Int](repeating: 0, count: clusters)
  for k in assignments { counts[k] += 1 }
  return (total, counts)
}

/// The nearest centroid of each row, the lower index on ties, and the squared distance to it.
func nearestCentroids(
  _ coordinates: Matrix, _ centroids: Matrix, threads: Int
) -> (clusters: [Int], squares: [Double]) {
  let d = coordinates.columns
  let parts = mapRowBlocks(coordinates.rows, threads: threads) { range in
    var clusters: [Int] = []
    var squares: [Double] = []
    clusters.reserveCapacity(range.count)
    squares.reserveCapacity(range.count)
    for i in range {
      var best = (square: Double.infinity, cluster: 0)
      for k in 0..<centroids.rows {
        var square = 0.0
        for j in 0..<d {
          let difference = coordinates.storage[i * d + j] - centroids.storage[k * d + j]
          square += difference * difference
        }
        if square < best.square { best = (square, k) }
      }
      clusters.append(best.cluster)
      squares.append(best.square)
    }
    return (clusters, squares)
  }
  return (parts.flatMap(\.0), parts.flatMap(\.1))
}
