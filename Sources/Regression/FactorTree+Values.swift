// The values of the tree: factors that are merged, or taken from a cache.

import LinearAlgebra
import Platform

extension FactorTree {
  func value(
    of node: Node, _ cache: some FactorCache, _ threads: Int,
    _ load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> TriangularFactor {
    func compute() throws -> TriangularFactor {
      switch node.content {
      case .leaf(let leaf): return try value(of: leaf, cache, load)
      case .repeated(let unit): return try value(of: unit, cache, threads, load).repeated(node.times)
      case .inner(_, let left, let right):
        let parts = try concurrentMap(2, threads: threads) { side in
          try side == 0
            ? value(of: left, cache, (threads + 1) / 2, load)
            : value(of: right, cache, threads / 2, load)
        }
        return TriangularFactor.merge(parts[0], parts[1])
      }
    }
    return isCached(node) ? try cache.factor(for: node.key, compute: compute) : try compute()
  }

  private func value(
    of leaf: Leaf, _ cache: some FactorCache, _ load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> TriangularFactor {
    var loaded: SourceFactors?
    var sum = TriangularFactor(columns: layout.columns)
    for block in leaf.blocks {
      func compute() throws -> TriangularFactor {
        let factors = try loaded ?? load(leaf.source)
        loaded = factors
        return try value(of: block, factors)
      }
      let factor =
        smallestCachedNode <= 1 ? try cache.factor(for: block.key, compute: compute) : try compute()
      sum = TriangularFactor.merge(sum, factor.repeated(block.times))
    }
    return sum
  }

  private func value(of block: Block, _ factors: SourceFactors) throws -> TriangularFactor {
    guard factors.layout == layout else {
      throw RegressionError.malformed("a source's columns differ from the tree's")
    }
    // Factors of few rows are stacked first: folded in one by one, each would cost as much as many.
    var few = RowReducer(columns: layout.columns)
    var sum = TriangularFactor(columns: layout.columns)
    for (key, scale) in block.scales {
      guard let leaf = factors.leaf(key) else {
        throw RegressionError.malformed(
          "block \(key.block), group '\(key.group)' has no \(key.kind.rawValue) rows")
      }
      let factor = leaf.factor.scaled(by: scale)
      if factor.isTriangular {
        sum = TriangularFactor.merge(sum, factor)
      } else {
        few.append(factor.matrix)
      }
    }
    return TriangularFactor.merge(sum, few.finish())
  }
}

extension SourceFactors {
  /// The leaf of a key, nil where there is none.
  public func leaf(_ key: RowKey) -> Leaf? {
    var low = 0
    var high = leaves.count
    while low < high {
      let middle = (low + high) / 2
      if leaves[middle].key < key { low = middle + 1 } else { high = middle }
    }
    return low < leaves.count && leaves[low].key == key ? leaves[low] : nil
  }
}
