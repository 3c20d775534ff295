import LinearAlgebra
import TestSupport
import Testing

// Everything here is checked against loops written like the definition.

func randomMatrix(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
  var generator = SeededGenerator(seed: seed)
  return Matrix(
    rows: rows, columns: columns,
    storage: (0..<rows * columns).map { _ in Double.random(in: -1...1, using: &generator) })
}

func largestDifference(_ a: Matrix, _ b: Matrix) -> Double {
  guard a.rows == b.rows, a.columns == b.columns else { return .infinity }
  return zip(a.storage, b.storage).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

func loopProduct(_ a: Matrix, _ b: Matrix) -> Matrix {
  var c = Matrix(rows: a.rows, columns: b.columns)
  for i in 0..<a.rows {
    for j in 0..<b.columns {
      for k in 0..<a.columns { c[i, j] += a[i, k] * b[k, j] }
    }
  }
  return c
}

/// R of Householder's QR by plain loops, non-negative diagonal, shape [min(rows, columns)][columns].
func loopTriangle(_ matrix: Matrix) -> Matrix {
  var a = matrix
  let kept = min(a.rows, a.columns)
  for k in 0..<kept {
    var v = (k..<a.rows).map { a[$0, k] }
    let norm = v.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard norm > 0 else { continue }
    v[0] += v[0] < 0 ? -norm : norm
    let square = v.reduce(0) { $0 + $1 * $1 }
    for j in k..<a.columns {
      let projection = v.indices.reduce(0) { $0 + v[$1] * a[k + $1, j] }
      for i in v.indices { a[k + i, j] -= 2 * projection / square * v[i] }
    }
  }
  var r = Matrix(rows: kept, columns: a.columns)
  for i in 0..<kept {
    for j in i..<a.columns { r[i, j] = a[i, i] < 0 ? -a[i, j] : a[i, j] }
  }
  return r
}

let shapes: [(Int, Int, Int)] = [(1, 1, 1), (3, 5, 2), (17, 33, 9), (64, 1, 64), (40, 70, 51)]

@Suite struct Products {
  @Test(arguments: shapes)
  func agreeWithLoops(_ shape: (Int, Int, Int)) {
    let (m, k, n) = shape
    let a = randomMatrix(m, k, seed: 1)
    let b = randomMatrix(k, n, seed: 2)
    let c = loopProduct(a, b)
    // Sums of k products of numbers below one: a few rounding errors each.
    let tolerance = 4e-16 * Double(k)
    #expect(largestDifference(a.times(b), c) <= tolerance, "\(shape)")
    #expect(largestDifference(a.transposed.transposedTimes(b), c) <= tolerance, "\(shape)")
    #expect(largestDifference(a.timesTransposed(b.transposed), c) <= tolerance, "\(shape)")
    let v = b.column(0)
    let w = Matrix(rows: m, columns: 1, storage: a.times(v))
    #expect(
      largestDifference(w, Matrix(rows: m, columns: 1, storage: c.column(0))) <= tolerance)
    #expect(a.transposed.transposedTimes(v).count == m)
    let u = Matrix(rows: m, columns: 1, storage: a.transposed.transposedTimes(v))
    #expect(largestDifference(u, w) <= tolerance)
  }

  @Test func emptyShapesGiveZeros() {
    let none = Matrix(rows: 0, columns: 3)
    #expect(none.transposedTimes(none) == Matrix(rows: 3, columns: 3))
    #expect(none.times(Matrix(rows: 3, columns: 2)) == Matrix(rows: 0, columns: 2))
    #expect(none.times([1, 2, 3]) == [])
    #expect(none.transposedTimes([]) == [0, 0, 0])
  }
}

@Suite struct Shapes {
  @Test func selectingAndStacking() {
    var a = Matrix([[1, 2, 3], [4, 5, 6]])
    #expect(a.transposed == Matrix([[1, 4], [2, 5], [3, 6]]))
    #expect(a.selecting(rows: [1, 0, 1]) == Matrix([[4, 5, 6], [1, 2, 3], [4, 5, 6]]))
    #expect(a.selecting(columns: [2, 0]) == Matrix([[3, 1], [6, 4]]))
    #expect(a.stacked(on: Matrix([[7, 8, 9]])) == Matrix([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    a.append(row: [7, 8, 9])
    #expect(a.row(2) == [7, 8, 9] && a.column(1) == [2, 5, 8])
    #expect(Matrix.identity(3).times(a) == a)
    #expect(Matrix([], columns: 4) == Matrix(rows: 0, columns: 4))
  }
}

@Suite struct Decompositions {
  @Test(arguments: [1, 2, 7, 40])
  func symmetricEigenvectors(_ n: Int) throws {
    let b = randomMatrix(n, n, seed: UInt64(n))
    let a = loopProduct(b, b.transposed)
    let eigen = try SymmetricEigen(a)
    #expect(eigen.values == eigen.values.sorted())
    // A vₖ = λₖ vₖ and orthonormal rows; rounding grows with the norm, here n.
    let tolerance = 1e-14 * Double(n * n)
    for k in 0..<n {
      let v = eigen.vectors.row(k)
      for (x, y) in zip(a.times(v), v) { #expect(abs(x - eigen.values[k] * y) <= tolerance) }
      #expect(v.max()! >= -v.min()!, "largest component positive")
    }
    let gram = eigen.vectors.timesTransposed(eigen.vectors)
    #expect(largestDifference(gram, .identity(n)) <= tolerance)
  }

  @Test(arguments: [(1, 1), (5, 3), (3, 5), (30, 30), (50, 12)])
  func singularValues(_ shape: (Int, Int)) throws {
    let a = randomMatrix(shape.0, shape.1, seed: 5)
    let svd = try SingularValues(a)
    #expect(svd.values == svd.values.sorted(by: >))
    var scaled = svd.right
    for i in 0..<scaled.rows { for j in 0..<scaled.columns { scaled[i, j] *= svd.values[i] } }
    #expect(largestDifference(svd.left.times(scaled), a) < 1e-13)
    let k = svd.values.count
    #expect(largestDifference(svd.left.transposedTimes(svd.left), .identity(k)) < 1e-13)
    #expect(largestDifference(svd.right.timesTransposed(svd.right), .identity(k)) < 1e-13)
  }

  @Test func choleskyAndInverse() throws {
    let b = randomMatrix(20, 20, seed: 9)
    let a = loopProduct(b, b.transposed)
    let l = try a.choleskyFactor()
    for i in 0..<20 { for j in (i + 1)..<max(20, i + 1) { #expect(l[i, j] == 0) } }
    #expect(largestDifference(loopProduct(l, l.transposed), a) < 1e-13)
    let inverse = try b.inverse()
    // The condition number of b multiplies rounding.
    let s = try SingularValues(b).values
    #expect(largestDifference(loopProduct(b, inverse), .identity(20)) < 1e-14 * s[0] / s[19])
    var indefinite = Matrix.identity(4)
    indefinite[2, 2] = -1
    #expect(throws: LinearAlgebraError.notPositiveDefinite(order: 3)) {
      try indefinite.choleskyFactor()
    }
    #expect(throws: LinearAlgebraError.singular) {
      try Matrix([[1, 2], [2, 4]]).inverse()
    }
  }

  @Test func pivotRowsAreThoseOfGaussianElimination() {
    let a = randomMatrix(30, 6, seed: 12)
    // The definition: eliminate column by column, always with the largest remaining entry.
    var b = a
    var order = Array(0..<30)
    for k in 0..<6 {
      let pivot = (k..<30).max { abs(b[$0, k]) < abs(b[$1, k]) }!
      order.swapAt(k, pivot)
      for j in 0..<6 { (b[k, j], b[pivot, j]) = (b[pivot, j], b[k, j]) }
      for i in (k + 1)..<30 {
        let factor = b[i, k] / b[k, k]
        for j in k..<6 { b[i, j] -= factor * b[k, j] }
      }
    }
    #expect(a.pivotRows() == Array(order.prefix(6)))
    #expect(Matrix(rows: 0, columns: 3).pivotRows() == [])
  }

  @Test func trianglesSolve() {
    let upper = loopTriangle(randomMatrix(12, 8, seed: 3))
    let b = randomMatrix(8, 3, seed: 4)
    let lower = upper.transposed
    #expect(largestDifference(loopProduct(upper, upper.solvingTriangle(.upper, b)), b) < 1e-12)
    #expect(largestDifference(loopProduct(lower, lower.solvingTriangle(.lower, b)), b) < 1e-12)
    let x = upper.solvingTriangle(.upper, transposed: true, b)
    #expect(largestDifference(loopProduct(lower, x), b) < 1e-12)
    let rows = randomMatrix(5, 8, seed: 9)
    #expect(largestDifference(loopProduct(upper.dividing(rows), upper), rows) < 1e-12)
    let y = upper.solvingTriangle(.upper, b.column(1))
    #expect(zip(upper.times(y), b.column(1)).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test(arguments: [(1, 1), (4, 9), (9, 4), (60, 31)])
  func upperTriangularFactor(_ shape: (Int, Int)) {
    let a = randomMatrix(shape.0, shape.1, seed: 8)
    #expect(largestDifference(a.upperTriangularFactor(), loopTriangle(a)) < 1e-13)
  }

  /// Columns put in front of a triangle, and rows below the last column.
  @Test(arguments: [(0, 6, 6), (1, 7, 7), (2, 8, 7), (3, 9, 5), (2, 3, 5)])
  func rotationsMakeATriangle(_ shape: (leading: Int, rows: Int, columns: Int)) {
    var a = randomMatrix(shape.rows, shape.columns, seed: 12)
    for i in 0..<shape.rows {
      for j in shape.leading..<min(shape.leading + i, shape.columns) { a[i, j] = 0 }
    }
    a[2, 0] = 0  // nothing to eliminate
    let kept = min(shape.rows, shape.columns)
    let b = a.rotatedToTriangle(leading: shape.leading)
    #expect(b.rows == a.rows)
    #expect(largestDifference(b.selecting(rows: Array(0..<kept)), loopTriangle(a)) < 1e-13)
    for i in kept..<max(kept, b.rows) { #expect(b.row(i).allSatisfy { abs($0) < 1e-13 }) }
  }

  @Test(arguments: [(1, 1), (9, 9), (4, 11), (40, 40)])
  func spectraEqualThoseOfTheWholeDecomposition(_ shape: (Int, Int)) throws {
    var a = randomMatrix(shape.0, shape.1, seed: 21)
    // Over twelve orders of magnitude.
    for i in 0..<a.rows { for j in 0..<a.columns { a[i, j] /= Double(1 + j * j * j * j) * Double(1 + i * i) } }
    let b = randomMatrix(shape.0, 1, seed: 22).storage
    let whole = try SingularValues(a)
    let spectrum = try SingularSpectrum(a, b)
    let expected = whole.left.transposedTimes(b)
    for k in whole.values.indices {
      #expect(abs(spectrum.values[k] - whole.values[k]) < 1e-13 * whole.values[0], "value \(k)")
    }
    // Vectors of values near rounding are not determined.
    for k in whole.values.indices where whole.values[k] > 1e-6 * whole.values[0] {
      #expect(abs(abs(spectrum.rotated[k]) - abs(expected[k])) < 1e-7, "component \(k)")
    }
    let length = b.reduce(0) { $0 + $1 * $1 }
    #expect(abs(spectrum.rotated.reduce(0) { $0 + $1 * $1 } - length) < 1e-12 * length)
    #expect(try SingularSpectrum(Matrix(rows: 0, columns: 3), []).values == [])
  }
}
