import COpenBLAS

/// A decomposition that did not converge or does not exist.
public enum LinearAlgebraError: Error, Equatable {
  /// The leading minor of this order is not positive definite.
  case notPositiveDefinite(order: Int)
  /// The iteration did not converge.
  case notConverged(String)
  /// The matrix is exactly singular.
  case singular
}

/// `A = Q diag(values) Qᵀ` of a symmetric matrix.
public struct SymmetricEigen: Sendable {
  /// Ascending.
  public let values: [Double]
  /// Row k is the eigenvector of `values[k]`; its largest component by magnitude is positive.
  public let vectors: Matrix

  public init(_ matrix: Matrix) throws(LinearAlgebraError) {
    precondition(matrix.rows == matrix.columns, "a square matrix")
    var n = Int32(matrix.rows)
    var a = matrix.storage
    var w = [Double](repeating: 0, count: matrix.rows)
    guard n > 0 else {
      (values, vectors) = ([], matrix)
      return
    }
    useSingleThreadedBLAS()
    var info: Int32 = 0
    var (lwork, liwork): (Int32, Int32) = (-1, -1)
    var (work, iwork) = ([0.0], [Int32(0)])
    for _ in 0..<2 {
      dsyevd_("V", "U", &n, &a, &n, &w, &work, &lwork, &iwork, &liwork, &info)
      if lwork < 0 {
        (lwork, liwork) = (Int32(work[0]), iwork[0])
        work = Array(repeating: 0, count: Int(lwork))
        iwork = Array(repeating: 0, count: Int(liwork))
      }
    }
    guard info == 0 else { throw .notConverged("symmetric eigenvalues") }
    values = w
    // LAPACK's column k is our row k.
    var rows = Matrix(rows: matrix.rows, columns: matrix.rows, storage: a)
    rows.makeLargestComponentPositive()
    vectors = rows
  }
}

/// `A = U diag(values) Vᵀ`, thin: k = min(rows, columns).
public struct SingularValues: Sendable {
  /// Descending, shape [k].
  public let values: [Double]
  /// Shape [rows][k].
  public let left: Matrix
  /// Row i is the i-th right singular vector, shape [k][columns].
  public let right: Matrix

  public init(_ matrix: Matrix) throws(LinearAlgebraError) {
    let k = min(matrix.rows, matrix.columns)
    guard k > 0 else {
      values = []
      left = Matrix(rows: matrix.rows, columns: 0)
      right = Matrix(rows: 0, columns: matrix.columns)
      return
    }
    useSingleThreadedBLAS()
    // For LAPACK the row-major matrix is its transpose: its U is our Vᵀ and the reverse.
    var m = Int32(matrix.columns)
    var n = Int32(matrix.rows)
    var kk = Int32(k)
    var a = matrix.storage
    var s = [Double](repeating: 0, count: k)
    var u = [Double](repeating: 0, count: matrix.columns * k)
    var vt = [Double](repeating: 0, count: k * matrix.rows)
    var iwork = [Int32](repeating: 0, count: 8 * k)
    var info: Int32 = 0
    var lwork = Int32(-1)
    var work = [0.0]
    for _ in 0..<2 {
      dgesdd_("S", &m, &n, &a, &m, &s, &u, &m, &vt, &kk, &work, &lwork, &iwork, &info)
      if lwork < 0 {
        lwork = Int32(work[0])
        work = Array(repeating: 0, count: Int(lwork))
      }
    }
    guard info == 0 else { throw .notConverged("singular values") }
    values = s
    right = Matrix(rows: k, columns: matrix.columns, storage: u)
    left = Matrix(rows: matrix.rows, columns: k, storage: vt)
  }
}

/// The singular values of `A = U diag(values) Vᵀ` and Uᵀ b: all that a penalised problem needs to choose its
/// penalty, at a fifth of the price of the vectors.
public struct SingularSpectrum: Sendable {
  /// Descending, shape [k], k = min(rows, columns).
  public let values: [Double]
  /// Uᵀ b, shape [k]; of each component only the magnitude says anything.
  public let rotated: [Double]

  /// - Parameters:
  ///   - matrix: not more rows than columns.
  ///   - vector: b, shape [rows].
  public init(_ matrix: Matrix, _ vector: [Double]) throws(LinearAlgebraError) {
    precondition(matrix.rows <= matrix.columns && vector.count == matrix.rows, "a wide matrix and its right side")
    var k = Int32(matrix.rows)
    guard k > 0 else {
      (values, rotated) = ([], [])
      return
    }
    useSingleThreadedBLAS()
    // For LAPACK the row-major matrix is Aᵀ = Q B Pᵀ, B upper bidiagonal; with B = X S Yᵀ: U = P Y.
    var m = Int32(matrix.columns)
    var a = matrix.storage
    var d = [Double](repeating: 0, count: matrix.rows)
    var e = [Double](repeating: 0, count: matrix.rows)
    var (tauQ, tauP, b) = (d, d, vector)
    var info: Int32 = 0
    var lwork = Int32(-1)
    var work = [0.0]
    for _ in 0..<2 {
      dgebrd_(&m, &k, &a, &m, &d, &e, &tauQ, &tauP, &work, &lwork, &info)
      if lwork < 0 {
        lwork = Int32(work[0])
        work = Array(repeating: 0, count: Int(lwork))
      }
    }
    guard info == 0 else { throw .notConverged("bidiagonal form") }
    var one = Int32(1)
    dormbr_("P", "L", "T", &k, &one, &m, &a, &m, &tauP, &b, &k, &work, &lwork, &info)
    guard info == 0 else { throw .notConverged("bidiagonal form") }
    work = Array(repeating: 0, count: 4 * matrix.rows)
    var none = Int32(0)
    var (unused, alsoUnused) = (0.0, 0.0)
    dbdsqr_("U", &k, &one, &none, &none, &d, &e, &b, &k, &unused, &one, &alsoUnused, &one, &work, &info)
    guard info == 0 else { throw .notConverged("singular values") }
    (values, rotated) = (d, b)
  }
}

extension Matrix {
  /// The lower Cholesky factor of a symmetric positive definite matrix, zeros above.
  public func choleskyFactor() throws(LinearAlgebraError) -> Matrix {
    precondition(rows == columns, "a square matrix")
    var result = self
    var n = Int32(rows)
    var info: Int32 = 0
    guard n > 0 else { return result }
    useSingleThreadedBLAS()
    dpotrf_("U", &n, &result.storage, &n, &info)  // LAPACK's upper is our lower
    guard info == 0 else { throw .notPositiveDefinite(order: Int(info)) }
    for i in 0..<rows { for j in (i + 1)..<max(rows, i + 1) { result[i, j] = 0 } }
    return result
  }

  /// The inverse of a square matrix, by LU.
  public func inverse() throws(LinearAlgebraError) -> Matrix {
    precondition(rows == columns, "a square matrix")
    var result = self
    var n = Int32(rows)
    guard n > 0 else { return result }
    useSingleThreadedBLAS()
    var pivots = [Int32](repeating: 0, count: rows)
    var info: Int32 = 0
    dgetrf_(&n, &n, &result.storage, &n, &pivots, &info)
    guard info == 0 else { throw .singular }
    var lwork = Int32(64 * rows)
    var work = [Double](repeating: 0, count: Int(lwork))
    dgetri_(&n, &result.storage, &n, &pivots, &work, &lwork, &info)
    guard info == 0 else { throw .singular }
    return result
  }

  /// The indices of `min(rows, columns)` rows that LU with partial pivoting picks, in pivot order: a
  /// well-conditioned start for MaxVol.
  public func pivotRows() -> [Int] {
    let kept = min(rows, columns)
    guard kept > 0 else { return [] }
    useSingleThreadedBLAS()
    var a = transposed.storage
    var m = Int32(rows)
    var n = Int32(columns)
    var pivots = [Int32](repeating: 0, count: kept)
    var info: Int32 = 0
    dgetrf_(&m, &n, &a, &m, &pivots, &info)
    var order = Array(0..<rows)
    for (i, p) in pivots.enumerated() { order.swapAt(i, Int(p) - 1) }
    return Array(order.prefix(kept))
  }

  fileprivate mutating func makeLargestComponentPositive() {
    for i in 0..<rows {
      var largest = 0.0
      for j in 0..<columns where abs(self[i, j]) > abs(largest) { largest = self[i, j] }
      if largest < 0 { for j in 0..<columns { self[i, j].negate() } }
    }
  }
}
