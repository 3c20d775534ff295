import COpenBLAS

/// Keeps OpenBLAS on the calling thread: Sluice makes its own threads, and sums must not depend on
/// how many there are. Every factorisation and product here asks for it; the first call does it.
public func useSingleThreadedBLAS() { _ = singleThreadedBLAS }

/// Ends OpenBLAS' own threads, which are started as the program is loaded and wait in a loop that takes a
/// processor for a tenth of a second. To be called once, at a program's start.
public func stopBLASThreads() {
  useSingleThreadedBLAS()
  _ = blas_thread_shutdown_()
}

/// Version and kernels of the BLAS at hand ("OpenBLAS 0.3.21 … SkylakeX"): results are the same to the
/// last bit only where this is. For provenance.
public func blasDescription() -> String {
  String(cString: openblas_get_config()) + ", kernels for "
    + String(cString: openblas_get_corename())
}

/// Set once, on first use.
private let singleThreadedBLAS: Void = openblas_set_num_threads(1)

extension Matrix {
  /// `self · other`.
  public func times(_ other: Matrix) -> Matrix {
    precondition(columns == other.rows, "inner dimensions agree")
    return Matrix.product(
      self, CblasNoTrans, other, CblasNoTrans, rows: rows, inner: columns, columns: other.columns)
  }

  /// `selfᵀ · other`.
  public func transposedTimes(_ other: Matrix) -> Matrix {
    precondition(rows == other.rows, "inner dimensions agree")
    return Matrix.product(
      self, CblasTrans, other, CblasNoTrans, rows: columns, inner: rows, columns: other.columns)
  }

  /// `self · otherᵀ`.
  public func timesTransposed(_ other: Matrix) -> Matrix {
    precondition(columns == other.columns, "inner dimensions agree")
    return Matrix.product(
      self, CblasNoTrans, other, CblasTrans, rows: rows, inner: columns, columns: other.rows)
  }

  /// `self · vector`, shape [rows].
  public func times(_ vector: [Double]) -> [Double] {
    precondition(vector.count == columns, "one entry per column")
    var result = [Double](repeating: 0, count: rows)
    guard rows > 0, columns > 0 else { return result }
    useSingleThreadedBLAS()
    cblas_dgemv(
      CblasRowMajor, CblasNoTrans, Int32(rows), Int32(columns), 1, storage, Int32(columns), vector,
      1, 0, &result, 1)
    return result
  }

  /// `selfᵀ · vector`, shape [columns].
  public func transposedTimes(_ vector: [Double]) -> [Double] {
    precondition(vector.count == rows, "one entry per row")
    var result = [Double](repeating: 0, count: columns)
    guard rows > 0, columns > 0 else { return result }
    useSingleThreadedBLAS()
    cblas_dgemv(
      CblasRowMajor, CblasTrans, Int32(rows), Int32(columns), 1, storage, Int32(columns), vector, 1,
      0, &result, 1)
    return result
  }

  private static func product(
    _ a: Matrix, _ transposeA: CBLAS_TRANSPOSE, _ b: Matrix, _ transposeB: CBLAS_TRANSPOSE,
    rows: Int, inner: Int, columns: Int
  ) -> Matrix {
    var result = Matrix(rows: rows, columns: columns)
    guard rows > 0, inner > 0, columns > 0 else { return result }
    useSingleThreadedBLAS()
    cblas_dgemm(
      CblasRowMajor, transposeA, transposeB, Int32(rows), Int32(columns), Int32(inner), 1,
      a.storage, Int32(a.columns), b.storage, Int32(b.columns), 0, &result.storage, Int32(columns))
    return result
  }
}
