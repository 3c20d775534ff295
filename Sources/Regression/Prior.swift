import LinearAlgebra

/// The shape Γ of the penalty λ|Γ c|²; its strength is chosen by `Regularisation`.
public enum Prior: Sendable, Equatable {
  /// Plain ridge on columns of unit variance over the rows.
  case ridge
  /// One positive number per basis function (see `smoothness`). With `onUnitColumns` it multiplies the
  /// column's own scale, otherwise it stands alone, as for a basis whose functions are normalised.
  case smoothness([Double], onUnitColumns: Bool = false)

  /// Diagonal of Γ for a problem, shape [basis], positive. Normalised such that the columns of R Γ⁻¹
  /// have a mean square of `rows`: λ/rows is then the penalty relative to what an average column
  /// says, whatever the units.
  public func scales(for problem: ReducedProblem) -> [Double] {
    let n = problem.matrix.columns
    var squares = [Double](repeating: 0, count: n)
    for i in 0..<problem.matrix.rows {
      for j in 0..<n { squares[j] += problem.matrix[i, j] * problem.matrix[i, j] }
    }
    let norms = squares.map { ($0 / Double(max(1, problem.rows))).squareRoot() }
    // What is below rounding never occurred: a stiff penalty keeps its coefficient at zero.
    let largest = norms.max() ?? 0
    let unit = norms.map { $0 > largest * 1e-10 ? $0 : largest > 0 ? largest : 1 }
    let raw: [Double]
    switch self {
    case .ridge: raw = unit
    case .smoothness(let gamma, let onUnitColumns):
      precondition(gamma.count == n, "one number per basis function")
      precondition(gamma.allSatisfy { $0 > 0 && $0.isFinite }, "smoothness is positive")
      raw = onUnitColumns ? zip(gamma, unit).map { $0 * $1 } : gamma
    }
    let mean = zip(norms, raw).reduce(0) { $0 + ($1.0 / $1.1) * ($1.0 / $1.1) } / Double(n)
    let overall = mean > 0 ? mean.squareRoot() : 1
    return raw.map { $0 * overall }
  }

  /// The algebraic prior of ACEpotentials: γ_v = Σ over the factors t of function v of
  /// (l_t/wl)^p + (n_t/wn)^p.
  /// - Parameter factors: for each function its radial indices n >= 1 and angular momenta l >= 0.
  public static func smoothness(
    factors: [[(n: Int, l: Int)]], p: Int = 4, wl: Double = 2.0 / 3.0, wn: Double = 1
  ) -> [Double] {
    func power(_ x: Double) -> Double { (0..<p).reduce(1) { value, _ in value * x } }
    return factors.map { function in
      function.reduce(0) { $0 + power(Double($1.l) / wl) + power(Double($1.n) / wn) }
    }
  }
}
