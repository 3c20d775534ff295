import LinearAlgebra

/// h = b'(B'B + λI)⁻¹ b: the posterior variance of the linear model at b, in units of the noise. log det of the
/// same matrix is the D-optimal objective.
public struct Leverage: Sendable, Equatable {
  /// Upper triangular factor of [B; √λ I], shape [functions][functions].
  public let factor: Matrix
  /// λ.
  public let ridge: Double

  public init(_ rows: Matrix, relativeRidge: Double = 1e-10, threads: Int = 1) throws {
    try self.init(RowBlocks(rows), relativeRidge: relativeRidge, threads: threads)
  }

  /// - Parameter relativeRidge: λ over the mean diagonal of B'B; positive, for rank deficiency is the rule.
  /// - Throws: `NoveltyError.noRows` and what reading rows throws.
  public init(_ rows: RowBlocks, relativeRidge: Double = 1e-10, threads: Int = 1) throws {
    precondition(relativeRidge > 0, "a positive ridge")
    guard rows.count > 0, rows.columns > 0 else { throw NoveltyError.noRows }
    self.init(
      triangularFactor: try RowSpace.triangularFactor(rows, threads: threads),
      relativeRidge: relativeRidge)
  }

  /// From a triangular factor R with R'R = B'B, shape [any][functions].
  public init(triangularFactor: Matrix, relativeRidge: Double = 1e-10) {
    let n = triangularFactor.columns
    var trace = 0.0
    for value in triangularFactor.storage { trace += value * value }
    ridge = trace > 0 ? relativeRidge * trace / Double(n) : relativeRidge
    var diagonal = Matrix.identity(n)
    for i in 0..<n { diagonal[i, i] = ridge.squareRoot() }
    factor = triangularFactor.stacked(on: diagonal).upperTriangularFactor()
  }

  private init(factor: Matrix, ridge: Double) {
    self.factor = factor
    self.ridge = ridge
  }

  /// The leverage once these rows are among the references too; λ stays.
  public func adding(_ rows: Matrix) -> Leverage {
    if rows.rows == 0 { return self }
    return Leverage(factor: factor.stacked(on: rows).upperTriangularFactor(), ridge: ridge)
  }

  /// R⁻ᵀ b of each row, shape [rows][functions]: coordinates in which (B'B + λI)⁻¹ is the identity.
  public func whitened(_ rows: Matrix, threads: Int = 1) -> Matrix {
    precondition(rows.columns == factor.columns, "as many functions as the factor has")
    let pieces = mapRowBlocks(rows.rows, threads: threads) {
      factor.solvingTriangle(.upper, transposed: true, rows.slice($0).transposed).transposed.storage
    }
    return Matrix(rows: rows.rows, columns: rows.columns, storage: pieces.flatMap { $0 })
  }

  /// h of each row, shape [rows]; infinite for rows that are not finite.
  public func leverages(_ rows: Matrix, threads: Int = 1) -> [Double] {
    let whitened = whitened(rows, threads: threads)
    return (0..<rows.rows).map { i in
      var sum = 0.0
      for j in 0..<whitened.columns { sum += whitened[i, j] * whitened[i, j] }
      return sum.isFinite ? sum : .infinity
    }
  }
}

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
