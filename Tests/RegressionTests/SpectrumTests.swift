import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct SpectrumTests {
  private let selection = Selection(weights: plainWeights)

  private struct Dense {
    /// A Γ⁻¹, shape [rows][basis], and the targets.
    var a: Matrix
    var y: [Double]
    var spectrum: Spectrum
    var fit: Fit
  }

  private func dense(noise: Double = 0.05, _ regularisation: Regularisation = .evidence) throws
    -> Dense
  {
    let project = try Project(basis: 7, sources: 3, frames: 3, noise: noise)
    let fit = try Fit(
      project.factor(selection), layout: project.layout, references: .given([-3, -5]),
      prior: .ridge, regularisation: regularisation)
    let rows = project.dense(selection)
    var a = rows.selecting(columns: Array(0..<7))
    for i in 0..<a.rows { for j in 0..<7 { a[i, j] /= fit.scales[j] } }
    let y = (0..<rows.rows).map { rows[$0, 9] + 3 * rows[$0, 7] + 5 * rows[$0, 8] }
    return Dense(
      a: a, y: y, spectrum: try Spectrum(fit.problem, scales: fit.scales), fit: fit)
  }

  #if arch(x86_64)  // where there is extended precision
    /// ln N(y; 0, 1/β + A A'/α) from its definition, with an m × m Cholesky factor in extended precision: the
    /// covariance's condition number, some 10⁹, leaves too little of double precision.
    private func denseEvidence(_ a: Matrix, _ y: [Double], alpha: Double, beta: Double) -> Double {
      typealias Number = Float80
      var l = [[Number]](repeating: [], count: y.count)
      var white: [Number] = []
      var value = -0.5 * Number(y.count) * Number(log(2 * Double.pi))
      for i in 0..<y.count {
        for j in 0...i {
          var sum: Number = i == j ? 1 / Number(beta) : 0
          for k in 0..<a.columns { sum += Number(a[i, k]) * Number(a[j, k]) / Number(alpha) }
          for k in 0..<j { sum -= l[i][k] * l[j][k] }
          l[i].append(i == j ? sum.squareRoot() : sum / l[j][j])
        }
        var rest = Number(y[i])
        for k in 0..<i { rest -= l[i][k] * white[k] }
        white.append(rest / l[i][i])
        value -= 0.5 * white[i] * white[i] + Number(log(Double(l[i][i])))
      }
      return Double(value)
    }

    @Test func evidenceIsTheMarginalLikelihood() throws {
      let problem = try dense()
      for alpha in [1e-3, 1, 50] {
        for beta in [0.1, 10, 3e3] {
          let direct = denseEvidence(problem.a, problem.y, alpha: alpha, beta: beta)
          let fast = problem.spectrum.logEvidence(alpha: alpha, beta: beta)
          #expect(abs(fast - direct) < 1e-9 * abs(direct), "α \(alpha), β \(beta)")
        }
      }
      let best = denseEvidence(
        problem.a, problem.y, alpha: problem.fit.alpha, beta: problem.fit.beta)
      #expect(abs(best - problem.fit.logEvidence) < 1e-9 * abs(best))
    }
  #endif

  @Test func theChosenPrecisionsMaximiseIt() throws {
    for noise in [1e-4, 0.05, 5] {
      let problem = try dense(noise: noise)
      let (alpha, beta) = (problem.fit.alpha, problem.fit.beta)
      let best = problem.spectrum.logEvidence(alpha: alpha, beta: beta)
      for a in [0.5, 0.9, 1, 1.1, 2] {
        for b in [0.5, 0.9, 1, 1.1, 2] where a != 1 || b != 1 {
          #expect(problem.spectrum.logEvidence(alpha: alpha * a, beta: beta * b) < best)
        }
      }
      // Also against all other magnitudes: the maximum is the highest one.
      for power in -30...10 {
        let lambda = pow(10.0, Double(power))
        let other = problem.spectrum.noisePrecision(lambda)
        #expect(problem.spectrum.logEvidence(alpha: lambda * other, beta: other) <= best)
      }
      // The fixed point of SCIENCE: α = g/|Γc|², β = (m - g)/RSS.
      let g = problem.fit.effectiveDegreesOfFreedom
      let norm = problem.spectrum.coefficientSquares(problem.fit.lambda)
      #expect(abs(alpha * norm / g - 1) < 1e-4, "noise \(noise)")
      let left = Double(problem.fit.rows) - g
      #expect(abs(beta * problem.fit.residualSquares / left - 1) < 1e-4)
    }
  }

  @Test func crossValidationByBruteForce() throws {
    let problem = try dense()
    let m = problem.y.count
    for lambda in [1e-3, 1, 100] {
      // H = A (A'A + λ)⁻¹ A', by its definition.
      var gram = problem.a.transposedTimes(problem.a)
      for j in 0..<7 { gram[j, j] += lambda }
      let hat = problem.a.times(try gram.inverse()).timesTransposed(problem.a)
      let residual = zip(problem.y, hat.times(problem.y)).map { $0 - $1 }
      let trace = (0..<m).reduce(0) { $0 + hat[$1, $1] }
      let direct = Double(m) * sumOfSquares(residual) / ((Double(m) - trace) * (Double(m) - trace))
      let fast = problem.spectrum.generalisedCrossValidation(lambda)
      #expect(abs(fast - direct) < 1e-9 * direct)
      #expect(abs(problem.spectrum.degreesOfFreedom(lambda) - trace) < 1e-9)
      #expect(
        abs(problem.spectrum.residualSquares(lambda) - sumOfSquares(residual)) < 1e-9 * direct
          * Double(m))
    }
    let best = problem.spectrum.crossValidationLambda()
    let value = problem.spectrum.generalisedCrossValidation(best)
    for power in -200...100 {
      let lambda = pow(10.0, Double(power) / 10)
      #expect(problem.spectrum.generalisedCrossValidation(lambda) >= value * (1 - 1e-12))
    }
  }

  @Test func aPerfectFitStaysFinite() throws {
    let problem = try dense(noise: 0)
    #expect(problem.fit.lambda.isFinite && problem.fit.beta.isFinite)
    #expect(problem.fit.logEvidence.isFinite)
    #expect(problem.fit.residualSquares < 1e-9)
  }

  @Test func labelsThatAreNoiseAreSaidToBe() throws {
    var generator = SeededGenerator(seed: 2)
    let layout = ColumnLayout(basis: 3, elements: 1)
    var rows = Matrix(rows: 0, columns: 5)
    // Targets orthogonal to every column.
    for i in 0..<400 {
      let b = (0..<3).map { _ in Double.random(in: -1...1, using: &generator) }
      rows.append(row: b + [0, i % 2 == 0 ? 1 : -1])
      rows.append(row: b + [0, i % 2 == 0 ? -1 : 1])
    }
    let fit = try Fit(
      TriangularFactor(rows: rows), layout: layout, references: .given([0]), prior: .ridge)
    #expect(fit.coefficients.allSatisfy { abs($0) < 1e-9 })
    #expect(fit.notes.count == 1)
  }

  // MARK: Rows left out

  @Test(arguments: [true, false])
  func residualsLeftOutEqualRefits(_ fitted: Bool) throws {
    let project = try Project(basis: 6, sources: 3, frames: 4)
    let references: ReferenceEnergies =
      fitted ? .leastSquares(elements: 2) : .given([-3, -5])
    let rows = project.dense(selection)
    func fit(_ rows: Matrix) throws -> Fit {
      try Fit(
        TriangularFactor(rows: rows), layout: project.layout, references: references,
        prior: .ridge, regularisation: .fixed(0.5))
    }
    let full = try fit(rows)
    let all = Array(0..<rows.rows)
    for group in [[0], [5], [0, 1, 2], Array(3..<20)] {
      let inside = rows.selecting(rows: group)
      let outside = rows.selecting(rows: all.filter { !group.contains($0) })
      let left = try full.residualsLeftOut(inside)
      // The same Γ and λ, without those rows.
      let problem = try ReducedProblem(
        TriangularFactor(rows: outside), layout: project.layout, references: references)
      let coefficients = try problem.coefficients(lambda: 0.5, scales: full.scales)
      let energies = problem.energies(for: coefficients)
      let direct = inside.times(coefficients + energies + [-1]).map { -$0 }
      #expect(largestDifference(left, direct) < 1e-9, "rows \(group)")
    }
  }

  @Test func leveragesSumToTheDegreesOfFreedom() throws {
    let problem = try dense(.fixed(2))
    var rows = problem.a
    for i in 0..<rows.rows { for j in 0..<7 { rows[i, j] *= problem.fit.scales[j] } }
    let leverages = problem.fit.leverages(rows)
    #expect(leverages.allSatisfy { $0 > 0 && $0 < 1 })
    let sum = leverages.reduce(0, +)
    #expect(abs(sum - problem.fit.effectiveDegreesOfFreedom) < 1e-10)
    // R_λ'R_λ is the penalised Gram matrix.
    let factor = problem.fit.posteriorFactor
    var gram = rows.transposedTimes(rows)
    for j in 0..<7 { gram[j, j] += 2 * problem.fit.scales[j] * problem.fit.scales[j] }
    let scale = gram.storage.map { abs($0) }.max()!
    #expect(largestDifference(factor.transposedTimes(factor), gram) < 1e-13 * scale)
  }
}
