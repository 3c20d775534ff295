import LinearAlgebra

/// Which functions of a fit it can least do without: backward elimination at a fixed penalty.
///
/// Taking function j out of the penalised problem raises |R c − z|² + λ|Γ c|² by exactly c_j² / [(R_λᵀR_λ)⁻¹]_jj
/// (the saliency of Hassibi and Stork 1993, "optimal brain surgeon"; for a linear model it is no approximation). The
/// functions with the least are taken out, some at a time, and the rest is solved anew. Only the triangle of the fit is
/// needed: whatever number of rows it stands for, nothing is read again.
public struct FunctionChoice: Sendable {
  /// Columns that stay, ascending.
  public let kept: [Int]
  /// By how much the objective grew, relative to the sum of squares that was left by all functions.
  public let relativeIncrease: Double

  /// - Parameters:
  ///   - fit: to all functions that come into question.
  ///   - count: how many stay; all, where there are no more.
  ///   - isProtected: functions that stay whatever they are worth, by column.
  ///   - share: how many of those that are left may go before the rest is solved anew.
  public init(
    of fit: Fit, keeping count: Int, share: Double = 0.15, isProtected: (Int) -> Bool = { _ in false }
  ) {
    precondition(count > 0 && share > 0 && share < 1, "some stay and some go")
    let n = fit.coefficients.count
    var columns = Array(0..<n)
    // [R_λ | z_λ]: the squared norm of its rows times (c, −1) is the objective up to what no coefficient can explain.
    let target = fit.posteriorFactor.times(fit.coefficients)
    var triangle = Matrix(rows: n, columns: n + 1)
    for i in 0..<n {
      for j in i..<n { triangle[i, j] = fit.posteriorFactor[i, j] }
      triangle[i, n] = target[i]
    }
    var remainder = 0.0
    while columns.count > count {
      let saliencies = Self.saliencies(triangle)
      let removable = columns.indices.filter { !isProtected(columns[$0]) }
      if removable.isEmpty { break }
      let order = removable.sorted { (saliencies[$0], $0) < (saliencies[$1], $1) }
      let going = min(columns.count - count, max(1, Int(Double(columns.count) * share)))
      let leaving = Set(order.prefix(going))
      let staying = columns.indices.filter { !leaving.contains($0) }
      let width = columns.count
      columns = staying.map { columns[$0] }
      let reduced = TriangularFactor(rows: triangle.selecting(columns: staying + [width])).matrix
      let grown = reduced[columns.count, columns.count]
      remainder += grown * grown
      triangle = reduced.selecting(rows: Array(columns.indices))
    }
    kept = columns
    let before = fit.residualSquares
    relativeIncrease = before > 0 ? remainder / before : 0
  }

  /// c_j² / [(RᵀR)⁻¹]_jj of [R | z], shape [columns]. Source: Hassibi, Stork 1993, eq. 5.
  static func saliencies(_ triangle: Matrix) -> [Double] {
    let n = triangle.rows
    let all = Array(0..<n)
    let factor = triangle.selecting(columns: all)
    let coefficients = factor.solvingTriangle(.upper, triangle.column(n))
    let inverse = factor.solvingTriangle(.upper, .identity(n))
    return all.map { j in
      let variance = (j..<n).reduce(0) { $0 + inverse[j, $1] * inverse[j, $1] }
      return variance > 0 && variance.isFinite ? coefficients[j] * coefficients[j] / variance : 0
    }
  }
}
