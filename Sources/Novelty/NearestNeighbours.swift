import LinearAlgebra

/// Exact nearest neighbours among reference rows, by blocked matrix products.
public struct NearestNeighbours: Sendable, Equatable {
  /// Shape [references][coordinates].
  public let references: Matrix
  private let squares: [Double]

  public init(_ references: Matrix) {
    self.references = references
    squares = Self.squaredNorms(references)
  }

  /// A reference and its distance.
  public struct Neighbour: Sendable, Equatable {
    public let index: Int
    public let distance: Double
  }

  /// The `count` nearest references of each row (fewer where there are fewer), nearest first, the lower index
  /// on ties.
  /// - Parameter excluding: the reference that row i may not have as a neighbour (itself), or nil.
  public func nearest(
    _ rows: Matrix, count: Int, excluding: [Int?]? = nil, threads: Int = 1
  ) -> [[Neighbour]] {
    precondition(rows.columns == references.columns, "as many coordinates as the references have")
    return mapRowBlocks(rows.rows, threads: threads, height: 128) {
      block($0, of: rows, count: count, excluding: excluding)
    }.flatMap { $0 }
  }

  /// Products give |x - y|² = |x|² + |y|² - 2 x·y to about 1e-16 (|x|² + |y|²) only, so a few more than `count` are
  /// kept and their distances taken anew, difference by difference.
  private func block(
    _ range: Range<Int>, of rows: Matrix, count: Int, excluding: [Int?]?
  ) -> [[Neighbour]] {
    let block = rows.slice(range)
    let kept = min(references.rows, count + 4)
    // Per row, the smallest |y|² - 2 x·y so far, ascending.
    var best = [(value: Double, index: Int)](repeating: (.infinity, -1), count: block.rows * kept)
    guard kept > 0 else { return Array(repeating: [], count: block.rows) }
    for start in stride(from: 0, to: references.rows, by: 2048) {
      let end = min(references.rows, start + 2048)
      let products = block.timesTransposed(references.slice(start..<end))
      // Pointers, because bounds checks double the time of this innermost loop.
      products.storage.withUnsafeBufferPointer { products in
        squares.withUnsafeBufferPointer { squares in
          for i in 0..<block.rows {
            let own = i * kept
            let skipped = excluding?[range.lowerBound + i] ?? -1
            var worst = best[own + kept - 1].value
            for j in start..<end {
              let value = squares[j] - 2 * products[i * (end - start) + j - start]
              guard value < worst, j != skipped else { continue }
              var slot = own + kept - 1
              while slot > own, best[slot - 1].value > value {
                best[slot] = best[slot - 1]
                slot -= 1
              }
              best[slot] = (value, j)
              worst = best[own + kept - 1].value
            }
          }
        }
      }
    }
    return (0..<block.rows).map { i in
      best[i * kept..<(i + 1) * kept].filter { $0.index >= 0 }
        .map { Neighbour(index: $0.index, distance: distance(block, i, $0.index)) }
        .sorted { ($0.distance, $0.index) < ($1.distance, $1.index) }
        .prefix(count).map { $0 }
    }
  }

  private func distance(_ rows: Matrix, _ i: Int, _ reference: Int) -> Double {
    let d = rows.columns
    var square = 0.0
    for j in 0..<d {
      let difference = rows.storage[i * d + j] - references.storage[reference * d + j]
      square += difference * difference
    }
    return square.squareRoot()
  }

  private static func squaredNorms(_ rows: Matrix) -> [Double] {
    (0..<rows.rows).map { i in
      var square = 0.0
      for j in 0..<rows.columns { square += rows[i, j] * rows[i, j] }
      return square
    }
  }
}

extension RowBlocks {
  /// At most `limit` different rows, ascending: those with the smallest fingerprints. This is a uniform sample of
  /// the distinct rows that depends on nothing but the rows themselves, and hardly changes when rows are added.
  /// - Parameters:
  ///   - strata: cluster of each row, 0...; nil for one.
  ///   - minimum: of each stratum this many of its distinct rows (or all) are taken first, so that a rare regime keeps
  ///     enough rows to have a scale; strata in order while the limit allows.
  public func sample(limit: Int, strata: [Int]? = nil, minimum: Int = 0) throws -> [Int] {
    let prints = try fingerprints()
    var seen = Set<RowFingerprint>()
    let distinct = prints.indices.filter { seen.insert(prints[$0]).inserted }
    if distinct.count <= limit { return distinct }
    let ordered = distinct.sorted { prints[$0] < prints[$1] }
    guard let strata, minimum > 0 else { return ordered.prefix(limit).sorted() }
    precondition(strata.count == count, "one stratum per row")
    var taken = [Int](repeating: 0, count: (strata.max() ?? 0) + 1)
    var first: [Int] = []
    var rest: [Int] = []
    for row in ordered {
      if taken[strata[row]] < minimum {
        taken[strata[row]] += 1
        first.append(row)
      } else {
        rest.append(row)
      }
    }
    if first.count > limit {
      first = taken.indices.flatMap { stratum in first.filter { strata[$0] == stratum } }
    }
    return (first + rest).prefix(limit).sorted()
  }
}
