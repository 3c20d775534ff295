/// A moment as nanoseconds since 1970-01-01 UTC, as file systems keep it (until the year 2262).
public struct Timestamp: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
  public var nanoseconds: Int64

  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// Beyond what 64 bits of nanoseconds hold, the nearest moment that they do.
  public init(seconds: Int64, nanoseconds: Int64 = 0) {
    let (product, over) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, beyond) = product.addingReportingOverflow(nanoseconds)
    self.nanoseconds = over || beyond ? (seconds < 0 ? .min : .max) : sum
  }

  public init(from decoder: any Decoder) throws {
    nanoseconds = try decoder.singleValueContainer().decode(Int64.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(nanoseconds)
  }

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.nanoseconds < b.nanoseconds }

  public static func + (a: Timestamp, b: Duration) -> Timestamp {
    let (sum, over) = a.nanoseconds.addingReportingOverflow(b.wholeNanoseconds)
    return Timestamp(nanoseconds: over ? (a.nanoseconds < 0 ? .min : .max) : sum)
  }

  public static func - (a: Timestamp, b: Timestamp) -> Duration {
    let (difference, over) = a.nanoseconds.subtractingReportingOverflow(b.nanoseconds)
    return .nanoseconds(over ? (a < b ? .min : .max) : difference)
  }

  /// ISO 8601 in UTC to the second: `2026-11-22T13:05:00Z`.
  public var description: String {
    let seconds = Self.floorDivide(nanoseconds, 1_000_000_000)
    let days = Self.floorDivide(seconds, 86_400)
    let second = seconds - days * 86_400
    let (year, month, day) = Self.civil(days)
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(year)-\(two(month))-\(two(day))T"
      + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
  }

  private static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    a / b - (a % b < 0 ? 1 : 0)
  }

  /// Year, month and day of the `days`-th day after 1970-01-01 in the Gregorian calendar, counted
  /// in eras of 400 years that begin on 1 March.
  private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
    let shifted = days + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}

extension Duration {
  /// Whole nanoseconds, clamped to 64 bits.
  public var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, over) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, beyond) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return over || beyond ? (seconds < 0 ? .min : .max) : sum
  }
}
