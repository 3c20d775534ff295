import Glibc

/// An axis of a plot: its range, its ticks, and its title with the unit.
package struct Axis: Sendable {
  package struct Tick: Sendable, Equatable {
    package var value: Double
    package var label: String
  }

  package var title: String
  package var lower: Double
  package var upper: Double
  package var isLogarithmic = false
  package var ticks: [Tick] = []

  /// Where a value lies between the ends of the axis; beyond 0...1 outside the range.
  package func fraction(_ value: Double) -> Double {
    isLogarithmic
      ? (log10(value) - log10(lower)) / (log10(upper) - log10(lower))
      : (value - lower) / (upper - lower)
  }

  /// From `from` to `to` or slightly more, with about `count` ticks at round values. Where
  /// `reachingTicks` is true the range ends at ticks.
  package static func linear(
    _ title: String, from: Double, to: Double, ticks count: Int = 5, reachingTicks: Bool = false
  ) -> Axis {
    var (lower, upper) = from <= to ? (from, to) : (to, from)
    if !(lower.isFinite && upper.isFinite) { (lower, upper) = (0, 1) }
    (lower, upper) = (max(lower, -largest), min(upper, largest))
    if upper - lower <= abs(upper) * 1e-12 {
      let half = max(abs(upper) * 1e-3, 0.5)
      (lower, upper) = (lower - half, upper + half)
    }
    let step = roundStep((upper - lower) / Double(count))
    var first = (lower / step).rounded(.up)
    var last = (upper / step).rounded(.down)
    if reachingTicks {
      first = (lower / step + 1e-9).rounded(.down)
      last = (upper / step - 1e-9).rounded(.up)
      (lower, upper) = (first * step, last * step)
    }
    var axis = Axis(title: title, lower: lower, upper: upper)
    let places = max(0, -Int(floor(log10(step) + 1e-9)))
    let numbers = NumberText(.typeset)
    var position = first
    while position <= last {
      let value = position * step
      let isScientific = places > 4 || abs(upper) >= 1e6 || abs(lower) >= 1e6
      let label = isScientific ? numbers.significant(value, 3) : numbers.fixed(value, places)
      axis.ticks.append(Tick(value: value, label: label))
      position += 1
    }
    return axis
  }

  /// Whole decades around `from`...`to`, both positive, with a tick at every (or every k-th) decade.
  package static func logarithmic(_ title: String, from: Double, to: Double) -> Axis {
    let first = Int(floor(log10(max(from, 1 / largest)) + 1e-9))
    let last = max(first + 1, Int(ceil(log10(min(to, largest)) - 1e-9)))
    var axis = Axis(
      title: title, lower: pow(10, Double(first)), upper: pow(10, Double(last)),
      isLogarithmic: true)
    let every = max(1, (last - first + 5) / 6)
    for power in stride(from: first, through: last, by: every) {
      let value = pow(10, Double(power))
      axis.ticks.append(Tick(value: value, label: NumberText(.typeset).short(value)))
    }
    return axis
  }

  /// Ranges end here at the latest, so that nothing overflows.
  private static let largest = 1e100

  /// The one of 1, 2, 5 × 10^k that is nearest to `rough` on a logarithmic scale.
  private static func roundStep(_ rough: Double) -> Double {
    let scale = pow(10, floor(log10(rough)))
    let ratio = rough / scale
    let step = ratio < 1.4 ? 1.0 : ratio < 3.2 ? 2.0 : ratio < 7 ? 5.0 : 10.0
    return step * scale
  }
}
