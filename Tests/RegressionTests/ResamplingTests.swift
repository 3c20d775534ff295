import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

/// Branches that are drawn as wholes, and blocks that are kept apart.
@Suite struct ResamplingTests {
  private let selection = Selection(weights: plainWeights)

  private func gram(_ factor: TriangularFactor) -> Matrix { factor.matrix.transposedTimes(factor.matrix) }

  private func branch(_ source: Digest) -> [Bool] { (0..<6).map(source.bit) }

  @Test func fewSourcesAreDrawnByBlocks() throws {
    let project = try Project(sources: 20, blocks: 3)
    let root = try project.tree().root(selection)
    #expect(root.units == 60)
    for member in 0..<6 {
      #expect(try root.resampled(member: member).key == project.tree().key(selection.resampled(member: member)))
      #expect(try root.leftOut(member: member).key == project.tree().key(selection.leftOut(member: member)))
    }
  }

  /// Each branch of many sources is its plain factor, taken a whole number of times; together they are the
  /// member's factor.
  @Test func manySourcesAreDrawnByBranches() throws {
    let project = try Project(basis: 3, sources: 900, frames: 1, seed: 11)
    let branches = Dictionary(grouping: project.sources, by: branch)
    let large = branches.values.filter { $0.count >= 8 }
    #expect(branches.count == 64 && large.count > 50)
    let root = try project.tree().root(selection)
    let small = branches.values.filter { $0.count < 8 }.reduce(0) { $0 + $1.count }
    #expect(root.units == large.count + small)
    for member in 0..<3 {
      let whole = try project.tree().factor(root.resampled(member: member), cache: NoFactorCache(), load: project.load)
      var sum = Matrix(rows: project.layout.columns, columns: project.layout.columns)
      var taken = Set<Int>()
      for sources in branches.values {
        let tree = try project.tree(sources)
        let own = try tree.factor(
          tree.root(selection).resampled(member: member), cache: NoFactorCache(), load: project.load)
        if sources.count >= 8 {
          let plain = try tree.factor(selection, cache: NoFactorCache(), load: project.load)
          let times = own.rowCount / plain.rowCount
          taken.insert(times)
          #expect(own == plain.repeated(times) || times == 0 && own.rowCount == 0)
        }
        for (i, value) in gram(own).storage.enumerated() { sum.storage[i] += value }
      }
      #expect(taken.count > 2, "0, 1, 2 … times")
      let scale = sum.storage.map(abs).max()!
      #expect(largestDifference(gram(whole), sum) < 1e-12 * scale, "member \(member)")
      let left = try project.tree().factor(root.leftOut(member: member), cache: NoFactorCache(), load: project.load)
      #expect(left.rowCount > whole.rowCount / 5 && left.rowCount < whole.rowCount)
    }
  }

  @Test func aNewSourceCostsMembersAFewMerges() throws {
    let project = try Project(basis: 3, sources: 1000, frames: 1, seed: 12)
    let members = 8
    func grow(_ sources: [Digest], _ cache: InMemoryFactorCache) throws -> [TriangularFactor] {
      var tree = try project.tree(sources)
      tree.smallestCachedNode = 8
      let root = tree.root(selection)
      return try ([root] + (0..<members).map { root.resampled(member: $0) }).map {
        try tree.factor($0, cache: cache, load: project.load)
      }
    }
    for new in [project.sources[3], project.sources[500], project.sources[999]] {
      let cache = InMemoryFactorCache()
      _ = try grow(project.sources.filter { $0 != new }, cache)
      let all = cache.takeComputedCount()
      let grown = try grow(project.sources, cache)
      // Of the fit about log2 (1000/8) = 7 nodes; of each member at most those above its branch, log2 64 = 6.
      let computed = cache.takeComputedCount()
      #expect(computed <= 12 + members * 8, "\(computed) of \(all)")
      #expect(all > 5 * computed)
      #expect(try grow(project.sources, InMemoryFactorCache()) == grown, "the same bits from nothing")
    }
  }

  @Test func blocksApartGiveTheSameFactorAndShareTheTree() throws {
    let project = try Project(sources: 40, blocks: 3)
    let heldOut = HeldOut(fraction: 0.2)
    var tree = try project.tree()
    let plain = try tree.factor(selection, cache: NoFactorCache(), load: project.load)
    let training = try tree.factor(.training(plainWeights, heldOut), cache: NoFactorCache(), load: project.load)
    tree.isApart = { heldOut.contains(source: $0, block: $1) }
    let cache = InMemoryFactorCache()
    let root = tree.root(selection)
    let all = try tree.factor(root, cache: cache, load: project.load)
    #expect(all.rowCount == plain.rowCount)
    #expect(largestDifference(all.matrix, plain.matrix) < 1e-10)
    _ = cache.takeComputedCount()
    #expect(try tree.factor(root.withoutApart, cache: cache, load: project.load) == training)
    #expect(cache.takeComputedCount() == 0, "the fit without them is part of the fit with them")
    #expect(tree.cachedKeys([root, root.withoutApart]) == cache.keys)
  }
}
