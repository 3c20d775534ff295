import LinearAlgebra

/// Automatic relevance determination: every basis function has a prior precision of its own, and those
/// of the greatest evidence are found from the small factor alone (MacKay 1992; Tipping 2001,
/// J. Mach. Learn. Res. 1, 211). Functions that the data do without go to infinite precision: pruned.
///
/// With λ_j = α_j/β, R_λ = qr([R; diag √λ]) and the noise precision β that is best at given λ,
///
///     log evidence = 1/2 Σ ln λ_j - Σ ln (R_λ)_jj + m/2 (ln β/2π - 1),   β = m/(RSS + Σ λ_j c_j²)
///     g_j = 1 - λ_j [(R_λᵀR_λ)⁻¹]_jj,   A_j = β λ_j c_j²,   λ_j ← λ_j (g_j/A_j)^θ.
///
/// θ = 1 is MacKay's fixed point: fast, but the evidence may fall. θ = 1/2 never lets it fall (the
/// tangent bounds of Wipf and Nagarajan 2008, with β eliminated): it is taken where the longer step fails.
/// Each step costs a merge with a diagonal and a triangular inverse, O(n³) of the functions left.
/// The result is a local maximum, the same for the same factor to the last bit.
public struct Relevance: Sendable {
  /// λ_j, shape [basis]; infinite for pruned functions.
  public let penalties: [Double]
  public let logEvidence: Double
  /// How often R_λ was made.
  public let steps: Int
  /// False where the steps ran out first.
  public let hasConverged: Bool

  /// Functions that stayed, ascending.
  public var kept: [Int] { penalties.indices.filter { penalties[$0].isFinite } }

  private static let mostSteps = 400
  /// A step that gains less evidence (a factor of e^0.001 in probability) ends the search.
  private static let smallestGain = 1e-3
  private static let rounding = 1e-6
  /// Functions with more than this share of a degree of freedom are not pruned on the way.
  private static let prunableShare = 1e-3

  /// - Parameter start: λ_j > 0 to begin with, shape [basis].
  public init(_ problem: ReducedProblem, start: [Double]) {
    precondition(start.count == problem.matrix.columns && start.allSatisfy { $0 > 0 && $0.isFinite })
    var state = State(Restricted(problem), penalties: start)
    var steps = 1
    var exponent = 1.0
    var hasConverged = false
    while !hasConverged, steps < Self.mostSteps, !state.problem.columns.isEmpty {
      let before = state.logEvidence
      steps += 1
      var next = state.stepped(exponent)
      if !(next.logEvidence >= before) {
        steps += 1
        exponent = 1
        next = state.stepped(0.5)
      } else {
        exponent = min(2, exponent * 1.25)
      }
      // Only rounding makes the careful step fall: then this is as far as doubles go.
      guard next.logEvidence >= before else {
        hasConverged = true
        break
      }
      let isSlow = next.logEvidence - before < Self.smallestGain
      state = next
      hasConverged = isSlow
      // One alone can always go; many at once where they do not stand in for each other.
      var idle = state.prunable(share: isSlow ? 1 : Self.prunableShare)
      while !idle.isEmpty {
        steps += 1
        let without = state.pruned(idle)
        if without.logEvidence >= state.logEvidence - Self.rounding {
          state = without
          hasConverged = false
          break
        }
        idle = Array(idle.prefix(idle.count / 2))
      }
    }
    var penalties = [Double](repeating: .infinity, count: start.count)
    for (column, penalty) in zip(state.problem.columns, state.penalties) { penalties[column] = penalty }
    self.penalties = penalties
    logEvidence = state.logEvidence
    self.steps = steps
    self.hasConverged = hasConverged
  }
}

/// The problem in the columns that are left.
private struct Restricted {
  /// Which they are.
  let columns: [Int]
  /// Upper trapezoidal, shape [k][columns].
  let matrix: Matrix
  let target: [Double]
  let unexplainedSquares: Double
  let rows: Int
  let smallestSquares: Double

  init(_ problem: ReducedProblem) {
    columns = Array(0..<problem.matrix.columns)
    matrix = problem.matrix
    target = problem.target
    unexplainedSquares = problem.unexplainedSquares
    rows = problem.rows
    smallestSquares = max(problem.targetSquares * 0x1p-104, Double.leastNormalMagnitude)
  }

  /// - Parameter kept: positions among the columns.
  init(_ whole: Restricted, kept: [Int]) {
    columns = kept.map { whole.columns[$0] }
    var all = whole.matrix.selecting(columns: kept).transposed
    all.append(row: whole.target)
    let triangle = all.transposed.upperTriangularFactor()
    let count = min(kept.count, triangle.rows)
    var matrix = Matrix(rows: count, columns: kept.count)
    for i in 0..<count { for j in i..<kept.count { matrix[i, j] = triangle[i, j] } }
    self.matrix = matrix
    let last = triangle.column(kept.count)
    target = Array(last[..<count])
    unexplainedSquares = last[count...].reduce(whole.unexplainedSquares) { $0 + $1 * $1 }
    rows = whole.rows
    smallestSquares = whole.smallestSquares
  }
}

/// One point of the search and everything that the next step needs.
private struct State {
  let problem: Restricted
  /// λ_j of the columns left.
  let penalties: [Double]
  let logEvidence: Double
  /// g_j, the share of function j that the rows decide.
  private let shares: [Double]
  /// A_j.
  private let weights: [Double]

  init(_ problem: Restricted, penalties: [Double]) {
    self.problem = problem
    self.penalties = penalties
    let n = penalties.count
    let (factor, target, remainder) = penalisedTriangle(
      problem.matrix, problem.target, penalties: penalties.map { $0.squareRoot() })
    let squares = max(problem.unexplainedSquares + remainder * remainder, problem.smallestSquares)
    let beta = Double(problem.rows) / squares
    var value = Double(problem.rows) / 2 * (logarithm(beta) - logarithm(2 * Double.pi) - 1)
    for j in 0..<n { value += logarithm(penalties[j]) / 2 - logarithm(factor[j, j]) }
    logEvidence = value
    let inverse = factor.solvingTriangle(.upper, Matrix.identity(n))
    let coefficients = factor.solvingTriangle(.upper, target)
    shares = (0..<n).map { j in
      let variance = (j..<n).reduce(0) { $0 + inverse[j, $1] * inverse[j, $1] }
      return min(1, max(0, 1 - penalties[j] * variance))
    }
    weights = (0..<n).map { beta * penalties[$0] * coefficients[$0] * coefficients[$0] }
  }

  /// λ_j (g_j/A_j)^exponent; a factor of 10⁶ at most.
  func stepped(_ exponent: Double) -> State {
    let moved = penalties.indices.map { j in
      let limit = 1e6
      let ratio = weights[j] > shares[j] / limit ? max(1 / limit, shares[j] / weights[j]) : limit
      return min(1e280, max(1e-280, penalties[j] * exponential(exponent * logarithm(max(ratio, 1 / limit)))))
    }
    return State(problem, penalties: moved)
  }

  /// Positions whose removal, each by itself, raises the evidence (q² <= s of Tipping and Faul 2003,
  /// which is A <= g (1 - g)), and of which the rows decide less than a share; the idlest first.
  func prunable(share: Double) -> [Int] {
    penalties.indices.filter { weights[$0] <= shares[$0] * (1 - shares[$0]) && shares[$0] <= share }
      .sorted { (shares[$0], $0) < (shares[$1], $1) }
  }

  func pruned(_ positions: [Int]) -> State {
    let idle = Set(positions)
    let kept = penalties.indices.filter { !idle.contains($0) }
    return State(Restricted(problem, kept: kept), penalties: kept.map { penalties[$0] })
  }
}
