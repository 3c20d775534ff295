import Platform

/// What a fit was and how good it is (part `fit.json` of a `potential`).
public struct FitSummary: Sendable, Codable, Equatable {
  /// The basis in words ("linear ACE, SBessel, cutoff 5 Å, ranks 1–3").
  public var basis: String
  /// Functions per element, in the elements' order.
  public var functions: [Int]
  public var elements: [String]
  public var sources: Int
  public var configurations: Int
  /// Rows of the weighted least-squares problem.
  public var rows: Int
  /// Tikhonov strength λ and how it was chosen.
  public var regularisation: Double
  public var regularisationMethod: String
  public var conditionNumber: Double
  public var effectiveRank: Int
  public var effectiveDegreesOfFreedom: Double
  /// eV per atom of each element, and how they were found.
  public var referenceEnergies: [Double]
  public var referenceEnergyMethod: String
  public var ensembleMembers: Int
  public var ensembleMethod: String
  /// Of the published `ensemble.npz`: whose deviations `calibration` is about; nil without one.
  public var ensembleDigest: Digest?
  /// Independent units (sources, or blocks of frames) that the held-out errors come from.
  public var heldOutBlocks: Int
  public var blocks: Int
  /// Energy, forces and stress weights in words.
  public var weights: String
  /// General weights by label.
  public var weightValues: [String: Double]
  /// Whether the stress labels agree with the others; nil where there are none that count.
  public var stressAgreement: StressAgreement?
  public var errors: [ErrorLine]
  /// What counts less because its errors stand out; empty where that was not asked for.
  public var outliers: [Outlier]
  /// Of forces, by element; `group` is the element.
  public var elementErrors: [ErrorLine]
  /// Of energies, by reduced formula; `group` is the formula.
  public var compositionErrors: [ErrorLine]
  /// Log evidence of the fit at its prior; of use to compare fits to the same rows.
  public var logEvidence: Double
  /// Columns of functions that automatic relevance determination dropped.
  public var prunedFunctions: [Int]
  /// Errors of sources by fits that saw all, and by fits that never saw the source; worst first.
  public var leftOutSources: [LeftOut]
  /// The same of groups, in the order of their names.
  public var leftOutGroups: [LeftOut]
  /// Held-out errors of fits to parts of the training data, from the smallest part to all of it.
  public var learningCurve: [LearningPoint]
  /// How deviations of the ensemble agree with errors of held-out frames; empty without either.
  public var calibration: [Calibration]
  public var notes: [String]
  /// Predicted against reference values, for the report: a bounded sample.
  public var parity: [ParityPoint]

  /// Rows of one kind of a block of a source whose error is far beyond those of the others.
  public struct Outlier: Sendable, Codable, Equatable {
    public var source: Digest
    /// As people know it; the digest's first digits where nobody told.
    public var name: String
    /// Ionic steps, or frames of a collection.
    public var steps: [Int]
    public var group: String
    public var quantity: String
    /// Root mean square error and the largest that is not unusual, in `unit`.
    public var error: Double
    public var limit: Double
    /// "meV/atom", "meV/Å", or, for stress, that of V·σ/√N: "meV/√atom".
    public var unit: String
    /// What the rows were multiplied by.
    public var multiplier: Double

    public init(
      source: Digest, name: String, steps: [Int], group: String, quantity: String, error: Double, limit: Double,
      unit: String, multiplier: Double
    ) {
      self.source = source
      self.name = name
      self.steps = steps
      self.group = group
      self.quantity = quantity
      self.error = error
      self.limit = limit
      self.unit = unit
      self.multiplier = multiplier
    }
  }

  /// Errors of one quantity in one group.
  public struct ErrorLine: Sendable, Codable, Equatable {
    /// "all" or a group's name.
    public var group: String
    /// "energy", "force" (components), "forceMagnitude" (lengths of vectors) or "stress".
    public var quantity: String
    /// "meV/atom", "meV/Å", "GPa".
    public var unit: String
    public var heldOut: Bool
    public var count: Int
    public var meanAbsolute: Double
    public var rootMeanSquare: Double
    public var largest: Double
    /// R²; nil where the reference values are all the same.
    public var determination: Double?

    public init(
      group: String, quantity: String, unit: String, heldOut: Bool, count: Int, meanAbsolute: Double,
      rootMeanSquare: Double, largest: Double, determination: Double? = nil
    ) {
      self.group = group
      self.quantity = quantity
      self.unit = unit
      self.heldOut = heldOut
      self.count = count
      self.meanAbsolute = meanAbsolute
      self.rootMeanSquare = rootMeanSquare
      self.largest = largest
      self.determination = determination
    }
  }

  /// Root mean square errors, nil without labels.
  public struct Errors: Sendable, Codable, Equatable {
    /// meV/atom.
    public var energy: Double?
    /// Components, meV/Å.
    public var force: Double?
    /// Components, GPa.
    public var stress: Double?

    public init(energy: Double? = nil, force: Double? = nil, stress: Double? = nil) {
      self.energy = energy
      self.force = force
      self.stress = stress
    }
  }

  /// Errors of what belongs together, by a fit to everything and by one without it.
  public struct LeftOut: Sendable, Codable, Equatable {
    /// nil for a group.
    public var source: Digest?
    /// Group of its first configuration.
    public var group: String
    public var configurations: Int
    public var fitted: Errors
    public var leftOut: Errors

    public init(source: Digest?, group: String, configurations: Int, fitted: Errors, leftOut: Errors) {
      self.source = source
      self.group = group
      self.configurations = configurations
      self.fitted = fitted
      self.leftOut = leftOut
    }
  }

  public struct LearningPoint: Sendable, Codable, Equatable {
    /// Sources, or blocks of frames where there are few sources.
    public var units: Int
    public var configurations: Int
    public var heldOut: Errors

    public init(units: Int, configurations: Int, heldOut: Errors) {
      self.units = units
      self.configurations = configurations
      self.heldOut = heldOut
    }
  }

  /// Error bars √(scale² σ² + floor²) from an ensemble's standard deviations σ, made and checked on frames that the
  /// members never saw: every value with the scale and floor of other runs.
  public struct Calibration: Sendable, Codable, Equatable {
    /// "energy" (per atom), "force" or "stress" (components).
    public var quantity: String
    /// Of the floor.
    public var unit: String
    public var values: Int
    /// Runs, or blocks of independent frames, that they come from.
    public var units: Int
    /// Root mean square error over root mean square deviation, without any scale.
    public var rawRatio: Double
    public var scale: Double
    public var floor: Double
    /// √ of the mean square of error / error bar of the other half; nil with one unit.
    public var checkedRatio: Double?
    /// Shares of errors within one and two error bars; 0.683 and 0.954 of normal errors.
    public var withinOne: Double?
    public var withinTwo: Double?
    /// The same for each quarter of an error bar up to three; empty with one unit, nil where an older fit wrote it.
    public var coverage: [Coverage]?
    public var rankCorrelation: Double?
    /// Chance that a value among the tenth with the largest errors has the larger deviation.
    public var largestErrorsAUC: Double?
    public var groups: [Group]
    /// Whether the check was passed: ratio 0.8...1.25, shares 0.6...0.8 and 0.9 or more, four units or more.
    public var isCalibrated: Bool

    public struct Group: Sendable, Codable, Equatable {
      public var name: String
      public var values: Int
      /// As `checkedRatio`, of this group.
      public var ratio: Double

      public init(name: String, values: Int, ratio: Double) {
        (self.name, self.values, self.ratio) = (name, values, ratio)
      }
    }

    /// Shares of errors within a number of error bars: of normal errors, and of those on frames that bars were not
    /// made of.
    public struct Coverage: Sendable, Codable, Equatable {
      public var bars: Double
      public var expected: Double
      public var observed: Double

      public init(bars: Double, expected: Double, observed: Double) {
        (self.bars, self.expected, self.observed) = (bars, expected, observed)
      }
    }

    public init(
      quantity: String, unit: String, values: Int, units: Int, rawRatio: Double, scale: Double, floor: Double,
      checkedRatio: Double?, withinOne: Double?, withinTwo: Double?, coverage: [Coverage], rankCorrelation: Double?,
      largestErrorsAUC: Double?, groups: [Group], isCalibrated: Bool
    ) {
      self.quantity = quantity
      self.unit = unit
      self.values = values
      self.units = units
      self.rawRatio = rawRatio
      self.scale = scale
      self.floor = floor
      self.checkedRatio = checkedRatio
      self.withinOne = withinOne
      self.withinTwo = withinTwo
      self.coverage = coverage
      self.rankCorrelation = rankCorrelation
      self.largestErrorsAUC = largestErrorsAUC
      self.groups = groups
      self.isCalibrated = isCalibrated
    }
  }

  public struct ParityPoint: Sendable, Codable, Equatable {
    /// "energy" (eV/atom) or "force" (eV/Å, one component).
    public var quantity: String
    public var reference: Double
    public var predicted: Double
    public var heldOut: Bool

    public init(quantity: String, reference: Double, predicted: Double, heldOut: Bool) {
      self.quantity = quantity
      self.reference = reference
      self.predicted = predicted
      self.heldOut = heldOut
    }
  }

  public init(basis: String, elements: [String], functions: [Int]) {
    self.basis = basis
    self.elements = elements
    self.functions = functions
    sources = 0
    configurations = 0
    rows = 0
    regularisation = 0
    regularisationMethod = ""
    conditionNumber = 0
    effectiveRank = 0
    effectiveDegreesOfFreedom = 0
    referenceEnergies = []
    referenceEnergyMethod = ""
    ensembleMembers = 0
    ensembleMethod = ""
    heldOutBlocks = 0
    blocks = 0
    weights = ""
    weightValues = [:]
    errors = []
    outliers = []
    elementErrors = []
    compositionErrors = []
    logEvidence = 0
    prunedFunctions = []
    leftOutSources = []
    leftOutGroups = []
    learningCurve = []
    calibration = []
    notes = []
    parity = []
  }
}
