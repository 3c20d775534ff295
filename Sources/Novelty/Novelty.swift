// Rows of environments of one element come in ([atoms][functions], in canonical order); clusters,
// active sets, novelty scores, calibrated numbers and a diverse ranking go out.
//
// Every result depends on the ordered rows and the options alone: sums run over blocks of fixed
// height in a fixed order, whatever the number of threads. BLAS itself must be kept on one thread
// (`useSingleThreadedBLAS`).

import LinearAlgebra
import Platform

/// What can be wrong with rows or with an encoded result.
public enum NoveltyError: Error, Equatable, CustomStringConvertible {
  /// There is nothing to build from.
  case noRows
  /// This row (in the caller's order, from 0) holds an infinity or NaN.
  case notFinite(row: Int)
  /// A block of rows has another shape than announced.
  case wrongShape(String)
  /// Two candidates carry this identifier.
  case duplicateIdentifier(String)
  /// This candidate's score is negative or NaN, or its grade NaN.
  case badScore(String)
  /// A named byte part is missing or does not fit the rest.
  case badPart(name: String, cause: String)

  public var description: String {
    switch self {
    case .noRows: "no rows were given"
    case .notFinite(let row): "row \(row) holds a number that is not finite"
    case .wrongShape(let cause): cause
    case .duplicateIdentifier(let identifier): "two candidates are called '\(identifier)'"
    case .badScore(let identifier):
      "candidate '\(identifier)' has a negative score, or one that is no number"
    case .badPart(let name, let cause): "part '\(name)': \(cause)"
    }
  }
}

/// Rows per block in every blocked loop. Part of the result's definition: sums follow it.
let blockHeight = 512

/// Maps the blocks of `0..<rows` and returns the results in block order.
func mapRowBlocks<Result: Sendable>(
  _ rows: Int, threads: Int, height: Int = blockHeight, _ body: @Sendable (Range<Int>) -> Result
) -> [Result] {
  let blocks = (rows + height - 1) / height
  return concurrentMap(blocks, threads: threads) { block in
    body(block * height..<min(rows, (block + 1) * height))
  }
}

extension Matrix {
  /// A copy of neighbouring rows.
  func slice(_ range: Range<Int>) -> Matrix {
    if range == 0..<rows { return self }
    return Matrix(
      rows: range.count, columns: columns,
      storage: Array(storage[range.lowerBound * columns..<range.upperBound * columns]))
  }

  /// `self · other` in blocks of fixed height, so that threads change no bit.
  func blockedTimes(_ other: Matrix, threads: Int) -> Matrix {
    let pieces = mapRowBlocks(rows, threads: threads) { slice($0).times(other).storage }
    return Matrix(
      rows: rows, columns: other.columns,
      storage: pieces.count == 1 ? pieces[0] : pieces.flatMap { $0 })
  }

  /// The columns of `self` left of those of `other`.
  func beside(_ other: Matrix) -> Matrix {
    precondition(rows == other.rows, "as many rows")
    var storage: [Double] = []
    storage.reserveCapacity(rows * (columns + other.columns))
    for i in 0..<rows {
      storage += self.storage[i * columns..<(i + 1) * columns]
      storage += other.storage[i * other.columns..<(i + 1) * other.columns]
    }
    return Matrix(rows: rows, columns: columns + other.columns, storage: storage)
  }
}
