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
  /// - Parameter tolerance: a run ends when a step lowers the inertia by no more than this share of it (and always
  ///   when no row moves).
  package init(
    _ coordinates: Matrix, clusters: Int, seed: UInt64, restarts: Int, maximumIterations: Int = 100,
    tolerance: Double = 1e-5, threads: Int = 1
  ) {
    precondition(
      clusters > 0 && clusters <= coordinates.rows, "between one cluster and one per row")
    var best: KMeans?
    for restart in 0..<max(restarts, 1) {
      var random = SplitMix(seed: seed &+ UInt64(restart) &* 0x9e37_79b9_7f4a_7c15)
      let run = KMeans(
        coordinates, start: Self.plusPlus(coordinates, clusters, &random, threads),
        maximumIterations: maximumIterations, tolerance: tolerance, threads: threads)
      if best.map({ run.inertia < $0.inertia }) ?? true { best = run }
      if clusters == 1 { break }
    }
    self = best!
  }

  private init(
    _ coordinates: Matrix, start: Matrix, maximumIterations: Int, tolerance: Double, threads: Int
  ) {
    centroids = start
    var nearest = nearestCentroids(coordinates, start, threads: threads)
    var last = Double.infinity
    for _ in 0..<maximumIterations {
      centroids = Self.means(coordinates, nearest, clusters: start.rows, threads: threads)
      let next = nearestCentroids(coordinates, centroids, threads: threads)
      let settled = next.clusters == nearest.clusters
      nearest = next
      let sum = nearest.squares.reduce(0, +)
      if settled || last - sum <= tolerance * sum { break }
      last = sum
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
  let count = centroids.rows
  // [coordinates][clusters], so that the inner loop runs over neighbouring numbers.
  let columns = centroids.transposed.storage
  let parts = mapRowBlocks(coordinates.rows, threads: threads) { range in
    var clusters = [Int](repeating: 0, count: range.count)
    var nearest = [Double](repeating: .infinity, count: range.count)
    var squares = [Double](repeating: 0, count: count)
    // Pointers, because bounds checks keep the inner loop from being vectorised.
    coordinates.storage.withUnsafeBufferPointer { rows in
      columns.withUnsafeBufferPointer { columns in
        squares.withUnsafeMutableBufferPointer { squares in
          for (place, i) in range.enumerated() {
            for k in 0..<count { squares[k] = 0 }
            for j in 0..<d {
              let x = rows[i * d + j]
              let column = UnsafeBufferPointer(rebasing: columns[j * count..<(j + 1) * count])
              for k in 0..<count {
                let difference = x - column[k]
                squares[k] += difference * difference
              }
            }
            for k in 0..<count where squares[k] < nearest[place] {
              nearest[place] = squares[k]
              clusters[place] = k
            }
          }
        }
      }
    }
    return (clusters, nearest)
  }
  return (parts.flatMap(\.0), parts.flatMap(\.1))
}
