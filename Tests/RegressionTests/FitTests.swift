import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

@Suite struct FitTests {
  private let selection = Selection(weights: plainWeights)
  private let free = ReferenceEnergies.leastSquares(elements: 2)

  private func fit(
    _ project: Project, _ references: ReferenceEnergies? = nil, prior: Prior = .ridge,
    _ regularisation: Regularisation = .evidence
  ) throws -> Fit {
    try Fit(
      project.factor(selection), layout: project.layout, references: references ?? free,
      prior: prior, regularisation: regularisation)
  }

  @Test(arguments: [0, 1e-6, 0.1, 30])
  func coefficientsAreTheDensePenalisedSolution(_ lambda: Double) throws {
    let project = try Project(blocks: 2)
    let rows = project.dense(selection)
    let gamma = (0..<9).map { 1 + Double($0 * $0) }
    for prior in [Prior.ridge, .smoothness(gamma), .smoothness(gamma, onUnitColumns: true)] {
      let fit = try fit(project, prior: prior, .fixed(lambda))
      let dense = try denseSolution(rows, penalties: fit.penalties)
      let all = fit.coefficients + fit.referenceEnergies
      #expect(largestDifference(all, dense) < 1e-9, "\(prior)")
      let residual = sumOfSquares(rows.times(dense + [-1]))
      #expect(abs(fit.residualSquares - residual) < 1e-9 * residual)
      #expect(fit.rows == rows.rows - 2)
      // The quick solve of ensemble members is the same.
      let quick = try fit.problem.coefficients(lambda: lambda, scales: fit.scales)
      #expect(largestDifference(quick, fit.coefficients) < 1e-9)
    }
  }

  /// Fewer rows than columns: the penalty decides, at λ = 0 the least norm.
  @Test func underdeterminedProblemsSolve() throws {
    let project = try Project(basis: 60, sources: 1, frames: 2, groups: ["bulk"])
    let rows = project.dense(selection)
    #expect(rows.rows < 60)
    for lambda in [0, 0.1] {
      let fit = try fit(project, .given([-3, -5]), .fixed(lambda))
      var targets = rows
      for i in 0..<rows.rows { targets[i, 62] += 3 * rows[i, 60] + 5 * rows[i, 61] }
      let columns = Array(0..<60) + [62]
      let dense = try denseSolution(
        targets.selecting(columns: columns), penalties: Array(fit.penalties[..<60]))
      if lambda > 0 {
        #expect(largestDifference(fit.coefficients, dense) < 1e-9)
      } else {
        #expect(fit.effectiveRank == rows.rows && fit.residualSquares < 1e-20)
        #expect(fit.conditionNumber == .infinity)
      }
    }
    let chosen = try fit(project)
    #expect(chosen.coefficients.allSatisfy { $0.isFinite } && chosen.lambda > 0)
  }

  /// Columns with singular values over eight magnitudes, where normal equations fail.
  @Test func illConditionedLeastSquaresAgreesWithSVD() throws {
    let n = 20
    let m = 400
    var generator = SeededGenerator(seed: 8)
    func random(_ rows: Int, _ columns: Int) -> Matrix {
      Matrix(
        rows: rows, columns: columns,
        storage: (0..<rows * columns).map { _ in Double.random(in: -1...1, using: &generator) })
    }
    var left = try SingularValues(random(m, n)).left
    let right = try SingularValues(random(n, n)).right
    for j in 0..<n {
      let s = exponent(-8 * Double(j) / Double(n - 1))
      for i in 0..<m { left[i, j] *= s }
    }
    let a = left.times(right)
    let truth = random(n, 1).storage
    let noise = random(m, 1).storage
    let y = zip(a.times(truth), noise).map { $0 + 1e-6 * $1 }
    let layout = ColumnLayout(basis: n, elements: 1)
    var factor = TriangularFactor(columns: layout.columns)
    var rows = Matrix(rows: 0, columns: layout.columns)
    for i in 0..<m { rows.append(row: a.row(i) + [0, y[i]]) }
    for start in stride(from: 0, to: m, by: 50) {
      let part = rows.selecting(rows: Array(start..<start + 50))
      factor = TriangularFactor.merge(factor, TriangularFactor(rows: part))
    }
    let fit = try Fit(
      factor, layout: layout, references: .given([0]),
      prior: .smoothness(Array(repeating: 1, count: n)), regularisation: .fixed(0))
    #expect(fit.conditionNumber > 0.9e8 && fit.conditionNumber < 1.1e8)
    let svd = try SingularValues(a)
    let along = svd.left.transposedTimes(y)
    let dense = svd.right.transposedTimes(zip(along, svd.values).map { $0 / $1 })
    let scale = sumOfSquares(dense).squareRoot()
    // Backward stable: rounding times condition number (and its square times the residual, 1e-5).
    #expect(largestDifference(fit.coefficients, dense) < 1e-6 * scale)
    let gram = a.transposedTimes(a)
    let normal = try gram.inverse().times(a.transposedTimes(y))
    #expect(largestDifference(normal, dense) > 1e-4 * scale, "normal equations are no match")
  }

  private func exponent(_ x: Double) -> Double {
    // 10^x by repeated roots, to stay free of the C library.
    var result = 1.0
    let step = x / 1024
    let base = 1 + step * 2.302585092994046 + step * step * 2.650949055239199
    for _ in 0..<1024 { result *= base }
    return result
  }

  // MARK: Reference energies

  @Test func givenEnergiesAreAColumnOperation() throws {
    let project = try Project()
    let rows = project.dense(selection)
    for energies in [[-3.0, -5.0], [0, 0], [100, -1e4]] {
      let fit = try fit(project, .given(energies), .fixed(0.01))
      #expect(fit.referenceEnergies == energies && fit.rows == rows.rows && fit.notes.isEmpty)
      // A refit from rows whose targets had them subtracted.
      var moved = rows
      for i in 0..<rows.rows {
        moved[i, 11] -= energies[0] * rows[i, 9] + energies[1] * rows[i, 10]
      }
      let dense = try denseSolution(
        moved.selecting(columns: Array(0..<9) + [11]), penalties: Array(fit.penalties[..<9]))
      let scale = 1 + abs(energies[1])
      #expect(largestDifference(fit.coefficients, dense) < 1e-11 * scale)
      let residual = sumOfSquares(rows.times(fit.coefficients + energies + [-1]))
      #expect(abs(fit.residualSquares - residual) < 1e-10 * residual)
    }
  }

  @Test func oneGivenOneFitted() throws {
    let project = try Project()
    let rows = project.dense(selection)
    let fit = try fit(project, .isolatedAtoms([nil, -5]), .fixed(0.01))
    var moved = rows
    for i in 0..<rows.rows { moved[i, 11] += 5 * rows[i, 10] }
    let dense = try denseSolution(
      moved.selecting(columns: Array(0...9) + [11]), penalties: Array(fit.penalties[..<10]))
    #expect(largestDifference(fit.coefficients + [fit.referenceEnergies[0]], dense) < 1e-10)
    #expect(fit.referenceEnergies[1] == -5 && fit.rows == rows.rows - 1 && fit.notes.isEmpty)
  }

  @Test func oneStoichiometryTakesTheLeastNorm() throws {
    let project = try Project(stoichiometries: [[1, 2], [2, 4]])
    let rows = project.dense(selection)
    let fit = try fit(project, nil, .fixed(0.01))
    let dense = try denseSolution(rows, penalties: fit.penalties)
    #expect(largestDifference(fit.coefficients + fit.referenceEnergies, dense) < 1e-9)
    // The least norm puts them along the only composition there is.
    #expect(abs(fit.referenceEnergies[1] - 2 * fit.referenceEnergies[0]) < 1e-9)
    #expect(fit.notes.count == 1 && fit.notes[0].contains("1 of 2"))
    #expect(fit.rows == rows.rows - 1)
  }

  @Test func anElementThatNeverOccursIsZeroAndSaidSo() throws {
    let project = try Project(stoichiometries: [[1, 0], [2, 0]])
    let fit = try fit(project)
    #expect(fit.referenceEnergies[1] == 0 && fit.notes.count == 1)
  }

  @Test func withoutEnergiesThereAreNoReferenceEnergies() throws {
    let project = try Project()
    let forces = Selection(weights: Weights(energy: 0, forces: 1, stress: 0))
    let fit = try Fit(
      project.factor(forces), layout: project.layout, references: free, prior: .ridge)
    #expect(fit.referenceEnergies == [0, 0] && fit.notes.count == 1)
    #expect(fit.rows == project.dense(forces).rows)
  }

  @Test func noRowsIsAnError() throws {
    let project = try Project(sources: 1)
    let empty = TriangularFactor(columns: project.layout.columns)
    #expect(throws: RegressionError.noRows) {
      try Fit(empty, layout: project.layout, references: free, prior: .ridge)
    }
  }

  // MARK: Prior

  @Test func ridgeIsBlindToTheUnitsOfColumns() throws {
    let project = try Project()
    let factor = try project.factor(selection)
    var scaled = factor.matrix
    for i in 0..<scaled.rows {
      scaled[i, 0] *= 1e3
      scaled[i, 4] *= 1e-4
    }
    let first = try Fit(factor, layout: project.layout, references: free, prior: .ridge)
    let second = try Fit(
      TriangularFactor(triangle: scaled), layout: project.layout, references: free, prior: .ridge)
    // The second has lost only the number of rows, which a triangle alone does not know.
    let third = try Fit(
      TriangularFactor(triangle: factor.matrix), layout: project.layout, references: free,
      prior: .ridge)
    #expect(abs(second.lambda / third.lambda - 1) < 1e-6)
    #expect(abs(second.coefficients[0] * 1e3 / third.coefficients[0] - 1) < 1e-6)
    #expect(abs(second.coefficients[4] * 1e-4 / third.coefficients[4] - 1) < 1e-6)
    // Normalised: R Γ⁻¹ has columns of mean square `rows`.
    var sum = 0.0
    for j in 0..<9 { sum += sumOfSquares(first.problem.matrix.column(j)) / pow2(first.scales[j]) }
    #expect(abs(sum / 9 / Double(first.rows) - 1) < 1e-12)
  }

  private func pow2(_ x: Double) -> Double { x * x }

  @Test func aFunctionThatNeverOccursGetsNothing() throws {
    let project = try Project()
    var matrix = try project.factor(selection).matrix
    for i in 0..<matrix.rows { matrix[i, 4] = 0 }
    let factor = TriangularFactor(rows: matrix)
    for regularisation in [Regularisation.evidence, .generalisedCrossValidation, .fixed(0)] {
      let fit = try Fit(
        factor, layout: project.layout, references: free, prior: .ridge,
        regularisation: regularisation)
      #expect(abs(fit.coefficients[4]) < 1e-12)
      #expect(fit.coefficients.allSatisfy { $0.isFinite })
      #expect(fit.effectiveRank == 8)
    }
  }

  @Test func smoothnessHasNoUnitOfItsOwn() throws {
    let project = try Project()
    let gamma = (0..<9).map { 1 + Double($0 * $0) }
    let first = try fit(project, prior: .smoothness(gamma), .fixed(0.3))
    let second = try fit(project, prior: .smoothness(gamma.map { $0 * 512 }), .fixed(0.3))
    #expect(largestDifference(first.scales, second.scales) < 1e-12 * first.scales.max()!)
    var sum = 0.0
    for j in 0..<9 { sum += sumOfSquares(first.problem.matrix.column(j)) / pow2(first.scales[j]) }
    #expect(abs(sum / 9 / Double(first.rows) - 1) < 1e-12)
    // On unit columns the shape rides on the columns' own scales.
    let ridge = try fit(project, prior: .ridge, .fixed(0.3))
    let unit = try fit(project, prior: .smoothness(gamma, onUnitColumns: true), .fixed(0.3))
    let ratios = (0..<9).map { unit.scales[$0] / ridge.scales[$0] / gamma[$0] }
    #expect(ratios.max()! / ratios.min()! - 1 < 1e-12)
  }

  @Test func smoothnessIsTheSumOverFactors() {
    let gamma = Prior.smoothness(factors: [[(1, 0)], [(2, 1), (1, 3)]])
    #expect(gamma[0] == 1)
    // (1 / (2/3))⁴ + 2⁴ + (3 / (2/3))⁴ + 1⁴
    #expect(abs(gamma[1] - (5.0625 + 16 + 410.0625 + 1)) < 1e-9)
    #expect(Prior.smoothness(factors: [[(3, 2)]], p: 2, wl: 1, wn: 3) == [5])
  }
}
