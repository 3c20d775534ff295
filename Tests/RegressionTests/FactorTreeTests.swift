import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

@Suite struct FactorTreeTests {
  private let selection = Selection(weights: plainWeights)

  @Test func treeEqualsDenseRows() throws {
    for blocks in [1, 3] {
      let project = try Project(blocks: blocks)
      let dense = project.dense(selection)
      let factor = try project.factor(selection)
      #expect(factor.rowCount == dense.rows)
      let direct = TriangularFactor(rows: dense)
      #expect(largestDifference(factor.matrix, direct.matrix) < 1e-11)
    }
  }

  @Test func anyOrderAndAnyThreadsGiveTheSameBits() throws {
    let project = try Project(sources: 17, blocks: 2)
    let whole = try project.factor(selection)
    var generator = SeededGenerator(seed: 4)
    for threads in 1...4 {
      // Sources arrive one at a time, in some order, sharing one cache.
      let order = project.sources.shuffled(using: &generator)
      let cache = InMemoryFactorCache()
      for count in 1...order.count {
        let factor = try project.tree(Array(order[..<count]))
          .factor(selection, cache: cache, threads: threads, load: project.load)
        if count == order.count { #expect(factor == whole, "\(threads) threads") }
      }
    }
  }

  @Test func removedIsNeverSeen() throws {
    let project = try Project(sources: 12)
    let cache = InMemoryFactorCache()
    _ = try project.tree().factor(selection, cache: cache, load: project.load)
    for removed in project.sources {
      let rest = try project.tree(project.sources.filter { $0 != removed })
      let incremental = try rest.factor(selection, cache: cache, load: project.load)
      let fresh = try rest.factor(selection, cache: NoFactorCache(), load: project.load)
      #expect(incremental == fresh)
      #expect(rest.depth(of: removed, selection) == nil)
    }
  }

  @Test func aNewSourceCostsOnePath() throws {
    let project = try Project(basis: 3, sources: 40, frames: 2)
    for new in project.sources {
      let cache = InMemoryFactorCache()
      let old = try project.tree(project.sources.filter { $0 != new })
      _ = try old.factor(selection, cache: cache, load: project.load)
      _ = cache.takeComputedCount()
      let tree = try project.tree()
      let depth = try #require(tree.depth(of: new, selection))
      _ = try tree.factor(selection, cache: cache) { source in
        #expect(source == new, "no other source is read")
        return try project.load(source)
      }
      // One value for the source itself, one merge for each level above it.
      #expect(cache.takeComputedCount() == depth + 1)
      #expect(depth <= 12, "40 digests: about log2 40 + 1 levels")
      _ = try tree.factor(selection, cache: cache, load: project.load)
      #expect(cache.takeComputedCount() == 0, "nothing new, nothing computed")
    }
  }

  @Test func smallNodesNeedNotBeCached() throws {
    let project = try Project(sources: 30, blocks: 2)
    var tree = try project.tree()
    let whole = try tree.factor(selection, cache: NoFactorCache(), load: project.load)
    let cache = InMemoryFactorCache()
    tree.smallestCachedNode = 8
    #expect(try tree.factor(selection, cache: cache, load: project.load) == whole)
    #expect(cache.count < 60 / 4, "nodes of eight of the 60 blocks and more")
    #expect(try tree.factor(selection, cache: cache, load: project.load) == whole)
  }

  @Test func keysSayWhatValuesDependOn() throws {
    let project = try Project(sources: 8, blocks: 2)
    let tree = try project.tree()
    let key = try #require(tree.key(selection))
    #expect(tree.key(selection) == key)
    var heavier = selection
    heavier.weights.energy = 6
    #expect(tree.key(heavier) != key)
    // A weight of a group that no source has changes nothing.
    var other = selection
    other.weights.groups["surface"] = .init(energy: 9)
    #expect(tree.key(other) == key)
    let twice = Selection(weights: plainWeights) { _, _ in 2 }
    #expect(tree.key(twice) != key)
    #expect(tree.key(Selection(weights: plainWeights) { _, _ in 0 }) == nil)
    #expect(try project.tree(Array(project.sources.dropLast())).key(selection) != key)
  }

  @Test func cachedKeysAreThoseThatAreAskedFor() throws {
    let project = try Project(sources: 20, blocks: 2)
    var tree = try project.tree()
    for smallest in [1, 2, 5, 100] {
      tree.smallestCachedNode = smallest
      let cache = InMemoryFactorCache()
      let resampled = selection.resampled(member: 3)
      _ = try tree.factor(resampled, cache: cache, load: project.load)
      #expect(cache.keys == tree.cachedKeys(resampled), "from \(smallest)")
      // What only a member asks for is kept from four parts upwards, whatever the smallest node of the fit.
      #expect(cache.count > 0)
    }
  }

  @Test func partsOfTheTreeAreTheTreesOfTheirSources() throws {
    let project = try Project(basis: 3, sources: 60, frames: 3, blocks: 3)
    var tree = try project.tree()
    tree.isApart = { $1 == 1 || $0.bit(7) }
    let together = Selection(weights: plainWeights) { $1 == 1 || $0.bit(7) ? 0 : 1 }
    for bits in 0...9 {
      let part = tree.root(selection).beginning(zeroBits: bits)
      let sources = project.sources.filter { $0.leadingBits.leadingZeroBitCount >= bits }
      #expect(part.key == (try project.tree(sources).key(together)), "\(bits) bits")
    }
    #expect(FactorTree.Root().beginning(zeroBits: 2).key == nil)
  }

  /// At a given strength of the prior, merging in another order moves no energy by more than 1e-9 eV/atom.
  @Test func aChainInAnotherOrderPredictsTheSame() throws {
    let project = try Project(basis: 40, sources: 30, frames: 6, blocks: 2)
    let factor = try project.factor(selection)
    var chain = TriangularFactor(columns: project.layout.columns)
    for source in project.sources.reversed() {
      for leaf in try project.load(source).leaves.reversed() {
        chain = .merge(leaf.factor.scaled(by: plainWeights.multiplier(of: leaf.key)), chain)
      }
    }
    func fit(_ factor: TriangularFactor, _ regularisation: Regularisation) throws -> Fit {
      try Fit(
        factor, layout: project.layout, references: .leastSquares(elements: 2), prior: .ridge,
        regularisation: regularisation)
    }
    let chosen = try fit(factor, .evidence)
    for lambda in [chosen.lambda, chosen.lambda * 1e-6] {
      let (a, b) = (try fit(factor, .fixed(lambda)), try fit(chain, .fixed(lambda)))
      for entry in project.rows where entry.key.kind == .energy {
        let row = Array(entry.rows.row(0).dropLast())
        func energy(_ fit: Fit) -> Double {
          let sum = zip(row, fit.coefficients + fit.referenceEnergies).reduce(0) { $0 + $1.0 * $1.1 }
          return sum / Double(entry.atoms).squareRoot()
        }
        #expect(abs(energy(a) - energy(b)) < 1e-9)
      }
    }
  }

  @Test func whatAMemberLeavesOutIsTheRest() throws {
    let project = try Project(sources: 20, blocks: 2)
    for member in 0..<4 {
      let taken = selection.resampled(member: member)
      let left = selection.leftOut(member: member)
      for entry in project.rows {
        let a = taken.multiplicity(entry.source, entry.key.block)
        let b = left.multiplicity(entry.source, entry.key.block)
        #expect((a == 0) == (b == 1))
      }
    }
  }

  @Test func weightsNeedNoFeatures() throws {
    let project = try Project()
    for weights in [
      Weights(energy: 100, forces: 0.1, stress: 0), plainWeights.excluding(group: "bulk"),
    ] {
      let other = Selection(weights: weights)
      let direct = TriangularFactor(rows: project.dense(other))
      let factor = try project.factor(other)
      #expect(factor.rowCount == direct.rowCount)
      #expect(largestDifference(factor.matrix, direct.matrix) < 1e-10)
    }
  }

  @Test func nothingSelectedIsAnEmptyFactor() throws {
    let project = try Project(sources: 3)
    let none = Selection(weights: plainWeights) { _, _ in 0 }
    #expect(try project.factor(none) == TriangularFactor(columns: project.layout.columns))
  }

  @Test func theSameSourceTwiceIsRefused() throws {
    let project = try Project(sources: 2)
    #expect(throws: RegressionError.duplicateSource(project.sources[0].description)) {
      try project.tree([project.sources[0], project.sources[1], project.sources[0]])
    }
  }

  @Test func aLoadThatFailsIsPassedOn() throws {
    struct Unreadable: Error {}
    let project = try Project(sources: 5)
    let bad = project.sources[2]
    #expect(throws: Unreadable.self) {
      try project.tree().factor(selection, cache: InMemoryFactorCache(), threads: 2) {
        if $0 == bad { throw Unreadable() }
        return try project.load($0)
      }
    }
  }

  @Test func heldOutBlocksSplitTheData() throws {
    let project = try Project(sources: 30, blocks: 4)
    let heldOut = HeldOut(fraction: 0.3)
    let train = project.dense(.training(plainWeights, heldOut))
    let test = project.dense(.testing(plainWeights, heldOut))
    #expect(train.rows + test.rows == project.dense(selection).rows)
    let share = Double(test.rows) / Double(train.rows + test.rows)
    // 120 blocks: 0.3 ± 4 standard deviations of 0.042.
    #expect(abs(share - 0.3) < 0.17)
    let factor = try project.factor(.training(plainWeights, heldOut))
    #expect(largestDifference(factor.matrix, TriangularFactor(rows: train).matrix) < 1e-10)
    #expect(project.dense(.testing(plainWeights, .nothing)).rows == 0)
  }
}
