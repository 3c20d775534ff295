// The calibration that a fit wrote comes in; error bars of deviations go out, or why there are none.

/// Standard uncertainties of a potential's predictions: error bars √(scale² σ² + floor²) of one standard deviation,
/// from the deviations σ of its ensemble, for the quantities whose calibration passed its check on other runs.
///
/// The one place that reads a calibration. Deviations of other quantities stay what they are: a measure that orders.
public struct ErrorBars: Sendable, Equatable {
  public enum Quantity: String, CaseIterable, Sendable {
    /// eV/atom.
    case energy
    /// Components, eV/Å.
    case force
    /// Components, eV/Å³.
    case stress

    public var unit: String {
      switch self {
      case .energy: "eV/atom"
      case .force: "eV/Å"
      case .stress: "eV/Å³"
      }
    }

    /// What the unit that `fit.json` states the floor in (meV/atom, meV/Å, GPa) is in the above.
    fileprivate var floorUnit: Double { self == .stress ? 1 / 160.2176634 : 1e-3 }
  }

  /// Nothing is calibrated: `reason` says why.
  public static func unavailable(_ reason: String) -> ErrorBars {
    ErrorBars(found: Dictionary(uniqueKeysWithValues: Quantity.allCases.map { ($0, .missing(reason)) }))
  }

  private enum Finding: Sendable, Equatable {
    case bar(scale: Double, floor: Double)
    case missing(String)
  }

  private let found: [Quantity: Finding]
  /// As `fit.json` has them.
  public let calibration: [FitSummary.Calibration]

  private init(found: [Quantity: Finding], calibration: [FitSummary.Calibration] = []) {
    (self.found, self.calibration) = (found, calibration)
  }

  public init(_ fit: FitSummary) {
    var found: [Quantity: Finding] = [:]
    for quantity in Quantity.allCases {
      let own = fit.calibration.first { $0.quantity == quantity.rawValue }
      if let own, own.isCalibrated {
        found[quantity] = .bar(scale: own.scale, floor: own.floor * quantity.floorUnit)
      } else {
        found[quantity] = .missing(own?.words ?? "no held-out frame has a label of it")
      }
    }
    self.init(found: found, calibration: fit.calibration)
  }

  /// Error bar of a value; nil where none can be trusted.
  ///
  /// - Parameter deviation: standard deviation over members, of an energy per atom or of a component.
  public func uncertainty(_ quantity: Quantity, deviation: Double) -> Double? {
    guard case .bar(let scale, let floor)? = found[quantity], deviation.isFinite else { return nil }
    return (scale * scale * deviation * deviation + floor * floor).squareRoot()
  }

  /// Why there are no error bars of a quantity; nil where there are.
  public func reason(_ quantity: Quantity) -> String? {
    if case .missing(let reason)? = found[quantity] { reason } else { nil }
  }
}

extension FitSummary.Calibration {
  /// For people: how far off deviations are, and whether error bars may be made of them.
  public var words: String {
    let times = "errors of \(plural) are \(Self.rounded(rawRatio)) times the deviations"
    guard let checkedRatio, let withinOne, let withinTwo else { return "\(times), from a single run: not checked" }
    let shares = "\(Self.percent(withinOne)) and \(Self.percent(withinTwo)) within one and two of them"
    let check = "on other runs errors are \(Self.rounded(checkedRatio)) times the scaled error bars, \(shares)"
    let verdict = isCalibrated ? "calibrated for such data" : "not calibrated"
    return "\(times); \(check), of \(units) runs or blocks: \(verdict)"
  }

  private var plural: String { quantity == "energy" ? "energies" : quantity == "force" ? "forces" : "stresses" }

  private static func rounded(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e6 else { return "over a million" }
    return "\((value * (value < 10 ? 100 : 1)).rounded() / (value < 10 ? 100 : 1))"
  }

  private static func percent(_ share: Double) -> String { "\(Int((100 * share).rounded())) %" }
}
