import LinearAlgebra
import TestSupport

extension SeededGenerator {
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A standard normal number (twelve uniform ones summed: no library needed, tails cut at 6).
  mutating func normal() -> Double {
    var sum = -6.0
    for _ in 0..<12 { sum += uniform() }
    return sum
  }

  mutating func normalMatrix(_ rows: Int, _ columns: Int, scale: Double = 1) -> Matrix {
    var matrix = Matrix(rows: rows, columns: columns)
    for i in matrix.storage.indices { matrix.storage[i] = scale * normal() }
    return matrix
  }

  mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, Int(next() % UInt64(i + 1))) }
    return order
  }
}

/// det by Gaussian elimination with pivoting, written out.
func determinant(_ matrix: Matrix) -> Double {
  var a = (0..<matrix.rows).map { matrix.row($0) }
  var result = 1.0
  for k in a.indices {
    let pivot = (k..<a.count).max { abs(a[$0][k]) < abs(a[$1][k]) }!
    if a[pivot][k] == 0 { return 0 }
    if pivot != k {
      a.swapAt(pivot, k)
      result = -result
    }
    result *= a[k][k]
    for i in (k + 1)..<max(a.count, k + 1) {
      let factor = a[i][k] / a[k][k]
      for j in k..<a.count { a[i][j] -= factor * a[k][j] }
    }
  }
  return result
}

func subsets(of count: Int, size: Int) -> [[Int]] {
  if size == 0 { return [[]] }
  if count < size { return [] }
  return subsets(of: count - 1, size: size)
    + subsets(of: count - 1, size: size - 1).map { $0 + [count - 1] }
}

func close(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool {
  a == b || abs(a - b) <= tolerance * max(1, abs(a), abs(b))
}
