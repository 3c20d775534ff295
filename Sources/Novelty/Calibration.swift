import Glibc

/// Takes the size of a structure out of its largest atomic score: a maximum over atoms grows with their
/// number, so that small structures are never flagged beside large ones.
///
/// p_atom = (1 + number of calibration atoms that score at least as high)/(1 + number of calibration atoms);
/// a structure of N atoms has p = 1 - (1 - min p_atom)^N. Calibrate on structures that were neither fitted nor
/// chosen by novelty.
public struct SizeCorrection: Sendable, Equatable, Codable {
  /// Ascending.
  private let calibration: [Double]

  /// - Parameter scores: of all atoms of the calibration structures.
  public init(calibrationScores scores: [Double]) { calibration = scores.sorted() }

  /// In 0 < p <= 1; small is unusual.
  public func atomProbability(_ score: Double) -> Double {
    var (low, high) = (0, calibration.count)
    while low < high {
      let middle = (low + high) / 2
      if calibration[middle] < score { low = middle + 1 } else { high = middle }
    }
    return Double(1 + calibration.count - low) / Double(1 + calibration.count)
  }

  /// Probability that a structure of this many atoms of the calibration kind has an atom that scores as high.
  public func structureProbability(maximum score: Double, atoms: Int) -> Double {
    let p = atomProbability(score)
    return p >= 1 ? 1 : -expm1(Double(atoms) * log1p(-p))
  }

  /// -ln p of a structure, so that large is novel, as for every other score.
  public func surprise(maximum score: Double, atoms: Int) -> Double {
    -log(structureProbability(maximum: score, atoms: atoms))
  }
}

/// The ⌈(n+1)(1-α)⌉-th smallest of n scores: at least 1 - α of exchangeable new scores are not above it. Infinite where
/// n is too small to promise that.
public func conformalQuantile(_ scores: [Double], miscoverage alpha: Double) -> Double {
  precondition(alpha > 0 && alpha < 1, "a miscoverage between 0 and 1")
  let n = scores.count
  // The nudge keeps (n+1)(1-α) that is whole from being rounded up.
  let k = Int((Double(n + 1) * (1 - alpha) * (1 - 1e-12)).rounded(.up))
  return k > n ? .infinity : scores.sorted()[max(k, 1) - 1]
}

/// Intervals u·q that hold |error| with a stated coverage (split conformal prediction). The exchangeable unit is the
/// configuration: scores are one per configuration.
public struct SplitConformal: Sendable, Equatable {
  public let miscoverage: Double
  /// Factor from deviation to interval; infinite where there are too few configurations.
  public let factor: Double

  /// - Parameters:
  ///   - errors: |error| of each calibration configuration (for all its atoms: the maximum of error/deviation
  ///     with deviations 1).
  ///   - deviations: what the score says of it, positive.
  public init(errors: [Double], deviations: [Double], miscoverage: Double) {
    precondition(errors.count == deviations.count, "pairs")
    self.miscoverage = miscoverage
    factor = conformalQuantile(
      zip(errors, deviations).map { $0 / $1 }, miscoverage: miscoverage)
  }

  /// For one random atom of a new configuration: every configuration weighs the same, its atoms share that weight,
  /// and the new one stands at infinity.
  /// - Parameter configurations: configuration of each atom.
  public init(
    atomErrors: [Double], deviations: [Double], configurations: [Int], miscoverage: Double
  ) {
    precondition(
      atomErrors.count == deviations.count && configurations.count == deviations.count,
      "one per atom")
    self.miscoverage = miscoverage
    let highest = (configurations.max() ?? -1) + 1
    var counts = [Int](repeating: 0, count: highest)
    for c in configurations { counts[c] += 1 }
    let total = Double(counts.count { $0 > 0 } + 1)
    let scores = zip(atomErrors, deviations).map { $0 / $1 }
    var weight = 0.0
    var found = Double.infinity
    for i in scores.indices.sorted(by: { (scores[$0], $0) < (scores[$1], $1) }) {
      weight += 1 / Double(counts[configurations[i]])
      if weight >= total * (1 - miscoverage) * (1 - 1e-12) {
        found = scores[i]
        break
      }
    }
    factor = found
  }

  /// Half-width of the interval around a prediction of this deviation.
  public func halfWidth(deviation: Double) -> Double { factor * deviation }
}

/// One conformal factor per cluster: the direct remedy where one factor covers the common clusters and misses the
/// rare ones.
public struct MondrianConformal: Sendable, Equatable {
  public let miscoverage: Double
  /// Shape [clusters].
  public let factors: [Double]
  /// The clusters whose configurations were pooled for each cluster, itself first: more than one where it had too few
  /// of its own.
  public let pools: [[Int]]

  /// - Parameters:
  ///   - errors, deviations: as for `SplitConformal`, one per calibration configuration.
  ///   - clusters: cluster of each calibration configuration, 0..<clusterCount.
  ///   - distances: between clusters, [a][b]; a cluster with fewer than `minimum` configurations borrows the pools of
  ///     the nearest ones, one after another, until it has enough.
  ///   - minimum: nil for the fewest that give a finite factor, ⌈(1-α)/α⌉.
  public init(
    errors: [Double], deviations: [Double], clusters: [Int], clusterCount: Int,
    distances: [[Double]], miscoverage: Double, minimum: Int? = nil
  ) {
    precondition(
      errors.count == deviations.count && clusters.count == errors.count, "one per configuration")
    precondition(distances.count == clusterCount, "distances between all clusters")
    self.miscoverage = miscoverage
    let needed = minimum ?? Int(((1 - miscoverage) / miscoverage * (1 - 1e-12)).rounded(.up))
    var scores = [[Double]](repeating: [], count: clusterCount)
    for i in errors.indices { scores[clusters[i]].append(errors[i] / deviations[i]) }
    var factors: [Double] = []
    var pools: [[Int]] = []
    for k in 0..<clusterCount {
      var pool = scores[k]
      var lenders = [k]
      let others = (0..<clusterCount).filter { $0 != k && !scores[$0].isEmpty }
        .sorted { (distances[k][$0], $0) < (distances[k][$1], $1) }
      for other in others where pool.count < needed {
        pool += scores[other]
        lenders.append(other)
      }
      factors.append(conformalQuantile(pool, miscoverage: miscoverage))
      pools.append(lenders)
    }
    self.factors = factors
    self.pools = pools
  }

  public func halfWidth(deviation: Double, cluster: Int) -> Double { factors[cluster] * deviation }
}
