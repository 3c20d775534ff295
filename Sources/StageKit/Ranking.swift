import Platform

/// The candidates in order of novelty (part `ranking.json` of a `ranking`).
public struct Ranking: Sendable, Codable, Equatable {
  /// Name of the score that orders the list.
  public var score: String
  /// In words: what the score and the order mean.
  public var explanation: String
  /// Structures looked at.
  public var candidates: Int
  /// Structures with a grade above 1: outside what the active sets span.
  public var extrapolating: Int
  public var entries: [Entry]
  /// Grade above the window: probably broken geometries; not in the list.
  public var broken: [Entry]
  /// Left out, with the reason.
  public var skipped: [Skipped]

  public init(score: String, explanation: String, candidates: Int) {
    self.score = score
    self.explanation = explanation
    self.candidates = candidates
    extrapolating = 0
    entries = []
    broken = []
    skipped = []
  }

  /// One candidate structure.
  public struct Entry: Sendable, Codable, Equatable {
    /// 1 is the structure to compute first.
    public var rank: Int
    public var source: Digest
    /// Frame within the source, from 0.
    public var frame: Int
    public var formula: String
    public var atoms: Int
    /// What the list is ordered by, before diversity.
    public var score: Double
    /// ln det gain over what the training data and the entries above already span.
    public var gain: Double
    /// Largest global extrapolation grade of its atoms; infinite outside the span of the training data.
    public var globalGrade: Double
    /// Largest local grade of its atoms (minimum over clusters).
    public var localGrade: Double
    /// Largest deviation of an ensemble member's force on an atom from the mean, eV/Å.
    public var ensembleForceDeviation: Double
    /// Name of the cluster nearest to the responsible atom.
    public var nearestCluster: String
    /// The responsible atom, from 1, and its element.
    public var atom: Int
    public var element: String
    /// Atoms of the structure with a score above 1.
    public var atomsAboveOne: Int
    /// In words: why it is here.
    public var reason: String

    public init(
      rank: Int, source: Digest, frame: Int, formula: String, atoms: Int, score: Double, gain: Double,
      globalGrade: Double, localGrade: Double, ensembleForceDeviation: Double, nearestCluster: String, atom: Int,
      element: String, atomsAboveOne: Int, reason: String
    ) {
      self.rank = rank
      self.source = source
      self.frame = frame
      self.formula = formula
      self.atoms = atoms
      self.score = score
      self.gain = gain
      self.globalGrade = globalGrade
      self.localGrade = localGrade
      self.ensembleForceDeviation = ensembleForceDeviation
      self.nearestCluster = nearestCluster
      self.atom = atom
      self.element = element
      self.atomsAboveOne = atomsAboveOne
      self.reason = reason
    }
  }

  /// A candidate that is not listed.
  public struct Skipped: Sendable, Codable, Equatable {
    public var source: Digest
    public var frame: Int
    public var reason: String

    public init(source: Digest, frame: Int, reason: String) {
      self.source = source
      self.frame = frame
      self.reason = reason
    }
  }
}
