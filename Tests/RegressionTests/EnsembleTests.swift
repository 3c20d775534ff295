import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

@Suite struct EnsembleTests {
  private let selection = Selection(weights: plainWeights)
  private let free = ReferenceEnergies.leastSquares(elements: 2)

  private func fit(_ project: Project) throws -> Fit {
    try Fit(
      project.factor(selection), layout: project.layout, references: free, prior: .ridge)
  }

  @Test func countsArePoisson() {
    var histogram = [Int](repeating: 0, count: 20)
    for source in 0..<200 {
      let digest = Digest(of: "source \(source)")
      for member in 0..<20 {
        for block in 0..<5 {
          histogram[bootstrapCount(source: digest, block: block, member: member)] += 1
        }
      }
    }
    // 20,000 draws: e⁻¹, e⁻¹, e⁻¹/2, e⁻¹/6 within 5 standard deviations.
    for (k, expected) in [(0, 7358), (1, 7358), (2, 3679), (3, 1226), (4, 307)] {
      let deviation = Double(expected).squareRoot()
      #expect(abs(Double(histogram[k] - expected)) < 5 * deviation, "\(histogram)")
    }
    let digest = Digest(of: "fixed")
    // Written down once: the choice must not change with the version.
    let counts = (0..<12).map { bootstrapCount(source: digest, block: 0, member: $0) }
    #expect(counts == Self.frozenCounts)
  }

  private static let frozenCounts = [1, 2, 5, 3, 0, 0, 0, 0, 1, 2, 3, 2]

  @Test func bootstrapEqualsARefitWithRepeatedRows() throws {
    let project = try Project(sources: 12, blocks: 2)
    let fit = try fit(project)
    let ensemble = try Ensemble.bootstrap(
      members: 5, of: fit, tree: project.tree(), root: project.tree().root(selection), references: free,
      cache: InMemoryFactorCache(), load: project.load)
    #expect(ensemble.count == 5 && ensemble.notes.isEmpty)
    for member in 0..<5 {
      let rows = project.dense(selection.resampled(member: member))
      let dense = try denseSolution(rows, penalties: fit.penalties)
      let mine = ensemble.coefficients.row(member) + ensemble.referenceEnergies.row(member)
      #expect(largestDifference(mine, dense) < 1e-8, "member \(member)")
    }
    #expect(ensemble.coefficients.row(0) != ensemble.coefficients.row(1))
  }

  @Test func bootstrapIsTheSameFromScratchAndForAnyThreads() throws {
    let project = try Project(sources: 15)
    let fit = try fit(project)
    func members(_ cache: some FactorCache, threads: Int) throws -> Ensemble {
      try Ensemble.bootstrap(
        members: 6, of: fit, tree: project.tree(), root: project.tree().root(selection), references: free,
        cache: cache, threads: threads, load: project.load)
    }
    let fresh = try members(NoFactorCache(), threads: 1)
    let cache = InMemoryFactorCache()
    // The cache knows all but the last source.
    _ = try Ensemble.bootstrap(
      members: 6, of: fit, tree: project.tree(Array(project.sources.dropLast())),
      root: project.tree(Array(project.sources.dropLast())).root(selection), references: free, cache: cache,
      load: project.load)
    _ = cache.takeComputedCount()
    let grown = try members(cache, threads: 3)
    #expect(fresh.coefficients == grown.coefficients)
    #expect(fresh.referenceEnergies == grown.referenceEnergies)
    var expected = 1  // the new source itself, shared by all members
    for member in 0..<6 {
      let depth = try project.tree().depth(
        of: project.sources.last!, selection.resampled(member: member))
      expected += depth ?? 0
    }
    #expect(cache.takeComputedCount() == expected, "one path for each member that took it")
  }

  @Test func fewSourcesNeverLeaveAMemberEmpty() throws {
    let project = try Project(sources: 1)
    let fit = try fit(project)
    let ensemble = try Ensemble.bootstrap(
      members: 8, of: fit, tree: project.tree(), root: project.tree().root(selection), references: free,
      cache: NoFactorCache(), load: project.load)
    #expect(ensemble.coefficients.storage.allSatisfy { $0.isFinite })
    #expect(ensemble.notes.count == 1)
  }

  @Test func leavingAGroupOutIsARefitWithoutIt() throws {
    let project = try Project(sources: 10)
    let fit = try fit(project)
    let ensemble = try Ensemble.leavingGroupsOut(
      ["bulk", "liquid"], of: fit, tree: project.tree(), selection: selection, references: free,
      cache: NoFactorCache(), threads: 2, load: project.load)
    #expect(ensemble.names == ["without bulk", "without liquid"])
    for (index, group) in ["bulk", "liquid"].enumerated() {
      let rows = project.dense(Selection(weights: plainWeights.excluding(group: group)))
      let dense = try denseSolution(rows, penalties: fit.penalties)
      let mine = ensemble.coefficients.row(index) + ensemble.referenceEnergies.row(index)
      #expect(largestDifference(mine, dense) < 1e-8)
    }
    let single = try Project(sources: 3, groups: ["bulk"])
    let none = try Ensemble.leavingGroupsOut(
      ["bulk"], of: try self.fit(single), tree: single.tree(), selection: selection,
      references: free, cache: NoFactorCache(), load: single.load)
    #expect(none.count == 0 && none.notes.count == 1)
  }

  @Test func groupsShareWhatTheyDoNotTouch() throws {
    // Each source of one group: without it, whole branches stay.
    let project = try Project(sources: 16, frames: 2)
    let cache = InMemoryFactorCache()
    _ = try project.tree().factor(selection, cache: cache, load: project.load)
    _ = cache.takeComputedCount()
    let without = Selection(weights: plainWeights.excluding(group: "surface"))
    _ = try project.tree().factor(without, cache: cache, load: project.load)
    #expect(cache.takeComputedCount() == 0)
  }

  @Test func posteriorSamplesHaveThePosteriorCovariance() throws {
    let project = try Project(basis: 4, sources: 4)
    let fit = try fit(project)
    let count = 4000
    let ensemble = Ensemble.posterior(members: count, of: fit, seed: 7)
    let again = Ensemble.posterior(members: count, of: fit, seed: 7)
    #expect(again.coefficients == ensemble.coefficients)
    #expect(
      Ensemble.posterior(members: 1, of: fit, seed: 8).coefficients.row(0)
        != ensemble.coefficients.row(0))
    let inverse = try fit.posteriorFactor.inverse()
    let covariance = inverse.timesTransposed(inverse)
    for i in 0..<4 {
      for j in 0..<4 {
        let mean =
          (0..<count).reduce(0) { sum, k in
            sum + (ensemble.coefficients[k, i] - fit.coefficients[i])
              * (ensemble.coefficients[k, j] - fit.coefficients[j])
          } / Double(count)
        let scale = (covariance[i, i] * covariance[j, j]).squareRoot() / fit.beta
        // 4000 samples: standard deviation of a covariance below √(2/4000) of the scale; 5 of them.
        #expect(abs(mean - covariance[i, j] / fit.beta) < 0.112 * scale)
      }
    }
    for k in 0..<3 {
      let energies = fit.problem.energies(for: ensemble.coefficients.row(k))
      #expect(energies == ensemble.referenceEnergies.row(k))
    }
  }
}

@Suite struct FactorErrorTests {
  private let selection = Selection(weights: plainWeights)

  @Test func errorsByGroupNeedNoRows() throws {
    let project = try Project(sources: 8, blocks: 2)
    let heldOut = HeldOut(fraction: 0.4)
    let tree = try project.tree()
    let fit = try Fit(
      tree.factor(.training(plainWeights, heldOut), cache: NoFactorCache(), load: project.load),
      layout: project.layout, references: .leastSquares(elements: 2), prior: .ridge)
    let model = fit.coefficients + fit.referenceEnergies
    for part in [Selection.training(plainWeights, heldOut), .testing(plainWeights, heldOut)] {
      let errors = try tree.errors(
        coefficients: fit.coefficients, referenceEnergies: fit.referenceEnergies, selection: part,
        cache: NoFactorCache(), threads: 2, load: project.load)
      #expect(
        errors.map { "\($0.group) \($0.kind)" } == [
          "bulk energy", "bulk force", "bulk stress", "liquid energy", "liquid force",
          "liquid stress",
        ])
      for error in errors {
        let only = Selection(
          weights: .only(group: error.group, kind: error.kind), multiplicity: part.multiplicity)
        let rows = project.dense(only)
        let direct = sumOfSquares(rows.times(model + [-1])) / Double(rows.rows)
        #expect(error.rows == rows.rows)
        #expect(abs(error.rootMeanSquare - direct.squareRoot()) < 1e-10)
      }
    }
  }

  @Test func leavesTellTheirOwnErrors() throws {
    let project = try Project(sources: 3, stoichiometries: [[2, 1], [1, 2]])
    let fit = try Fit(
      project.factor(selection), layout: project.layout,
      references: .leastSquares(elements: 2), prior: .ridge)
    let model = fit.coefficients + fit.referenceEnergies + [-1]
    for (source, factors) in project.factors {
      let errors = factors.errors(
        coefficients: fit.coefficients, referenceEnergies: fit.referenceEnergies)
      for error in errors {
        let mine = project.rows.filter { $0.source == source && $0.key == error.key }
        let squares = mine.reduce(0) { $0 + sumOfSquares($1.rows.times(model)) }
        #expect(abs(error.residualSquares - squares) < 1e-9 * (1 + squares))
        if error.key.kind == .energy {
          // All frames have three atoms: (E/√3)² / 3 = (E/3)².
          let perAtom = try #require(error.perAtomSquares)
          #expect(abs(perAtom - squares / 3) < 1e-9 * (1 + squares))
        } else {
          #expect(error.perAtomSquares == nil)
        }
      }
    }
  }
}
