import LinearAlgebra
import Platform

/// A source as the tree knows it: who it is and which factors it has, without the factors.
public struct TreeSource: Sendable, Equatable, Codable {
  /// Identity of the source; its place in the tree.
  public var source: Digest
  /// Digest of its factors (`SourceFactors.digest`, or any digest that says as much: of the source
  /// and of the basis and code that made the rows).
  public var content: Digest
  /// The keys of its factors, ascending.
  public var keys: [RowKey]

  public init(source: Digest, content: Digest, keys: [RowKey]) {
    self.source = source
    self.content = content
    self.keys = keys
  }

  public init(source: Digest, factors: SourceFactors) {
    self.init(source: source, content: factors.digest, keys: factors.leaves.map(\.key))
  }
}

/// The order in which the factors of sources are merged: a radix tree on the bits of the sources'
/// digests. Its shape depends only on the set of sources that take part, never on who came first, so
/// a source that was removed was never there; and a new source changes the values on one path only.
///
///     merge(merge(W1, W2), merge(W3, ...))      W = Σ over blocks of √times · Σ weight · leaf factor
///
/// Every value has a key, the digest of its children's keys down to content, weights and how often
/// blocks are taken, and goes through a `FactorCache`.
public struct FactorTree: Sendable {
  public let layout: ColumnLayout
  /// In digest order.
  public let sources: [TreeSource]
  /// Values of fewer sources than this are computed again instead of being cached: with 8, a cache
  /// takes an eighth of the room and a new source costs some 7 merges more.
  public var smallestCachedNode = 1
  /// Rows of prior knowledge, weighted, that every selection of any rows takes once; in no key.
  public var prior: TriangularFactor?

  public init(layout: ColumnLayout, sources: [TreeSource]) throws(RegressionError) {
    self.layout = layout
    self.sources = sources.sorted { $0.source < $1.source }
    for (a, b) in zip(self.sources, self.sources.dropFirst()) where a.source == b.source {
      throw .duplicateSource(a.source.description)
    }
  }

  /// The factor of all selected, weighted rows.
  /// - Parameters:
  ///   - threads: how many to use; the result does not depend on it.
  ///   - load: reads the factors of a source; called only for what is not in the cache.
  public func factor(
    _ selection: Selection, cache: some FactorCache, threads: Int = 1,
    load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> TriangularFactor {
    guard let root = node(selection) else { return TriangularFactor(columns: layout.columns) }
    let data = try value(of: root, cache, threads, load)
    return prior.map { TriangularFactor.merge(data, $0) } ?? data
  }

  /// The key of the factor that `selection` gives, nil where it selects nothing: equal keys, equal
  /// factors (of the data, before the prior).
  public func key(_ selection: Selection) -> Digest? { node(selection)?.key }

  /// All keys that the cache is asked for when `selection` is computed from nothing, ascending: what
  /// must stay when a cache is cleaned.
  public func cachedKeys(_ selection: Selection) -> [Digest] {
    var keys: Set<Digest> = []
    var open = node(selection).map { [$0] } ?? []
    while let current = open.popLast() {
      switch current.content {
      case .inner(_, let left, let right):
        if current.leaves >= smallestCachedNode { keys.insert(current.key) }
        open += [left, right]
      case .leaf(let leaf):
        guard smallestCachedNode <= 1 else { continue }
        if leaf.blocks.count > 1 { keys.insert(current.key) }
        for block in leaf.blocks { keys.insert(block.key) }
      }
    }
    return keys.sorted()
  }

  /// Merges between the source and the root: what a new source costs. nil where the source is not
  /// selected.
  public func depth(of source: Digest, _ selection: Selection) -> Int? {
    guard var current = node(selection) else { return nil }
    var depth = 0
    while case .inner(let bit, let left, let right) = current.content {
      current = source.bit(bit) ? right : left
      depth += 1
    }
    guard case .leaf(let leaf) = current.content, leaf.source == source else { return nil }
    return depth
  }
}

// MARK: - Shape and keys

extension FactorTree {
  private struct Block {
    let key: Digest
    let block: Int
    let times: Int
    let scales: [(key: RowKey, scale: Double)]
  }

  private struct Leaf {
    let source: Digest
    let blocks: [Block]
  }

  private final class Node: Sendable {
    enum Content: Sendable {
      case leaf(Leaf)
      case inner(bit: Int, Node, Node)
    }
    let key: Digest
    let content: Content
    let leaves: Int

    init(key: Digest, content: Content, leaves: Int) {
      self.key = key
      self.content = content
      self.leaves = leaves
    }
  }

  private func node(_ selection: Selection) -> Node? {
    let leaves = sources.compactMap { leafNode($0, selection) }
    return leaves.isEmpty ? nil : node(leaves[...], bit: 0)
  }

  /// Splits a digest-ordered run of leaves at the first bit in which they differ.
  private func node(_ leaves: ArraySlice<(source: Digest, node: Node)>, bit: Int) -> Node {
    if leaves.count == 1 { return leaves.first!.node }
    var bit = bit
    while leaves.first!.source.bit(bit) == leaves.last!.source.bit(bit) { bit += 1 }
    let split = leaves.firstIndex { $0.source.bit(bit) }!
    let left = node(leaves[..<split], bit: bit + 1)
    let right = node(leaves[split...], bit: bit + 1)
    var builder = DigestBuilder()
    builder.add("merge 1")
    builder.add(left.key)
    builder.add(right.key)
    return Node(
      key: builder.finish(), content: .inner(bit: bit, left, right),
      leaves: left.leaves + right.leaves)
  }

  private func leafNode(
    _ source: TreeSource, _ selection: Selection
  ) -> (source: Digest, node: Node)? {
    var blocks: [Block] = []
    var start = 0
    while start < source.keys.count {
      let number = source.keys[start].block
      let end = source.keys[start...].firstIndex { $0.block != number } ?? source.keys.count
      defer { start = end }
      let scales = source.keys[start..<end].map {
        (key: $0, scale: selection.multiplier(of: $0, in: source.source))
      }.filter { $0.scale > 0 }
      let times = scales.isEmpty ? 0 : selection.multiplicity(source.source, number)
      guard times > 0 else { continue }
      var builder = DigestBuilder()
      builder.add("block 2")
      builder.add(source.content)
      builder.add(number)
      for (key, scale) in scales {
        builder.add(key.group)
        builder.add(key.kind.rawValue)
        builder.add(key.level)
        builder.add(key.atoms)
        builder.add(scale)
      }
      blocks.append(Block(key: builder.finish(), block: number, times: times, scales: scales))
    }
    guard let first = blocks.first else { return nil }
    var key = first.key
    if blocks.count > 1 || first.times > 1 {
      var builder = DigestBuilder()
      builder.add("source 1")
      for block in blocks {
        builder.add(block.key)
        builder.add(block.times)
      }
      key = builder.finish()
    }
    let leaf = Leaf(source: source.source, blocks: blocks)
    return (source.source, Node(key: key, content: .leaf(leaf), leaves: 1))
  }
}

// MARK: - Values

extension FactorTree {
  private func value(
    of node: Node, _ cache: some FactorCache, _ threads: Int,
    _ load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> TriangularFactor {
    switch node.content {
    case .leaf(let leaf):
      func compute() throws -> TriangularFactor { try value(of: leaf, cache, load) }
      // A source of one block is that block's factor, perhaps scaled: kept once.
      return node.leaves >= smallestCachedNode && leaf.blocks.count > 1
        ? try cache.factor(for: node.key, compute: compute) : try compute()
    case .inner(_, let left, let right):
      func compute() throws -> TriangularFactor {
        let parts = try concurrentMap(2, threads: threads) { side in
          try side == 0
            ? value(of: left, cache, (threads + 1) / 2, load)
            : value(of: right, cache, threads / 2, load)
        }
        return TriangularFactor.merge(parts[0], parts[1])
      }
      return node.leaves >= smallestCachedNode
        ? try cache.factor(for: node.key, compute: compute) : try compute()
    }
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
