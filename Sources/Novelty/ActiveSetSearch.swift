import LinearAlgebra

/// The search for an active set: kept directions, a start by LU over blocks, then passes of exchanges.
struct ActiveSetSearch {
  let reference: RowBlocks
  let options: ActiveSet.Options
  let threads: Int
  let space: RowSpace
  let meanRowNorm: Double
  /// b ↦ coordinates in which the reference rows are an orthonormal frame (V diag(1/s)), shape
  /// [functions][rank]. Volumes differ from those in V by a constant factor only.
  private let frame: Matrix
  /// V⊥, shape [functions][functions - rank].
  private let complement: Matrix

  private(set) var active: [Int] = []
  private(set) var activeRows: Matrix
  private(set) var transform: Matrix
  private(set) var largestResidual = 0.0
  private(set) var largestGrade = Double.infinity
  private(set) var passes = 0
  private(set) var exchanges = 0

  init(_ reference: RowBlocks, options: ActiveSet.Options, threads: Int) throws {
    self.reference = reference
    self.options = options
    self.threads = threads
    height = max(4096, 4 * reference.columns)
    space = try RowSpace(reference, tolerance: options.rankTolerance, threads: threads)
    var sum = 0.0
    try reference.forEachBlock(of: height) { _, block in
      for i in 0..<block.rows {
        var square = 0.0
        for j in 0..<block.columns { square += block[i, j] * block[i, j] }
        sum += square.squareRoot()
      }
    }
    meanRowNorm = sum / Double(reference.count)
    let n = reference.columns
    var frame = space.vectors.slice(0..<space.rank).transposed
    for i in 0..<n { for k in 0..<space.rank { frame[i, k] /= space.singularValues[k] } }
    self.frame = frame
    complement = space.vectors.slice(space.rank..<n).transposed
    activeRows = Matrix(rows: 0, columns: n)
    transform = frame.beside(complement)
  }

  /// Rows per streamed block. Part of the result's definition.
  private let height: Int

  /// Independent rows by a tournament of LU pivots: each block plays against the winners so far, so that the
  /// winners always span what has been seen.
  mutating func chooseStart() throws {
    var winners: [Int] = []
    var rows = Matrix(rows: 0, columns: reference.columns)
    try reference.forEachBlock(of: height) { first, block in
      let players = winners + (first..<first + block.rows)
      let playerRows = rows.stacked(on: block)
      let order = playerRows.blockedTimes(frame, threads: threads).pivotRows()
      winners = order.map { players[$0] }
      rows = playerRows.selecting(rows: order)
    }
    try take(winners, rows)
  }

  /// Passes over all rows until none has a grade above the tolerance.
  ///
  /// In the first pass the rows above it compete with the active rows block by block. In later ones rows are
  /// only collected, and compete at the end of the pass: those above the tolerance and those near it, which the next
  /// exchanges would lift above it, so that few passes are needed.
  mutating func refine() throws {
    try sweep()
    while largestGrade > options.tolerance, passes < options.maximumPasses {
      var pool: [(grade: Double, row: Int)] = []
      var largest = 0.0
      try reference.forEachBlock(of: height) { first, block in
        for (i, result) in graded(block).enumerated() {
          largest = max(largest, result.grade)
          if result.grade > 0.8 * options.tolerance { pool.append((result.grade, first + i)) }
        }
      }
      largestGrade = largest
      passes += 1
      guard largest > options.tolerance else { return }
      pool.sort { ($1.grade, $0.row) < ($0.grade, $1.row) }
      let chosen = pool.prefix(1024 + 4 * space.rank).map(\.row).sorted()
      try compete(
        chosen, rows: reference.selecting(chosen).matrix(), tolerance: options.refiningTolerance)
    }
  }

  private mutating func sweep() throws {
    var largest = 0.0
    var exchanged = false
    let tolerance = options.tolerance
    try reference.forEachBlock(of: height) { first, block in
      let results = graded(block)
      for result in results {
        largest = max(largest, result.grade)
        largestResidual = max(largestResidual, result.residual)
      }
      let challengers = results.indices.filter { results[$0].grade > tolerance }
      guard !challengers.isEmpty else { return }
      exchanged = true
      try compete(
        challengers.map { first + $0 }, rows: block.selecting(rows: challengers),
        tolerance: tolerance)
    }
    passes = 1
    largestGrade = exchanged ? .infinity : largest
  }

  private func graded(
    _ block: Matrix
  ) -> [(grade: Double, residual: Double, largestPart: Double)] {
    mapRowBlocks(block.rows, threads: threads) {
      ActiveSet.gradesAndResiduals(block.slice($0), transform: transform, rank: space.rank)
    }.flatMap { $0 }
  }

  /// MaxVol among the active rows and these.
  private mutating func compete(_ challengers: [Int], rows: Matrix, tolerance: Double) throws {
    let isActive = Set(active)
    let new = challengers.indices.filter { !isActive.contains(challengers[$0]) }
    let players = active + new.map { challengers[$0] }
    let all = activeRows.stacked(on: rows.selecting(rows: new))
    let volume = try MaximumVolume(
      coordinates: all.times(frame), start: Array(0..<space.rank), tolerance: tolerance,
      exactEvery: options.exactEvery)
    exchanges += volume.gains.count
    try take(volume.chosen.map { players[$0] }, all.selecting(rows: volume.chosen))
  }

  private mutating func take(_ chosen: [Int], _ rows: Matrix) throws {
    active = chosen
    activeRows = rows
    let inverse = frame.times(try rows.times(frame).inverse())
    transform = inverse.beside(complement)
  }
}
