import CHouseholder
import COpenBLAS

/// The triangle of `[R; rows]`, by blocked Householder reflections; nearly all operations are matrix
/// products. Half as fast again as LAPACK's `dtplqt`, whose panels are made of matrix–vector products.
///
/// Unsafe pointers, because panels, blocks and trailing columns are parts of the same arrays.
struct TriangleFolding {
  /// Width of the matrices.
  private let columns: Int
  /// Columns that are eliminated before the others are updated, a multiple of 8.
  private let block: Int
  /// Reflectors of a block, shape [rows][block]: aligned to cache lines.
  private let panel: UnsafeMutablePointer<Double>
  /// Shape [block][block].
  private let t: UnsafeMutablePointer<Double>
  /// Shape [block][columns].
  private let work: UnsafeMutablePointer<Double>

  /// - Parameters:
  ///   - triangle: upper triangle, shape [n][n].
  ///   - rows: shape [any][n].
  ///   - isTriangle: whether row i of `rows` is zero before column i, which saves two thirds of the work.
  /// - Returns: upper triangle with a non-negative diagonal.
  static func fold(_ rows: Matrix, into triangle: Matrix, isTriangle: Bool) -> Matrix {
    precondition(triangle.rows == triangle.columns && rows.columns == triangle.columns, "one width")
    useSingleThreadedBLAS()
    let columns = triangle.columns
    var result = triangle
    var rest = rows
    let folding = TriangleFolding(columns: columns, rows: rows.rows, block: isTriangle ? 16 : 32)
    defer { folding.deallocate() }
    result.storage.withUnsafeMutableBufferPointer { r in
      rest.storage.withUnsafeMutableBufferPointer { b in
        guard let r = r.baseAddress, let b = b.baseAddress else { return }
        for start in stride(from: 0, to: columns, by: folding.block) {
          let width = min(folding.block, columns - start)
          folding.eliminate(
            r, b, start: start, width: width, rows: isTriangle ? min(rows.rows, start + width) : rows.rows)
        }
      }
    }
    for i in 0..<columns where result[i, i] < 0 { for j in i..<columns { result[i, j].negate() } }
    return result
  }

  private init(columns: Int, rows: Int, block: Int) {
    func allocate(_ count: Int) -> UnsafeMutablePointer<Double> {
      let bytes = UnsafeMutableRawPointer.allocate(byteCount: max(1, count) * 8, alignment: 64)
      let doubles = bytes.bindMemory(to: Double.self, capacity: max(1, count))
      doubles.initialize(repeating: 0, count: max(1, count))
      return doubles
    }
    self.columns = columns
    self.block = block
    panel = allocate(rows * block)
    t = allocate(block * block)
    work = allocate(block * columns)
  }

  private func deallocate() {
    for pointer in [panel, t, work] { UnsafeMutableRawPointer(pointer).deallocate() }
  }

  /// Eliminates the columns `start..<start + width` of `rows` rows of b, and updates those behind them.
  private func eliminate(
    _ r: UnsafeMutablePointer<Double>, _ b: UnsafeMutablePointer<Double>, start: Int, width: Int, rows: Int
  ) {
    for i in 0..<rows {
      let row = panel + i * block
      row.update(from: b + i * columns + start, count: width)
      for k in width..<max(width, block) { row[k] = 0 }
    }
    let corner = r + start * columns + start
    factor(panel, corner, t, width: width, rows: rows)
    let behind = columns - start - width
    guard behind > 0 else { return }
    apply(
      panel, t, reflectors: width, rows: rows, to: corner + width, b + start + width, stride: columns, count: behind)
  }

  /// Factors a part of the panel against its triangle: halves, down to eight columns.
  private func factor(
    _ p: UnsafeMutablePointer<Double>, _ r: UnsafeMutablePointer<Double>, _ t: UnsafeMutablePointer<Double>,
    width: Int, rows: Int
  ) {
    guard width > 8 else {
      sluice_householder_panel(p, Int64(rows), Int64(block), r, Int64(columns), t, Int64(block), Int32(width))
      return
    }
    let left = (width / 2 + 7) / 8 * 8
    let right = width - left
    let (rightP, rightT) = (p + left, t + left * block + left)
    factor(p, r, t, width: left, rows: rows)
    apply(p, t, reflectors: left, rows: rows, to: r + left, rightP, stride: block, count: right)
    factor(rightP, r + left * columns + left, rightT, width: right, rows: rows)
    // T of both halves: its upper right part is -T₁ (V₁ᵀ V₂) T₂.
    let corner = t + left
    let (m, n, ld) = (Int32(left), Int32(right), Int32(block))
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, Int32(rows), -1, p, ld, rightP, ld, 0, corner, ld)
    cblas_dtrmm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, m, n, 1, t, ld, corner, ld)
    cblas_dtrmm(CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, m, n, 1, rightT, ld, corner, ld)
  }

  /// Applies I - [I; V] Tᵀ [I; V]ᵀ to `count` columns: `top`, of the triangle, and `bottom`, of the rows.
  private func apply(
    _ v: UnsafeMutablePointer<Double>, _ t: UnsafeMutablePointer<Double>, reflectors: Int, rows: Int,
    to top: UnsafeMutablePointer<Double>, _ bottom: UnsafeMutablePointer<Double>, stride: Int, count: Int
  ) {
    for i in 0..<reflectors { (work + i * count).update(from: top + i * columns, count: count) }
    let (k, n, m) = (Int32(reflectors), Int32(count), Int32(rows))
    let (ldv, ldb) = (Int32(block), Int32(stride))
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, n, m, 1, v, ldv, bottom, ldb, 1, work, n)
    cblas_dtrmm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, k, n, 1, t, ldv, work, n)
    for i in 0..<reflectors {
      for j in 0..<count { top[i * columns + j] -= work[i * count + j] }
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, -1, v, ldv, work, n, 1, bottom, ldb)
  }
}
