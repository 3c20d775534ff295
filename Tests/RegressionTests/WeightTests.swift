import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

/// Weights of every kind against least squares over the weighted rows themselves.
@Suite struct WeightTests {
  private func expectDense(_ project: Project, _ selection: Selection, _ what: String) throws {
    let fit = try Fit(
      project.factor(selection), layout: project.layout, references: .leastSquares(elements: 2), prior: .ridge,
      regularisation: .fixed(1e-6))
    let solution = try denseSolution(project.dense(selection), penalties: fit.penalties)
    #expect(largestDifference(fit.coefficients + fit.referenceEnergies, solution) < 1e-8, "\(what)")
  }

  @Test(arguments: Weights.Normalisation.allCases)
  func normalisationIsThatOfTheRowsThemselves(_ normalisation: Weights.Normalisation) throws {
    let project = try Project(blocks: 2)
    var weights = plainWeights
    weights.normalisation = normalisation
    // The rows scaled by hand: they were divided by √N when they were made.
    var byHand = project
    for index in byHand.rows.indices where byHand.rows[index].key.kind != .force {
      let atoms = Double(byHand.rows[index].atoms)
      let power =
        normalisation == .rootOfAtoms ? 1 : normalisation == .atoms ? 1 / atoms.squareRoot() : atoms.squareRoot()
      for k in byHand.rows[index].rows.storage.indices { byHand.rows[index].rows.storage[k] *= power }
    }
    let fit = try Fit(
      project.factor(Selection(weights: weights)), layout: project.layout, references: .leastSquares(elements: 2),
      prior: .ridge, regularisation: .fixed(1e-6))
    let solution = try denseSolution(byHand.dense(Selection(weights: plainWeights)), penalties: fit.penalties)
    #expect(largestDifference(fit.coefficients + fit.referenceEnergies, solution) < 1e-8)
  }

  @Test func emphasisMultipliesRows() throws {
    let project = try Project(sources: 9, blocks: 3)
    let chosen = project.sources[4]
    var selection = Selection(weights: plainWeights)
    selection.emphasis = { source, key in
      (source == chosen && key.kind == .energy ? 0.25 : 1) * (key.level == 1 ? 0.5 : 1) * (key.atoms == 3 ? 0 : 1)
    }
    try expectDense(project, selection, "weights by source, level and size")
    // Resampling keeps them, and so do the blocks that it leaves out.
    for member in 0..<3 {
      let drawn = selection.resampled(member: member)
      let factor = try project.factor(drawn)
      let dense = project.dense(drawn)
      #expect(factor.rowCount == dense.rows)
      #expect(largestDifference(factor.matrix, TriangularFactor(rows: dense).matrix) < 1e-11)
      let rest = selection.leftOut(member: member)
      #expect(try project.factor(rest).rowCount == project.dense(rest).rows)
    }
  }

  @Test func aChangedEmphasisMergesItsPathOnly() throws {
    let project = try Project(sources: 32)
    let tree = try project.tree()
    let cache = InMemoryFactorCache()
    _ = try tree.factor(Selection(weights: plainWeights), cache: cache, load: project.load)
    _ = cache.takeComputedCount()
    let chosen = project.sources[7]
    var selection = Selection(weights: plainWeights)
    selection.emphasis = { source, _ in source == chosen ? 0.5 : 1 }
    let factor = try tree.factor(selection, cache: cache) { source in
      #expect(source == chosen)
      return try project.load(source)
    }
    let depth = try #require(tree.depth(of: chosen, selection))
    #expect(cache.takeComputedCount() <= depth + 2)
    #expect(try factor == tree.factor(selection, cache: NoFactorCache(), load: project.load))
  }
}

@Suite struct GroundStateTests {
  /// The lowest mixture of any two (or three) points that has this composition, by trying all.
  private func bruteHull(_ points: [(x: [Double], e: Double)], at x: [Double]) -> Double {
    var best = Double.infinity
    let elements = x.count
    func attempt(_ corners: [Int]) {
      var matrix = Matrix(rows: elements, columns: elements)
      for (column, corner) in corners.enumerated() {
        for k in 0..<elements { matrix[k, column] = points[corner].x[k] }
      }
      guard let inverse = try? matrix.inverse() else { return }
      let shares = inverse.times(x)
      guard shares.allSatisfy({ $0 > -1e-9 && $0 < 1 + 1e-9 }) else { return }
      // Corners on a line have an inverse of rounding errors only.
      guard zip(matrix.times(shares), x).allSatisfy({ abs($0 - $1) < 1e-9 }) else { return }
      best = min(best, zip(shares, corners).reduce(0) { $0 + $1.0 * points[$1.1].e })
    }
    for (index, point) in points.enumerated() where zip(point.x, x).allSatisfy({ abs($0 - $1) < 1e-12 }) {
      best = min(best, points[index].e)
    }
    func choose(_ corners: [Int]) {
      if corners.count == elements { return attempt(corners) }
      for next in ((corners.last ?? -1) + 1)..<max(points.count, (corners.last ?? -1) + 1) { choose(corners + [next]) }
    }
    choose([])
    return best
  }

  @Test(arguments: [1, 2, 3]) func theHullIsTheLowestMixture(_ elements: Int) throws {
    var generator = SeededGenerator(seed: UInt64(elements))
    for round in 0..<12 {
      var state = GroundState(elements: elements)
      var points: [(composition: [Int], e: Double)] = []
      for _ in 0..<(elements == 3 ? 14 : 25) {
        let composition = (0..<elements).map { _ in Int.random(in: 0...3, using: &generator) }
        guard composition.contains(where: { $0 > 0 }) else { continue }
        // Multiples of the step are not rounded.
        let energy = Double(Int.random(in: -60 ... -20, using: &generator)) / 16
        state.add(composition: composition, energyPerAtom: energy)
        points.append((composition, energy))
      }
      let fractions = points.map { point in
        (x: point.composition.map { Double($0) / Double(point.composition.reduce(0, +)) }, e: point.e)
      }
      let hull = state.hull()
      for (point, fraction) in zip(points, fractions) {
        let expected = bruteHull(fractions, at: fraction.x)
        let found = try #require(hull.energy(of: point.composition))
        #expect(abs(found - expected) < 1e-9, "\(elements) elements, round \(round), \(point.composition)")
        #expect(found <= point.e)
        // Twice the cell is the same composition.
        #expect(hull.energy(of: point.composition.map { 2 * $0 }) == found)
        let lowest = try #require(state.lowestEnergy(of: point.composition))
        #expect(lowest <= point.e && found <= lowest + 1e-12)
      }
    }
  }

  @Test func orderDoesNotMatterAndSmallChangesChangeNothing() {
    var generator = SeededGenerator(seed: 5)
    let points = (0..<40).map { _ in
      (
        [Int.random(in: 0...4, using: &generator), Int.random(in: 1...4, using: &generator)],
        Double.random(in: -9...0, using: &generator)
      )
    }
    func state(_ points: [([Int], Double)]) -> GroundState {
      points.reduce(into: GroundState(elements: 2)) { $0.add(composition: $1.0, energyPerAtom: $1.1) }
    }
    #expect(state(points) == state(points.reversed()))
    var one = GroundState(elements: 1)
    one.add(composition: [4], energyPerAtom: -8.9)
    let before = one
    one.add(composition: [2], energyPerAtom: -8.91)
    #expect(one == before && one.lowestEnergy(of: [1]) == -8.9375)
    one.add(composition: [2], energyPerAtom: -8.95)
    #expect(one.lowestEnergy(of: [1]) == -9)
    #expect(one.lowestEnergy(of: [1]) == one.hull().energy(of: [7]))
  }

  @Test func levelsDouble() {
    #expect(
      [-1, 0, 0.2499, 0.25, 0.4999, 0.5, 1, 2, 3.99, 4].map(EnergyLevel.level) == [0, 0, 0, 1, 1, 2, 3, 4, 4, 5])
    #expect(EnergyLevel.level(above: .infinity) == 30)
  }
}

@Suite struct OutlierTests {
  @Test func theLimitComesFromTheBulk() throws {
    let rule = OutlierRule(threshold: 4)
    var generator = SeededGenerator(seed: 2)
    let usual = (0..<41).map { _ in Double.random(in: 0.8...1.25, using: &generator) }
    let limit = try #require(rule.limit(usual))
    #expect(usual.allSatisfy { $0 < limit })
    // A third of outliers does not hide them.
    let spoiled = usual + (0..<20).map { _ in Double.random(in: 30...300, using: &generator) }
    let moved = try #require(rule.limit(spoiled))
    #expect(moved < 30 && moved >= limit)
    #expect(rule.limit(Array(usual.prefix(7))) == nil)
    #expect(rule.limit(Array(repeating: 0, count: 20)) == nil)
    // By hand: median 1, MAD 0, so the least scatter rules.
    let flat = try #require(rule.limit(Array(repeating: 1, count: 9)))
    #expect(abs(flat - 3.3201169227365472) < 1e-12, "exp(4 · 0.3)")
    // Units do not matter.
    let scaled = try #require(rule.limit(usual.map { 1000 * $0 }))
    #expect(abs(scaled / limit - 1000) < 1e-9)
  }

  @Test func multipliersAreStepsThatBoundTheWeightedError() {
    let rule = OutlierRule()
    #expect(rule.multiplier(error: 1, limit: 1) == 1)
    #expect(rule.multiplier(error: 1.01, limit: 1) == 0.5.squareRoot())
    #expect(rule.multiplier(error: 2, limit: 1) == 0.5)
    #expect(rule.multiplier(error: 2.1, limit: 1) == 0.5 * 0.5.squareRoot())
    #expect(rule.multiplier(error: 1e9, limit: 1) == 1.0 / 1024)
    for error in stride(from: 1.0, to: 900, by: 0.37) {
      let multiplier = rule.multiplier(error: error, limit: 1)
      #expect(multiplier * error <= 1 && multiplier * error > 0.7 - 1e-12)
    }
  }
}
