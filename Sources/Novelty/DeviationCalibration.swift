// Errors and deviations of values that no fit saw come in; how to read deviations as error bars, and whether one may, goes
// out.

import Glibc

/// An error bar √(scale² σ² + floor²) for the standard deviation σ of an ensemble, found on values that the
/// ensemble never saw, and checked on others of them.
///
/// Values of one unit (a run, or a block of independent frames) are not independent. So units are dealt to two
/// halves; every value is judged by the scale and floor of the half that it is not in. What is reported is that:
/// scale and floor found on the judged values themselves would look calibrated whatever the ensemble.
public struct DeviationCalibration: Sendable, Equatable {
  /// Residual and standard deviation of one value (an energy per atom, a component), in one unit of measure.
  public struct Value: Sendable, Equatable {
    public var error: Double
    public var deviation: Double
    /// Which independent unit it belongs to; units are numbered in an order that content decides.
    public var unit: Int
    public var group: String

    public init(error: Double, deviation: Double, unit: Int, group: String) {
      (self.error, self.deviation, self.unit, self.group) = (error, deviation, unit, group)
    }
  }

  /// The check in one group of values.
  public struct Group: Sendable, Equatable {
    public let name: String
    public let values: Int
    /// √ of the mean square of error / error bar; 1 where bars fit.
    public let ratio: Double
  }

  /// How many errors lie within a number of error bars.
  public struct Coverage: Sendable, Equatable {
    public let bars: Double
    /// Share of normal errors, and of those that were judged.
    public let expected: Double
    public let observed: Double
  }

  public let values: Int
  public let units: Int
  /// Root mean square error over root mean square deviation, as they are.
  public let rawRatio: Double
  /// Of all values; floor in the values' unit.
  public let scale: Double
  public let floor: Double
  /// √ of the mean square of error / error bar of the other half, in the half where it is farther from 1 (too large in
  /// one goes with too small in the other: their mean would hide it); nil with fewer than two units.
  public let checkedRatio: Double?
  /// Shares of errors within one and two error bars of the other half (normal errors: 0.683, 0.954).
  public let withinOne: Double?
  public let withinTwo: Double?
  /// The same for each quarter of an error bar up to three; empty with fewer than two units.
  public let coverage: [Coverage]
  /// Of deviations with absolute errors.
  public let rankCorrelation: Double?
  /// Probability that a value among the tenth with the largest errors has the larger deviation.
  public let largestErrorsAUC: Double?
  /// In the order of their names.
  public let groups: [Group]

  /// What the check must give before bars may be called calibrated: ratio, shares within one and two.
  public static let acceptedRatio = 0.8...1.25
  public static let acceptedWithinOne = 0.6...0.8
  public static let acceptedWithinTwo = 0.9...1.0
  /// With fewer independent units the check says nothing.
  public static let fewestUnits = 4

  /// Whether error bars held on units that they were not made from.
  public var isCalibrated: Bool {
    guard units >= Self.fewestUnits, let checkedRatio, let withinOne, let withinTwo else { return false }
    return Self.acceptedRatio.contains(checkedRatio) && Self.acceptedWithinOne.contains(withinOne)
      && Self.acceptedWithinTwo.contains(withinTwo)
  }

  /// nil without values, or where no deviation is positive.
  public init?(_ values: [Value]) {
    guard values.contains(where: { $0.deviation > 0 }), let whole = Self.bars(values) else { return nil }
    self.values = values.count
    (scale, floor) = whole
    func meanSquare(_ numbers: [Double]) -> Double { numbers.reduce(0) { $0 + $1 * $1 } / Double(numbers.count) }
    rawRatio = (meanSquare(values.map(\.error)) / meanSquare(values.map(\.deviation))).squareRoot()
    let order = Dictionary(uniqueKeysWithValues: Set(values.map(\.unit)).sorted().enumerated().map { ($1, $0) })
    units = order.count
    let halves = (0..<2).map { half in Self.bars(values.filter { order[$0.unit]! % 2 == half }) }
    var judged: [(ratio: Double, half: Int, group: String)] = []
    if units > 1, let first = halves[0], let second = halves[1] {
      for value in values {
        let half = order[value.unit]! % 2
        let (scale, floor) = half == 0 ? second : first
        let bar = (scale * scale * value.deviation * value.deviation + floor * floor).squareRoot()
        judged.append((bar > 0 ? abs(value.error) / bar : value.error == 0 ? 0 : .infinity, half, value.group))
      }
    }
    func share(_ limit: Double) -> Double? {
      judged.isEmpty ? nil : Double(judged.count { $0.ratio <= limit }) / Double(judged.count)
    }
    checkedRatio = (0..<2).compactMap { half in
      let own = judged.filter { $0.half == half }.map(\.ratio)
      return own.isEmpty ? nil : meanSquare(own).squareRoot()
    }.max { abs(log($0)) < abs(log($1)) }
    (withinOne, withinTwo) = (share(1), share(2))
    coverage = (1...12).compactMap { quarter in
      let bars = Double(quarter) / 4
      return share(bars).map { Coverage(bars: bars, expected: erf(bars / 2.0.squareRoot()), observed: $0) }
    }
    groups = Dictionary(grouping: judged, by: \.group).map { name, own in
      Group(name: name, values: own.count, ratio: meanSquare(own.map(\.ratio)).squareRoot())
    }.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    let errors = values.map { abs($0.error) }
    let deviations = values.map(\.deviation)
    rankCorrelation = spearmanCorrelation(deviations, errors)
    let limit = quantile(errors, 0.9)
    largestErrorsAUC = areaUnderROC(
      negatives: errors.indices.filter { errors[$0] <= limit }.map { deviations[$0] },
      positives: errors.indices.filter { errors[$0] > limit }.map { deviations[$0] })
  }

  /// Scale and floor of the greatest likelihood of normal errors. With v = k((1 - t) σ²/⟨σ²⟩ + t) the best k at
  /// given t is a mean; t is looked for from 1 down to 10⁻⁶, twenty steps for each power of ten.
  private static func bars(_ values: [Value]) -> (scale: Double, floor: Double)? {
    guard !values.isEmpty else { return nil }
    let count = Double(values.count)
    let mean = values.reduce(0) { $0 + $1.deviation * $1.deviation } / count
    guard mean > 0 else { return (0, (values.reduce(0) { $0 + $1.error * $1.error } / count).squareRoot()) }
    var best: (loss: Double, k: Double, t: Double)?
    for step in 0...120 {
      let t = exp(-Double(step) * log(10) / 20)
      let shapes = values.map { (1 - t) * $0.deviation * $0.deviation / mean + t }
      let k = zip(values, shapes).reduce(0) { $0 + $1.0.error * $1.0.error / $1.1 } / count
      guard k > 0 else { return (0, 0) }
      let loss = log(k) + shapes.reduce(0) { $0 + log($1) } / count
      if loss < best?.loss ?? .infinity { best = (loss, k, t) }
    }
    return best.map { (($0.k * (1 - $0.t) / mean).squareRoot(), ($0.k * $0.t).squareRoot()) }
  }
}
