import Dispatch
import LinearAlgebra
import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct TriangularFactorTests {
  /// Splits rows at the given places into factors.
  private func factors(_ rows: Matrix, at cuts: [Int]) -> [TriangularFactor] {
    let ends = cuts + [rows.rows]
    return zip([0] + cuts, ends).map { start, end in
      TriangularFactor(rows: rows.selecting(rows: Array(start..<end)))
    }
  }

  private func gram(_ a: Matrix) -> Matrix { loopProduct(a.transposed, a) }

  @Test(arguments: [1, 5, 30])
  func equalsPlainHouseholder(_ columns: Int) {
    for rows in [columns, columns + 1, 4 * columns + 3] {
      let a = randomMatrix(rows, columns, seed: UInt64(rows))
      let factor = TriangularFactor(rows: a)
      #expect(factor.isTriangular && factor.rowCount == rows)
      #expect(largestDifference(factor.matrix, loopTriangle(a)) < 1e-13, "\(rows) x \(columns)")
    }
  }

  @Test func fewRowsAreKeptAsTheyAre() {
    let a = randomMatrix(4, 9, seed: 2)
    var factor = TriangularFactor(rows: a)
    #expect(factor.matrix == a && !factor.isTriangular && factor.rowCount == 4)
    let b = randomMatrix(3, 9, seed: 3)
    factor.append(b)
    #expect(factor.matrix == a.stacked(on: b))
    factor.append(a)
    #expect(factor.isTriangular && factor.rowCount == 11)
    let all = a.stacked(on: b).stacked(on: a)
    #expect(largestDifference(factor.matrix, loopTriangle(all)) < 1e-13)
  }

  /// Every pairing of raw rows and triangles, against the factor of all rows at once.
  @Test func mergesAgreeWithOneReduction() {
    let columns = 12
    for (first, second) in [(0, 5), (5, 0), (4, 5), (8, 9), (30, 7), (7, 30), (30, 12), (12, 40)] {
      let a = randomMatrix(first, columns, seed: UInt64(first + 1))
      let b = randomMatrix(second, columns, seed: UInt64(second + 100))
      let merged = TriangularFactor.merge(TriangularFactor(rows: a), TriangularFactor(rows: b))
      let whole = TriangularFactor(rows: a.stacked(on: b))
      #expect(merged.rowCount == first + second)
      #expect(merged.isTriangular == whole.isTriangular, "\(first) + \(second)")
      #expect(
        largestDifference(merged.matrix, whole.matrix) < 1e-13, "\(first) + \(second)")
      for i in 0..<merged.matrix.rows where merged.isTriangular {
        #expect(merged.matrix[i, i] >= 0)
        for j in 0..<i { #expect(merged.matrix[i, j] == 0) }
      }
    }
  }

  /// Widths around the panels' and blocks' sizes, fewer and more rows than columns.
  @Test(arguments: [1, 7, 8, 9, 15, 17, 31, 32, 33, 65, 100])
  func foldingAgreesWithOneReduction(_ columns: Int) {
    let a = randomMatrix(columns + 2, columns, seed: UInt64(columns))
    let triangle = TriangularFactor(rows: a)
    for count in [1, 2, 5, columns, 2 * columns + 3] {
      let b = randomMatrix(count, columns, seed: UInt64(1000 * columns + count))
      var folded = triangle
      folded.append(b)
      let whole = loopTriangle(a.stacked(on: b))
      #expect(largestDifference(folded.matrix, whole) < 1e-13, "\(columns) + \(count)")
    }
    let c = randomMatrix(columns + 1, columns, seed: UInt64(7 * columns))
    let merged = TriangularFactor.merge(triangle, TriangularFactor(rows: c))
    #expect(largestDifference(merged.matrix, loopTriangle(a.stacked(on: c))) < 1e-13, "\(columns)")
  }

  /// Columns from 1e-120 to 1e120, one of zeros: every column to the accuracy of its own size.
  @Test func foldingIsAccurateForEveryColumn() {
    func graded(_ rows: Int, seed: UInt64) -> Matrix {
      var rows = randomMatrix(rows, 40, seed: seed)
      for i in 0..<rows.rows {
        for j in 0..<40 { rows[i, j] *= j == 11 ? 0 : pow(10, Double((j * 37) % 41 - 20) * 6) }
      }
      return rows
    }
    let (a, b) = (graded(60, seed: 1), graded(50, seed: 2))
    var factor = TriangularFactor(rows: a)
    factor.append(b)
    let all = a.stacked(on: b)
    for j in 0..<40 {
      let norm = (0..<all.rows).reduce(0) { $0 + all[$1, j] * all[$1, j] }.squareRoot()
      let own = (0...j).reduce(0) { $0 + factor.matrix[$1, j] * factor.matrix[$1, j] }.squareRoot()
      #expect(abs(own - norm) <= 1e-14 * norm, "column \(j)")
    }
  }

  @Test func mergingIsAssociativeToRounding() {
    let rows = randomMatrix(200, 15, seed: 77)
    let f = factors(rows, at: [3, 60, 61, 120])
    let left = f.dropFirst().reduce(f[0]) { TriangularFactor.merge($0, $1) }
    let right = f.dropLast().reversed().reduce(f.last!) { TriangularFactor.merge($1, $0) }
    #expect(largestDifference(left.matrix, right.matrix) < 1e-13)
    #expect(left.rowCount == right.rowCount)
  }

  /// A rank-deficient, badly scaled set: R is not unique but RᵀR is.
  @Test func rankDeficientRowsKeepTheirGram() {
    var rows = randomMatrix(50, 8, seed: 5)
    for i in 0..<50 {
      rows[i, 3] = 2 * rows[i, 1]
      rows[i, 5] = 0
      rows[i, 6] *= 1e-9
    }
    let f = factors(rows, at: [20, 25])
    let merged = TriangularFactor.merge(TriangularFactor.merge(f[0], f[1]), f[2])
    #expect(merged.matrix.storage.allSatisfy { $0.isFinite })
    let difference = largestDifference(gram(merged.matrix), gram(rows))
    #expect(difference < 1e-13 * 50)
  }

  @Test func sameBitsForSameInputs() {
    let a = TriangularFactor(rows: randomMatrix(150, 67, seed: 1))
    let b = TriangularFactor(rows: randomMatrix(90, 67, seed: 2))
    let first = TriangularFactor.merge(a, b)
    let failures = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: 32) { index in
      // Arrays at other addresses and other alignments must not matter.
      let shift = [Double](repeating: 0, count: index + 1)
      var copies = (a, b)
      copies = withExtendedLifetime(shift) { (copies.0.scaled(by: 2), copies.1.scaled(by: 2)) }
      let again = TriangularFactor.merge(copies.0.scaled(by: 0.5), copies.1.scaled(by: 0.5))
      if again != first { failures.withLock { $0 += 1 } }
    }
    #expect(failures.withLock { $0 } == 0)
  }

  @Test func reducerDoesNotSeeHowRowsAreCut() {
    let rows = randomMatrix(1400, 20, seed: 6)
    var whole = RowReducer(columns: 20)
    whole.append(rows)
    var pieces = RowReducer(columns: 20)
    var start = 0
    var step = 1
    while start < 1400 {
      let end = min(1400, start + step)
      pieces.append(rows.selecting(rows: Array(start..<end)))
      (start, step) = (end, (step * 7) % 311 + 1)
    }
    let factor = whole.finish()
    #expect(factor == pieces.finish())
    #expect(factor.rowCount == 1400)
    #expect(largestDifference(factor.matrix, loopTriangle(rows)) < 1e-12)
  }

  @Test func scalingAndRepeating() {
    let rows = randomMatrix(40, 6, seed: 10)
    let factor = TriangularFactor(rows: rows)
    var tripled = factor
    tripled.append(rows)
    tripled.append(rows)
    let repeated = factor.repeated(3)
    #expect(repeated.rowCount == 120)
    #expect(largestDifference(repeated.matrix, tripled.matrix) < 1e-13)
    #expect(factor.scaled(by: 0) == TriangularFactor(columns: 6))
    #expect(factor.repeated(0) == TriangularFactor(columns: 6))
    #expect(factor.scaled(by: 1) == factor)
    let half = factor.scaled(by: 0.5)
    #expect(half.rowCount == 40)
    let v: [Double] = [1, -2, 0.5, 3, 0, -1]
    let direct = rows.times(v).reduce(0) { $0 + $1 * $1 }
    #expect(abs(factor.squaredNorm(along: v) - direct) < 1e-12 * direct)
    #expect(abs(half.squaredNorm(along: v) - direct / 4) < 1e-12 * direct)
  }

  /// As numpy.triu_indices counts: row by row from the diagonal.
  @Test func trianglesArePackedRowByRow() throws {
    let factor = TriangularFactor(triangle: Matrix([[1, 2, 3], [0, 4, 5], [0, 0, 6]]))
    let array = try NumPyArray<Double>(decoding: factor.numPyBytes)
    #expect(array.shape == [6] && array.values == [1, 2, 3, 4, 5, 6])
    let flipped = TriangularFactor(triangle: Matrix([[-1, 2, 3], [0, 4, 5], [0, 0, -6]]))
    #expect(flipped.matrix == Matrix([[1, -2, -3], [0, 4, 5], [0, 0, 6]]))
  }

  @Test func numPyRoundTrip() throws {
    for rows in [0, 4, 7, 30] {
      let factor = TriangularFactor(rows: randomMatrix(rows, 7, seed: UInt64(rows)))
      let bytes = factor.numPyBytes
      #expect(try TriangularFactor(numPyBytes: bytes, columns: 7, rowCount: rows) == factor)
      #expect(throws: NumPyFormatError.self) {
        try TriangularFactor(numPyBytes: bytes, columns: 8, rowCount: rows)
      }
      if rows > 0 {
        #expect(throws: NumPyFormatError.self) {
          try TriangularFactor(numPyBytes: bytes, columns: 7, rowCount: min(rows, 7) - 1)
        }
      }
    }
    var negative = TriangularFactor(rows: randomMatrix(9, 3, seed: 1)).numPyBytes
    negative[negative.count - 1] |= 0x80  // the sign of the last diagonal entry
    #expect(throws: NumPyFormatError.self) {
      try TriangularFactor(numPyBytes: negative, columns: 3, rowCount: 9)
    }
  }
}
