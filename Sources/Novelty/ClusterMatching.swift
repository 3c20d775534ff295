/// How the clusters of a new partition continue those of an old one.
///
/// Similarity is the Jaccard index |old ∩ new| / |old ∪ new| over the members that both partitions have. A
/// cluster continues another from .5 upwards. At such a threshold a cluster has at most one partner, but for
/// an exact split into halves, so taking the most similar pair first (the lower old, then the lower new index on
/// ties) is the optimal assignment.
public struct ClusterMatching: Sendable, Equatable, Codable {
  public enum Event: Sendable, Equatable, Codable {
    /// Old cluster a goes on as new cluster b.
    case continued(old: Int, new: Int, similarity: Double)
    /// At least two new clusters got a fifth or more of an old one's members.
    case split(old: Int, into: [Int])
    /// At least two old clusters gave a fifth or more of their members to one new cluster.
    case merged(old: [Int], new: Int)
    /// A new cluster that continues none.
    case born(new: Int)
    /// An old cluster that none continues.
    case died(old: Int)
  }

  /// The old cluster that each new one continues.
  public let predecessors: [Int?]
  /// Everything that happened, in a fixed order.
  public let events: [Event]

  /// - Parameters:
  ///   - old: old cluster of each shared member.
  ///   - new: new cluster of the same members, in the same order.
  ///   - threshold: at least .5.
  public init(
    old: [Int], new: [Int], oldCount: Int, newCount: Int, threshold: Double = 0.5
  ) {
    precondition(old.count == new.count, "the same members")
    precondition(threshold >= 0.5, "below one half the assignment is not unique")
    var shared = [[Int]](repeating: Array(repeating: 0, count: newCount), count: oldCount)
    for (a, b) in zip(old, new) { shared[a][b] += 1 }
    let oldSizes = shared.map { $0.reduce(0, +) }
    let newSizes = (0..<newCount).map { b in shared.reduce(0) { $0 + $1[b] } }

    var pairs: [(similarity: Double, old: Int, new: Int)] = []
    for a in 0..<oldCount {
      for b in 0..<newCount where shared[a][b] > 0 {
        let union = oldSizes[a] + newSizes[b] - shared[a][b]
        let similarity = Double(shared[a][b]) / Double(union)
        if similarity >= threshold { pairs.append((similarity, a, b)) }
      }
    }
    pairs.sort { ($1.similarity, $0.old, $0.new) < ($0.similarity, $1.old, $1.new) }
    var predecessors = [Int?](repeating: nil, count: newCount)
    var successors = [Int?](repeating: nil, count: oldCount)
    var continued: [Event] = []
    for pair in pairs where predecessors[pair.new] == nil && successors[pair.old] == nil {
      predecessors[pair.new] = pair.old
      successors[pair.old] = pair.new
      continued.append(.continued(old: pair.old, new: pair.new, similarity: pair.similarity))
    }

    let fifth = { (part: Int, whole: Int) in part > 0 && 5 * part >= whole }
    let splits: [Event] = (0..<oldCount).compactMap { a in
      let parts = (0..<newCount).filter { fifth(shared[a][$0], oldSizes[a]) }
      return parts.count > 1 ? .split(old: a, into: parts) : nil
    }
    let merges: [Event] = (0..<newCount).compactMap { b in
      let parts = (0..<oldCount).filter { fifth(shared[$0][b], oldSizes[$0]) }
      return parts.count > 1 ? .merged(old: parts, new: b) : nil
    }
    let births = (0..<newCount).filter { predecessors[$0] == nil }.map { Event.born(new: $0) }
    let deaths = (0..<oldCount).filter { successors[$0] == nil }.map { Event.died(old: $0) }
    self.predecessors = predecessors
    events = continued + splits + merges + births + deaths
  }

  /// Names for the new clusters: those continued keep theirs, others get the smallest unused number as text.
  public func names(old: [String]) -> [String] {
    var used = Set(old)
    var next = 0
    return predecessors.map { predecessor in
      if let predecessor { return old[predecessor] }
      while used.contains(String(next)) { next += 1 }
      used.insert(String(next))
      return String(next)
    }
  }
}
