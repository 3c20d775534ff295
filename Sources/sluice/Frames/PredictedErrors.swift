// Deviations of an ensemble and what a calibration makes of them come in; error bars of one frame, and of all, go out.

import ACE
import Configurations
import StageKit

/// What an ensemble says of a prediction's errors.
struct PredictedErrors: Sendable {
  let deviation: EnsembleDeviation
  /// Calibrated standard uncertainties, nil where there is no calibration to trust: of the energy, eV/atom, of each
  /// component of the force on each atom, eV/Å, and of each component of the stress, eV/Å³.
  let energy: Double?
  let forces: [Double]?
  let stress: Double?

  init(_ deviation: EnsembleDeviation, _ bars: ErrorBars) {
    self.deviation = deviation
    energy = bars.uncertainty(.energy, deviation: deviation.energy)
    let forces = deviation.forceComponentDeviations.compactMap { bars.uncertainty(.force, deviation: $0) }
    self.forces = forces.count == deviation.forces.count ? forces : nil
    stress = deviation.stressComponentDeviation.flatMap { bars.uncertainty(.stress, deviation: $0) }
  }
}

/// Error bars of all frames, and how many errors of labelled ones lie within them.
struct UncertaintyCounts: Sendable {
  private(set) var count = 0
  private(set) var square = 0.0
  private(set) var largest = 0.0
  private(set) var labelled = 0
  private(set) var withinOne = 0
  private(set) var withinTwo = 0

  mutating func add(_ bar: Double) {
    count += 1
    square += bar * bar
    largest = max(largest, bar)
  }

  /// `error` of a labelled value.
  mutating func add(_ error: Double, within bar: Double) {
    labelled += 1
    if abs(error) <= bar { withinOne += 1 }
    if abs(error) <= 2 * bar { withinTwo += 1 }
  }

  mutating func add(_ other: UncertaintyCounts) {
    count += other.count
    square += other.square
    largest = max(largest, other.largest)
    labelled += other.labelled
    withinOne += other.withinOne
    withinTwo += other.withinTwo
  }
}

/// One quantity in what `predict --json` prints.
struct UncertaintySummary: Sendable, Encodable {
  /// "energy" (per atom), "force" or "stress" (components).
  var quantity: String
  /// Info key or column of the frames.
  var name: String
  var unit: String
  /// Whether error bars were written.
  var calibrated: Bool
  /// Why not.
  var reason: String?
  /// What the calibration holds, if there is one: floor in meV/atom, meV/Å or GPa, and shares of errors within one and
  /// two error bars on runs that they were not made of.
  var scale: Double?
  var floor: Double?
  var floorUnit: String?
  var runs: Int?
  var withinOne: Double?
  var withinTwo: Double?
  /// Of what was written here.
  var values: Int
  var rootMeanSquare: Double?
  var largest: Double?
  /// Labelled values among them, and shares of their errors within one and two error bars.
  var labelled: Int
  var labelledWithinOne: Double?
  var labelledWithinTwo: Double?

  private enum CodingKeys: String, CodingKey {
    case quantity, name, unit, calibrated, reason, scale, floor, runs, values, largest, labelled
    case floorUnit = "floor_unit"
    case withinOne = "calibration_within_one"
    case withinTwo = "calibration_within_two"
    case rootMeanSquare = "root_mean_square"
    case labelledWithinOne = "labelled_within_one"
    case labelledWithinTwo = "labelled_within_two"
  }

  init(_ quantity: ErrorBars.Quantity, _ bars: ErrorBars, _ counts: UncertaintyCounts) {
    self.quantity = quantity.rawValue
    name = "\(quantity.rawValue)_uncertainty"
    unit = quantity.unit
    reason = bars.reason(quantity)
    calibrated = reason == nil
    let own = bars.calibration.first { $0.quantity == quantity.rawValue }
    (scale, floor, floorUnit, runs) = (own?.scale, own?.floor, own?.unit, own?.units)
    (withinOne, withinTwo) = (own?.withinOne, own?.withinTwo)
    (values, labelled) = (counts.count, counts.labelled)
    if values > 0 {
      rootMeanSquare = (counts.square / Double(values)).squareRoot()
      largest = counts.largest
    }
    if labelled > 0 {
      labelledWithinOne = Double(counts.withinOne) / Double(labelled)
      labelledWithinTwo = Double(counts.withinTwo) / Double(labelled)
    }
  }
}
