import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

@Suite struct FunctionChoiceTests {
  private let selection = Selection(weights: plainWeights)

  private func fit(_ project: Project) throws -> Fit {
    try Fit(
      project.factor(selection), layout: project.layout, references: .leastSquares(elements: 2),
      prior: .smoothness((0..<project.layout.basis).map { 1 + Double($0) }), regularisation: .fixed(0.05))
  }

  /// |residuals|² + λ|Γ c|² of the best fit with these functions only, by dense rows.
  private func objective(_ project: Project, _ fit: Fit, _ columns: [Int]) throws -> Double {
    let n = project.layout.basis
    let rows = project.dense(selection).selecting(columns: columns + [n, n + 1, n + 2])
    let penalties = columns.map { fit.penalties[$0] } + [0, 0]
    let solution = try denseSolution(rows, penalties: penalties)
    return sumOfSquares(rows.times(solution + [-1])) + sumOfSquares(zip(penalties, solution).map { $0 * $1 })
  }

  /// The function whose loss costs least, by trying each.
  private func leastMissed(_ project: Project, _ fit: Fit, _ columns: [Int]) throws -> (left: [Int], objective: Double)
  {
    let tries = try columns.map { gone in
      let left = columns.filter { $0 != gone }
      return (left: left, objective: try objective(project, fit, left))
    }
    return tries.min { $0.objective < $1.objective }!
  }

  @Test(arguments: [1, 2, 3]) func oneByOneItIsWhatTryingEachGives(_ seed: UInt64) throws {
    let project = try Project(noise: 0.2, seed: seed)
    let fit = try fit(project)
    let whole = try objective(project, fit, Array(0..<9))
    var columns = Array(0..<9)
    for count in stride(from: 8, through: 3, by: -1) {
      let expected = try leastMissed(project, fit, columns)
      columns = expected.left
      let choice = FunctionChoice(of: fit, keeping: count, share: 0.001)
      #expect(choice.kept == columns, "\(count) functions")
      let increase = (expected.objective - whole) / fit.residualSquares
      #expect(abs(choice.relativeIncrease - increase) < 1e-9 * (1 + increase), "\(count) functions")
    }
  }

  @Test func protectedFunctionsStay() throws {
    let project = try Project(noise: 0.2)
    let fit = try fit(project)
    let free = FunctionChoice(of: fit, keeping: 4).kept
    let outside = try #require((0..<9).first { !free.contains($0) })
    let held = FunctionChoice(of: fit, keeping: 4) { $0 == outside }
    #expect(held.kept.contains(outside) && held.kept.count == 4)
    #expect(held.relativeIncrease > FunctionChoice(of: fit, keeping: 4).relativeIncrease)
    // Where all are protected, all stay.
    #expect(FunctionChoice(of: fit, keeping: 2) { _ in true }.kept == Array(0..<9))
  }

  @Test func whereThereAreNoMoreAllStay() throws {
    let fit = try fit(Project())
    for count in [9, 20] {
      let choice = FunctionChoice(of: fit, keeping: count)
      #expect(choice.kept == Array(0..<9) && choice.relativeIncrease == 0)
    }
  }

  /// 40 functions of which four matter are told from noisy rows, several going at a time.
  @Test func functionsThatMatterAreFound() throws {
    let truth = [3: 1.5, 11: -0.7, 12: 0.4, 37: 2.0]
    var generator = SeededGenerator(seed: 5)
    func random() -> Double { Double.random(in: -1...1, using: &generator) }
    var rows = Matrix(rows: 300, columns: 42)
    for i in 0..<300 {
      for j in 0..<40 { rows[i, j] = random() }
      rows[i, 41] = truth.reduce(0.1 * random()) { $0 + $1.value * rows[i, $1.key] }
    }
    let fit = try Fit(
      TriangularFactor(rows: rows), layout: ColumnLayout(basis: 40, elements: 1), references: .given([0]), prior: .ridge
    )
    let choice = FunctionChoice(of: fit, keeping: 4)
    #expect(choice.kept == [3, 11, 12, 37])
    #expect(choice.relativeIncrease < 0.2)
    #expect(FunctionChoice(of: fit, keeping: 3).relativeIncrease > 1)
  }
}
