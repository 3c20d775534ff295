import Glibc
import LinearAlgebra

/// Rows of a tall matrix whose square submatrix has locally maximal volume: no single exchange raises
/// |det| by more than the tolerance (Goreinov et al. 2010, "How to find a good submatrix").
package struct MaximumVolume {
  /// The chosen row of slot j.
  package private(set) var chosen: [Int]
  /// The factor |C_ij| > tolerance by which each exchange multiplied |det|.
  package private(set) var gains: [Double] = []
  /// Coefficients of every row in the chosen rows, shape [rows][columns].
  package private(set) var coefficients: Matrix

  /// - Parameters:
  ///   - coordinates: shape [rows][columns], rows >= columns.
  ///   - start: independent rows, one per column.
  ///   - tolerance: above 1; exchanges stop when no |coefficient| is larger.
  ///   - exactEvery: exchanges between exact recomputations of the coefficients.
  package init(
    coordinates: Matrix, start: [Int], tolerance: Double, exactEvery: Int = 25
  ) throws(LinearAlgebraError) {
    precondition(start.count == coordinates.columns, "one row per column")
    precondition(tolerance > 1 && exactEvery > 0, "a tolerance above one")
    chosen = start
    coefficients = Matrix(rows: 0, columns: coordinates.columns)
    guard coordinates.columns > 0 else { return }
    coefficients = try coordinates.times(coordinates.selecting(rows: chosen).inverse())
    var sinceExact = 0
    var largest = Self.largest(coefficients)
    while true {
      if largest.value <= tolerance || sinceExact == exactEvery {
        if sinceExact == 0 { return }
        coefficients = try coordinates.times(coordinates.selecting(rows: chosen).inverse())
        sinceExact = 0
        largest = Self.largest(coefficients)
        continue
      }
      gains.append(largest.value)
      chosen[largest.column] = largest.row
      largest = Self.exchange(&coefficients, row: largest.row, column: largest.column)
      sinceExact += 1
    }
  }

  private typealias Entry = (value: Double, row: Int, column: Int)

  private static func largest(_ matrix: Matrix) -> Entry {
    var best: Entry = (0, 0, 0)
    for i in 0..<matrix.rows {
      for j in 0..<matrix.columns where abs(matrix[i, j]) > best.value {
        best = (abs(matrix[i, j]), i, j)
      }
    }
    return best
  }

  /// C -= C[:,j] (x) (C[i,:] - e_j)/C[i,j]; returns the largest entry by magnitude, the first on ties.
  private static func exchange(_ matrix: inout Matrix, row: Int, column: Int) -> Entry {
    let n = matrix.columns
    let rows = matrix.rows
    let pivot = matrix[row, column]
    var direction = matrix.row(row)
    direction[column] -= 1
    for j in 0..<n { direction[j] /= pivot }
    var best: Entry = (0, 0, 0)
    // Pointers, because bounds checks keep this innermost loop of the module from being vectorised.
    matrix.storage.withUnsafeMutableBufferPointer { storage in
      direction.withUnsafeBufferPointer { direction in
        for i in 0..<rows {
          let c = storage.baseAddress! + i * n
          let factor = c[column]
          var rowLargest = 0.0
          for j in 0..<n {
            let value = c[j] - factor * direction[j]
            c[j] = value
            let size = abs(value)
            rowLargest = size > rowLargest ? size : rowLargest
          }
          if rowLargest > best.value {
            var j = 0
            while abs(c[j]) != rowLargest { j += 1 }
            best = (rowLargest, i, j)
          }
        }
      }
    }
    return best
  }
}
