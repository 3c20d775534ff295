import Glibc
import LinearAlgebra
import Novelty
import TestSupport
import Testing

/// Distances to all references by plain loops, nearest first.
private func plainNeighbours(_ row: [Double], _ references: Matrix, skip: Int? = nil) -> [(
  Double, Int
)] {
  (0..<references.rows).filter { $0 != skip }.map { k in
    var square = 0.0
    for j in row.indices { square += (row[j] - references[k, j]) * (row[j] - references[k, j]) }
    return (square.squareRoot(), k)
  }.sorted { $0 < $1 }
}

@Suite struct NearestNeighboursTests {
  @Test func agreesWithPlainLoops() {
    var random = SeededGenerator(seed: 1)
    // A far offset makes |x|² + |y|² - 2 x·y lose digits; repeats make ties.
    var references = random.normalMatrix(3000, 4)
    for i in references.storage.indices { references.storage[i] += 300 }
    references = references.stacked(on: references.selecting(rows: [7, 7, 99]))
    var rows = random.normalMatrix(150, 4)
    for i in rows.storage.indices { rows.storage[i] += 300 }
    rows = rows.stacked(on: references.selecting(rows: [7, 2500]))
    let found = NearestNeighbours(references).nearest(rows, count: 6, threads: 2)
    for i in 0..<rows.rows {
      let plain = plainNeighbours(rows.row(i), references).prefix(6)
      #expect(found[i].map(\.index) == plain.map(\.1), "row \(i)")
      #expect(found[i].map(\.distance) == plain.map(\.0))
    }
    let without = NearestNeighbours(references).nearest(
      references.selecting(rows: [3]), count: 2, excluding: [3])
    #expect(
      without[0].map(\.index)
        == plainNeighbours(references.row(3), references, skip: 3).prefix(2).map(\.1))
    #expect(
      NearestNeighbours(references.selecting(rows: [1, 2])).nearest(rows, count: 5)[0].count == 2)
  }

  @Test func sampleDependsOnTheRowsAlone() throws {
    var random = SeededGenerator(seed: 2)
    let rows = random.normalMatrix(500, 3)
    let sample = try RowBlocks(rows).sample(limit: 50)
    #expect(sample.count == 50 && sample == sample.sorted() && Set(sample).count == 50)
    let order = random.permutation(500)
    let shuffled = try RowBlocks(rows.selecting(rows: order)).sample(limit: 50)
    #expect(Set(shuffled.map { order[$0] }) == Set(sample))
    // Repeats are drawn once, and twenty new rows move few of the fifty.
    let grown = rows.stacked(on: rows.selecting(rows: sample)).stacked(
      on: random.normalMatrix(20, 3))
    let again = try RowBlocks(grown).sample(limit: 50)
    #expect(again.allSatisfy { $0 < 500 || $0 >= 550 })
    #expect(Set(again).intersection(sample).count >= 42)
  }
}

@Suite struct StratifiedSampleTests {
  @Test func rareStrataKeepTheirRows() throws {
    var random = SeededGenerator(seed: 12)
    let rows = random.normalMatrix(1000, 3)
    // 10 rare rows and one alone
    let strata = (0..<1000).map { $0 % 100 == 0 ? 1 : $0 == 501 ? 2 : 0 }
    let sample = try RowBlocks(rows).sample(limit: 60, strata: strata, minimum: 8)
    #expect(sample.count == 60)
    #expect(sample.count { strata[$0] == 1 } >= 8)
    #expect(sample.contains(501))
    #expect(try RowBlocks(rows).sample(limit: 60).count { strata[$0] == 1 } < 8)
    // The limit holds even where the minima exceed it.
    #expect(
      try RowBlocks(rows).sample(limit: 9, strata: strata, minimum: 8).count { strata[$0] == 0 }
        == 8)
  }
}

@Suite struct DensityRatioTests {
  /// The formula of the score, in plain loops, from coordinates.
  private static func plain(_ rows: Matrix, _ references: Matrix) -> [Double] {
    let raw = (0..<references.rows).map {
      plainNeighbours(references.row($0), references, skip: $0)[9].0
    }
    let sorted = raw.sorted()
    let place = 0.1 * Double(raw.count - 1)
    let low = sorted[Int(place)]
    let floor = low + (place - place.rounded(.down)) * (sorted[Int(place) + 1] - low)
    return (0..<rows.rows).map { i in
      plainNeighbours(rows.row(i), references).prefix(5).map { $0.0 / max(raw[$0.1], floor) }.min()!
    }
  }

  @Test func agreesWithPlainLoops() throws {
    var random = SeededGenerator(seed: 3)
    let rows = random.normalMatrix(260, 5, scale: 3)
    let probes = random.normalMatrix(60, 5, scale: 4)
    var options = DensityRatio.Options()
    for choice in [
      CoordinateChoice.standardised, .signLog,
      CoordinateChoice(signLog: true, components: .init(maximumCount: 3)),
    ] {
      options.coordinates = choice
      let score = try DensityRatio(rows, options: options, threads: 2)
      let map = score.coordinates
      let expected = Self.plain(map.apply(probes), map.apply(rows))
      for (a, b) in zip(score.ratios(probes), expected) { #expect(close(a, b, 1e-9)) }
      #expect(score.ratios(rows).allSatisfy { $0 == 0 })
      let alone = try DensityRatio(rows, options: options)
      #expect(
        alone.parts == score.parts && alone.scores(probes) == score.scores(probes, threads: 3))
    }
    // The coordinates themselves
    let mean = rows.column(2).reduce(0, +) / 260
    let spread = (rows.column(2).reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 260).squareRoot()
    let z = (probes[4, 2] - mean) / spread
    let signLog = try CoordinateMap(RowBlocks(rows), choice: .signLog).apply(probes)
    #expect(close(signLog[4, 2], z < 0 ? -log(1 - z) : log(1 + z), 1e-12))
  }

  @Test func eachReferenceBringsItsOwnScale() throws {
    var random = SeededGenerator(seed: 4)
    var rows = random.normalMatrix(400, 2)
    for i in 0..<200 {
      rows[i, 0] = 40 + 0.01 * rows[i, 0]
      rows[i, 1] = 0.01 * rows[i, 1]
    }
    var options = DensityRatio.Options()
    options.coordinates = .standardised
    let score = try DensityRatio(rows, options: options)
    // The same step off the tight regime is news; inside the broad one it is not.
    let scores = score.scores(Matrix([[40.3, 0], [0.3, 0]]))
    #expect(scores[0].densityRatio > 10 * scores[1].densityRatio)
    #expect(scores[0].nearestDistance < 3 * scores[1].nearestDistance + 0.3)
    #expect(score.ratios(Matrix([[.nan, 0]]))[0] == .infinity)
  }

  @Test func thinsReferencesAndRoundTrips() throws {
    var random = SeededGenerator(seed: 5)
    var options = DensityRatio.Options()
    options.referenceLimit = 64
    options.coordinates = .whitened(3)
    let score = try DensityRatio(random.normalMatrix(300, 6), options: options)
    #expect(score.neighbours.references.rows == 64 && score.scales.count == 64)
    let probes = random.normalMatrix(20, 6)
    let back = try DensityRatio(summary: score.summary, parts: score.parts)
    #expect(back.scores(probes) == score.scores(probes))
    // All references equal: no scale of their own, still finite and never trapped.
    let flat = try DensityRatio(Matrix(rows: 5, columns: 2, repeating: 3))
    #expect(flat.ratios(Matrix([[3, 3], [4, 3]]))[0] == 0)
    #expect(flat.ratios(Matrix([[4, 3]]))[0] > 0)
  }
}

@Suite struct LeverageTests {
  @Test func isTheQuadraticFormAndSumsToTheDegreesOfFreedom() throws {
    var random = SeededGenerator(seed: 6)
    let rows = random.normalMatrix(200, 5).times(random.normalMatrix(5, 5))
    let leverage = try Leverage(rows, relativeRidge: 1e-3)
    var normal = rows.transposedTimes(rows)
    var trace = 0.0
    for i in 0..<5 { trace += normal[i, i] }
    #expect(close(leverage.ridge, 1e-3 * trace / 5, 1e-12))
    for i in 0..<5 { normal[i, i] += leverage.ridge }
    let inverse = try normal.inverse()
    let values = leverage.leverages(rows, threads: 2)
    for i in 0..<200 {
      let h = zip(rows.row(i), inverse.times(rows.row(i))).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(close(values[i], h, 1e-9))
    }
    #expect(close(try Leverage(rows).leverages(rows).reduce(0, +), 5, 1e-6))
    let singular = try SingularValues(rows).values
    let dof = singular.reduce(0) { $0 + $1 * $1 / ($1 * $1 + leverage.ridge) }
    #expect(close(values.reduce(0, +), dof, 1e-9))
    #expect(leverage.leverages(Matrix([[.nan, 0, 0, 0, 0]]))[0] == .infinity)
    #expect(try Leverage(summary: leverage.summary, parts: leverage.parts) == leverage)
  }

  @Test func addingRowsIsStartingWithThem() throws {
    var random = SeededGenerator(seed: 7)
    let (a, b) = (random.normalMatrix(50, 4), random.normalMatrix(6, 4, scale: 9))
    let probes = random.normalMatrix(10, 4)
    let grown = try Leverage(a).adding(b)
    var normal = a.transposedTimes(a)
    let more = b.transposedTimes(b)
    for i in normal.storage.indices { normal.storage[i] += more.storage[i] }
    for i in 0..<4 { normal[i, i] += grown.ridge }
    let inverse = try normal.inverse()
    for (i, h) in grown.leverages(probes).enumerated() {
      #expect(
        close(
          h, zip(probes.row(i), inverse.times(probes.row(i))).reduce(0) { $0 + $1.0 * $1.1 }, 1e-10)
      )
    }
  }

  @Test func mahalanobisAgreesWithPlainLoops() throws {
    var random = SeededGenerator(seed: 8)
    var points = random.normalMatrix(300, 3)
    let assignments = (0..<300).map { $0 % 2 }
    for i in 0..<300 where i % 2 == 1 { for j in 0..<3 { points[i, j] = 8 + 0.2 * points[i, j] } }
    let score = try ClusterMahalanobis(
      points, assignments: assignments, clusterCount: 2, threads: 2)
    let probes = random.normalMatrix(40, 3, scale: 4)
    var distances: [[Double]] = []
    var fences: [Double] = []
    for k in 0..<2 {
      let members = points.selecting(rows: assignments.indices.filter { assignments[$0] == k })
      let moments = Moments(members)
      var covariance = moments.covariance
      for j in 0..<3 { covariance[j, j] += 1e-6 }
      let inverse = try covariance.inverse()
      func distance(_ row: [Double]) -> Double {
        let d = zip(row, moments.mean).map { $0 - $1 }
        return zip(d, inverse.times(d)).reduce(0) { $0 + $1.0 * $1.1 }.squareRoot()
      }
      let own = (0..<members.rows).map { distance(members.row($0)) }.sorted()
      let median = (own[74] + own[75]) / 2
      let deviations = own.map { abs($0 - median) }.sorted()
      fences.append(median + 3 * 1.4826 * (deviations[74] + deviations[75]) / 2)
      distances.append((0..<40).map { distance(probes.row($0)) })
    }
    for (i, value) in score.scores(probes).enumerated() {
      let k = distances[0][i] <= distances[1][i] ? 0 : 1
      #expect(close(value, distances[k][i] / fences[k], 1e-9))
    }
    #expect(score.scores(Matrix([[.nan, 0, 0]]))[0] == .infinity)
    #expect(try ClusterMahalanobis(summary: score.summary, parts: score.parts) == score)
  }
}

@Suite struct MetricsTests {
  @Test func rankingMetricsByCounting() {
    var random = SeededGenerator(seed: 9)
    let negatives = (0..<60).map { _ in (random.normal() * 4).rounded() }
    let positives = (0..<41).map { _ in (random.normal() * 4 + 2).rounded() }
    var wins = 0.0
    for p in positives { for n in negatives { wins += p > n ? 1 : p == n ? 0.5 : 0 } }
    #expect(
      close(areaUnderROC(negatives: negatives, positives: positives)!, wins / (60 * 41), 1e-12))
    #expect(areaUnderROC(negatives: [1, 2], positives: [3, .infinity]) == 1)
    #expect(areaUnderROC(negatives: [], positives: [3]) == nil)
    #expect(
      truePositiveRate(
        negatives: (0..<101).map(Double.init), positives: [94, 95, 96, 97],
        atFalsePositiveRate: 0.05) == 0.5)
  }

  @Test func spearmanIsPearsonOfRanks() {
    #expect(spearmanCorrelation([1, 2, 3, 4], [10, 20, 25, 1000])! == 1)
    #expect(spearmanCorrelation([1, 2, 3], [3, 2, 1])! == -1)
    #expect(spearmanCorrelation([1, 1], [3, 2]) == nil)
    // Ranks (1, 2.5, 2.5, 4) and (2, 1, 3, 4): 3/sqrt(4.5 * 5)
    #expect(
      close(spearmanCorrelation([1, 5, 5, 9], [2, 1, 3, 4])!, 3 / 22.5.squareRoot(), 1e-12))
  }

  @Test func quantilesInterpolate() {
    #expect(quantile([3, 1, 2], 0.5) == 2 && quantile([0, 10], 0.25) == 2.5)
    #expect(
      quantile([1, .infinity, .infinity], 1) == .infinity && quantile([1, .infinity], 0) == 1)
    #expect(quantile([], 0.5).isNaN)
  }

  @Test func aggregates() {
    let scores = [1.0, 5, 3, 2]
    #expect(aggregate(scores, structures: [0, 0, 0, 1], count: 2) == [5, 2])
    #expect(aggregate(scores, structures: [0, 0, 0, 1], count: 2, by: .mean) == [3, 2])
    #expect(
      close(
        aggregate(scores, structures: [0, 0, 0, 1], count: 2, by: .percentile95)[0], 4.8, 1e-12))
  }
}
