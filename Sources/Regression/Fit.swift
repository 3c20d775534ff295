import LinearAlgebra

/// A linear model and what is known of it, from triangular factors alone.
public struct Fit: Sendable {
  /// Shape [basis].
  public let coefficients: [Double]
  /// E0, eV/atom, shape [elements].
  public let referenceEnergies: [Double]
  /// Diagonal of Γ, shape [basis]; infinite for functions that automatic relevance determination pruned.
  public let scales: [Double]
  /// Strength of the penalty λ|Γ c|².
  public let lambda: Double
  /// Prior and noise precision that go with λ; constants of the fit, not the noise of the labels.
  public let alpha: Double
  public let beta: Double
  public let logEvidence: Double
  /// Largest over smallest singular value of R Γ⁻¹, before the penalty; may be infinite.
  public let conditionNumber: Double
  /// Singular values above rounding.
  public let effectiveRank: Int
  /// Σ s²/(s² + λ).
  public let effectiveDegreesOfFreedom: Double
  /// Σ of squared weighted residuals.
  public let residualSquares: Double
  /// Rows that inform the coefficients (all less the fitted combinations of E0).
  public let rows: Int
  /// R_λ = qr([R; √λ Γ]), upper triangular, shape [basis][basis]: leverage of a row b is |R_λ⁻ᵀ b|²,
  /// the covariance of the coefficients (R_λᵀ R_λ)⁻¹/β.
  public let posteriorFactor: Matrix
  /// What the user should know.
  public let notes: [String]
  /// The problem that was solved.
  public let problem: ReducedProblem

  /// - Parameters:
  ///   - factor: of all weighted rows in the columns of `layout`.
  ///   - references: one entry per element.
  public init(
    _ factor: TriangularFactor, layout: ColumnLayout, references: ReferenceEnergies, prior: Prior,
    regularisation: Regularisation = .evidence
  ) throws {
    let problem = try ReducedProblem(factor, layout: layout, references: references)
    guard problem.rows > 0, problem.matrix.storage.contains(where: { $0 != 0 }) else {
      throw RegressionError.noRows
    }
    var scales = prior.scales(for: problem)
    var spectrum = try Spectrum(problem, scales: scales)
    var lambda =
      switch regularisation {
      case .evidence: spectrum.evidenceLambda()
      case .generalisedCrossValidation: spectrum.crossValidationLambda()
      case .fixed(let value): value
      }
    precondition(lambda >= 0 && lambda.isFinite, "the penalty is not negative")
    var relevanceNotes: [String] = []
    if case .automaticRelevance = prior {
      if lambda == 0 { lambda = spectrum.evidenceLambda() }
      let relevance = Relevance(problem, start: scales.map { lambda * $0 * $0 })
      (scales, lambda) = Prior.scales(penalties: relevance.penalties, for: problem)
      spectrum = try Spectrum(problem, scales: scales)
      relevanceNotes =
        relevance.hasConverged
        ? []
        : ["Automatic relevance determination was stopped before it had converged, after \(relevance.steps) steps."]
    }
    self.problem = problem
    self.scales = scales
    self.lambda = lambda
    let triangle = problem.penalised(lambda: lambda, scales: scales)
    posteriorFactor = triangle.factor
    coefficients =
      lambda > 0
      ? triangle.factor.solvingTriangle(.upper, triangle.target) : try problem.leastNormCoefficients(scales: scales)
    referenceEnergies = problem.energies(for: coefficients)
    beta = spectrum.noisePrecision(lambda)
    alpha = lambda * beta
    logEvidence = lambda > 0 ? spectrum.logEvidence(alpha: alpha, beta: beta) : -.infinity
    conditionNumber = spectrum.conditionNumber
    effectiveRank = spectrum.rank
    effectiveDegreesOfFreedom = spectrum.degreesOfFreedom(lambda)
    residualSquares = spectrum.residualSquares(lambda)
    rows = problem.rows
    let strongest = spectrum.singularValues.first ?? 0
    let isHopeless = regularisation != .fixed(lambda) && lambda > strongest * strongest
    notes =
      problem.notes + relevanceNotes
      + (isHopeless
        ? ["The basis explains nothing of these labels: all coefficients were drawn to zero."] : [])
  }
}

extension Fit {
  /// Functions that automatic relevance determination pruned, ascending.
  public var prunedFunctions: [Int] { scales.indices.filter { scales[$0] == .infinity } }
}

/// The triangle of [R z; diag(p) 0]: R_λ, z_λ and what is left of the target, shapes [n][n] and [n].
/// An infinite p_j takes function j out: its coefficient and its leverage are zero.
func penalisedTriangle(
  _ matrix: Matrix, _ target: [Double], penalties: [Double]
) -> (factor: Matrix, target: [Double], remainder: Double) {
  let n = matrix.columns
  var data = Matrix(rows: n + 1, columns: n + 1)
  for i in 0..<matrix.rows {
    for j in i..<n where penalties[j] < .infinity { data[i, j] = matrix[i, j] }
    data[i, n] = target[i]
  }
  var penalty = Matrix(rows: n + 1, columns: n + 1)
  for j in 0..<n { penalty[j, j] = penalties[j] < .infinity ? penalties[j] : 1 }
  let merged = TriangularFactor.merge(TriangularFactor(triangle: data), TriangularFactor(triangle: penalty)).matrix
  let rows = Array(0..<n)
  var factor = merged.selecting(rows: rows).selecting(columns: rows)
  // Nothing else stands in this column and row; infinity itself would meet zeros in BLAS.
  for j in 0..<n where penalties[j] == .infinity { factor[j, j] = 1e150 }
  return (factor, rows.map { penalties[$0] < .infinity ? merged[$0, n] : 0 }, merged[n, n])
}

extension ReducedProblem {
  /// R_λ and z_λ of [R z; √λΓ 0], shapes [basis][basis] and [basis].
  func penalised(lambda: Double, scales: [Double]) -> (factor: Matrix, target: [Double]) {
    let root = lambda.squareRoot()
    let triangle = penalisedTriangle(
      matrix, target, penalties: scales.map { $0 < .infinity ? root * $0 : .infinity })
    return (triangle.factor, triangle.target)
  }

  /// R Γ⁻¹; zero where Γ is infinite.
  func scaled(by scales: [Double]) -> Matrix {
    var scaled = matrix
    for i in 0..<scaled.rows { for j in i..<scaled.columns { scaled[i, j] /= scales[j] } }
    return scaled
  }

  /// Coefficients without a penalty that have the least norm |Γ c|, over the singular values above rounding.
  func leastNormCoefficients(scales: [Double]) throws(LinearAlgebraError) -> [Double] {
    let decomposition = try SingularValues(scaled(by: scales))
    let limit = (decomposition.values.first ?? 0) * Double(max(rows, matrix.columns)) * 0x1p-52
    let amplitudes = zip(decomposition.values, decomposition.left.transposedTimes(target)).map {
      $0 > limit && $0 > 0 ? $1 / $0 : 0
    }
    return zip(decomposition.right.transposedTimes(amplitudes), scales).map { $0 / $1 }
  }

  /// Coefficients at a given penalty, shape [basis]: far cheaper than a `Fit`.
  public func coefficients(lambda: Double, scales: [Double]) throws -> [Double] {
    guard lambda > 0 else { return try leastNormCoefficients(scales: scales) }
    let (factor, target) = penalised(lambda: lambda, scales: scales)
    return factor.solvingTriangle(.upper, target)
  }
}

// MARK: - Leverages and residuals that were left out

extension Fit {
  /// h = |R_λ⁻ᵀ b|² of basis rows, shape [rows][basis]; weighted like the rows of the fit.
  public func leverages(_ rows: Matrix) -> [Double] {
    let solved = posteriorFactor.solvingTriangle(.upper, transposed: true, rows.transposed)
    return (0..<rows.rows).map { i in
      (0..<solved.rows).reduce(0) { $0 + solved[$1, i] * solved[$1, i] }
    }
  }

  /// Residuals (target - prediction) of weighted rows in the columns of the layout, each predicted by
  /// the fit without the whole of them: e_out = (I - H)⁻¹ e, exact at fixed λ. Leave out what belongs
  /// together, a configuration or a run; for plain leave-one-out give one row.
  public func residualsLeftOut(_ rows: Matrix) throws(LinearAlgebraError) -> [Double] {
    let (n, elements) = (coefficients.count, referenceEnergies.count)
    precondition(rows.columns == n + elements + 1, "rows of the fit's layout")
    let weights = coefficients + referenceEnergies + [-1]
    let residuals = rows.times(weights).map { -$0 }
    var taken: [[Double]] = []
    var rest: [[Double]] = []
    for i in 0..<rows.rows {
      let row = rows.row(i)
      let split = problem.projected(
        basis: Array(row[..<n]), composition: Array(row[n..<n + elements]))
      taken.append(split.taken)
      rest.append(split.rest)
    }
    let solved = posteriorFactor.solvingTriangle(
      .upper, transposed: true, Matrix(rest, columns: n).transposed)
    let energies = Matrix(taken, columns: taken.first?.count ?? 0)
    var system = solved.transposedTimes(solved)
    let shared = energies.timesTransposed(energies)
    for i in 0..<rows.rows {
      for j in 0..<rows.rows {
        system[i, j] = (i == j ? 1 : 0) - system[i, j] - shared[i, j]
      }
    }
    return try system.inverse().times(residuals)
  }
}
