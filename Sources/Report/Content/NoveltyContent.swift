/// A cluster of the training environments.
public struct ClusterSummary: Sendable, Equatable {
  public var id: Int
  public var label: String
  public var element: String
  public var rows: Int
  /// Numerical rank of its rows.
  public var rank: Int
  /// Its share of the global active rows divided by its share of all rows: below 1, under-represented.
  public var representation: Double

  public init(
    id: Int, label: String = "", element: String = "", rows: Int, rank: Int, representation: Double
  ) {
    self.id = id
    self.label = label
    self.element = element
    self.rows = rows
    self.rank = rank
    self.representation = representation
  }
}

/// How a grade is distributed over the training structures and the pool; infinite = outside the span.
public struct GradeDistribution: Sendable, Equatable {
  /// What the grade is ("Global grade", "Local grade, cluster 3").
  public var name: String
  /// One value per structure (its largest atomic grade).
  public var training: [Double]
  public var candidates: [Double]
  /// Lines to draw, with their names ("new", 1).
  public var thresholds: [NamedValue]

  public init(
    name: String, training: [Double], candidates: [Double], thresholds: [NamedValue] = []
  ) {
    self.name = name
    self.training = training
    self.candidates = candidates
    self.thresholds = thresholds
  }
}

/// Configuration space on its first two principal components.
public struct ConfigurationMap: Sendable, Equatable {
  public struct TrainingPoint: Sendable, Equatable {
    public var x: Double
    public var y: Double
    public var cluster: Int

    public init(x: Double, y: Double, cluster: Int) {
      self.x = x
      self.y = y
      self.cluster = cluster
    }
  }

  public struct CandidatePoint: Sendable, Equatable {
    public var x: Double
    public var y: Double
    /// Place in the list; nil for pool structures that are not on it.
    public var rank: Int?

    public init(x: Double, y: Double, rank: Int?) {
      self.x = x
      self.y = y
      self.rank = rank
    }
  }

  /// What one point is ("structure", "atom").
  public var unit: String
  public var training: [TrainingPoint]
  public var candidates: [CandidatePoint]
  /// Share of the variance that each of the two components explains, 0...1; nil where not known.
  public var explained: (x: Double, y: Double)?

  public init(
    unit: String = "structure", training: [TrainingPoint], candidates: [CandidatePoint],
    explained: (x: Double, y: Double)? = nil
  ) {
    self.unit = unit
    self.training = training
    self.candidates = candidates
    self.explained = explained
  }

  public static func == (a: ConfigurationMap, b: ConfigurationMap) -> Bool {
    a.unit == b.unit && a.training == b.training && a.candidates == b.candidates
      && a.explained?.x == b.explained?.x && a.explained?.y == b.explained?.y
  }
}
