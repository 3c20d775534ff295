/// Shares of values per bin, drawn as steps, so that sets of different sizes can be compared.
package struct Histogram: Sendable {
  /// Edges in axis fractions 0...1.
  package let bins: Int
  /// Percent of all values, per bin.
  package private(set) var shares: [Double]
  /// Percent of all values that are infinite.
  package private(set) var outside = 0.0

  /// Values beyond the ends of the axis count in the first or last bin; those that are not numbers in none.
  package init(_ values: [Double], _ axis: Axis, bins: Int) {
    self.bins = bins
    var counts = Array(repeating: 0, count: bins)
    var infinite = 0
    var total = 0
    for value in values where !value.isNaN {
      total += 1
      if value == .infinity {
        infinite += 1
        continue
      }
      let clamped = axis.isLogarithmic ? max(value, axis.lower) : value
      let position = min(max(axis.fraction(clamped), 0), 1) * Double(bins)
      counts[min(bins - 1, Int(position))] += 1
    }
    let scale = total == 0 ? 0 : 100 / Double(total)
    shares = counts.map { Double($0) * scale }
    outside = Double(infinite) * scale
  }

  package var highest: Double { max(shares.max() ?? 0, outside) }

  /// The outline from the base line up and back, in the plot's pixels.
  package func outline(_ plot: Plot) -> String {
    guard shares.contains(where: { $0 > 0 }) else { return "" }
    let base = plot.top + plot.innerHeight
    var path = "M\(pixels(plot.left)) \(pixels(base))"
    for (bin, share) in shares.enumerated() {
      let y = base - plot.y.fraction(share) * plot.innerHeight
      let end = plot.left + Double(bin + 1) / Double(bins) * plot.innerWidth
      path += "V\(pixels(y))H\(pixels(end))"
    }
    return path + "V\(pixels(base))"
  }
}
