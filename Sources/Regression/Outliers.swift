/// Which units stand out by their errors, and how much less they count: a robust fit by reweighting.
///
/// A unit is what the factors can tell apart: the rows of one kind of one block of a source at one level of
/// energy. Its error r is the root mean square of its rows' residuals, read from its factors.
public struct OutlierRule: Sendable, Equatable, Codable {
  /// Robust standard deviations of ln r.
  public var threshold: Double

  public init(threshold: Double = 4) {
    precondition(threshold > 0, "outliers lie above the others")
    self.threshold = threshold
  }

  /// Fewer errors than this say nothing of what is usual.
  public static let fewest = 8
  /// The scatter of ln r is taken to be at least this: a factor 1.35.
  static let leastScatter = 0.3

  /// The largest error that is not unusual: exp(median ln r + threshold · max(1.4826 · MAD ln r, 0.3)); nil
  /// where too few errors are given. Errors of zero count as the smallest positive one.
  public func limit(_ errors: [Double]) -> Double? {
    guard errors.count >= Self.fewest, let least = errors.filter({ $0 > 0 }).min() else { return nil }
    let logs = errors.map { logarithm(max($0, least)) }
    let middle = Self.median(logs)
    let scatter = 1.4826 * Self.median(logs.map { abs($0 - middle) })
    return exponential(middle + threshold * max(scatter, Self.leastScatter))
  }

  /// What the rows of a unit of this error are multiplied by: 1 up to the limit, then limit/error rounded down
  /// to a power of √½, so that small changes of the fit change no weight; at least 2⁻¹⁰.
  public func multiplier(error: Double, limit: Double) -> Double {
    guard error > limit, limit > 0 else { return 1 }
    var multiplier = 1.0
    for step in 1...20 {
      multiplier = step % 2 == 0 ? exactHalves(step / 2) : exactHalves(step / 2) * 0.5.squareRoot()
      if multiplier <= limit / error { break }
    }
    return multiplier
  }

  private func exactHalves(_ count: Int) -> Double { (0..<count).reduce(1.0) { value, _ in value / 2 } }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
