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

extension Leverage {
  public struct Summary: Sendable, Equatable, Codable {
    public var ridge: Double
  }

  public var summary: Summary { Summary(ridge: ridge) }

  /// "factor.npy", [functions][functions].
  public var parts: NamedParts { ["factor.npy": factor.numPyBytes] }

  public init(summary: Summary, parts: NamedParts) throws(NoveltyError) {
    let factor = try parts.matrix("factor.npy", rows: nil, columns: nil)
    guard factor.rows == factor.columns else {
      throw .badPart(name: "factor.npy", cause: "is not square")
    }
    self.init(factor: factor, ridge: summary.ridge)
  }
}
