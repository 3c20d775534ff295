import LinearAlgebra

/// Pointwise optimal parameter sets (POPS; Swinburne and Perez, arXiv:2402.01810, Mach. Learn.: Sci. Technol.
/// 2025): for every row the smallest change of the model, measured by the penalised loss, after which the row
/// is met exactly. How far these changes reach says how wrong a model of this form must be somewhere,
/// however many data there are: unlike the posterior's, their spread does not shrink as 1/√m.
///
/// With w the row in the coordinates in which the loss is a unit sphere, h = |w|² its leverage and e its
/// residual, the change is w e/h.
public struct PointwiseOptimal: Sendable {
  /// Leverages h, shape [rows].
  public let leverages: [Double]
  /// Principal directions of the changes of the rows that count, shape [directions][r + basis].
  let directions: Matrix
  /// Least and greatest change along each.
  package let bounds: [(low: Double, high: Double)]
  private let fit: Fit

  /// - Parameters:
  ///   - rows: weighted rows in the columns of the fit's layout, among those that the fit was made of.
  ///   - quantile: rows of smaller leverage than this quantile's say little and are left out (the paper: a half).
  public init(_ fit: Fit, rows: Matrix, quantile: Double = 0.5) throws(LinearAlgebraError) {
    precondition((0..<1).contains(quantile), "a share of the rows")
    self.fit = fit
    var white = fit.whitened(rows)
    let residuals = fit.residuals(rows)
    let leverages = (0..<white.rows).map { i in
      (0..<white.columns).reduce(0) { $0 + white[i, $1] * white[i, $1] }
    }
    self.leverages = leverages
    let sorted = leverages.sorted()
    let least = sorted.isEmpty ? 0 : sorted[Int(quantile * Double(sorted.count))]
    let kept = leverages.indices.filter { leverages[$0] >= least && leverages[$0] > 0 }
    for i in kept {
      let factor = residuals[i] / leverages[i]
      for k in 0..<white.columns { white[i, k] *= factor }
    }
    let changes = white.selecting(rows: kept)
    let eigen = try SymmetricEigen(changes.transposedTimes(changes))
    let largest = eigen.values.last ?? 0
    // Below rounding of the products there is no direction.
    let wide = eigen.values.indices.filter { eigen.values[$0] > largest * 1e-13 }
    let directions = eigen.vectors.selecting(rows: wide)
    self.directions = directions
    let along = directions.timesTransposed(changes)
    bounds = (0..<along.rows).map { k in
      let values = along.row(k)
      return (values.min() ?? 0, values.max() ?? 0)
    }
  }

  /// Models drawn uniformly from the box that holds all changes, its axes along their principal directions.
  public func members(_ count: Int, seed: UInt64) -> [LinearModel] {
    var generator = NormalGenerator(seed: seed)
    return (0..<count).map { _ in
      let place = bounds.map { $0.low + generator.uniform() * ($0.high - $0.low) }
      return fit.moved(by: directions.transposedTimes(place))
    }
  }
}

extension Ensemble {
  /// Samples of the box of pointwise optimal parameter sets (see `PointwiseOptimal`).
  public static func pointwiseOptimal(members: Int, of fit: Fit, rows: Matrix, seed: UInt64) throws -> Ensemble {
    let models = try PointwiseOptimal(fit, rows: rows).members(members, seed: seed)
    return Ensemble(
      (0..<members).map { "pointwise optimal \($0)" },
      models.map { (coefficients: $0.coefficients, energies: $0.referenceEnergies) }, fit, [])
  }
}
