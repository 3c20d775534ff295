import LinearAlgebra

/// Count, mean and scatter of rows. Two of them merge into what their rows together give.
public struct Moments: Sendable, Equatable {
  public private(set) var count: Int
  /// Shape [columns].
  public private(set) var mean: [Double]
  /// Sum of (b - mean)(b - mean)', shape [columns][columns].
  public private(set) var scatter: Matrix

  /// Of no rows.
  public init(columns: Int) {
    count = 0
    mean = Array(repeating: 0, count: columns)
    scatter = Matrix(rows: columns, columns: columns)
  }

  /// Of the rows of one matrix.
  public init(_ rows: Matrix) {
    self.init(columns: rows.columns)
    for start in stride(from: 0, to: rows.rows, by: blockHeight) {
      merge(Moments(block: rows.slice(start..<min(rows.rows, start + blockHeight))))
    }
  }

  /// Of all rows, in blocks of fixed height that are merged in order.
  public init(_ rows: RowBlocks, threads: Int = 1) throws {
    self.init(columns: rows.columns)
    try rows.forEachBlock(of: 8 * blockHeight) { _, block in
      for part in mapRowBlocks(block.rows, threads: threads, { Moments(block: block.slice($0)) }) {
        merge(part)
      }
    }
  }

  private init(block: Matrix) {
    let n = block.columns
    count = block.rows
    mean = Array(repeating: 0, count: n)
    for i in 0..<block.rows { for j in 0..<n { mean[j] += block.storage[i * n + j] } }
    for j in 0..<n { mean[j] /= Double(max(count, 1)) }
    var centred = block
    for i in 0..<block.rows { for j in 0..<n { centred.storage[i * n + j] -= mean[j] } }
    scatter = centred.transposedTimes(centred)
  }

  /// S = S_A + S_B + n_A n_B / (n_A + n_B) d d', d = mean_B - mean_A.
  public mutating func merge(_ other: Moments) {
    precondition(mean.count == other.mean.count, "as many columns")
    guard other.count > 0 else { return }
    guard count > 0 else {
      self = other
      return
    }
    let (a, b) = (Double(count), Double(other.count))
    let n = mean.count
    let d = zip(other.mean, mean).map { $0 - $1 }
    let weight = a * b / (a + b)
    for i in 0..<n {
      let factor = weight * d[i]
      for j in 0..<n {
        scatter.storage[i * n + j] += other.scatter.storage[i * n + j] + factor * d[j]
      }
      mean[i] += d[i] * b / (a + b)
    }
    count += other.count
  }

  /// Standard deviation of each column (division by the count).
  public var standardDeviation: [Double] {
    (0..<mean.count).map { (max(0, scatter[$0, $0]) / Double(max(count, 1))).squareRoot() }
  }

  /// scatter / count.
  public var covariance: Matrix {
    var result = scatter
    let factor = 1 / Double(max(count, 1))
    for i in result.storage.indices { result.storage[i] *= factor }
    return result
  }

  /// The moments of the rows ((b - mean)/scale).
  func standardised(_ standardisation: Standardisation) -> Moments {
    var result = self
    let n = mean.count
    let scale = standardisation.scale
    for i in 0..<n {
      result.mean[i] = (mean[i] - standardisation.mean[i]) / scale[i]
      for j in 0..<n { result.scatter.storage[i * n + j] /= scale[i] * scale[j] }
    }
    return result
  }
}

/// z = (b - mean)/scale, column by column.
public struct Standardisation: Sendable, Equatable, Codable {
  /// Shape [columns].
  public let mean: [Double]
  /// Shape [columns], all positive.
  public let scale: [Double]

  public init(mean: [Double], scale: [Double]) {
    precondition(mean.count == scale.count && scale.allSatisfy { $0 > 0 }, "positive scales")
    self.mean = mean
    self.scale = scale
  }

  /// Mean and standard deviation. A column that is constant to within 1e-10 of its size has no scale of
  /// its own: it is divided by its size (or by 1 where it is zero), so that rounding is not blown up.
  public init(_ moments: Moments) {
    mean = moments.mean
    scale = zip(moments.mean, moments.standardDeviation).map { mean, deviation in
      let size = (mean * mean + deviation * deviation).squareRoot()
      if deviation > 1e-10 * size { return deviation }
      return size > 0 ? size : 1
    }
  }

  public func apply(_ rows: Matrix) -> Matrix {
    precondition(rows.columns == mean.count, "as many columns as were standardised")
    var result = rows
    let n = rows.columns
    for i in 0..<rows.rows {
      for j in 0..<n {
        result.storage[i * n + j] = (rows.storage[i * n + j] - mean[j]) / scale[j]
      }
    }
    return result
  }
}
