import LinearAlgebra
import Platform

/// Coefficients and one-body energies, nothing else.
public struct LinearModel: Sendable, Equatable {
  /// Shape [basis].
  public var coefficients: [Double]
  /// E0, eV/atom, shape [elements].
  public var referenceEnergies: [Double]

  public init(coefficients: [Double], referenceEnergies: [Double]) {
    self.coefficients = coefficients
    self.referenceEnergies = referenceEnergies
  }
}

extension Fit {
  public var linearModel: LinearModel {
    LinearModel(coefficients: coefficients, referenceEnergies: referenceEnergies)
  }

  /// Rows in the coordinates in which the penalised problem is a unit sphere, all of E0 and coefficients:
  /// w = (u, R_λ⁻ᵀ b'), shape [rows][r + basis]. |w|² is a row's leverage, w_i·w_j what they share.
  package func whitened(_ rows: Matrix) -> Matrix {
    let (n, elements) = (coefficients.count, referenceEnergies.count)
    precondition(rows.columns == n + elements + 1, "rows of the fit's layout")
    let (taken, rest) = problem.projected(rows)
    let solved = posteriorFactor.dividing(rest)
    var result = Matrix(rows: rows.rows, columns: taken.columns + n)
    for i in 0..<rows.rows {
      for k in 0..<taken.columns { result[i, k] = taken[i, k] }
      for k in 0..<n { result[i, taken.columns + k] = solved[i, k] }
    }
    return result
  }

  /// Target less prediction of rows in the columns of the layout.
  package func residuals(_ rows: Matrix) -> [Double] {
    rows.times(coefficients + referenceEnergies + [-1]).map { -$0 }
  }

  /// The model that lies a step away in the coordinates of `whitened`.
  package func moved(by step: [Double]) -> LinearModel {
    let r = problem.expansion.columns
    let change = posteriorFactor.solvingTriangle(.upper, Array(step[r...]))
    let moved = zip(coefficients, change).map { $0 + $1 }
    var energies = problem.energies(for: moved)
    for (element, value) in zip(problem.fitted, problem.expansion.times(Array(step[..<r]))) {
      energies[element] += value
    }
    return LinearModel(coefficients: moved, referenceEnergies: energies)
  }

  /// The fit without some of its rows at the same penalty, from their factor alone: nothing is merged
  /// again. With the rows [A | y], e = y - A x and H = A (R_λᵀR_λ)⁻¹ Aᵀ,
  ///
  ///     e_out = (I - H)⁻¹ e,   x_out = x - (R_λᵀR_λ)⁻¹ Aᵀ e_out;
  ///
  /// both hold for the rotated rows of a factor. O(n² k + k³) for k rows of the factor.
  /// - Parameter factor: of weighted rows, as they went into the fit.
  /// - Returns: the model, and the weighted root mean square of e_out; nil where these rows are nearly all
  ///   that is known of some direction (1 - h < 10⁻⁹), so that rounding would rule: merge the others.
  public func leavingOut(_ factor: TriangularFactor) -> (model: LinearModel, rootMeanSquare: Double)? {
    guard factor.rowCount > 0 else { return (linearModel, 0) }
    let white = whitened(factor.matrix)
    var system = white.timesTransposed(white)
    for i in 0..<system.rows {
      for j in 0..<system.columns { system[i, j] = (i == j ? 1 : 0) - system[i, j] }
    }
    guard let root = try? system.choleskyFactor(), (0..<root.rows).allSatisfy({ root[$0, $0] > 3e-5 }) else {
      return nil
    }
    let half = root.solvingTriangle(.lower, residuals(factor.matrix))
    let out = root.solvingTriangle(.lower, transposed: true, half)
    let square = out.reduce(0) { $0 + $1 * $1 } / Double(factor.rowCount)
    return (moved(by: white.transposedTimes(out).map { -$0 }), square.squareRoot())
  }
}

extension FactorTree {
  /// For each group the factor of all selected rows but its own, the prior's rows included; nil where there
  /// are no others. One tree for each group (together what one tree of all costs) and some three merges for
  /// each, however many sources a group is spread over.
  public func factorsWithoutGroups(
    _ groups: [String], _ selection: Selection, cache: some FactorCache, threads: Int = 1,
    load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> [TriangularFactor?] {
    var bare = self
    bare.prior = nil
    let data = bare
    let wanted = Set(groups)
    let own = try concurrentMap(groups.count, threads: threads) { index in
      var only = selection
      only.weights = selection.weights.restricted(to: [groups[index]])
      return try data.factor(only, cache: cache, load: load)
    }
    let others = Set(sources.flatMap { $0.keys.map(\.group) }).subtracting(wanted)
    var rest = selection
    rest.weights = selection.weights.restricted(to: others)
    var common = try data.factor(rest, cache: cache, threads: threads, load: load)
    let hasOthers = common.rowCount > 0
    if let prior { common = .merge(common, prior) }
    // before[i] holds the groups before i, `after` those behind it.
    var before = [common]
    for factor in own.dropLast() { before.append(.merge(before[before.count - 1], factor)) }
    var after = TriangularFactor(columns: layout.columns)
    var result = [TriangularFactor?](repeating: nil, count: groups.count)
    for index in groups.indices.reversed() {
      let isAlone = !hasOthers && own.indices.allSatisfy { $0 == index || own[$0].rowCount == 0 }
      result[index] = isAlone ? nil : .merge(before[index], after)
      after = .merge(own[index], after)
    }
    return result
  }
}
