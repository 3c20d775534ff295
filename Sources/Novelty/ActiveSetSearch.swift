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

  /// Passes over all rows: those with a grade above the tolerance compete with the active rows, block by
  /// block, until a pass finds none.
  mutating func refine() throws {
    var improving = true
    while improving, passes < options.maximumPasses {
      improving = false
      let tolerance = passes == 0 ? options.tolerance : options.refiningTolerance
      var largest = 0.0
      try reference.forEachBlock(of: height) { first, block in
        let results = mapRowBlocks(block.rows, threads: threads) {
          [transform, rank = space.rank] in
          ActiveSet.gradesAndResiduals(block.slice($0), transform: transform, rank: rank)
        }.flatMap { $0 }
        var challengers: [Int] = []
        for (i, result) in results.enumerated() {
          largest = max(largest, result.grade)
          largestResidual = max(largestResidual, result.residual)
          if result.grade > options.tolerance { challengers.append(i) }
        }
        guard !challengers.isEmpty else { return }
        improving = true
        let players = active + challengers.map { first + $0 }
        let rows = activeRows.stacked(on: block.selecting(rows: challengers))
        let volume = try MaximumVolume(
          coordinates: rows.times(frame), start: Array(0..<space.rank), tolerance: tolerance,
          exactEvery: options.exactEvery)
        exchanges += volume.gains.count
        try take(volume.chosen.map { players[$0] }, rows.selecting(rows: volume.chosen))
      }
      largestGrade = largest
      passes += 1
    }
  }

  private mutating func take(_ chosen: [Int], _ rows: Matrix) throws {
    active = chosen
    activeRows = rows
    let inverse = frame.times(try rows.times(frame).inverse())
    transform = inverse.beside(complement)
  }
}
