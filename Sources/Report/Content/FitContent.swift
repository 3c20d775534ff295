/// The linear fit in a few numbers.
public struct FitSummary: Sendable, Equatable {
  /// In words ("linear ACE, SBessel, cutoff 5.0 Å, body order 4").
  public var basis: String
  /// Basis functions over all elements.
  public var functions: Int
  /// Columns of the design matrix, composition columns included.
  public var columns: Int
  /// Rows of the design matrix.
  public var rows: Int
  /// Strength of the prior, relative to the noise.
  public var lambda: Double
  /// How lambda was chosen ("evidence").
  public var lambdaChoice: String
  public var conditionNumber: Double
  public var effectiveRank: Int
  public var effectiveDegreesOfFreedom: Double
  /// Name of the weight and its value.
  public var weights: [NamedValue]
  /// Element symbol and one-body energy, eV.
  public var referenceEnergies: [NamedValue]
  /// In words ("16 members, Poisson bootstrap over sources").
  public var ensemble: String
  /// Functions that automatic relevance determination dropped.
  public var prunedFunctions = 0

  public init(
    basis: String, functions: Int, columns: Int, rows: Int, lambda: Double,
    lambdaChoice: String = "", conditionNumber: Double, effectiveRank: Int,
    effectiveDegreesOfFreedom: Double, weights: [NamedValue] = [],
    referenceEnergies: [NamedValue] = [], ensemble: String = ""
  ) {
    self.basis = basis
    self.functions = functions
    self.columns = columns
    self.rows = rows
    self.lambda = lambda
    self.lambdaChoice = lambdaChoice
    self.conditionNumber = conditionNumber
    self.effectiveRank = effectiveRank
    self.effectiveDegreesOfFreedom = effectiveDegreesOfFreedom
    self.weights = weights
    self.referenceEnergies = referenceEnergies
    self.ensemble = ensemble
  }
}

/// A name with a number.
public struct NamedValue: Sendable, Equatable {
  public var name: String
  public var value: Double

  public init(_ name: String, _ value: Double) {
    self.name = name
    self.value = value
  }
}

/// Which part of the data an error was measured on.
public enum DataPart: String, Sendable, Equatable {
  case training = "training"
  case heldOut = "held out"
}

/// Errors of one group of configurations on one part of the data. Quantities without labels are nil.
public struct GroupErrors: Sendable, Equatable {
  public var group: String
  public var part: DataPart
  /// True for the row over all groups, from which the summary takes its figures.
  public var isTotal: Bool
  /// eV/atom.
  public var energy: ErrorMeasures?
  /// Force components, eV/Å.
  public var force: ErrorMeasures?
  /// Stress components, eV/Å³.
  public var stress: ErrorMeasures?

  public init(
    group: String, part: DataPart, isTotal: Bool = false, energy: ErrorMeasures? = nil,
    force: ErrorMeasures? = nil, stress: ErrorMeasures? = nil
  ) {
    self.group = group
    self.part = part
    self.isTotal = isTotal
    self.energy = energy
    self.force = force
    self.stress = stress
  }
}

/// Mean absolute, root mean square and largest absolute error of `count` values, in house units.
public struct ErrorMeasures: Sendable, Equatable {
  public var count: Int
  public var meanAbsolute: Double
  public var rootMeanSquare: Double
  public var largest: Double
  /// R²; nil where it means nothing.
  public var determination: Double?

  public init(
    count: Int, meanAbsolute: Double, rootMeanSquare: Double, largest: Double, determination: Double? = nil
  ) {
    self.count = count
    self.meanAbsolute = meanAbsolute
    self.rootMeanSquare = rootMeanSquare
    self.largest = largest
    self.determination = determination
  }
}

/// Errors by element or composition in one part of the data.
public struct PartErrors: Sendable, Equatable {
  /// Element or formula.
  public var name: String
  /// In words ("force components", "energies").
  public var quantity: String
  public var part: DataPart
  /// eV/Å or eV/atom.
  public var measures: ErrorMeasures

  public init(name: String, quantity: String, part: DataPart, measures: ErrorMeasures) {
    self.name = name
    self.quantity = quantity
    self.part = part
    self.measures = measures
  }
}

/// Root mean square errors, nil without labels.
public struct RootErrors: Sendable, Equatable {
  /// eV/atom.
  public var energy: Double?
  /// Components, eV/Å.
  public var force: Double?
  /// Components, eV/Å³.
  public var stress: Double?

  public init(energy: Double? = nil, force: Double? = nil, stress: Double? = nil) {
    self.energy = energy
    self.force = force
    self.stress = stress
  }
}

/// Errors of one source or group, by a fit to everything and by one that never saw it.
public struct LeftOutErrors: Sendable, Equatable {
  public var name: String
  public var isGroup: Bool
  public var configurations: Int
  public var fitted: RootErrors
  public var leftOut: RootErrors

  public init(name: String, isGroup: Bool, configurations: Int, fitted: RootErrors, leftOut: RootErrors) {
    self.name = name
    self.isGroup = isGroup
    self.configurations = configurations
    self.fitted = fitted
    self.leftOut = leftOut
  }
}

/// Held-out errors of a fit to a part of the training data.
public struct LearningPoint: Sendable, Equatable {
  public var configurations: Int
  public var heldOut: RootErrors

  public init(configurations: Int, heldOut: RootErrors) {
    self.configurations = configurations
    self.heldOut = heldOut
  }
}

/// How the ensemble's error bars √(scale² σ² + floor²) held on runs that they were not made of.
public struct CalibrationLine: Sendable, Equatable {
  /// Shares of errors within a number of error bars: of normal errors, and of those that were found.
  public struct Coverage: Sendable, Equatable {
    public var expected: Double
    public var observed: Double

    public init(expected: Double, observed: Double) {
      self.expected = expected
      self.observed = observed
    }
  }

  public var quantity: ParityData.Quantity
  public var scale: Double
  /// eV/atom, eV/Å, eV/Å³.
  public var floor: Double
  /// Root mean square error over root mean square deviation, as they are.
  public var rawRatio: Double
  /// √ of the mean square of error / error bar; nil where nothing could be checked, as the shares.
  public var checkedRatio: Double?
  /// Shares of errors within one and two error bars.
  public var withinOne: Double?
  public var withinTwo: Double?
  public var values: Int
  /// Runs, or blocks of independent frames.
  public var runs: Int
  public var isCalibrated: Bool
  public var coverage: [Coverage]

  public init(
    quantity: ParityData.Quantity, scale: Double, floor: Double, rawRatio: Double, checkedRatio: Double? = nil,
    withinOne: Double? = nil, withinTwo: Double? = nil, values: Int, runs: Int, isCalibrated: Bool,
    coverage: [Coverage] = []
  ) {
    self.quantity = quantity
    self.scale = scale
    self.floor = floor
    self.rawRatio = rawRatio
    self.checkedRatio = checkedRatio
    self.withinOne = withinOne
    self.withinTwo = withinTwo
    self.values = values
    self.runs = runs
    self.isCalibrated = isCalibrated
    self.coverage = coverage
  }
}

/// Predicted against reference values of one quantity; the three arrays have one length.
public struct ParityData: Sendable, Equatable {
  public enum Quantity: String, Sendable, Equatable {
    /// Energy per atom, eV/atom.
    case energy
    /// Force components, eV/Å.
    case force
    /// Stress components, eV/Å³.
    case stress
  }

  public var quantity: Quantity
  public var reference: [Double]
  public var predicted: [Double]
  public var isHeldOut: [Bool]

  public init(
    quantity: Quantity, reference: [Double], predicted: [Double], isHeldOut: [Bool]
  ) {
    precondition(
      reference.count == predicted.count && reference.count == isHeldOut.count,
      "one prediction and one flag per reference value")
    self.quantity = quantity
    self.reference = reference
    self.predicted = predicted
    self.isHeldOut = isHeldOut
  }
}
