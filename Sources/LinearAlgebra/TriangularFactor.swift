/// What a set of rows is reduced to: the triangle R of `[A | y] = Q R`, which is all that least
/// squares ever needs of them. Factors merge exactly (to rounding), in any order; a fixed order gives
/// the same bits.
///
/// Fewer rows than columns are kept as they are, so that few rows stay few and exact.
public struct TriangularFactor: Sendable, Equatable {
  /// Width of the rows, the target included.
  public let columns: Int
  /// How many rows have been reduced; rows taken k times count k times.
  public let rowCount: Int
  /// Shape [k][columns]. k < columns: the rows themselves. k = columns: upper triangle with a
  /// non-negative diagonal and zeros below it.
  public let matrix: Matrix

  /// Whether the rows have been reduced to a triangle.
  public var isTriangular: Bool { matrix.rows == columns }

  /// The factor of no rows.
  public init(columns: Int) {
    precondition(columns > 0, "a factor has columns")
    self.init(matrix: Matrix(rows: 0, columns: columns), rowCount: 0)
  }

  /// Reduces rows, shape [any][columns]. Takes as much memory again as the rows; see `RowReducer`
  /// for many.
  public init(rows: Matrix) {
    precondition(rows.columns > 0, "a factor has columns")
    self.init(
      matrix: rows.rows < rows.columns ? rows : Self.triangle(of: rows), rowCount: rows.rows)
  }

  /// At least as many rows as columns, folded into nothing: three times as fast as LAPACK's `dgelqf`.
  private static func triangle(of rows: Matrix) -> Matrix {
    TriangleFolding.fold(rows, into: Matrix(rows: rows.columns, columns: rows.columns), isTriangle: false)
  }

  /// Takes a matrix that already is such a factor: fewer rows than columns, or upper triangular with
  /// a non-negative diagonal.
  package init(matrix: Matrix, rowCount: Int) {
    columns = matrix.columns
    self.matrix = matrix
    self.rowCount = rowCount
  }

  /// Adds rows, shape [any][columns].
  public mutating func append(_ rows: Matrix) {
    precondition(rows.columns == columns, "rows of the factor's width")
    if isTriangular {
      self = TriangularFactor(
        matrix: TriangleFolding.fold(rows, into: matrix, isTriangle: false),
        rowCount: rowCount + rows.rows)
    } else {
      let all = matrix.stacked(on: rows)
      self = TriangularFactor(
        matrix: all.rows < columns ? all : Self.triangle(of: all),
        rowCount: rowCount + rows.rows)
    }
  }

  /// The factor of the rows of `a` and of `b` together. About 2/3 n³ operations for two triangles of
  /// n columns. `merge(a, b)` and `merge(b, a)` differ by rounding.
  public static func merge(_ a: TriangularFactor, _ b: TriangularFactor) -> TriangularFactor {
    precondition(a.columns == b.columns, "factors of one width")
    if a.rowCount == 0 { return b }
    if b.rowCount == 0 { return a }
    let merged: Matrix
    switch (a.isTriangular, b.isTriangular) {
    case (true, true): merged = TriangleFolding.fold(b.matrix, into: a.matrix, isTriangle: true)
    case (true, false): merged = TriangleFolding.fold(b.matrix, into: a.matrix, isTriangle: false)
    case (false, true): merged = TriangleFolding.fold(a.matrix, into: b.matrix, isTriangle: false)
    case (false, false):
      let all = a.matrix.stacked(on: b.matrix)
      merged = all.rows < a.columns ? all : triangle(of: all)
    }
    return TriangularFactor(matrix: merged, rowCount: a.rowCount + b.rowCount)
  }

  /// Every row multiplied by `factor` >= 0. Zero leaves no rows at all.
  public func scaled(by factor: Double) -> TriangularFactor {
    precondition(factor >= 0 && factor.isFinite, "rows are scaled by a non-negative number")
    if factor == 1 { return self }
    if factor == 0 { return TriangularFactor(columns: columns) }
    var scaled = matrix
    for i in scaled.storage.indices { scaled.storage[i] *= factor }
    return TriangularFactor(matrix: scaled, rowCount: rowCount)
  }

  /// Every row taken `count` >= 0 times: rows scaled by √count.
  public func repeated(_ count: Int) -> TriangularFactor {
    precondition(count >= 0, "rows are taken a number of times")
    let scaled = scaled(by: Double(count).squareRoot())
    return TriangularFactor(matrix: scaled.matrix, rowCount: rowCount * count)
  }

  /// |[A | y] v|² over the reduced rows, for `v` of shape [columns]: with v = (c, -1) the sum of
  /// squared residuals.
  public func squaredNorm(along v: [Double]) -> Double {
    matrix.times(v).reduce(0) { $0 + $1 * $1 }
  }
}

extension TriangularFactor {
  /// Takes an upper triangle as it is: as many rows as columns, zeros below the diagonal; signs are
  /// made canonical.
  public init(triangle: Matrix) {
    precondition(triangle.rows == triangle.columns && triangle.rows > 0, "a square triangle")
    var matrix = triangle
    for i in 0..<matrix.rows where matrix[i, i] < 0 {
      for j in i..<matrix.columns { matrix[i, j].negate() }
    }
    self.init(matrix: matrix, rowCount: matrix.rows)
  }
}
