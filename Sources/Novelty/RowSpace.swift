import LinearAlgebra

/// The directions of function space that rows span, by singular values of their triangular factor.
struct RowSpace: Sendable {
  /// Descending, shape [columns]; zeros where there are fewer rows than columns.
  let singularValues: [Double]
  /// Singular values above tolerance × the largest.
  let rank: Int
  /// Row k is the k-th right singular vector, shape [columns][columns].
  let vectors: Matrix

  /// - Throws: `LinearAlgebraError` and what reading rows throws.
  init(_ rows: RowBlocks, tolerance: Double, threads: Int) throws {
    let n = rows.columns
    let factor = try Self.triangularFactor(rows, threads: threads)
    // Padded to a square, so that the thin decomposition holds the whole complement.
    let square = factor.stacked(on: Matrix(rows: n - factor.rows, columns: n))
    let decomposition = try SingularValues(square)
    singularValues = decomposition.values
    vectors = decomposition.right
    let largest = singularValues.first ?? 0
    rank = singularValues.prefix { $0 > tolerance * largest && $0 > 0 }.count
  }

  /// Shape [min(rows, columns)][columns]; factors of blocks are merged in order.
  static func triangularFactor(_ rows: RowBlocks, threads: Int) throws -> Matrix {
    let height = max(1024, 4 * rows.columns)
    var factor = Matrix(rows: 0, columns: rows.columns)
    try rows.forEachBlock(of: 4 * height) { _, block in
      let parts = mapRowBlocks(block.rows, threads: threads, height: height) {
        block.slice($0).upperTriangularFactor()
      }
      for part in parts { factor = factor.stacked(on: part) }
      factor = factor.upperTriangularFactor()
    }
    return factor
  }

  /// The numerical rank of rows: singular values above tolerance × the largest.
  static func rank(_ rows: RowBlocks, tolerance: Double, threads: Int) throws -> Int {
    let factor = try triangularFactor(rows, threads: threads)
    let values = try SingularValues(factor).values
    return values.prefix { $0 > tolerance * values[0] && $0 > 0 }.count
  }
}
