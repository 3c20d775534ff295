import LinearAlgebra
import TestSupport
import Testing

/// Why there are factors and no normal equations: at a condition of 3·10⁸, which bases of hundreds of
/// functions have, squaring it leaves no digits.
@Suite struct ConditionTests {
  @Test func factorsKeepWhatNormalEquationsLose() throws {
    let (rows, columns, condition) = (4000, 40, 3e8)
    // Orthonormal columns from an SVD of noise, given singular values from 1 to 1/condition.
    let left = try SingularValues(randomMatrix(rows, columns, seed: 1)).left
    let right = try SingularValues(randomMatrix(columns, columns, seed: 2)).right
    var scaled = left
    for i in 0..<rows {
      for k in 0..<columns { scaled[i, k] *= power(condition, -Double(k) / Double(columns - 1)) }
    }
    let a = scaled.times(right)
    let truth = randomMatrix(columns, 1, seed: 3).storage
    let y = zip(a.times(truth), randomMatrix(rows, 1, seed: 4).storage).map { $0 + 1e-9 * $1 }

    // LAPACK's singular values of the whole matrix.
    let whole = try SingularValues(a)
    let along = zip(whole.left.transposedTimes(y), whole.values).map { $0 / $1 }
    let expected = whole.right.transposedTimes(along)
    #expect(whole.values[0] / whole.values[columns - 1] > 2.9e8)

    // A tree of sixteen factors of [A | y], each reduced in pieces.
    var level: [TriangularFactor] = (0..<16).map { part in
      var reducer = RowReducer(columns: columns + 1)
      for i in part * 250..<(part + 1) * 250 {
        reducer.append(Matrix(rows: 1, columns: columns + 1, storage: a.row(i) + [y[i]]))
      }
      return reducer.finish()
    }
    while level.count > 1 {
      level = stride(from: 0, to: level.count, by: 2).map { TriangularFactor.merge(level[$0], level[$0 + 1]) }
    }
    let first = Array(0..<columns)
    let triangle = level[0].matrix.selecting(rows: first).selecting(columns: first)
    let merged = triangle.solvingTriangle(.upper, first.map { level[0].matrix[$0, columns] })

    // κ ε = 7e-8 is what the data determine in double precision.
    #expect(distance(merged, expected) < 1e-7, "\(distance(merged, expected))")
    let normal = try a.transposedTimes(a).inverse().times(a.transposedTimes(y))
    #expect(distance(normal, expected) > 1e-2, "\(distance(normal, expected))")
  }

  private func distance(_ a: [Double], _ b: [Double]) -> Double {
    let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (difference / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
  }

  /// `base` to the power of a number in -1...0, by repeated square roots.
  private func power(_ base: Double, _ exponent: Double) -> Double {
    var (rest, root, result) = (-exponent, base, 1.0)
    for _ in 0..<50 {
      if rest >= 1 {
        result /= root
        rest -= 1
      }
      rest *= 2
      root = root.squareRoot()
    }
    return result
  }
}
