import LinearAlgebra

/// Distance to the nearest cluster in the cluster's own covariance, over what is usual inside it.
public struct ClusterMahalanobis: Sendable, Equatable {
  /// Shape [clusters][coordinates].
  public let means: Matrix
  /// Lower Cholesky factors of S/n + ε I.
  private let factors: [Matrix]
  /// median + 3 · 1.4826 · MAD of the members' own distances.
  public let fences: [Double]

  /// - Parameters:
  ///   - points: members in standardised coordinates, shape [rows][coordinates].
  ///   - assignments: cluster of each row, 0..<clusterCount; every cluster has a row.
  ///   - regularisation: ε, in squared units of the coordinates.
  public init(
    _ points: Matrix, assignments: [Int], clusterCount: Int, regularisation: Double = 1e-6,
    threads: Int = 1
  ) throws(LinearAlgebraError) {
    precondition(assignments.count == points.rows, "one cluster per row")
    var means = Matrix(rows: clusterCount, columns: points.columns)
    var factors: [Matrix] = []
    var fences: [Double] = []
    for k in 0..<clusterCount {
      let members = points.selecting(rows: assignments.indices.filter { assignments[$0] == k })
      precondition(members.rows > 0, "no cluster is empty")
      let moments = Moments(members)
      for j in 0..<points.columns { means[k, j] = moments.mean[j] }
      var covariance = moments.covariance
      for j in 0..<points.columns { covariance[j, j] += regularisation }
      let factor = try covariance.choleskyFactor()
      factors.append(factor)
      let own = Self.distances(members, mean: moments.mean, factor: factor, threads: threads)
      let middle = quantile(own, 0.5)
      let fence = middle + 3 * 1.4826 * quantile(own.map { abs($0 - middle) }, 0.5)
      fences.append(fence > 0 ? fence : 1)
    }
    self.means = means
    self.factors = factors
    self.fences = fences
  }

  /// Distance over fence in the cluster whose distance is smallest (the lower index on ties): above 1 is beyond
  /// the fence. Shape [rows]; infinite for rows that are not finite.
  public func scores(_ points: Matrix, threads: Int = 1) -> [Double] {
    let distances = (0..<means.rows).map {
      Self.distances(points, mean: means.row($0), factor: factors[$0], threads: threads)
    }
    return (0..<points.rows).map { i in
      var best = 0
      for k in 0..<means.rows where distances[k][i] < distances[best][i] { best = k }
      let score = distances[best][i] / fences[best]
      return score.isFinite ? score : .infinity
    }
  }

  private static func distances(
    _ points: Matrix, mean: [Double], factor: Matrix, threads: Int
  ) -> [Double] {
    mapRowBlocks(points.rows, threads: threads) { range in
      var centred = points.slice(range)
      let d = mean.count
      for i in 0..<centred.rows { for j in 0..<d { centred.storage[i * d + j] -= mean[j] } }
      let solved = factor.solvingTriangle(.lower, centred.transposed)
      var squares = [Double](repeating: 0, count: centred.rows)
      for j in 0..<d { for i in 0..<centred.rows { squares[i] += solved[j, i] * solved[j, i] } }
      return squares.map { $0.squareRoot() }
    }.flatMap { $0 }
  }
}

extension ClusterMahalanobis {
  public struct Summary: Sendable, Equatable, Codable {
    public var fences: [Double]
  }

  public var summary: Summary { Summary(fences: fences) }

  /// "means.npy" ([clusters][coordinates]) and "factors.npy" (the Cholesky factors below each other).
  public var parts: NamedParts {
    let stack = factors.reduce(Matrix(rows: 0, columns: means.columns)) { $0.stacked(on: $1) }
    return ["means.npy": means.numPyBytes, "factors.npy": stack.numPyBytes]
  }

  public init(summary: Summary, parts: NamedParts) throws(NoveltyError) {
    means = try parts.matrix("means.npy", rows: summary.fences.count, columns: nil)
    let d = means.columns
    let stack = try parts.matrix("factors.npy", rows: means.rows * d, columns: d)
    factors = (0..<means.rows).map { stack.slice($0 * d..<($0 + 1) * d) }
    fences = summary.fences
  }
}
