import LinearAlgebra

/// The penalised problem in its singular directions, R Γ⁻¹ = U diag(s) Vᵀ: everything that depends on
/// λ alone is a sum over them. The directions themselves are not needed: see `ReducedProblem.coefficients`.
public struct Spectrum: Sendable {
  /// s, descending, shape [basis]; zero where the rows say nothing.
  public let singularValues: [Double]
  /// z' = Uᵀ z up to signs, shape [basis].
  public let target: [Double]
  /// ρ².
  public let unexplainedSquares: Double
  /// Rows m that inform the coefficients.
  public let rows: Int
  let targetSquares: Double
  /// Functions that take part: all but those of infinite scale.
  private let functions: Int

  public init(_ problem: ReducedProblem, scales: [Double]) throws(LinearAlgebraError) {
    let n = problem.matrix.columns
    precondition(scales.count == n, "one scale per basis function")
    let decomposition = try SingularSpectrum(problem.scaled(by: scales), problem.target)
    let missing = [Double](repeating: 0, count: n - decomposition.values.count)
    singularValues = decomposition.values + missing
    target = decomposition.rotated + missing
    unexplainedSquares = problem.unexplainedSquares
    rows = problem.rows
    targetSquares = problem.targetSquares
    functions = scales.count { $0 < .infinity }
  }

  /// Singular values above rounding.
  public var rank: Int {
    let limit = (singularValues.first ?? 0) * Double(max(rows, singularValues.count)) * 0x1p-52
    return singularValues.count { $0 > limit }
  }

  /// s_1/s_n over the functions of finite scale; infinite where the rows do not determine their coefficients.
  public var conditionNumber: Double {
    guard let first = singularValues.first, functions > 0 else { return 1 }
    let last = singularValues[functions - 1]
    return last > 0 ? first / last : .infinity
  }

  /// f_k = s_k²/(s_k² + λ): the share of direction k that the rows, not the prior, decide. For λ = 0
  /// directions below rounding are the prior's.
  public func filters(_ lambda: Double) -> [Double] {
    let rank = lambda > 0 ? singularValues.count : rank
    return singularValues.enumerated().map { index, s in
      index < rank && s > 0 ? s * s / (s * s + lambda) : 0
    }
  }

  /// g = Σ f_k, effective degrees of freedom.
  public func degreesOfFreedom(_ lambda: Double) -> Double { filters(lambda).reduce(0, +) }

  /// RSS = ρ² + Σ (z'_k (1 - f_k))².
  public func residualSquares(_ lambda: Double) -> Double {
    zip(target, filters(lambda)).reduce(unexplainedSquares) {
      let left = $1.0 * (1 - $1.1)
      return $0 + left * left
    }
  }

  /// |Γ c|².
  public func coefficientSquares(_ lambda: Double) -> Double {
    amplitudes(lambda).reduce(0) { $0 + $1 * $1 }
  }

  /// Generalised cross-validation, m RSS/(m - g)².
  public func generalisedCrossValidation(_ lambda: Double) -> Double {
    let left = Double(rows) - degreesOfFreedom(lambda)
    return left > 0 ? Double(rows) * residualSquares(lambda) / (left * left) : .infinity
  }

  /// Log evidence of prior precision `alpha` and noise precision `beta`.
  public func logEvidence(alpha: Double, beta: Double) -> Double {
    let lambda = alpha / beta
    var value = Double(singularValues.count) / 2 * logarithm(alpha)
    value += Double(rows) / 2 * (logarithm(beta) - logarithm(2 * Double.pi))
    value -= beta / 2 * residualSquares(lambda) + alpha / 2 * coefficientSquares(lambda)
    for s in singularValues { value -= logarithm(alpha + beta * s * s) / 2 }
    return value
  }

  /// The noise precision that maximises the evidence at a given λ, m/(RSS + λ|Γ c|²).
  public func noisePrecision(_ lambda: Double) -> Double {
    let squares = residualSquares(lambda) + lambda * coefficientSquares(lambda)
    // A perfect fit would make it infinite: nothing is known better than rounding.
    let floor = max(targetSquares * 0x1p-104, Double.leastNormalMagnitude)
    return Double(rows) / max(squares, floor)
  }

  private func amplitudes(_ lambda: Double) -> [Double] {
    zip(zip(singularValues, target), filters(lambda)).map { pair, filter in
      filter > 0 ? filter * pair.1 / pair.0 : 0
    }
  }
}

// MARK: - Choosing λ

/// How the strength of the prior is chosen.
public enum Regularisation: Sendable, Equatable, Codable {
  /// The λ of greatest evidence. The default: it copes with rows of unequal weight.
  case evidence
  /// The λ of least generalised cross-validation; over-regularises where weights are unequal.
  case generalisedCrossValidation
  /// This λ, in the normalisation of `Prior.scales`; 0 is plain least squares of least norm.
  case fixed(Double)
}

extension Spectrum {
  /// The λ of the greatest evidence: a scan over all magnitudes (there may be several maxima), a
  /// golden section around the best, then the fixed point α = g/|Γc|², β = (m - g)/RSS.
  public func evidenceLambda() -> Double {
    let scanned = minimise { lambda in
      let beta = noisePrecision(lambda)
      return -logEvidence(alpha: lambda * beta, beta: beta)
    }
    var best = scanned
    var bestValue = value(at: best)
    for _ in 0..<20 {
      let free = degreesOfFreedom(best)
      let norm = coefficientSquares(best)
      let residual = residualSquares(best)
      guard norm > 0, residual > 0, Double(rows) > free else { break }
      let next = (free / norm) / ((Double(rows) - free) / residual)
      guard next > 0, next.isFinite else { break }
      let nextValue = value(at: next)
      // The fixed point may also run towards another extremum: only upwards.
      guard nextValue > bestValue else { break }
      (best, bestValue) = (next, nextValue)
    }
    return best
  }

  private func value(at lambda: Double) -> Double {
    let beta = noisePrecision(lambda)
    return logEvidence(alpha: lambda * beta, beta: beta)
  }

  /// The λ of least generalised cross-validation.
  public func crossValidationLambda() -> Double { minimise { generalisedCrossValidation($0) } }

  /// The minimiser of a function of λ > 0 over all that can matter, s_1² 1e-26 ... s_1² 1e6.
  private func minimise(_ function: (Double) -> Double) -> Double {
    guard let first = singularValues.first, first > 0 else { return 1 }
    let top = logarithm(first * first)
    let (low, high, steps) = (top - 60, top + 14, 296)
    let width = (high - low) / Double(steps)
    var best = 0
    var bestValue = Double.infinity
    for step in 0...steps {
      let value = function(exponential(low + Double(step) * width))
      if value < bestValue { (best, bestValue) = (step, value) }
    }
    var a = low + Double(best - 1) * width
    var b = low + Double(best + 1) * width
    let ratio = 0.6180339887498949
    var (x1, x2) = (b - ratio * (b - a), a + ratio * (b - a))
    var (f1, f2) = (function(exponential(x1)), function(exponential(x2)))
    for _ in 0..<40 {
      if f1 < f2 {
        (b, x2, f2) = (x2, x1, f1)
        x1 = b - ratio * (b - a)
        f1 = function(exponential(x1))
      } else {
        (a, x1, f1) = (x1, x2, f2)
        x2 = a + ratio * (b - a)
        f2 = function(exponential(x2))
      }
    }
    return exponential((a + b) / 2)
  }
}
