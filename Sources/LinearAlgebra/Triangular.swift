import COpenBLAS

/// Which half of a square matrix is used.
public enum Triangle: Sendable { case upper, lower }

extension Matrix {
  /// Solves `T x = b` (or `Tᵀ x = b`) where T is the given triangle of this square matrix, for every
  /// column of `b`. A zero on the diagonal gives infinities, as in BLAS.
  public func solvingTriangle(_ triangle: Triangle, transposed: Bool = false, _ b: Matrix) -> Matrix {
    precondition(
      rows == columns && b.rows == rows, "a square triangle and as many rows on the right")
    var result = b
    guard rows > 0, b.columns > 0 else { return result }
    useSingleThreadedBLAS()
    cblas_dtrsm(
      CblasRowMajor, CblasLeft, triangle == .upper ? CblasUpper : CblasLower,
      transposed ? CblasTrans : CblasNoTrans, CblasNonUnit, Int32(rows), Int32(b.columns), 1,
      storage, Int32(columns), &result.storage, Int32(b.columns))
    return result
  }

  /// Solves `T x = b` (or `Tᵀ x = b`) for one right-hand side, shape [rows].
  public func solvingTriangle(_ triangle: Triangle, transposed: Bool = false, _ b: [Double])
    -> [Double]
  {
    solvingTriangle(triangle, transposed: transposed, Matrix(rows: b.count, columns: 1, storage: b))
      .storage
  }

  /// X of `X T = B`, row by row, where T is the upper triangle of this square matrix.
  public func dividing(_ b: Matrix) -> Matrix {
    precondition(rows == columns && b.columns == rows, "a square triangle and rows of its width")
    var result = b
    guard rows > 0, b.rows > 0 else { return result }
    useSingleThreadedBLAS()
    cblas_dtrsm(
      CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, Int32(b.rows), Int32(rows), 1, storage,
      Int32(columns), &result.storage, Int32(rows))
    return result
  }

  /// The upper triangle that rotations of neighbouring rows, bottom up, make of `leading` columns in front of a
  /// triangle: of row i all entries from column `leading` up to column `leading + i` are zero. Takes
  /// O(leading · columns²) operations; the diagonal is not negative.
  public func rotatedToTriangle(leading: Int) -> Matrix {
    var result = self
    result.storage.withUnsafeMutableBufferPointer { values in
      for column in 0..<min(leading, columns) {
        for row in stride(from: rows - 1, to: column, by: -1) {
          let (upper, lower) = ((row - 1) * columns, row * columns)
          guard values[lower + column] != 0 else { continue }
          var (c, s) = (0.0, 0.0)
          cblas_drotg(&values[upper + column], &values[lower + column], &c, &s)
          values[lower + column] = 0
          for j in column + 1..<columns {
            let (x, y) = (values[upper + j], values[lower + j])
            values[upper + j] = c * x + s * y
            values[lower + j] = c * y - s * x
          }
        }
      }
      for i in 0..<min(rows, columns) where values[i * columns + i] < 0 {
        for j in i..<columns { values[i * columns + j].negate() }
      }
    }
    return result
  }

  /// The triangular factor R of `self = Q R` (Householder), shape [min(rows, columns)][columns],
  /// upper trapezoidal with a non-negative diagonal, so that it is unique where the rank is full.
  public func upperTriangularFactor() -> Matrix {
    let kept = min(rows, columns)
    guard kept > 0 else { return Matrix(rows: 0, columns: columns) }
    useSingleThreadedBLAS()
    // Row-major A is column-major Aᵀ for LAPACK: its LQ factorisation Aᵀ = L Q gives R = Lᵀ.
    var a = storage
    var m = Int32(columns)
    var n = Int32(rows)
    var tau = [Double](repeating: 0, count: kept)
    var size = Int32(-1)
    var info: Int32 = 0
    var query = 0.0
    dgelqf_(&m, &n, &a, &m, &tau, &query, &size, &info)
    size = Int32(query)
    var work = [Double](repeating: 0, count: Int(size))
    dgelqf_(&m, &n, &a, &m, &tau, &work, &size, &info)
    precondition(info == 0, "dgelqf was called with wrong arguments")
    var r = Matrix(rows: kept, columns: columns)
    for i in 0..<kept {
      let sign = a[i * columns + i] < 0 ? -1.0 : 1.0
      for j in i..<columns { r[i, j] = sign * a[i * columns + j] }
    }
    return r
  }
}
