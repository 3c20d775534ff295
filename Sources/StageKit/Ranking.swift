import Platform

/// The candidates in order of novelty (part `ranking.json` of a `ranking`).
public struct Ranking: Sendable, Codable, Equatable {
  /// Name of the score that orders the list.
  public var score: String
  /// The score's name in a sentence ("local density ratio").
  public var scoreWords: String
  /// In words: what the score and the order mean.
  public var explanation: String
  /// Structures looked at.
  public var candidates: Int
  /// Structures whose score says that they are new.
  public var extrapolating: Int
  public var entries: [Entry]
  /// Atoms impossibly close: probably broken geometries; not in the list.
  public var broken: [Entry]
  /// Left out, with the reason.
  public var skipped: [Skipped]

  public init(score: String, scoreWords: String, explanation: String, candidates: Int) {
    self.score = score
    self.scoreWords = scoreWords
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
    /// Standard deviation of the energy over members, eV/atom.
    public var ensembleEnergyDeviation: Double?
    /// Largest distance of a member's stress from the mean, eV/Å³; nil without a cell.
    public var ensembleStressDeviation: Double?
    /// Calibrated standard uncertainties of the energy, eV/atom, and of a component of the force on the atom where it
    /// is largest, eV/Å; nil where the ensemble is not calibrated or the structure extrapolates.
    public var energyUncertainty: Double?
    public var forceUncertainty: Double?
    /// Name of the cluster nearest to the responsible atom.
    public var nearestCluster: String
    /// The responsible atom, from 1, and its element.
    public var atom: Int
    public var element: String
    /// Atoms of the structure whose score says that they are new.
    public var newAtoms: Int
    /// In words: why it is here.
    public var reason: String

    public init(
      rank: Int, source: Digest, frame: Int, formula: String, atoms: Int, score: Double, gain: Double,
      globalGrade: Double, localGrade: Double, ensembleForceDeviation: Double, nearestCluster: String, atom: Int,
      element: String, newAtoms: Int, reason: String
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
      self.newAtoms = newAtoms
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

/// One cluster and its active set (part `clusters.json` of `active-sets`).
public struct ClusterSummary: Sendable, Codable, Equatable {
  public var element: String
  public var name: String
  /// Training environments in it.
  public var rows: Int
  /// Independent directions that they span.
  public var rank: Int
  /// (share of the global active rows)/(share of the rows): below 1 the global set neglects it.
  public var representation: Double
  public var globalRank: Int
  public var globalCondition: Double

  public init(
    element: String, name: String, rows: Int, rank: Int, representation: Double, globalRank: Int,
    globalCondition: Double
  ) {
    self.element = element
    self.name = name
    self.rows = rows
    self.rank = rank
    self.representation = representation
    self.globalRank = globalRank
    self.globalCondition = globalCondition
  }
}

/// Configuration space in two principal components (part `map.json` of a `ranking`), per element.
public struct ConfigurationMap: Sendable, Codable, Equatable {
  public struct Point: Sendable, Codable, Equatable {
    public var x: Double
    public var y: Double
    /// Cluster of a training environment; rank of a candidate, nil where it is not listed.
    public var label: Int?

    public init(x: Double, y: Double, label: Int?) {
      self.x = x
      self.y = y
      self.label = label
    }
  }

  public var element: String
  public var clusterNames: [String]
  /// A bounded sample.
  public var training: [Point]
  /// The responsible atom of every candidate structure.
  public var candidates: [Point]

  public init(element: String, clusterNames: [String], training: [Point], candidates: [Point]) {
    self.element = element
    self.clusterNames = clusterNames
    self.training = training
    self.candidates = candidates
  }
}

/// Grades of all candidate structures (part `grades.json` of a `ranking`), in the order of sources and frames.
public struct CandidateGrades: Sendable, Codable, Equatable {
  public var global: [Double]
  public var local: [Double]

  public init(global: [Double], local: [Double]) {
    self.global = global
    self.local = local
  }
}
