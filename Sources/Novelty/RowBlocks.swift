import LinearAlgebra

/// The rows of one element in canonical order, in memory or read piece by piece. How they are cut into
/// pieces never changes a result: consumers see them in blocks of their own height.
public struct RowBlocks: Sendable {
  /// Number of functions.
  public let columns: Int
  /// Number of rows in all.
  public let count: Int
  private let sizes: [Int]
  private let read: @Sendable (Int) throws -> Matrix
  /// Ascending indices of the rows that take part; nil for all.
  private let chosen: [Int]?

  public init(_ matrix: Matrix) {
    self.init(columns: matrix.columns, sizes: [matrix.rows]) { _ in matrix }
  }

  /// `sizes[p]` rows come from `read(p)`, shape [sizes[p]][columns]. `read` is called once per pass, for
  /// p ascending; its errors are passed on.
  public init(columns: Int, sizes: [Int], read: @escaping @Sendable (Int) throws -> Matrix) {
    self.init(columns: columns, count: sizes.reduce(0, +), sizes: sizes, chosen: nil, read: read)
  }

  private init(
    columns: Int, count: Int, sizes: [Int], chosen: [Int]?,
    read: @escaping @Sendable (Int) throws -> Matrix
  ) {
    self.columns = columns
    self.count = count
    self.sizes = sizes
    self.read = read
    self.chosen = chosen
  }

  /// These rows only (ascending, without repetition); they are counted anew from 0.
  public func selecting(_ rows: [Int]) -> RowBlocks {
    precondition(zip(rows, rows.dropFirst()).allSatisfy { $0 < $1 }, "ascending row indices")
    let underlying = chosen.map { chosen in rows.map { chosen[$0] } } ?? rows
    return RowBlocks(
      columns: columns, count: rows.count, sizes: sizes, chosen: underlying, read: read)
  }

  /// Calls `body` with blocks of `height` rows (the last may be shorter) and the index of their first row.
  public func forEachBlock(
    of height: Int, _ body: (_ first: Int, _ block: Matrix) throws -> Void
  ) throws {
    var buffer: [Double] = []
    var first = 0
    func emit(atLeast rows: Int) throws {
      var taken = 0
      while columns > 0, buffer.count - taken * columns >= rows * columns,
        buffer.count > taken * columns
      {
        let size = min(height, buffer.count / columns - taken)
        let block = Matrix(
          rows: size, columns: columns,
          storage: Array(buffer[taken * columns..<(taken + size) * columns]))
        try body(first, block)
        taken += size
        first += size
      }
      buffer.removeFirst(taken * columns)
    }
    var offset = 0
    var next = 0
    for (piece, size) in sizes.enumerated() {
      defer { offset += size }
      var wanted: [Int]?
      if let chosen {
        let start = next
        while next < chosen.count, chosen[next] < offset + size { next += 1 }
        if start == next { continue }
        wanted = chosen[start..<next].map { $0 - offset }
      }
      let matrix = try read(piece)
      guard matrix.rows == size, matrix.columns == columns else {
        throw NoveltyError.wrongShape(
          "piece \(piece) has shape [\(matrix.rows)][\(matrix.columns)], announced was [\(size)][\(columns)]"
        )
      }
      buffer += wanted.map { matrix.selecting(rows: $0).storage } ?? matrix.storage
      try emit(atLeast: height)
    }
    try emit(atLeast: 1)
  }

  /// All rows in one matrix.
  public func matrix() throws -> Matrix {
    var storage: [Double] = []
    storage.reserveCapacity(count * columns)
    try forEachBlock(of: 8192) { storage += $1.storage }
    return Matrix(rows: count, columns: columns, storage: storage)
  }

  /// A 128-bit fingerprint of each row's bits, in row order (-0 counts as 0).
  /// - Throws: `NoveltyError.notFinite` for the first row that is not finite.
  func fingerprints() throws -> [RowFingerprint] {
    var result: [RowFingerprint] = []
    result.reserveCapacity(count)
    try forEachBlock(of: 8192) { first, block in
      for i in 0..<block.rows {
        guard let print = RowFingerprint(block.storage[i * columns..<(i + 1) * columns]) else {
          throw NoveltyError.notFinite(row: first + i)
        }
        result.append(print)
      }
    }
    return result
  }

  /// The indices of the rows that no earlier row equals bit by bit, ascending.
  func distinctRows() throws -> [Int] {
    var seen = Set<RowFingerprint>()
    return try fingerprints().enumerated().compactMap { seen.insert($1).inserted ? $0 : nil }
  }
}

/// 128 bits that depend on the numbers of a row alone; two different rows share them with a chance of
/// about 2^-128, which is treated as never.
struct RowFingerprint: Hashable, Comparable, Sendable {
  let high: UInt64
  let low: UInt64

  /// nil for a row that is not finite.
  init?(_ row: ArraySlice<Double>) {
    var a: UInt64 = 0x243f_6a88_85a3_08d3
    var b: UInt64 = 0x1319_8a2e_0370_7344
    for value in row {
      guard value.isFinite else { return nil }
      let bits = (value + 0).bitPattern
      a = Self.mix(a ^ bits) &+ 0x9e37_79b9_7f4a_7c15
      b = Self.mix((b &+ bits) ^ (a << 1)) ^ 0xa409_3822_299f_31d0
    }
    high = Self.mix(a ^ b)
    low = Self.mix(b &+ a &* 3)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  static func < (a: Self, b: Self) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

/// SplitMix64: repeatable random numbers from a seed.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Uniform in [0, 1).
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
