/// The numbers a parameter may take.
public struct NumberRange: Sendable, Equatable {
  let lower: Double
  let upper: Double
  let isOpenBelow: Bool

  public static let any = NumberRange(lower: -.infinity, upper: .infinity, isOpenBelow: false)
  public static let positive = NumberRange(lower: 0, upper: .infinity, isOpenBelow: true)
  public static let notNegative = NumberRange(lower: 0, upper: .infinity, isOpenBelow: false)
  public static func between(_ lower: Double, _ upper: Double) -> NumberRange {
    NumberRange(lower: lower, upper: upper, isOpenBelow: false)
  }
  public static func above(_ lower: Double) -> NumberRange {
    NumberRange(lower: lower, upper: .infinity, isOpenBelow: true)
  }

  func contains(_ value: Double) -> Bool {
    (isOpenBelow ? value > lower : value >= lower) && value <= upper && !value.isNaN
  }

  var text: String {
    if lower == -.infinity { return "a number" }
    let below = isOpenBelow ? "> \(lower.short)" : ">= \(lower.short)"
    return upper == .infinity ? below : "\(below) and <= \(upper.short)"
  }

  var words: String { lower == -.infinity ? "" : " " + text }
  var example: Double { lower == -.infinity ? 0 : upper == .infinity ? lower + 1 : upper }
}

extension Double {
  fileprivate var short: String { Int(exactly: self).map(String.init) ?? "\(self)" }
}
