import Glibc
import LinearAlgebra
import Platform

/// The greedy search behind `Selection`. Candidates are known by their place in identifier order.
struct SelectionSearch {
  /// Upper bound on a candidate's value, and when it was computed. Ordered by value, then gain, then
  /// identifier.
  struct Bound {
    var value: Double
    var gain: Double
    var candidate: Int
    /// Number of picks when it was computed.
    var age: Int

    static func isBefore(_ a: Bound, _ b: Bound) -> Bool {
      if a.value != b.value { return a.value > b.value }
      if a.gain != b.gain { return a.gain > b.gain }
      return a.candidate < b.candidate
    }
  }

  private let candidates: [SelectionCandidate]
  private let options: Selection.Options
  /// The references of each metric and the picks so far.
  private var metrics: [Leverage]
  private var firstGains: [Double]
  private var heap: [Bound] = []
  /// Candidates of each group that may still be picked, and picks that its floor lacks.
  private var waiting: [String: Int] = [:]
  private var lacking: [String: Int]
  private var picks: [(candidate: Int, pick: Selection.Pick)] = []
  private var omitted: [(candidate: Int, reason: Selection.Reason)] = []
  private(set) var evaluations = 0

  init(
    _ candidates: [SelectionCandidate], metrics: [Leverage], options: Selection.Options,
    threads: Int
  ) throws {
    self.candidates = candidates
    self.options = options
    self.metrics = metrics
    lacking = options.floors
    var ranked: [Int] = []
    for (i, candidate) in candidates.enumerated() {
      guard candidate.score >= 0, !candidate.grade.isNaN else {
        throw NoveltyError.badScore(candidate.identifier)
      }
      if let low = options.lowGrade, candidate.grade < low {
        omitted.append((i, .known))
      } else if let high = options.highGrade, candidate.grade > high {
        omitted.append((i, .brokenGeometry))
      } else if !candidate.rows.allSatisfy({ $0.rows.storage.allSatisfy { $0.isFinite } }) {
        omitted.append((i, .brokenGeometry))
      } else {
        ranked.append(i)
      }
    }
    let order = ranked
    let gains = concurrentMap(order.count, threads: threads) {
      Self.gain(candidates[order[$0]].rows, metrics: metrics)
    }
    firstGains = Array(repeating: 0, count: candidates.count)
    for (i, gain) in zip(order, gains) { firstGains[i] = gain }
    evaluations = order.count
    for i in order {
      if firstGains[i] > 0 {
        push(bound(i, gain: firstGains[i]))
        if let group = candidates[i].group { waiting[group, default: 0] += 1 }
      } else {
        omitted.append((i, .noGain))
      }
    }
  }

  mutating func run(lazily: Bool) {
    while picks.count < options.top, !heap.isEmpty {
      let total = lacking.keys.reduce(0) { $0 + owed($1) }
      let isBound = total > 0 && total >= options.top - picks.count
      let best = lazily ? takeLazily(onlyOwed: isBound) : takeEagerly(onlyOwed: isBound)
      guard let best else { return }
      decide(best)
    }
  }

  /// Re-scores the head of the heap until it stays there.
  private mutating func takeLazily(onlyOwed: Bool) -> Bound? {
    var parked: [Bound] = []
    defer { for bound in parked { push(bound) } }
    while let top = heap.first {
      pop()
      if onlyOwed, !isOwed(top) {
        parked.append(top)
        continue
      }
      if top.age == picks.count { return top }
      let fresh = refreshed(top)
      guard let next = heap.first, !Bound.isBefore(fresh, next) else { return fresh }
      push(fresh)
    }
    return nil
  }

  /// Re-scores everything.
  private mutating func takeEagerly(onlyOwed: Bool) -> Bound? {
    for k in heap.indices where heap[k].age < picks.count { heap[k] = refreshed(heap[k]) }
    heap.sort(by: Bound.isBefore)  // a sorted array is a heap, with or without any of its members
    guard let k = heap.firstIndex(where: { !onlyOwed || isOwed($0) }) else { return nil }
    return heap.remove(at: k)
  }

  /// Picks that a group's floor lacks and that can still be made.
  private func owed(_ group: String) -> Int {
    max(0, min(lacking[group] ?? 0, waiting[group] ?? 0))
  }

  private func isOwed(_ bound: Bound) -> Bool {
    candidates[bound.candidate].group.map { owed($0) > 0 } ?? false
  }

  /// Picks the candidate or sets it aside.
  private mutating func decide(_ best: Bound) {
    let candidate = candidates[best.candidate]
    if let group = candidate.group { waiting[group, default: 0] -= 1 }
    if let reason = duplicateReason(best) {
      omitted.append((best.candidate, reason))
      return
    }
    if let group = candidate.group { lacking[group, default: 0] -= 1 }
    picks.append(
      (
        best.candidate,
        Selection.Pick(
          identifier: candidate.identifier, score: candidate.score, grade: candidate.grade,
          gain: best.gain, firstGain: firstGains[best.candidate], value: best.value)
      ))
    learn(best.candidate)
  }

  /// Picks in order, and the reason for everything else.
  mutating func finish() -> (picks: [Selection.Pick], omissions: [Selection.Omission]) {
    for bound in heap.sorted(by: { $0.candidate < $1.candidate }) {
      let fresh = bound.age < picks.count ? refreshed(bound) : bound
      omitted.append((fresh.candidate, duplicateReason(fresh) ?? .beyondBudget))
    }
    heap = []
    let omissions = omitted.sorted { $0.candidate < $1.candidate }.map { i, reason in
      Selection.Omission(
        identifier: candidates[i].identifier, score: candidates[i].score,
        grade: candidates[i].grade,
        firstGain: firstGains[i], reason: reason)
    }
    return (picks.map(\.pick), omissions)
  }

  // MARK: Gains

  private func bound(_ i: Int, gain: Double) -> Bound {
    let value =
      options.order == .gain
      ? gain : candidates[i].score == 0 ? 0 : candidates[i].score * (gain / firstGains[i])
    return Bound(value: value, gain: gain, candidate: i, age: picks.count)
  }

  /// The bound with today's gain. Rounding may not raise it: gains only fall.
  private mutating func refreshed(_ stale: Bound) -> Bound {
    evaluations += 1
    let gain = Self.gain(candidates[stale.candidate].rows, metrics: metrics)
    return bound(stale.candidate, gain: min(stale.gain, gain))
  }

  /// Σ ln det(I + X X') over metrics, X = B R⁻¹, from the triangular factor of [X'; I]: it exists however wild
  /// the rows are, where a Cholesky factor of I + X X' may not. Its diagonal is at least 1.
  private static func gain(_ blocks: [SelectionCandidate.Rows], metrics: [Leverage]) -> Double {
    var sum = 0.0
    for block in merged(blocks) where block.rows.rows > 0 {
      let whitened = metrics[block.metric].whitened(block.rows)
      let factor = whitened.transposed.stacked(on: .identity(block.rows.rows))
        .upperTriangularFactor()
      for i in 0..<factor.rows { sum += 2 * log(max(1, factor[i, i])) }
    }
    return sum
  }

  /// One block per metric, so that rows of one metric see each other.
  private static func merged(_ blocks: [SelectionCandidate.Rows]) -> [SelectionCandidate.Rows] {
    var result: [SelectionCandidate.Rows] = []
    for block in blocks {
      if let k = result.firstIndex(where: { $0.metric == block.metric }) {
        result[k].rows = result[k].rows.stacked(on: block.rows)
      } else {
        result.append(block)
      }
    }
    return result.sorted { $0.metric < $1.metric }
  }

  /// P -= P B'(I + B P B')⁻¹ B P, done as a merge of triangular factors, which no cancellation can spoil.
  private mutating func learn(_ i: Int) {
    for block in Self.merged(candidates[i].rows) {
      metrics[block.metric] = metrics[block.metric].adding(block.rows)
    }
  }

  // MARK: Near-duplicates

  private func duplicateReason(_ bound: Bound) -> Selection.Reason? {
    guard let last = picks.last else { return nil }
    let nearest = nearestPick(bound.candidate)
    if let limit = options.smallestDistance, let nearest, nearest.distance < limit {
      return .nearDuplicate(distance: nearest.distance, of: nearest.identifier)
    }
    let share = bound.gain / firstGains[bound.candidate]
    guard share < options.smallestGainShare else { return nil }
    return .gainExplained(share: share, nearest: nearest?.identifier ?? last.pick.identifier)
  }

  private func nearestPick(_ i: Int) -> (identifier: String, distance: Double)? {
    guard let own = candidates[i].fingerprint else { return nil }
    var best: (identifier: String, distance: Double)?
    for (other, pick) in picks {
      guard let fingerprint = candidates[other].fingerprint, fingerprint.count == own.count else {
        continue
      }
      var square = 0.0
      for j in own.indices { square += (own[j] - fingerprint[j]) * (own[j] - fingerprint[j]) }
      let distance = square.squareRoot()
      if best.map({ distance < $0.distance }) ?? true { best = (pick.identifier, distance) }
    }
    return best
  }

  // MARK: Heap

  private mutating func push(_ bound: Bound) {
    heap.append(bound)
    var child = heap.count - 1
    while child > 0, Bound.isBefore(heap[child], heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var first = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
        if Bound.isBefore(heap[child], heap[first]) { first = child }
      }
      if first == parent { return }
      heap.swapAt(parent, first)
      parent = first
    }
  }
}
