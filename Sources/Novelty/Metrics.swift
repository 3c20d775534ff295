// How well a score separates or orders. All take plain arrays.

/// The quantile q in 0...1 of unordered values, with linear interpolation between order statistics. NaN for none.
public func quantile(_ values: [Double], _ q: Double) -> Double {
  precondition((0...1).contains(q), "a quantile between 0 and 1")
  guard !values.isEmpty else { return .nan }
  let sorted = values.sorted()
  let place = q * Double(sorted.count - 1)
  let lower = Int(place)
  let upper = min(lower + 1, sorted.count - 1)
  let share = place - Double(lower)
  // Infinities must not meet a zero share.
  if share == 0 || sorted[lower] == sorted[upper] { return sorted[lower] }
  return sorted[lower] + share * (sorted[upper] - sorted[lower])
}

/// Ranks from 1; ties share their mean rank.
func averageRanks(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
  var ranks = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start
    while end + 1 < order.count, values[order[end + 1]] == values[order[start]] { end += 1 }
    for i in start...end { ranks[order[i]] = Double(start + end) / 2 + 1 }
    start = end + 1
  }
  return ranks
}

/// Spearman's rank correlation, -1...1; nil where one side is constant or there are fewer than two pairs.
public func spearmanCorrelation(_ a: [Double], _ b: [Double]) -> Double? {
  precondition(a.count == b.count, "pairs")
  let (x, y) = (averageRanks(a), averageRanks(b))
  let mean = Double(a.count + 1) / 2
  var (xy, xx, yy) = (0.0, 0.0, 0.0)
  for i in x.indices {
    xy += (x[i] - mean) * (y[i] - mean)
    xx += (x[i] - mean) * (x[i] - mean)
    yy += (y[i] - mean) * (y[i] - mean)
  }
  return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : nil
}

/// Probability that a random positive scores above a random negative, ties counting half; nil without both.
public func areaUnderROC(negatives: [Double], positives: [Double]) -> Double? {
  guard !negatives.isEmpty, !positives.isEmpty else { return nil }
  let ranks = averageRanks(negatives + positives)
  let (n, p) = (Double(negatives.count), Double(positives.count))
  let sum = ranks[negatives.count...].reduce(0, +)
  return (sum - p * (p + 1) / 2) / (n * p)
}

/// Share of the positives strictly above the (1 - rate) quantile of the negatives; nil without both.
public func truePositiveRate(
  negatives: [Double], positives: [Double], atFalsePositiveRate rate: Double
) -> Double? {
  guard !negatives.isEmpty, !positives.isEmpty else { return nil }
  let threshold = quantile(negatives, 1 - rate)
  return Double(positives.count { $0 > threshold }) / Double(positives.count)
}

/// How per-atom scores become one of a structure.
public enum StructureAggregate: String, Sendable, Codable, CaseIterable {
  case maximum
  /// The 95 % quantile over atoms.
  case percentile95
  case mean
}

/// One score per structure from one per row.
/// - Parameter structures: structure of each row, 0..<count. A structure without rows gets NaN.
public func aggregate(
  _ scores: [Double], structures: [Int], count: Int, by aggregate: StructureAggregate = .maximum
) -> [Double] {
  precondition(scores.count == structures.count, "one structure per row")
  var groups = [[Double]](repeating: [], count: count)
  for (score, structure) in zip(scores, structures) { groups[structure].append(score) }
  return groups.map { values in
    guard let largest = values.max() else { return .nan }
    switch aggregate {
    case .maximum: return largest
    case .percentile95: return quantile(values, 0.95)
    case .mean: return values.reduce(0, +) / Double(values.count)
    }
  }
}
