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
  /// Values of fewer blocks than this are computed again instead of being cached: with 8, a cache
  /// takes an eighth of the room and a new source costs some 7 merges more.
  public var smallestCachedNode = 1
  /// Blocks that are kept in a tree of their own (those that are held out): what a fit without them and
  /// a fit with them have in common is then nearly everything.
  public var isApart: (@Sendable (_ source: Digest, _ block: Int) -> Bool)?
  /// Rows of prior knowledge, weighted, that every selection of any rows takes once; in no key.
  public var prior: TriangularFactor?

  public init(layout: ColumnLayout, sources: [TreeSource]) throws(RegressionError) {
    self.layout = layout
    self.sources = sources.sorted { $0.source < $1.source }
    for (a, b) in zip(self.sources, self.sources.dropFirst()) where a.source == b.source {
      throw .duplicateSource(a.source.description)
    }
  }

  /// The tree of all selected rows. Making it hashes every source once, so make it once.
  public func root(_ selection: Selection) -> Root {
    guard let isApart else { return Root(together: side(selection) { _, _ in true }, apart: nil) }
    return Root(
      together: side(selection) { !isApart($0, $1) }, apart: side(selection) { isApart($0, $1) })
  }

  /// The factor of all selected, weighted rows.
  /// - Parameters:
  ///   - threads: how many to use; the result does not depend on it.
  ///   - load: reads the factors of a source; called only for what is not in the cache.
  public func factor(
    _ selection: Selection, cache: some FactorCache, threads: Int = 1,
    load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> TriangularFactor {
    try factor(root(selection), cache: cache, threads: threads, load: load)
  }

  /// The factor of all rows under a root of this tree.
  public func factor(
    _ root: Root, cache: some FactorCache, threads: Int = 1,
    load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> TriangularFactor {
    guard let node = root.node else { return TriangularFactor(columns: layout.columns) }
    let data = try value(of: node, cache, threads, load)
    return prior.map { TriangularFactor.merge(data, $0) } ?? data
  }

  /// The key of the factor that `selection` gives, nil where it selects nothing: equal keys, equal
  /// factors (of the data, before the prior).
  public func key(_ selection: Selection) -> Digest? { root(selection).key }

  /// All keys that the cache is asked for when `selection` is computed from nothing, ascending: what
  /// must stay when a cache is cleaned.
  public func cachedKeys(_ selection: Selection) -> [Digest] { cachedKeys([root(selection)]) }

  /// The same of several roots together.
  public func cachedKeys(_ roots: [Root]) -> [Digest] {
    var keys: Set<Digest> = []
    var seen: Set<Digest> = []
    var open = roots.compactMap(\.node)
    while let current = open.popLast() {
      // Beneath a small node that is taken evenly everything is smaller still.
      if current.times > 0, current.parts < smallestCachedNode { continue }
      guard seen.insert(current.key).inserted else { continue }
      if isCached(current) { keys.insert(current.key) }
      switch current.content {
      case .inner(_, let left, let right): open += [left, right]
      case .repeated(let unit): open.append(unit)
      case .leaf(let leaf):
        if smallestCachedNode <= 1 { for block in leaf.blocks { keys.insert(block.key) } }
      }
    }
    return keys.sorted()
  }

  /// Merges between the source and the root: what a new source costs. nil where the source is not
  /// selected. Where its blocks are in both trees, the merges of both.
  public func depth(of source: Digest, _ selection: Selection) -> Int? {
    let root = root(selection)
    let depths = [root.together, root.apart].compactMap { $0.flatMap { Self.depth(of: source, $0) } }
    guard !depths.isEmpty else { return nil }
    return depths.reduce(root.together != nil && root.apart != nil ? 1 : 0, +)
  }

  private static func depth(of source: Digest, _ node: Node) -> Int? {
    var current = node
    var depth = 0
    while true {
      switch current.content {
      case .repeated(let unit): current = unit
      case .inner(let bit, let left, let right):
        current = source.bit(bit) ? right : left
        depth += 1
      case .leaf(let leaf): return leaf.source == source ? depth : nil
      }
    }
  }
}

// MARK: - Shape and keys

extension FactorTree {
  /// What a selection gives: a tree of keys, whose values are computed when they are asked for.
  public struct Root: Sendable {
    let together: Node?
    let apart: Node?

    init(together: Node?, apart: Node?) { (self.together, self.apart) = (together, apart) }

    /// Of nothing.
    public init() { self.init(together: nil, apart: nil) }

    /// The root without the blocks that are kept apart: what a fit that never saw them is made of.
    public var withoutApart: Root { Root(together: together, apart: nil) }

    /// Of the sources whose digests begin with so many zero bits, blocks that are kept apart left out: part of
    /// the same tree, so that nothing is hashed again. Only of a root whose blocks are taken once.
    public func beginning(zeroBits: Int) -> Root {
      Root(together: together.flatMap { Self.beginning($0, zeroBits) }, apart: nil)
    }

    private static func beginning(_ node: Node, _ zeroBits: Int) -> Node? {
      var place = node
      while case .inner(let bit, let left, _) = place.content, bit < zeroBits { place = left }
      // What is left has its first bits in common.
      var first = place
      while case .inner(_, let left, _) = first.content { first = left }
      guard case .leaf(let leaf) = first.content else { preconditionFailure("blocks that are taken once") }
      return leaf.source.leadingBits.leadingZeroBitCount >= zeroBits ? place : nil
    }

    /// As `FactorTree.key` has it.
    public var key: Digest? { node?.key }

    var node: Node? {
      guard let together, let apart else { return together ?? apart }
      return Node(bit: 0, together, apart)
    }
  }

  struct Block {
    let key: Digest
    let block: Int
    let times: Int
    let scales: [(key: RowKey, scale: Double)]
  }

  struct Leaf {
    let source: Digest
    let blocks: [Block]
  }

  final class Node: Sendable {
    enum Content: Sendable {
      case leaf(Leaf)
      case inner(bit: Int, Node, Node)
      /// All rows of a node `times` times: its value, scaled.
      case repeated(Node)
    }
    let key: Digest
    let content: Content
    /// Sources beneath.
    let leaves: Int
    /// How often every block beneath is taken; 0 where they differ.
    let times: Int
    /// What must be merged where nothing beneath is cached: blocks, or parts that are taken equally often.
    let parts: Int

    /// - Parameter leaf: of a digest-ordered tree's source; at least one block.
    init(_ leaf: Leaf) {
      let first = leaf.blocks[0].times
      let isEven = leaf.blocks.allSatisfy { $0.times == first }
      leaves = 1
      times = isEven ? first : 0
      parts = leaf.blocks.count
      guard times <= 1 else {
        let unit = Node(
          Leaf(
            source: leaf.source,
            blocks: leaf.blocks.map { Block(key: $0.key, block: $0.block, times: 1, scales: $0.scales) }))
        content = .repeated(unit)
        key = Self.key(unit, times: first)
        return
      }
      content = .leaf(leaf)
      if leaf.blocks.count == 1 {
        key = leaf.blocks[0].key
      } else {
        var builder = DigestBuilder()
        builder.add("source 2")
        for block in leaf.blocks {
          builder.add(block.key)
          builder.add(block.times)
        }
        key = builder.finish()
      }
    }

    /// The merge of two nodes; `bit` is where their sources' digests part.
    init(bit: Int, _ left: Node, _ right: Node) {
      leaves = left.leaves + right.leaves
      times = left.times == right.times ? left.times : 0
      guard times <= 1 else {
        let unit = Node(bit: bit, left.once, right.once)
        parts = unit.parts
        content = .repeated(unit)
        key = Self.key(unit, times: times)
        return
      }
      parts = times == 1 ? left.parts + right.parts : left.mixedParts + right.mixedParts
      content = .inner(bit: bit, left, right)
      var builder = DigestBuilder()
      builder.add("merge 2")
      builder.add(left.key)
      builder.add(right.key)
      key = builder.finish()
    }

    private init(unit: Node, times: Int) {
      (leaves, parts, self.times) = (unit.leaves, unit.parts, times)
      content = .repeated(unit)
      key = Self.key(unit, times: times)
    }

    private static func key(_ unit: Node, times: Int) -> Digest {
      var builder = DigestBuilder()
      builder.add("times 1")
      builder.add(unit.key)
      builder.add(times)
      return builder.finish()
    }

    /// The node with every block taken once; only where all are taken equally often.
    var once: Node { if case .repeated(let unit) = content { unit } else { self } }

    /// All of it `factor` times as often, nil for 0; only where all blocks are taken equally often.
    func taken(_ factor: Int) -> Node? {
      precondition(times > 0, "blocks that are taken equally often")
      let times = times * factor
      return times == 0 ? nil : times == 1 ? once : Node(unit: once, times: times)
    }

    /// Within a merge of parts that are taken differently often, one that is cached counts as one.
    private var mixedParts: Int { times > 0 ? 1 : parts }
  }

  /// Whether the value of a node goes through the cache.
  func isCached(_ node: Node) -> Bool {
    switch node.content {
    case .repeated: false  // a scaling
    // A source of one block is that block's factor: kept once.
    case .leaf(let leaf): leaf.blocks.count > 1 && node.parts >= smallestCachedNode
    // What only one member of an ensemble asks for is kept from four parts upwards.
    case .inner: node.parts >= (node.times > 0 ? smallestCachedNode : min(smallestCachedNode, 4))
    }
  }

  private func side(_ selection: Selection, _ isTaken: @Sendable (Digest, Int) -> Bool) -> Node? {
    let leaves = sources.compactMap { leafNode($0, selection, isTaken) }
    return leaves.isEmpty ? nil : node(leaves[...], bit: 0)
  }

  /// Splits a digest-ordered run of leaves at the first bit in which they differ.
  private func node(_ leaves: ArraySlice<(source: Digest, node: Node)>, bit: Int) -> Node {
    if leaves.count == 1 { return leaves.first!.node }
    var bit = bit
    while leaves.first!.source.bit(bit) == leaves.last!.source.bit(bit) { bit += 1 }
    let split = leaves.firstIndex { $0.source.bit(bit) }!
    return Node(
      bit: bit, node(leaves[..<split], bit: bit + 1), node(leaves[split...], bit: bit + 1))
  }

  private func leafNode(
    _ source: TreeSource, _ selection: Selection, _ isTaken: @Sendable (Digest, Int) -> Bool
  ) -> (source: Digest, node: Node)? {
    var blocks: [Block] = []
    var start = 0
    while start < source.keys.count {
      let number = source.keys[start].block
      let end = source.keys[start...].firstIndex { $0.block != number } ?? source.keys.count
      defer { start = end }
      guard isTaken(source.source, number) else { continue }
      let times = selection.multiplicity(source.source, number)
      guard times > 0 else { continue }
      let scales = source.keys[start..<end].map {
        (key: $0, scale: selection.multiplier(of: $0, in: source.source))
      }.filter { $0.scale > 0 }
      guard !scales.isEmpty else { continue }
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
    if blocks.isEmpty { return nil }
    return (source.source, Node(Leaf(source: source.source, blocks: blocks)))
  }
}

// MARK: - Values

extension FactorTree {
  private func value(
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
