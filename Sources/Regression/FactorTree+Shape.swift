// The shape of the tree and the keys of its values: from which sources take part, without any factor.

import Platform

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

  /// The tree of all selected rows. Making it hashes every source once, so make it once.
  /// - Parameter threads: how many to use; the result does not depend on it.
  public func root(_ selection: Selection, threads: Int = 1) -> Root {
    let leaves = concurrentShares(sources.count, threads: threads) { share in
      sources[share].map { leafNodes($0, selection) }
    }
    let sides = concurrentMap(2, threads: threads) { side in
      let own = leaves.compactMap { leaf in
        (side == 0 ? leaf.together : leaf.apart).map { (source: leaf.source, node: $0) }
      }
      return own.isEmpty ? nil : Self.node(own[...], bit: 0)
    }
    return Root(together: sides[0], apart: sides[1])
  }

  /// Splits a digest-ordered run of leaves at the first bit in which they differ.
  private static func node(_ leaves: ArraySlice<(source: Digest, node: Node)>, bit: Int) -> Node {
    if leaves.count == 1 { return leaves.first!.node }
    var bit = bit
    while leaves.first!.source.bit(bit) == leaves.last!.source.bit(bit) { bit += 1 }
    let split = leaves.firstIndex { $0.source.bit(bit) }!
    return Node(
      bit: bit, node(leaves[..<split], bit: bit + 1), node(leaves[split...], bit: bit + 1))
  }

  /// A source's blocks in the tree, and in that of blocks that are kept apart.
  private func leafNodes(_ source: TreeSource, _ selection: Selection) -> (
    source: Digest, together: Node?, apart: Node?
  ) {
    var (together, apart): ([Block], [Block]) = ([], [])
    var start = 0
    while start < source.keys.count {
      let number = source.keys[start].block
      var end = start + 1
      while end < source.keys.count, source.keys[end].block == number { end += 1 }
      defer { start = end }
      let times = selection.multiplicity(source.source, number)
      guard times > 0 else { continue }
      let scales = source.keys[start..<end].compactMap { key in
        let scale = selection.multiplier(of: key, in: source.source)
        return scale > 0 ? (key: key, scale: scale) : nil
      }
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
      let block = Block(key: builder.finish(), block: number, times: times, scales: scales)
      if isApart?(source.source, number) ?? false { apart.append(block) } else { together.append(block) }
    }
    func node(_ blocks: [Block]) -> Node? {
      blocks.isEmpty ? nil : Node(Leaf(source: source.source, blocks: blocks))
    }
    return (source.source, node(together), node(apart))
  }
}
