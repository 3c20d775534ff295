/// A structure without labels and what makes it worth computing, or not.
public struct Candidate: Sendable, Equatable {
  /// Place in the list, from 1; for structures listed apart, their own numbering.
  public var rank: Int
  /// Names the structure by its content.
  public var id: String
  public var formula: String
  public var atomCount: Int
  /// What the list is ordered by, before diversity; infinite where a structure lies outside the span.
  public var score: Double
  /// Largest extrapolation grade over the atoms; infinite = outside the span of the training rows.
  public var globalGrade: Double
  public var localGrade: Double
  /// Largest deviation of an ensemble member's force on an atom from the mean force, eV/Å.
  public var forceDeviation: Double?
  /// Standard deviation of the energy over members, eV/atom.
  public var energyDeviation: Double?
  /// Largest distance of a member's stress from the mean (Frobenius norm), eV/Å³.
  public var stressDeviation: Double?
  /// Calibrated standard uncertainties of the energy, eV/atom, and of a component of the force on the atom where it is
  /// largest, eV/Å; nil where none can be trusted.
  public var energyUncertainty: Double?
  public var forceUncertainty: Double?
  public var nearestCluster: Int?
  public var clusterLabel: String
  /// The atom with the largest grade, counted from 1 as viewers of POSCAR files do.
  public var atom: Int?
  public var atomElement: String
  /// The pool file as the user named it.
  public var source: String
  /// Frame in that file, counted from 0 as in `Provenance.ionicStep`.
  public var frame: Int
  /// Why it stands here, in words.
  public var reason: String
  /// Folder of the structure relative to the run folder; empty where none was written.
  public var folder: String
  /// Place in the earlier list; nil where it was not there.
  public var previousRank: Int?

  public init(
    rank: Int, id: String, formula: String, atomCount: Int, score: Double, globalGrade: Double,
    localGrade: Double, forceDeviation: Double? = nil, energyDeviation: Double? = nil,
    stressDeviation: Double? = nil, nearestCluster: Int? = nil, clusterLabel: String = "", atom: Int? = nil,
    atomElement: String = "", source: String,
    frame: Int = 0, reason: String = "", folder: String = "", previousRank: Int? = nil
  ) {
    self.rank = rank
    self.id = id
    self.formula = formula
    self.atomCount = atomCount
    self.score = score
    self.globalGrade = globalGrade
    self.localGrade = localGrade
    self.forceDeviation = forceDeviation
    self.energyDeviation = energyDeviation
    self.stressDeviation = stressDeviation
    self.nearestCluster = nearestCluster
    self.clusterLabel = clusterLabel
    self.atom = atom
    self.atomElement = atomElement
    self.source = source
    self.frame = frame
    self.reason = reason
    self.folder = folder
    self.previousRank = previousRank
  }

  /// Whether any of its numbers is infinite: an environment that no training row spans.
  public var isOutside: Bool {
    [score, globalGrade, localGrade, forceDeviation ?? 0].contains { $0.isInfinite }
  }
}

/// How the list was made.
public struct RankingFacts: Sendable, Equatable {
  /// Name of the score in words ("local D-optimality").
  public var score: String
  /// Structures found in the pools.
  public var pooled: Int
  /// Left out because they repeat what stands above them.
  public var nearDuplicates: Int
  /// Left out because nothing about them is new.
  public var known: Int
  /// Structures with a grade above this are new; above `brokenGrade` their geometry is doubted.
  public var noveltyGrade: Double
  public var brokenGrade: Double?

  public init(
    score: String = "", pooled: Int = 0, nearDuplicates: Int = 0, known: Int = 0,
    noveltyGrade: Double = 1, brokenGrade: Double? = nil
  ) {
    self.score = score
    self.pooled = pooled
    self.nearDuplicates = nearDuplicates
    self.known = known
    self.noveltyGrade = noveltyGrade
    self.brokenGrade = brokenGrade
  }
}
