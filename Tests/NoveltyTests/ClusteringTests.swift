import LinearAlgebra
import Novelty
import TestSupport
import Testing

/// `sizes[k]` rows around the k-th of well separated centres.
private func blobs(_ sizes: [Int], columns: Int, spread: Double = 0.3, seed: UInt64) -> (
  Matrix, [Int]
) {
  var random = SeededGenerator(seed: seed)
  let centres = sizes.indices.map { k in
    (0..<columns).map { Double(($0 * 7 + k * 5) % 11) + Double(k) }
  }
  var rows: [[Double]] = []
  var truth: [Int] = []
  for i in 0..<sizes.max()! {
    for k in sizes.indices where i < sizes[k] {
      rows.append(centres[k].map { $0 + spread * random.normal() })
      truth.append(k)
    }
  }
  return (Matrix(rows), truth)
}

@Suite struct MomentsTests {
  @Test func momentsAreThePlainSums() throws {
    var random = SeededGenerator(seed: 1)
    let rows = random.normalMatrix(1300, 4)
    let moments = try Moments(RowBlocks(rows), threads: 2)
    #expect(moments == Moments(rows))
    for j in 0..<4 {
      let mean = rows.column(j).reduce(0, +) / 1300
      #expect(close(moments.mean[j], mean, 1e-12))
      for k in 0..<4 {
        let other = rows.column(k).reduce(0, +) / 1300
        var sum = 0.0
        for i in 0..<1300 { sum += (rows[i, j] - mean) * (rows[i, k] - other) }
        #expect(close(moments.scatter[j, k], sum, 1e-11))
      }
    }
  }

  @Test func mergingIsStacking() {
    var random = SeededGenerator(seed: 2)
    let (a, b) = (random.normalMatrix(70, 3), random.normalMatrix(31, 3, scale: 5))
    var merged = Moments(a)
    merged.merge(Moments(b))
    let whole = Moments(a.stacked(on: b))
    #expect(merged.count == 101)
    for (x, y) in zip(merged.mean + merged.scatter.storage, whole.mean + whole.scatter.storage) {
      #expect(close(x, y, 1e-12))
    }
  }

  @Test func standardisedColumnsHaveUnitSpreadAndConstantOnesDoNotBlowUp() {
    var random = SeededGenerator(seed: 3)
    var rows = random.normalMatrix(500, 3, scale: 7)
    for i in 0..<500 { rows[i, 1] = 1e-3 + (i % 2 == 0 ? 1e-19 : 0) }
    let standard = Standardisation(Moments(rows))
    let moments = Moments(standard.apply(rows))
    #expect(close(moments.standardDeviation[0], 1, 1e-12) && close(moments.mean[2], 0, 1e-12))
    #expect(moments.standardDeviation[1] < 1e-9)
  }

  @Test func principalComponentsDiagonaliseAndWhiten() throws {
    var random = SeededGenerator(seed: 4)
    let rows = random.normalMatrix(400, 3).times(random.normalMatrix(3, 5))
    let moments = Moments(rows)
    let plain = try PrincipalComponents(moments, selection: .init())
    #expect(plain.count == 3)  // two directions have no variance
    let covariance = Moments(plain.apply(rows)).covariance
    let white = try PrincipalComponents(
      moments, selection: .init(maximumCount: 2), weighting: .whitened)
    let unit = Moments(white.apply(rows)).covariance
    for i in 0..<3 {
      for j in 0..<3 { #expect(close(covariance[i, j], i == j ? plain.eigenvalues[i] : 0, 1e-10)) }
    }
    #expect(white.count == 2 && close(unit[0, 0], 1, 1e-10) && close(unit[1, 1], 1, 1e-10))
    let limit = (plain.eigenvalues[0] + plain.eigenvalues[1]) / 2
    #expect(try PrincipalComponents(moments, selection: .init(eigenvalueAbove: limit)).count == 1)
    let share = (plain.eigenvalues[0] + 0.5 * plain.eigenvalues[1]) / plain.totalVariance
    #expect(try PrincipalComponents(moments, selection: .init(explainedVariance: share)).count == 2)
  }
}

@Suite struct ClusteringTests {
  @Test func separatedBlobsAreFoundWhateverTheThreads() throws {
    let (rows, truth) = blobs([400, 300, 200, 250], columns: 6, seed: 1)
    let found = try Clustering(rows, division: .count(4))
    #expect(found.assignments == truth)
    #expect(found.sizes == [400, 300, 200, 250])
    #expect(found.ranks == [6, 6, 6, 6])
    #expect(found.nearestClusters(rows) == truth)
    #expect(try Clustering(rows, division: .count(4), threads: 3) == found)
  }

  @Test func bitsDoNotDependOnThreadsOrPieces() throws {
    var random = SeededGenerator(seed: 2)
    let rows = random.normalMatrix(3000, 5)
    let found = try Clustering(rows, division: .count(7))
    let pieces = RowBlocks(columns: 5, sizes: [1700, 1, 1299]) {
      rows.selecting(rows: Array([0..<1700, 1700..<1701, 1701..<3000][$0]))
    }
    let again = try Clustering(pieces, division: .count(7), threads: 3)
    #expect(again == found)
    #expect(again.parts == found.parts)
  }

  @Test func kMeansIsAFixedPointOfTheTextbookStep() throws {
    var random = SeededGenerator(seed: 3)
    let rows = random.normalMatrix(700, 3)
    let run = KMeans(rows, clusters: 6, seed: 1, restarts: 3, maximumIterations: 1000, tolerance: 0)
    var inertia = 0.0
    for i in 0..<700 {
      let squares = (0..<6).map { k in
        (0..<3).reduce(0) {
          $0 + (rows[i, $1] - run.centroids[k, $1]) * (rows[i, $1] - run.centroids[k, $1])
        }
      }
      #expect(run.assignments[i] == squares.indices.min { squares[$0] < squares[$1] }!)
      inertia += squares.min()!
    }
    #expect(close(inertia, run.inertia, 1e-10))
    for k in 0..<6 {
      let members = run.assignments.indices.filter { run.assignments[$0] == k }
      for j in 0..<3 {
        let mean = members.reduce(0) { $0 + rows[$1, j] } / Double(members.count)
        #expect(close(mean, run.centroids[k, j], 1e-12))
      }
    }
    let more = KMeans(
      rows, clusters: 6, seed: 1, restarts: 8, maximumIterations: 1000, tolerance: 0)
    #expect(more.inertia <= run.inertia)
  }

  @Test func fewerDifferentRowsThanClusters() throws {
    let rows = Matrix((0..<20).map { [Double($0 % 2), 1, 3] })
    let run = KMeans(rows, clusters: 4, seed: 5, restarts: 2)
    #expect(run.inertia == 0)
    #expect(try Clustering(rows, division: .count(4)).count == 2)
  }

  @Test func automaticIsTheLargestNumberWithEnoughRows() throws {
    // The smallest blob has 17 rows: fewer than 3 x 6, so it cannot stand alone.
    let (rows, _) = blobs([300, 200, 17], columns: 6, seed: 4)
    let found = try Clustering(rows, division: .automatic(maximum: 5))
    for (size, rank) in zip(found.sizes, found.ranks) { #expect(size >= 3 * rank) }
    #expect(found.sizes.reduce(0, +) == 517 && found.count > 1)
    for count in 1..<6 {
      #expect(
        try Clustering(rows, division: .count(count)).count <= found.count, "\(count) clusters")
    }
    // Seven rows of rank 6 cannot be divided at all.
    let few = try Clustering(rows.selecting(rows: Array(0..<7)), division: .automatic(maximum: 5))
    #expect(few.count == 1 && few.ranks == [6])
  }

  @Test func smallClustersAndLabelsAreMergedIntoTheNearestAndNoted() throws {
    let (rows, truth) = blobs([300, 200, 17], columns: 6, seed: 4)
    let merged = try Clustering(rows, division: .count(3))
    #expect(merged.count == 2 && merged.sizes.reduce(0, +) == 517 && merged.notes.count == 1)
    let labelled = try Clustering(
      rows,
      division: .labels(
        names: ["bcc", "unused", "liquid", "rare"], ofRow: truth.map { [0, 2, 3][$0] }))
    #expect(labelled.count == 2)
    #expect(labelled.notes.count == 1 && labelled.notes[0].contains("'rare' (17 rows of rank 6"))
    // Nearest by the three centroids
    let points = labelled.coordinates.apply(rows)
    let centres = (0..<3).map { k in
      let members = points.selecting(rows: truth.indices.filter { truth[$0] == k })
      return (0..<points.columns).map { members.column($0).reduce(0, +) / Double(members.rows) }
    }
    let far = (0..<2).map { k in
      zip(centres[2], centres[k]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    let nearer = far[0] < far[1] ? 0 : 1
    #expect(labelled.names[nearer] == ["bcc", "liquid"][nearer] + "+rare")
    for i in truth.indices {
      #expect(labelled.assignments[i] == (truth[i] == 2 ? nearer : truth[i]))
    }
  }

  @Test func encodingRoundTrips() throws {
    let (rows, _) = blobs([200, 100], columns: 4, seed: 6)
    var found = try Clustering(rows, division: .count(2))
    found.names = ["left", "right"]
    #expect(try Clustering(summary: found.summary, parts: found.parts) == found)
    var parts = found.parts
    parts["assignments.npy"] = NumPyArray(shape: [1], values: [Int32(7)]).encoded
    #expect(throws: NoveltyError.self) { try Clustering(summary: found.summary, parts: parts) }
  }

  @Test func structureMeansAverage() {
    let means = structureMeans(
      Matrix([[1, 2], [3, 4], [10, 20]]), structures: [0, 0, 2], count: 3)
    #expect(means == Matrix([[2, 3], [0, 0], [10, 20]]))
  }
}

@Suite struct ClusterMatchingTests {
  @Test func identitiesFollowSharedMembers() {
    // old 0 -> new 2 (grown by one), old 1 -> new 0, old 2 splits in halves into 1 and 3
    let old =
      Array(repeating: 0, count: 10) + Array(repeating: 1, count: 5) + Array(repeating: 2, count: 8)
    let new =
      Array(repeating: 2, count: 10) + Array(repeating: 0, count: 4) + [2]
      + Array(repeating: 1, count: 4) + Array(repeating: 3, count: 4)
    let matching = ClusterMatching(old: old, new: new, oldCount: 3, newCount: 4)
    #expect(matching.predecessors == [1, 2, 0, nil])
    #expect(matching.events.contains(.split(old: 2, into: [1, 3])))
    #expect(matching.events.contains(.born(new: 3)))
    #expect(matching.events.contains(.continued(old: 1, new: 0, similarity: 0.8)))
    #expect(matching.names(old: ["bcc", "0", "liquid"]) == ["0", "liquid", "bcc", "1"])
  }

  @Test func mergeAndDeath() {
    let old = Array(repeating: 0, count: 6) + Array(repeating: 1, count: 5)
    let matching = ClusterMatching(
      old: old, new: Array(repeating: 0, count: 11), oldCount: 3, newCount: 1)
    #expect(matching.predecessors == [0])
    #expect(matching.events.contains(.merged(old: [0, 1], new: 0)))
    #expect(matching.events.contains(.died(old: 1)) && matching.events.contains(.died(old: 2)))
  }

  @Test func relabellingIsFollowedExactly() {
    var random = SeededGenerator(seed: 9)
    let old = (0..<300).map { _ in Int(random.next() % 6) }
    let relabel = random.permutation(6)
    let matching = ClusterMatching(old: old, new: old.map { relabel[$0] }, oldCount: 6, newCount: 6)
    for k in 0..<6 { #expect(matching.predecessors[relabel[k]] == k) }
    #expect(matching.events.count == 6)
  }

  /// The pairs found maximise the summed similarity among all assignments (tried exhaustively).
  @Test func greedyIsTheOptimalAssignment() {
    var random = SeededGenerator(seed: 10)
    func assignments(_ k: Int, _ used: Set<Int>) -> [[Int?]] {
      if k == 4 { return [[]] }
      return ([nil] + (0..<4).filter { !used.contains($0) }.map(Optional.init)).flatMap { choice in
        assignments(k + 1, choice.map { used.union([$0]) } ?? used).map { [choice] + $0 }
      }
    }
    let all = assignments(0, [])
    for _ in 0..<40 {
      let old = (0..<30).map { _ in Int(random.next() % 4) }
      let new = old.map { random.uniform() < 0.75 ? $0 : Int(random.next() % 4) }
      var similarity = Matrix(rows: 4, columns: 4)
      for a in 0..<4 {
        for b in 0..<4 {
          let both = zip(old, new).count { $0 == a && $1 == b }
          let either = zip(old, new).count { $0 == a || $1 == b }
          let value = Double(both) / Double(max(either, 1))
          similarity[a, b] = value >= 0.5 ? value : 0
        }
      }
      let best = all.map { choice in
        choice.enumerated().reduce(0) { sum, pair in
          sum + (pair.element.map { similarity[pair.offset, $0] } ?? 0)
        }
      }.max()!
      let found = ClusterMatching(old: old, new: new, oldCount: 4, newCount: 4).predecessors
        .enumerated()
        .reduce(0) { sum, pair in sum + (pair.element.map { similarity[$0, pair.offset] } ?? 0) }
      #expect(close(found, best, 1e-12))
    }
  }
}
