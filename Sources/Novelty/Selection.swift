import LinearAlgebra

/// A structure that might be computed next.
public struct SelectionCandidate: Sendable {
  /// Rows measured by one of the metrics (an element, or a cluster of an element).
  public struct Rows: Sendable {
    /// Index of the metric.
    public var metric: Int
    /// Shape [atoms][functions]. They may be the structure's worst atoms only; then its gain is theirs.
    public var rows: Matrix

    public init(metric: Int, rows: Matrix) {
      self.metric = metric
      self.rows = rows
    }
  }

  /// Unique; breaks ties.
  public var identifier: String
  /// The primary score, not negative; may be infinite.
  public var score: Double
  /// Largest extrapolation grade of its atoms; may be infinite.
  public var grade: Double
  public var rows: [Rows]
  /// Any fixed-length description (say, mean rows in standardised coordinates), for the distance that tells
  /// near-duplicates; nil leaves the structure out of that test.
  public var fingerprint: [Double]?
  /// What a floor counts (the element or the cluster of its worst atom, say).
  public var group: String?

  public init(
    identifier: String, score: Double, grade: Double, rows: [Rows], fingerprint: [Double]? = nil,
    group: String? = nil
  ) {
    self.identifier = identifier
    self.score = score
    self.grade = grade
    self.rows = rows
    self.fingerprint = fingerprint
    self.group = group
  }
}

/// A list of what to compute next in which number two is what is new *after* number one.
///
/// The gain of a structure s with rows B_s is g(s) = Σ over metrics ln det(I + B_s P B_s'), where P = (B'B + λI)⁻¹ of the
/// reference rows of that metric. After a pick, P ← P - P B_s'(I + B_s P B_s')⁻¹ B_s P: as if the pick had been added to the
/// references. Gains only fall (the gain is monotone submodular), so a heap of stale gains whose top is
/// re-scored until it stays on top gives exactly what re-scoring everything would.
///
/// **Rank** k means: given the k - 1 structures above it, this one has the largest value of all that remain, where the value is
/// the gain (`.gain`) or the score times the share of its first gain that is left (`.discountedScore`). It does not mean
/// the k-th largest score, and, without floors, the first k of the list are the list for a budget of k.
public struct Selection: Sendable, Equatable {
  public enum Order: String, Sendable, Codable, CaseIterable {
    /// The gain alone: what the linear model learns most from. Scores are only shown.
    case gain
    /// score · gain/first gain: the primary score orders, and a structure counts for less the more of it the picks
    /// above explain. The first pick is the one with the largest score.
    case discountedScore
  }

  public struct Options: Sendable, Equatable, Codable {
    public var order = Order.discountedScore
    /// Most structures to pick.
    public var top = 50
    /// A structure whose gain fell below this share of its first value is a near-duplicate of those picked.
    public var smallestGainShare = 0.05
    /// A structure whose fingerprint is nearer than this to that of a pick is a near-duplicate; nil: no such test.
    public var smallestDistance: Double?
    /// Grades below are known and not ranked; nil: no lower end.
    public var lowGrade: Double?
    /// Grades above are broken geometry rather than news (close pairs), listed apart; nil: no upper end.
    public var highGrade: Double?
    /// At least this many picks of a group, where it has so many: once the places left are as few as the floors
    /// still lack, only those groups are picked from.
    public var floors: [String: Int] = [:]

    public init() {}
  }

  /// A structure in the list.
  public struct Pick: Sendable, Equatable {
    public let identifier: String
    public let score: Double
    public let grade: Double
    /// When it was picked.
    public let gain: Double
    /// Before anything was picked.
    public let firstGain: Double
    /// What it was ordered by.
    public let value: Double
  }

  /// Why a structure is not in the list.
  public enum Reason: Sendable, Equatable, CustomStringConvertible {
    /// The grade is below the window.
    case known
    /// The grade is above the window.
    case brokenGeometry
    /// This share of its gain was left when it was compared; `nearest` is the closest pick by fingerprint, or the last
    /// one where there are no fingerprints.
    case gainExplained(share: Double, nearest: String)
    /// As near as this to a pick.
    case nearDuplicate(distance: Double, of: String)
    /// The references leave nothing to gain.
    case noGain
    /// Good, but others were better.
    case beyondBudget

    /// In words, for people.
    public var description: String {
      func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
      switch self {
      case .known: return "its grade is below the window"
      case .brokenGeometry:
        return "its grade is above the window or it has rows that are not finite: broken geometry?"
      case .gainExplained(let share, let nearest):
        return
          "\(percent(share)) of its gain is left after the structures above, of which \(nearest) is nearest"
      case .nearDuplicate(let distance, let other):
        return "near-duplicate of \(other) (distance \((distance * 1e4).rounded() / 1e4))"
      case .noGain: return "the references leave nothing to gain"
      case .beyondBudget: return "others were better"
      }
    }
  }

  public struct Omission: Sendable, Equatable {
    public let identifier: String
    public let score: Double
    public let grade: Double
    /// Before anything was picked; 0 where the grade already decided.
    public let firstGain: Double
    public let reason: Reason
  }

  /// In order; at most `top`.
  public let picks: [Pick]
  /// Everything else, by identifier.
  public let omissions: [Omission]
  /// Gains computed: what laziness saved.
  package let evaluations: Int

  /// - Parameter metrics: leverage of the references of each element, or of each cluster of each element.
  /// - Throws: `NoveltyError.duplicateIdentifier`, `.badScore`.
  public init(
    _ candidates: [SelectionCandidate], metrics: [Leverage], options: Options = Options(),
    threads: Int = 1
  ) throws {
    try self.init(candidates, metrics: metrics, options: options, lazily: true, threads: threads)
  }

  /// `lazily: false` re-scores everything for every pick: the oracle.
  package init(
    _ candidates: [SelectionCandidate], metrics: [Leverage], options: Options, lazily: Bool,
    threads: Int = 1
  ) throws {
    let sorted = candidates.sorted { $0.identifier < $1.identifier }
    for (a, b) in zip(sorted, sorted.dropFirst()) where a.identifier == b.identifier {
      throw NoveltyError.duplicateIdentifier(a.identifier)
    }
    var search = try SelectionSearch(sorted, metrics: metrics, options: options, threads: threads)
    search.run(lazily: lazily)
    (picks, omissions) = search.finish()
    evaluations = search.evaluations
  }
}
