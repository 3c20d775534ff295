import Glibc
import LinearAlgebra
import Novelty
import TestSupport
import Testing

@Suite struct SelectionTests {
  private static func problem(
    seed: UInt64, candidates count: Int = 60
  ) throws -> (candidates: [SelectionCandidate], metrics: [Leverage]) {
    var random = SeededGenerator(seed: seed)
    let metrics = [
      try Leverage(random.normalMatrix(40, 6), relativeRidge: 1e-6),
      try Leverage(random.normalMatrix(30, 4), relativeRidge: 1e-6),
    ]
    let candidates = (0..<count).map { i in
      SelectionCandidate(
        identifier: "c\(100 + i)", score: random.uniform() * 5, grade: random.uniform() * 10,
        rows: [
          .init(metric: 0, rows: random.normalMatrix(1 + i % 3, 6, scale: 2)),
          .init(metric: 1, rows: random.normalMatrix(i % 3, 4, scale: 2)),
        ], fingerprint: [random.normal(), random.normal()])
    }
    return (candidates, metrics)
  }

  private static func options(_ order: Selection.Order) -> Selection.Options {
    var options = Selection.Options()
    options.order = order
    options.top = 15
    options.smallestDistance = 0.3
    options.smallestGainShare = 0.2
    return options
  }

  @Test(arguments: Selection.Order.allCases, [1, 2, 3])
  func lazyEqualsBruteForce(order: Selection.Order, seed: UInt64) throws {
    let (candidates, metrics) = try Self.problem(seed: seed)
    let lazy = try Selection(candidates, metrics: metrics, options: Self.options(order))
    let eager = try Selection(
      candidates, metrics: metrics, options: Self.options(order), lazily: false)
    #expect(lazy.picks == eager.picks)
    #expect(lazy.omissions == eager.omissions)
    #expect(lazy.evaluations < eager.evaluations)
    #expect(lazy.picks.count == 15)
    #expect(Set(lazy.omissions.map { "\($0.reason)".prefix(8) }).count > 1)
  }

  /// ln det(I + B P B') with P written out, and its textbook update.
  @Test func gainsAreThoseOfTheFormula() throws {
    let (candidates, metrics) = try Self.problem(seed: 8)
    var options = Selection.Options()
    options.order = .gain
    options.top = 6
    options.smallestGainShare = 0
    let selection = try Selection(candidates, metrics: metrics, options: options)
    var inverses = try metrics.map { try $0.factor.transposedTimes($0.factor).inverse() }
    func kernel(_ rows: Matrix, _ p: Matrix) -> Matrix {
      var k = rows.times(p).timesTransposed(rows)
      for i in 0..<k.rows { k[i, i] += 1 }
      return k
    }
    func gain(_ candidate: SelectionCandidate) -> Double {
      candidate.rows.reduce(1) { $0 * determinant(kernel($1.rows, inverses[$1.metric])) }
    }
    var picked: [Int] = []
    for pick in selection.picks {
      let gains = candidates.map(gain)
      let best = gains.indices.filter { !picked.contains($0) }.max { gains[$0] < gains[$1] }!
      picked.append(best)
      #expect(candidates[best].identifier == pick.identifier)
      #expect(close(exp(pick.gain), gains[best], 1e-8))
      for block in candidates[best].rows where block.rows.rows > 0 {
        let p = inverses[block.metric]
        let pb = p.timesTransposed(block.rows)
        let change = pb.times(try kernel(block.rows, p).inverse()).timesTransposed(pb)
        for i in change.storage.indices { inverses[block.metric].storage[i] -= change.storage[i] }
      }
    }
  }

  @Test(arguments: Selection.Order.allCases)
  func orderOfInputAndThreadsChangeNothing(order: Selection.Order) throws {
    let (candidates, metrics) = try Self.problem(seed: 5)
    let reference = try Selection(candidates, metrics: metrics, options: Self.options(order))
    var random = SeededGenerator(seed: 6)
    for _ in 0..<3 {
      let shuffled = random.permutation(candidates.count).map { candidates[$0] }
      #expect(
        try Selection(shuffled, metrics: metrics, options: Self.options(order), threads: 3)
          == reference)
    }
  }

  @Test(arguments: Selection.Order.allCases)
  func aPrefixOfTheListIsTheShorterList(order: Selection.Order) throws {
    let (candidates, metrics) = try Self.problem(seed: 7)
    var options = Self.options(order)
    let long = try Selection(candidates, metrics: metrics, options: options)
    options.top = 4
    #expect(
      try Selection(candidates, metrics: metrics, options: options).picks
        == Array(long.picks.prefix(4)))
  }

  @Test(arguments: Selection.Order.allCases)
  func copiesAreNeverChosenBeforeSomethingNew(order: Selection.Order) throws {
    var random = SeededGenerator(seed: 9)
    let metric = try Leverage(random.normalMatrix(50, 5), relativeRidge: 1e-6)
    let loud = random.normalMatrix(2, 5, scale: 40)
    var candidates = (0..<6).map {
      SelectionCandidate(
        identifier: "copy\($0)", score: 9, grade: 9, rows: [.init(metric: 0, rows: loud)])
    }
    for i in 0..<5 {
      candidates.append(
        SelectionCandidate(
          identifier: "new\(i)", score: 1, grade: 2,
          rows: [.init(metric: 0, rows: random.normalMatrix(1, 5, scale: 3))]))
    }
    var options = Selection.Options()
    options.order = order
    // The loud copies keep ln 2 per row of a gain of about ln(1 + h): the share left depends on h.
    options.smallestGainShare = 0.3
    let selection = try Selection(candidates, metrics: [metric], options: options)
    #expect(selection.picks.first?.identifier == "copy0")
    #expect(selection.picks.dropFirst().allSatisfy { $0.identifier.hasPrefix("new") })
    let copies = selection.omissions.filter { $0.identifier.hasPrefix("copy") }
    #expect(copies.count == 5)
    for copy in copies {
      guard case .gainExplained(let share, _) = copy.reason else {
        Issue.record("\(copy)")
        continue
      }
      #expect(share < 0.3)
    }
  }

  @Test func windowAndDistanceSetAside() throws {
    let metric = try Leverage(Matrix.identity(3))
    func candidate(_ name: String, grade: Double, at place: Double) -> SelectionCandidate {
      SelectionCandidate(
        identifier: name, score: grade, grade: grade,
        rows: [.init(metric: 0, rows: Matrix([[place, 1, grade == .infinity ? 3 : 0]]))],
        fingerprint: [place])
    }
    var options = Selection.Options()
    options.lowGrade = 1.1
    options.highGrade = 25
    options.smallestDistance = 0.1
    options.smallestGainShare = 0
    let nan = SelectionCandidate(
      identifier: "n", score: 2, grade: 2, rows: [.init(metric: 0, rows: Matrix([[.nan, 0, 0]]))])
    let nothing = SelectionCandidate(
      identifier: "z", score: 2, grade: 2, rows: [.init(metric: 0, rows: Matrix([[0, 0, 0]]))])
    let selection = try Selection(
      [
        candidate("a", grade: 0.9, at: 0), candidate("b", grade: 30, at: 1),
        candidate("c", grade: 5, at: 2), candidate("d", grade: 4, at: 2.05),
        candidate("e", grade: 3, at: -2), candidate("f", grade: .infinity, at: 3), nan, nothing,
      ], metrics: [metric], options: options)
    #expect(selection.picks.map(\.identifier) == ["c", "e"])
    #expect(selection.omissions.map(\.identifier) == ["a", "b", "d", "f", "n", "z"])
    #expect(selection.omissions[0].reason == .known)
    #expect(selection.omissions[1].reason == .brokenGeometry)
    guard case .nearDuplicate(let distance, of: "c") = selection.omissions[2].reason else {
      Issue.record("\(selection.omissions[2])")
      return
    }
    #expect(close(distance, 0.05, 1e-9))
    #expect(selection.omissions[3].reason == .brokenGeometry)
    #expect(selection.omissions[4].reason == .brokenGeometry)
    #expect(selection.omissions[5].reason == .noGain)

    options.highGrade = nil
    options.top = 1
    let open = try Selection(
      [candidate("f", grade: .infinity, at: 3), candidate("g", grade: 99, at: 9)],
      metrics: [metric],
      options: options)
    #expect(open.picks.map(\.identifier) == ["f"])
    #expect(open.omissions.map(\.reason) == [.beyondBudget])
  }

  @Test(arguments: Selection.Order.allCases)
  func floorsAreMetAsLateAsPossible(order: Selection.Order) throws {
    var (candidates, metrics) = try Self.problem(seed: 13)
    var options = Self.options(order)
    let free = try Selection(candidates, metrics: metrics, options: options)
    // Rare: three that the free list leaves out as worth less, and one that it has.
    let left = free.omissions.filter { $0.reason == .beyondBudget }.map(\.identifier)
    let rare = Set(left.prefix(3) + [free.picks[14].identifier])
    for i in candidates.indices {
      candidates[i].group = rare.contains(candidates[i].identifier) ? "rare" : "common"
    }
    options.floors = ["rare": 3, "absent": 2]
    let floored = try Selection(candidates, metrics: metrics, options: options)
    let eager = try Selection(candidates, metrics: metrics, options: options, lazily: false)
    #expect(floored.picks == eager.picks && floored.omissions == eager.omissions)
    #expect(floored.picks.count == 15)
    #expect(floored.picks.count { rare.contains($0.identifier) } == 3)
    #expect(Array(floored.picks.prefix(12)) == Array(free.picks.prefix(12)))
    // More than there are: all that can be picked, and the rest of the list as before.
    options.floors = ["rare": 10]
    let all = try Selection(candidates, metrics: metrics, options: options)
    #expect(all.picks.count == 15)
    #expect(
      all.picks.count { rare.contains($0.identifier) }
        + all.omissions.count { rare.contains($0.identifier) } == 4)
    #expect(all.picks.count { rare.contains($0.identifier) } >= 3)
  }

  @Test func discountedScoreStartsWithTheHighestScore() throws {
    let (candidates, metrics) = try Self.problem(seed: 12)
    let selection = try Selection(
      candidates, metrics: metrics, options: Self.options(.discountedScore))
    #expect(selection.picks[0].score == candidates.map(\.score).max())
    for pick in selection.picks {
      #expect(close(pick.value, pick.score * pick.gain / pick.firstGain, 1e-12))
    }
    for (a, b) in zip(selection.picks, selection.picks.dropFirst()) { #expect(a.value >= b.value) }
  }

  @Test func wildRowsDoNotSpoilTheRanking() throws {
    var random = SeededGenerator(seed: 15)
    let metric = try Leverage(random.normalMatrix(3, 8))  // rank 3 of 8
    var candidates = (0..<20).map {
      SelectionCandidate(
        identifier: "c\($0)", score: 1, grade: 1,
        rows: [.init(metric: 0, rows: random.normalMatrix(3, 8, scale: $0 % 4 == 0 ? 1e9 : 1))])
    }
    candidates.append(candidates[0])
    #expect(throws: NoveltyError.duplicateIdentifier("c0")) {
      try Selection(candidates, metrics: [metric])
    }
    candidates.removeLast()
    let selection = try Selection(candidates, metrics: [metric])
    #expect(selection.picks.count + selection.omissions.count == 20)
    #expect(selection.picks.allSatisfy { $0.gain.isFinite && $0.gain > 0 })
    candidates[3].score = .nan
    #expect(throws: NoveltyError.badScore("c3")) { try Selection(candidates, metrics: [metric]) }
  }
}
