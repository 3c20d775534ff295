import LinearAlgebra
import Novelty
import TestSupport
import Testing

/// Coefficients of a row in the active rows by Cramer's rule, the largest by magnitude.
private func gradeByDeterminants(_ row: [Double], _ active: Matrix) -> Double {
  let whole = determinant(active)
  return (0..<active.rows).map { k in
    var replaced = active
    for j in 0..<active.columns { replaced[k, j] = row[j] }
    return abs(determinant(replaced) / whole)
  }.max()!
}

@Suite struct MaximumVolumeTests {
  @Test func volumeIsNearTheBestOfAllSubsets() throws {
    var random = SeededGenerator(seed: 11)
    var reachedBest = 0
    for trial in 0..<30 {
      let rows = random.normalMatrix(9, 3)
      let set = try ActiveSet(rows)
      let volume = abs(determinant(set.rows))
      let all = subsets(of: 9, size: 3).map { abs(determinant(rows.selecting(rows: $0))) }
      let best = all.max()!
      // Hadamard: |det C| <= prod of row norms <= (tol sqrt(r))^r for any other subset.
      #expect(
        volume >= best
          / (1.01 * 3.0.squareRoot() * 1.01 * 3.0.squareRoot() * 1.01 * 3.0.squareRoot()),
        "trial \(trial)")
      if volume > 0.999 * best { reachedBest += 1 }
      // Locally maximal: no single exchange gains more than the tolerance.
      for slot in 0..<3 {
        for i in 0..<9 {
          var other = set.indices
          other[slot] = i
          #expect(abs(determinant(rows.selecting(rows: other))) <= 1.01 * (1 + 1e-12) * volume)
        }
      }
    }
    #expect(reachedBest >= 15)
  }

  @Test func everyExchangeRaisesTheVolumeByItsGain() throws {
    var random = SeededGenerator(seed: 3)
    let rows = random.normalMatrix(200, 6)
    let start = Array(0..<6)
    let result = try MaximumVolume(coordinates: rows, start: start, tolerance: 1.01, exactEvery: 4)
    #expect(result.gains.count > 4)
    #expect(result.gains.allSatisfy { $0 > 1.01 })
    let before = abs(determinant(rows.selecting(rows: start)))
    let after = abs(determinant(rows.selecting(rows: result.chosen)))
    #expect(close(after / before, result.gains.reduce(1, *), 1e-9))
    #expect(result.coefficients.storage.allSatisfy { abs($0) <= 1.01 })
    let exact = rows.times(try rows.selecting(rows: result.chosen).inverse())
    for (a, b) in zip(exact.storage, result.coefficients.storage) { #expect(abs(a - b) < 1e-12) }
  }
}

@Suite struct ActiveSetTests {
  /// Rows of rank 5 in 8 functions, functions of very different size.
  private static func deficient(_ count: Int, seed: UInt64) -> Matrix {
    var random = SeededGenerator(seed: seed)
    let mixing = random.normalMatrix(5, 8)
    var rows = random.normalMatrix(count, 5).times(mixing)
    for i in 0..<count { for j in 0..<8 { rows[i, j] *= [1, 0.1, 3, 10, 0.5, 1, 0.02, 2][j] } }
    return rows
  }

  @Test func gradesAreCramersCoefficients() throws {
    var random = SeededGenerator(seed: 5)
    let set = try ActiveSet(random.normalMatrix(60, 4))
    let probes = random.normalMatrix(40, 4, scale: 3)
    let grades = set.grades(probes)
    for i in 0..<40 {
      #expect(close(grades[i], gradeByDeterminants(probes.row(i), set.rows), 1e-9), "row \(i)")
    }
  }

  @Test(arguments: [10, 100, 5000, 9001])
  func activeRowsGradeOneAndReferenceRowsAtMostTheTolerance(count: Int) throws {
    var random = SeededGenerator(seed: UInt64(count))
    for rows in [random.normalMatrix(count, 8), Self.deficient(count, seed: 9)] {
      let set = try ActiveSet(rows)
      #expect(set.isConverged)
      #expect(set.rank == (rows == Self.deficient(count, seed: 9) ? 5 : 8))
      for (slot, index) in set.indices.enumerated() {
        #expect(rows.row(index) == set.rows.row(slot))
      }
      for grade in set.grades(set.rows) { #expect(close(grade, 1, 1e-9)) }
      #expect(set.grades(rows).allSatisfy { $0 <= 1.01 * (1 + 1e-12) })
      #expect(close(set.largestReferenceGrade, set.grades(rows).max()!, 1e-12))
    }
  }

  @Test func gradeOfTheSameActiveSetIgnoresTheChoiceOfFunctions() throws {
    var random = SeededGenerator(seed: 21)
    let rows = random.normalMatrix(300, 6)
    let mixing = random.normalMatrix(6, 6)
    let set = try ActiveSet(rows)
    let mixed = try ActiveSet(set.rows.times(mixing))  // the same six environments, other functions
    let probes = random.normalMatrix(50, 6, scale: 2)
    for (a, b) in zip(set.grades(probes), mixed.grades(probes.times(mixing))) {
      #expect(close(a, b, 1e-9))
    }
  }

  @Test func gradeScalesWithTheRow() throws {
    var random = SeededGenerator(seed: 22)
    let set = try ActiveSet(random.normalMatrix(300, 6))
    let probe = random.normalMatrix(1, 6)
    var doubled = probe
    for i in 0..<6 { doubled.storage[i] *= -7 }
    #expect(close(set.grades(doubled)[0], 7 * set.grades(probe)[0], 1e-12))
  }

  @Test func piecesAndThreadsChangeNothing() throws {
    let rows = Self.deficient(9500, seed: 4)
    let whole = try ActiveSet(rows)
    let sizes = [1, 4095, 2, 700, 4000, 702]
    var start = 0
    let pieces = sizes.map { size in
      defer { start += size }
      return rows.selecting(rows: Array(start..<start + size))
    }
    for threads in [1, 3] {
      let streamed = try ActiveSet(
        RowBlocks(columns: 8, sizes: sizes) { pieces[$0] }, threads: threads)
      #expect(streamed.indices == whole.indices)
      #expect(streamed.summary == whole.summary)
      #expect(streamed.parts == whole.parts)
      #expect(streamed.grades(rows, threads: threads) == whole.grades(rows))
    }
  }

  @Test func repeatsChangeNothing() throws {
    let rows = Self.deficient(300, seed: 6)
    let set = try ActiveSet(rows)
    let repeated = try ActiveSet(rows.stacked(on: rows.selecting(rows: [5, 5, 200, 17])))
    #expect(repeated.indices == set.indices)
    #expect(repeated.parts == set.parts)
    #expect(repeated.referenceCount == 304)
  }

  @Test func rowsOutsideTheSpanNeverGradeSmall() throws {
    let rows = Self.deficient(400, seed: 7)
    let set = try ActiveSet(rows)
    #expect(set.rank == 5)
    var random = SeededGenerator(seed: 8)
    let probes = random.normalMatrix(200, 8)
    #expect(set.grades(probes).allSatisfy { $0 == .infinity })
    #expect(set.relativeResiduals(probes).allSatisfy { $0 > 1 })
    #expect(set.relativeResiduals(rows).allSatisfy { $0 < 1 })
    // A reference row pushed 1 % of the mean norm out of the span is outside, 0.01 % is not.
    let outward = probes.row(0)
    let kept = try SingularValues(rows).right.selecting(rows: Array(0..<5))
    let inside = kept.transposedTimes(kept.times(outward))
    let residual = zip(outward, inside).map { $0 - $1 }
    let length = residual.reduce(0) { $0 + $1 * $1 }.squareRoot()
    for (share, isOutside) in [(1e-2, true), (1e-4, false)] {
      let pushed = zip(rows.row(0), residual).map { $0 + $1 / length * share * set.meanRowNorm }
      #expect((set.grades(Matrix([pushed]))[0] == .infinity) == isOutside)
    }
    let finite = set.grades(probes, outside: .byResidual)
    #expect(finite.allSatisfy { $0.isFinite && $0 > 1 })
    #expect(set.grades(Matrix([[.nan, 0, 0, 0, 0, 0, 0, 0]]))[0] == .infinity)
  }

  @Test func exportInverseIsTheInverseOfAFilledSquareSet() throws {
    for rows in [Self.deficient(400, seed: 12), Self.deficient(3, seed: 12)] {
      let set = try ActiveSet(rows)
      let export = try set.exportInverse()
      #expect(export.filledDirections == 8 - set.rank)
      #expect(export.matrix.storage.allSatisfy { $0.isFinite })
      let filled = try export.matrix.inverse()
      for k in 0..<set.rank {
        for j in 0..<8 { #expect(abs(filled[k, j] - set.rows[k, j]) < 1e-6 * set.meanRowNorm) }
      }
      let singular = try SingularValues(filled).values
      #expect(close(export.condition, singular[0] / singular[7], 1e-6))
      var random = SeededGenerator(seed: 13)
      let probes = rows.stacked(on: random.normalMatrix(50, 8))
      let gamma = probes.times(export.matrix)
      for (i, grade) in set.grades(probes, outside: .byResidual).enumerated() {
        #expect(close((0..<8).map { abs(gamma[i, $0]) }.max()!, grade, 1e-9))
        if i < rows.rows { #expect(grade <= 1.01 * (1 + 1e-9)) }
      }
    }
  }

  @Test func exportInverseOfAFullSetIsItsPlainInverse() throws {
    var random = SeededGenerator(seed: 14)
    let set = try ActiveSet(random.normalMatrix(100, 5))
    let plain = try set.rows.inverse()
    for (a, b) in zip(try set.exportInverse().matrix.storage, plain.storage) {
      #expect(abs(a - b) < 1e-12)
    }
  }

  @Test func degenerateInputs() throws {
    #expect(throws: NoveltyError.noRows) { try ActiveSet(Matrix(rows: 0, columns: 3)) }
    #expect(throws: NoveltyError.notFinite(row: 1)) {
      try ActiveSet(Matrix([[1, 2], [.infinity, 0]]))
    }
    let zero = try ActiveSet(Matrix(rows: 4, columns: 3))
    #expect(zero.rank == 0)
    #expect(zero.grades(Matrix([[0, 0, 0], [0, 1e-9, 0]])) == [0, .infinity])
    let filled = try zero.exportInverse()
    #expect(filled.matrix.storage.allSatisfy { $0.isFinite })
    let one = try ActiveSet(Matrix([[0, 2, 0]]))
    #expect(one.rank == 1)
    #expect(close(one.grades(Matrix([[0, -3, 0]]))[0], 1.5, 1e-12))
  }

  @Test func encodingRoundTrips() throws {
    let set = try ActiveSet(Self.deficient(100, seed: 2))
    let back = try ActiveSet(summary: set.summary, parts: set.parts)
    #expect(back.summary == set.summary && back.parts == set.parts)
    var parts = set.parts
    parts["transform.npy"] = set.parts["active-rows.npy"]
    #expect(throws: NoveltyError.self) { try ActiveSet(summary: set.summary, parts: parts) }
    parts["transform.npy"] = nil
    #expect(throws: NoveltyError.badPart(name: "transform.npy", cause: "is missing")) {
      try ActiveSet(summary: set.summary, parts: parts)
    }
  }
}
