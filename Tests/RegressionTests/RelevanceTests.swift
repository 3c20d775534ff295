import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

@Suite struct RelevanceTests {
  private let selection = Selection(weights: plainWeights)

  private func problem(_ project: Project) throws -> ReducedProblem {
    try ReducedProblem(
      project.factor(selection), layout: project.layout, references: .given([-3, -5]))
  }

  private func rows(_ project: Project) -> (a: Matrix, y: [Double]) {
    let rows = project.dense(selection)
    let n = project.layout.basis
    return (
      rows.selecting(columns: Array(0..<n)),
      (0..<rows.rows).map { rows[$0, n + 2] + 3 * rows[$0, n] + 5 * rows[$0, n + 1] }
    )
  }

  /// ln N(y; 0, (1 + A diag(1/λ) Aᵀ)/β) at its best β, with all rows: the definition.
  private func evidence(_ a: Matrix, _ y: [Double], _ penalties: [Double]) throws -> Double {
    var covariance = Matrix.identity(y.count)
    for i in 0..<y.count {
      for j in 0..<y.count {
        for k in 0..<a.columns where penalties[k] < .infinity { covariance[i, j] += a[i, k] * a[j, k] / penalties[k] }
      }
    }
    let root = try covariance.choleskyFactor()
    let white = root.solvingTriangle(.lower, y)
    let beta = Double(y.count) / sumOfSquares(white)
    var value = Double(y.count) / 2 * (logarithm(beta) - logarithm(2 * Double.pi) - 1)
    for i in 0..<y.count { value -= logarithm(root[i, i]) }
    return value
  }

  @Test func theEvidenceIsTheMarginalLikelihoodAndNoOtherPrecisionsNearbyHaveMore() throws {
    let project = try Project(basis: 5, sources: 3, frames: 2, noise: 0.3)
    let problem = try problem(project)
    let found = Relevance(problem, start: [Double](repeating: 1, count: 5))
    #expect(found.hasConverged && found.steps < 200)
    let (a, y) = rows(project)
    let best = try evidence(a, y, found.penalties)
    #expect(abs(best - found.logEvidence) < 1e-7 * abs(best))
    for k in 0..<5 {
      for factor in [0.2, 0.8, 1.25, 5] where found.penalties[k].isFinite {
        var other = found.penalties
        other[k] *= factor
        #expect(try evidence(a, y, other) < best + 2e-3, "function \(k) times \(factor)")
      }
      // What was pruned is not missed, at any precision.
      for back in [1e-4, 1e-2, 1, 100, 1e4] where found.penalties[k] == .infinity {
        var other = found.penalties
        other[k] = back
        #expect(try evidence(a, y, other) < best + 2e-3, "function \(k) back with \(back)")
      }
    }
    // It is far above one precision for all.
    let common = try (-6...6).map { try evidence(a, y, [Double](repeating: exponential(Double($0)), count: 5)) }
    #expect(found.logEvidence > common.max()!)
  }

  /// 30 functions of which four matter.
  private func sparse(noise: Double, rows count: Int, seed: UInt64) -> (factor: TriangularFactor, truth: [Double]) {
    var generator = SeededGenerator(seed: seed)
    func random() -> Double { Double.random(in: -1...1, using: &generator) }
    var truth = [Double](repeating: 0, count: 30)
    for (k, value) in [(2, 1.5), (7, -0.7), (8, 2.0), (21, 0.9)] { truth[k] = value }
    var rows = Matrix(rows: count, columns: 32)
    for i in 0..<count {
      var target = noise * random()
      for j in 0..<30 {
        rows[i, j] = random() / Double(1 + j % 5)
        target += rows[i, j] * truth[j]
      }
      rows[i, 31] = target
    }
    return (TriangularFactor(rows: rows), truth)
  }

  @Test(arguments: [0.02, 0.1]) func whatMattersIsFound(_ noise: Double) throws {
    let layout = ColumnLayout(basis: 30, elements: 1)
    let (factor, truth) = sparse(noise: noise, rows: 240, seed: 11)
    let fit = try Fit(
      factor, layout: layout, references: .given([0]),
      prior: .automaticRelevance(start: [Double](repeating: 1, count: 30)))
    let ridge = try Fit(factor, layout: layout, references: .given([0]), prior: .ridge)
    #expect(fit.notes.isEmpty)
    let pruned = Set(fit.prunedFunctions)
    #expect(pruned.isDisjoint(with: [2, 7, 8, 21]))
    #expect(pruned.count >= 13, "\(pruned.count) of 26 idle functions were pruned")
    #expect(pruned.allSatisfy { fit.coefficients[$0] == 0 })
    let error = sumOfSquares(zip(fit.coefficients, truth).map { $0 - $1 })
    #expect(error < 0.7 * sumOfSquares(zip(ridge.coefficients, truth).map { $0 - $1 }))
    #expect(fit.logEvidence > ridge.logEvidence + 20)
    #expect(fit.effectiveDegreesOfFreedom < 13 && fit.effectiveRank == 30 - pruned.count)
    #expect(fit.conditionNumber.isFinite)
    // The same to the last bit; and functions that are out take no part in anything.
    let again = try Fit(
      factor, layout: layout, references: .given([0]),
      prior: .automaticRelevance(start: [Double](repeating: 1, count: 30)))
    #expect(again.coefficients == fit.coefficients && again.scales == fit.scales)
    let kept = (0..<30).filter { !pruned.contains($0) }
    let penalties = (0..<30).map { fit.lambda.squareRoot() * fit.scales[$0] }
    let small = factor.matrix.selecting(columns: kept + [31])
    let dense = try denseSolution(small, penalties: kept.map { penalties[$0] })
    #expect(largestDifference(dense, kept.map { fit.coefficients[$0] }) < 1e-9)
    let quick = try fit.problem.coefficients(lambda: fit.lambda, scales: fit.scales)
    #expect(largestDifference(quick, fit.coefficients) < 1e-9)
    let sample = factor.matrix.selecting(columns: Array(0..<30))
    var gram = Matrix(rows: kept.count, columns: kept.count)
    let a = factor.matrix.selecting(columns: kept)
    gram = a.transposedTimes(a)
    for (i, k) in kept.enumerated() { gram[i, i] += penalties[k] * penalties[k] }
    let inverse = try gram.inverse()
    for (i, leverage) in fit.leverages(sample).enumerated() {
      let row = a.row(i)
      let direct = zip(row, inverse.times(row)).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(leverage - direct) < 1e-9)
    }
  }

  /// An idle function stays where chance lets it explain more than its share, q² > s: with χ² of one degree of
  /// freedom above 1, in 32 % of cases.
  @Test func twoThirdsOfIdleFunctionsArePruned() throws {
    var pruned = 0
    for seed in 20..<26 {
      let fit = try Fit(
        sparse(noise: 0.05, rows: 240, seed: UInt64(seed)).factor, layout: ColumnLayout(basis: 30, elements: 1),
        references: .given([0]), prior: .automaticRelevance(start: [Double](repeating: 1, count: 30)))
      #expect(fit.notes.isEmpty && Set(fit.prunedFunctions).isDisjoint(with: [2, 7, 8, 21]))
      pruned += fit.prunedFunctions.count
    }
    // 156 idle functions, 106 expected, standard deviation 6.
    #expect((88...124).contains(pruned), "\(pruned)")
  }

  @Test func functionsWithoutRowsArePruned() throws {
    var rows = Matrix(rows: 12, columns: 5)
    for i in 0..<12 {
      rows[i, 0] = Double(i % 4) - 1.5
      rows[i, 2] = Double(i % 3) - 1
      rows[i, 4] = 2 * rows[i, 0] - rows[i, 2] + 0.01 * Double(i % 5)
    }
    let fit = try Fit(
      TriangularFactor(rows: rows), layout: ColumnLayout(basis: 3, elements: 1), references: .given([0]),
      prior: .automaticRelevance(start: [1, 1, 1]))
    #expect(fit.prunedFunctions == [1])
    #expect(abs(fit.coefficients[0] - 2) < 0.02 && abs(fit.coefficients[2] + 1) < 0.02)
  }
}
