// A triangle is stored packed, so that it takes half the room:
//   R = numpy.zeros((n, n)); R[numpy.triu_indices(n)] = numpy.load(file)

extension TriangularFactor {
  /// The bytes of a .npy file: shape (k, columns) for rows that are fewer than columns; for a triangle
  /// its upper half row by row, shape (columns (columns + 1) / 2).
  public var numPyBytes: [UInt8] {
    guard isTriangular else { return matrix.numPyBytes }
    var packed: [Double] = []
    packed.reserveCapacity(columns * (columns + 1) / 2)
    for i in 0..<columns { packed += matrix.storage[i * columns + i..<(i + 1) * columns] }
    return NumPyArray(shape: [packed.count], values: packed).encoded
  }

  /// Reads what `numPyBytes` writes. The counts are not in the file; a file that cannot be a factor of
  /// so many rows and columns is refused.
  public init(numPyBytes bytes: [UInt8], columns: Int, rowCount: Int) throws(NumPyFormatError) {
    let array = try NumPyArray<Double>(decoding: bytes)
    guard columns > 0, columns < 1 << 24, rowCount >= 0, array.values.allSatisfy(\.isFinite) else {
      throw NumPyFormatError("a factor needs columns and finite numbers")
    }
    if array.shape == [columns * (columns + 1) / 2], rowCount >= columns {
      var storage: [Double] = []
      storage.reserveCapacity(columns * columns)
      var next = 0
      for i in 0..<columns {
        guard array.values[next] >= 0 else {
          throw NumPyFormatError("a triangle has a non-negative diagonal")
        }
        storage += repeatElement(0, count: i)
        storage += array.values[next..<next + columns - i]
        next += columns - i
      }
      self.init(matrix: Matrix(rows: columns, columns: columns, storage: storage), rowCount: rowCount)
    } else if array.shape.count == 2, array.shape[1] == columns, array.shape[0] < columns,
      array.shape[0] == 0 ? rowCount == 0 : rowCount >= array.shape[0]
    {
      self.init(
        matrix: Matrix(rows: array.shape[0], columns: columns, storage: array.values),
        rowCount: rowCount)
    } else {
      throw NumPyFormatError(
        "shape \(array.shape) is no factor of \(rowCount) rows and \(columns) columns")
    }
  }
}
