import LinearAlgebra

private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
  var state = seed
  return Matrix(
    rows: rows, columns: columns,
    storage: (0..<rows * columns).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(Int64(bitPattern: state) >> 11) * 0x1p-52
    })
}

/// Rates of reductions and merges beside that of a matrix product, one thread, in turn.
func measureFactors(_ columns: [Int]) {
  print("GFlop/s, one thread; in brackets the share of dgemm in the same rounds")
  print("columns   dgemm   reduce 20 n rows   100 rows at a time   merge triangles   LAPACK QR, 20 n rows")
  for n in columns.isEmpty ? [101, 501, 1001] : columns {
    let size = Double(n)
    // As large as pays: small products are slower, and so are their reductions.
    let square = random(n, n, seed: 1)
    let rows = random(20 * n, n, seed: 2)
    let pieces = stride(from: 0, to: rows.rows, by: 100).map {
      rows.selecting(rows: Array($0..<min($0 + 100, rows.rows)))
    }
    let a = TriangularFactor(rows: rows.selecting(rows: Array(0..<2 * n)))
    let b = TriangularFactor(rows: rows.selecting(rows: Array(2 * n..<4 * n)))
    // So often that every body takes some milliseconds.
    let repeats = max(1, 500 / n)
    let times = medians(
      n > 800 ? 5 : 11,
      [
        { for _ in 0..<4 * repeats { _ = square.times(square) } },
        {
          for _ in 0..<repeats {
            var reducer = RowReducer(columns: n)
            reducer.append(rows)
            _ = reducer.finish()
          }
        },
        {
          for _ in 0..<repeats {
            var reducer = RowReducer(columns: n)
            for piece in pieces { reducer.append(piece) }
            _ = reducer.finish()
          }
        }, { for _ in 0..<20 * repeats { _ = TriangularFactor.merge(a, b) } },
        { for _ in 0..<repeats { _ = rows.upperTriangularFactor() } },
      ])
    let reduction = 2 * size * size * (20 * size - size / 3) * Double(repeats)
    let operations = [
      8 * size * size * size * Double(repeats), reduction, reduction,
      20 * 2 * size * size * size / 3 * Double(repeats), reduction,
    ]
    let rates = zip(operations, times).map { $0 / $1 / 1e9 }
    let widths = [8, 19, 21, 18, 23]
    let cells = zip(rates, widths).map { rate, width in
      column(width == 8 ? fixed(rate, 1) : "\(fixed(rate, 1)) (\(fixed(100 * rate / rates[0], 0)) %)", width)
    }
    print(column("\(n)", 7) + cells.joined())
  }
}

/// Householder least squares of the whole design matrix in memory, as `dgels` does it, beside the reduction.
func measureLeastSquares(_ frames: [Int]) {
  let columns = 502
  print("all rows in memory, 502 columns, one thread: seconds of processor time, and memory of the matrix")
  for count in frames.isEmpty ? [100, 1000] : frames {
    let rows = random(307 * count, columns, seed: 5)
    let times = medians(
      1,
      [
        { _ = rows.upperTriangularFactor() },
        {
          var reducer = RowReducer(columns: columns)
          reducer.append(rows)
          _ = reducer.finish()
        },
      ])
    print(
      "\(column("\(count)", 6)) frames of 100 atoms: LAPACK \(fixed(times[0], 2)) s, reduced "
        + "\(fixed(times[1], 2)) s; \(fixed(Double(rows.storage.count) * 8e-9, 2)) GB, twice for LAPACK")
  }
}
