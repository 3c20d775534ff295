import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

@Suite struct LeftOutTests {
  private let selection = Selection(weights: plainWeights)
  private let free = ReferenceEnergies.leastSquares(elements: 2)

  @Test(arguments: [true, false]) func leavingASourceOutIsARefitWithoutIt(_ areFitted: Bool) throws {
    let project = try Project(sources: 8, blocks: 2)
    let references = areFitted ? free : .given([-3.1, -4.9])
    let fit = try Fit(project.factor(selection), layout: project.layout, references: references, prior: .ridge)
    for source in project.sources {
      let own = try project.tree([source]).factor(selection, cache: NoFactorCache(), load: project.load)
      let (model, size) = try #require(fit.leavingOut(own))
      let others = project.sources.filter { $0 != source }
      let factor = try project.tree(others).factor(selection, cache: NoFactorCache(), load: project.load)
      let problem = try ReducedProblem(factor, layout: project.layout, references: references)
      let coefficients = try problem.coefficients(lambda: fit.lambda, scales: fit.scales)
      #expect(largestDifference(model.coefficients, coefficients) < 1e-8)
      #expect(largestDifference(model.referenceEnergies, problem.energies(for: coefficients)) < 1e-8)
      // The residuals are those of that refit, over the source's own rows.
      var mine = project
      mine.rows = project.rows.filter { $0.source == source }
      let rows = mine.dense(selection)
      let out = rows.times(coefficients + problem.energies(for: coefficients) + [-1])
      #expect(abs(size - (sumOfSquares(out) / Double(rows.rows)).squareRoot()) < 1e-8)
      let direct = try fit.residualsLeftOut(rows)
      #expect(largestDifference(direct.map { -$0 }, out) < 1e-7)
    }
  }

  @Test func aSourceThatIsAllThatIsKnownIsRefused() throws {
    let project = try Project(sources: 1)
    let factor = try project.factor(selection)
    let fit = try Fit(factor, layout: project.layout, references: free, prior: .ridge, regularisation: .fixed(1e-12))
    #expect(fit.leavingOut(factor) == nil)
  }

  @Test func groupsAreLeftOutByMergingTheOthers() throws {
    let project = try Project(sources: 9, groups: ["a", "b", "c", "d"])
    for groups in [["a", "b", "c", "d"], ["c"], ["d", "a"]] {
      let tree = try project.tree()
      let factors = try tree.factorsWithoutGroups(
        groups, selection, cache: InMemoryFactorCache(), threads: 2, load: project.load)
      for (group, factor) in zip(groups, factors) {
        let rows = project.dense(Selection(weights: plainWeights.excluding(group: group)))
        let mine = try #require(factor)
        #expect(mine.rowCount == rows.rows)
        let gram = rows.transposedTimes(rows)
        #expect(largestDifference(mine.matrix.transposedTimes(mine.matrix), gram) < 1e-9 * gram.storage.max()!)
      }
    }
  }

  @Test func priorKnowledgeStaysWhenGroupsGo() throws {
    let project = try Project(sources: 4)
    var tree = try project.tree()
    tree.prior = TriangularFactor(rows: Matrix([[Double](repeating: 2, count: tree.layout.columns)]))
    let factors = try tree.factorsWithoutGroups(
      ["bulk", "liquid"], selection, cache: NoFactorCache(), load: project.load)
    for (group, factor) in zip(["bulk", "liquid"], factors) {
      let rows = project.dense(Selection(weights: plainWeights.excluding(group: group)))
      #expect(factor?.rowCount == rows.rows + 1)
    }
  }
}

@Suite struct PointwiseOptimalTests {
  private let selection = Selection(weights: plainWeights)

  /// Everything by its definition, in the joint space of E0 and coefficients, with a dense inverse.
  @Test(arguments: [true, false]) func theBoxIsThatOfThePointwiseCorrections(_ areFitted: Bool) throws {
    let project = try Project(basis: 4, sources: 4, frames: 3, noise: 0.2)
    let references = areFitted ? ReferenceEnergies.leastSquares(elements: 2) : .given([-3, -5])
    let fit = try Fit(project.factor(selection), layout: project.layout, references: references, prior: .ridge)
    let rows = project.dense(selection)
    let free = areFitted ? 6 : 4
    let a = rows.selecting(columns: Array(0..<free))
    var gram = a.transposedTimes(a)
    for j in 0..<4 { gram[j, j] += fit.lambda * fit.scales[j] * fit.scales[j] }
    let inverse = try gram.inverse()
    let model = fit.coefficients + fit.referenceEnergies
    let residuals = rows.times(model + [-1]).map { -$0 }
    let popular = try PointwiseOptimal(fit, rows: rows)
    var corrections: [[Double]] = []
    var leverages: [Double] = []
    for i in 0..<rows.rows {
      let solved = inverse.times(a.row(i))
      let leverage = zip(a.row(i), solved).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(leverage - popular.leverages[i]) < 1e-9)
      leverages.append(leverage)
      let change = solved.map { $0 * residuals[i] / leverage }
      // The row is met exactly by what the correction gives.
      let met = zip(a.row(i), change).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(met - residuals[i]) < 1e-9)
      corrections.append(change)
    }
    let median = leverages.sorted()[rows.rows / 2]
    let kept = leverages.indices.filter { leverages[$0] >= median - 1e-12 }
    // Every kept correction lies in the box, and touches each side somewhere: both ways through the
    // coordinates of the loss. A member's coordinates: project its change by the loss' metric.
    let members = popular.members(400, seed: 3)
    let metric = try gram.choleskyFactor()
    func coordinates(_ change: [Double]) -> [Double] { metric.transposed.times(change) }
    let cloud = Matrix(kept.map { coordinates(corrections[$0]) })
    let axes = try SymmetricEigen(cloud.transposedTimes(cloud)).vectors
    #expect(popular.bounds.count == free)
    for k in 0..<free {
      let along = cloud.times(axes.row(k))
      let (low, high) = (along.min()!, along.max()!)
      let own = popular.bounds[k]
      // Axes have either sign.
      let scale = max(abs(low), abs(high))
      let same = abs(own.low - low) + abs(own.high - high)
      let mirrored = abs(own.low + high) + abs(own.high + low)
      #expect(min(same, mirrored) < 1e-7 * scale, "axis \(k)")
      var (least, most) = (Double.infinity, -Double.infinity)
      for member in members {
        let all = zip(member.coefficients + member.referenceEnergies, model).map { $0 - $1 }
        let place = zip(axes.row(k), coordinates(Array(all[..<free]))).reduce(0) { $0 + $1.0 * $1.1 }
        (least, most) = (min(least, place), max(most, place))
        #expect(place > low - 1e-7 * scale && place < high + 1e-7 * scale)
      }
      #expect(most - least > 0.95 * (high - low), "the box is filled")
    }
  }

  @Test func theSpreadStaysWhereThePosteriorShrinks() throws {
    // A parabola fitted by a line: wrong by form, not by noise.
    func spreads(_ count: Int) throws -> (posterior: Double, pointwise: Double, worst: Double) {
      var rows = Matrix(rows: count, columns: 4)
      for i in 0..<count {
        let x = 2 * Double(i) / Double(count - 1) - 1
        (rows[i, 0], rows[i, 1], rows[i, 3]) = (1, x, x * x)
      }
      let fit = try Fit(
        TriangularFactor(rows: rows), layout: ColumnLayout(basis: 2, elements: 1), references: .given([0]),
        prior: .ridge)
      func spread(_ ensemble: Ensemble) -> Double {
        let values = (0..<ensemble.count).map { ensemble.coefficients[$0, 0] + ensemble.coefficients[$0, 1] }
        let mean = values.reduce(0, +) / Double(values.count)
        return (sumOfSquares(values.map { $0 - mean }) / Double(values.count)).squareRoot()
      }
      return (
        spread(.posterior(members: 64, of: fit, seed: 5)),
        spread(try .pointwiseOptimal(members: 64, of: fit, rows: rows, seed: 5)), abs(fit.residuals(rows).last!)
      )
    }
    let (few, many) = (try spreads(40), try spreads(4000))
    #expect(many.posterior < 0.15 * few.posterior)
    #expect(many.pointwise > 0.8 * few.pointwise)
    #expect(many.pointwise > 0.2 * many.worst && many.posterior < 0.1 * many.worst)
  }
}
