// Dense linear algebra over OpenBLAS. The only module that imports it.

/// A dense matrix of doubles, row-major (C order).
public struct Matrix: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  /// Shape [rows][columns], row-major.
  public var storage: [Double]

  public init(rows: Int, columns: Int, repeating value: Double = 0) {
    self.init(rows: rows, columns: columns, storage: Array(repeating: value, count: rows * columns))
  }

  public init(rows: Int, columns: Int, storage: [Double]) {
    precondition(storage.count == rows * columns, "storage holds rows × columns numbers")
    self.rows = rows
    self.columns = columns
    self.storage = storage
  }

  /// A matrix from its rows; all of one length.
  public init(_ rows: [[Double]], columns: Int? = nil) {
    let width = columns ?? rows.first?.count ?? 0
    precondition(rows.allSatisfy { $0.count == width }, "rows of one length")
    self.init(rows: rows.count, columns: width, storage: rows.flatMap { $0 })
  }

  public static func identity(_ n: Int) -> Matrix {
    var matrix = Matrix(rows: n, columns: n)
    for i in 0..<n { matrix[i, i] = 1 }
    return matrix
  }

  @inlinable
  public subscript(row: Int, column: Int) -> Double {
    get { storage[row * columns + column] }
    set { storage[row * columns + column] = newValue }
  }

  /// A copy of one row.
  public func row(_ index: Int) -> [Double] {
    Array(storage[index * columns..<(index + 1) * columns])
  }

  public func column(_ index: Int) -> [Double] { (0..<rows).map { self[$0, index] } }

  public mutating func append(row: [Double]) {
    precondition(row.count == columns, "a row of the matrix's width")
    self = Matrix(rows: rows + 1, columns: columns, storage: storage + row)
  }

  /// The rows of `self` above those of `other`.
  public func stacked(on other: Matrix) -> Matrix {
    precondition(columns == other.columns, "one width")
    return Matrix(rows: rows + other.rows, columns: columns, storage: storage + other.storage)
  }

  /// The given rows, in the given order.
  public func selecting(rows indices: [Int]) -> Matrix {
    var storage: [Double] = []
    storage.reserveCapacity(indices.count * columns)
    for index in indices { storage += self.storage[index * columns..<(index + 1) * columns] }
    return Matrix(rows: indices.count, columns: columns, storage: storage)
  }

  /// The given columns, in the given order.
  public func selecting(columns indices: [Int]) -> Matrix {
    var result = Matrix(rows: rows, columns: indices.count)
    for i in 0..<rows { for (j, k) in indices.enumerated() { result[i, j] = self[i, k] } }
    return result
  }

  public var transposed: Matrix {
    var result = Matrix(rows: columns, columns: rows)
    for i in 0..<rows { for j in 0..<columns { result[j, i] = self[i, j] } }
    return result
  }
}
