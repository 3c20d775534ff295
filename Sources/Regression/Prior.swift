import LinearAlgebra

/// The shape Γ of the penalty λ|Γ c|²; its strength is chosen by `Regularisation`.
public enum Prior: Sendable, Equatable {
  /// Plain ridge on columns of unit variance over the rows.
  case ridge
  /// One positive number per basis function (see `smoothness`). With `onUnitColumns` it multiplies the
  /// column's own scale, otherwise it stands alone, as for a basis whose functions are normalised.
  case smoothness([Double], onUnitColumns: Bool = false)
  /// A precision for every function by the evidence (see `Relevance`), which starts from `smoothness` with
  /// these numbers and the λ that the regularisation gives.
  case automaticRelevance(start: [Double])

  /// Diagonal of Γ for a problem, shape [basis], positive. Normalised such that the columns of R Γ⁻¹
  /// have a mean square of `rows`: λ/rows is then the penalty relative to what an average column
  /// says, whatever the units.
  public func scales(for problem: ReducedProblem) -> [Double] {
    let n = problem.matrix.columns
    let norms = Self.norms(problem)
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
    case .automaticRelevance(let start): return Prior.smoothness(start).scales(for: problem)
    }
    return Self.normalised(raw, norms).scales
  }

  /// Γ and λ in the same normalisation, such that λ Γ_j² are given penalties; infinite ones stay infinite.
  static func scales(penalties: [Double], for problem: ReducedProblem) -> (scales: [Double], lambda: Double) {
    let (scales, overall) = normalised(penalties.map { $0.squareRoot() }, norms(problem))
    return (scales, 1 / (overall * overall))
  }

  private static func norms(_ problem: ReducedProblem) -> [Double] {
    var squares = [Double](repeating: 0, count: problem.matrix.columns)
    for i in 0..<problem.matrix.rows {
      for j in squares.indices { squares[j] += problem.matrix[i, j] * problem.matrix[i, j] }
    }
    return squares.map { ($0 / Double(max(1, problem.rows))).squareRoot() }
  }

  private static func normalised(_ raw: [Double], _ norms: [Double]) -> (scales: [Double], overall: Double) {
    let mean = zip(norms, raw).reduce(0) { $0 + ($1.0 / $1.1) * ($1.0 / $1.1) } / Double(norms.count)
    let overall = mean > 0 ? mean.squareRoot() : 1
    return (raw.map { $0 * overall }, overall)
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
