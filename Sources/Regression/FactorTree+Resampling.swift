import Platform

// The bootstrap draws blocks of sources. Where there are tens of sources it draws whole ones, where there
// are hundreds whole branches of the tree, so that a member shares every branch with the fit itself, and a new source costs
// each member a few merges whatever has been collected before. Branches hold sources at random (digests
// are), so 64 of them are as good a sample of what other runs would have given: the variance of a
// bootstrap over g groups is known to √(2/g), that over 16 members to √(2/15).

extension FactorTree {
  /// Bits of a source's digest that name the branch that may be drawn as a whole.
  static let branchBits = 6
  /// Bits that name the branch whose sources may be drawn as wholes, instead of their blocks.
  static let sourceBits = 3
  /// Sources from which a branch is treated so.
  static let fewestOfBranch = 8
}

extension FactorTree.Root {
  /// Each block, source or branch taken Poisson(1) times by a hash of its name and the member's number. A
  /// choice for old sources stays when new ones come, but for a branch that reaches eight sources.
  public func resampled(member: Int, attempt: Int = 0) -> Self {
    drawn { bootstrapCount(source: $0, block: $1, member: member, attempt: attempt) }
  }

  /// What `resampled` did not take: a member's test data, about 37 %.
  public func leftOut(member: Int, attempt: Int = 0) -> Self {
    drawn { bootstrapCount(source: $0, block: $1, member: member, attempt: attempt) == 0 ? 1 : 0 }
  }

  /// How many blocks and branches there are to draw from.
  public var units: Int { Self.units(together) + Self.units(apart) }

  private func drawn(_ count: (_ source: Digest, _ block: Int) -> Int) -> Self {
    Self(
      together: together.flatMap { Self.drawn($0, side: 0, count) },
      apart: apart.flatMap { Self.drawn($0, side: 1, count) })
  }

  /// - Parameters:
  ///   - times: how often all of the node is taken to begin with.
  ///   - wholeSources: whether a source's blocks are drawn together.
  private static func drawn(
    _ node: FactorTree.Node, side: Int, times: Int = 1, wholeSources: Bool = false,
    _ count: (Digest, Int) -> Int
  ) -> FactorTree.Node? {
    let times = times * max(1, node.times)
    let once = node.once
    // No block has a negative number: these name branches and sources.
    if let name = branch(node) { return once.taken(times * count(name, -1 - side)) }
    switch once.content {
    case .inner(let bit, let left, let right):
      let wholeSources = wholeSources || isMany(once, bit, FactorTree.sourceBits)
      let a = drawn(left, side: side, times: times, wholeSources: wholeSources, count)
      let b = drawn(right, side: side, times: times, wholeSources: wholeSources, count)
      return a.flatMap { a in b.map { FactorTree.Node(bit: bit, a, $0) } } ?? a ?? b
    case .leaf(let leaf):
      if wholeSources && once.times > 0 { return once.taken(times * count(leaf.source, -1 - side)) }
      let blocks = leaf.blocks.compactMap { block in
        let drawn = times * block.times * count(leaf.source, block.block)
        return drawn == 0
          ? nil : FactorTree.Block(key: block.key, block: block.block, times: drawn, scales: block.scales)
      }
      return blocks.isEmpty ? nil : FactorTree.Node(FactorTree.Leaf(source: leaf.source, blocks: blocks))
    case .repeated: preconditionFailure("nothing is repeated twice")
    }
  }

  private static func isMany(_ node: FactorTree.Node, _ bit: Int, _ bits: Int) -> Bool {
    bit >= bits && node.leaves >= FactorTree.fewestOfBranch
  }

  /// The name of a branch that is drawn as a whole: the digest with only its first bits.
  private static func branch(_ node: FactorTree.Node) -> Digest? {
    guard node.times > 0, case .inner(let bit, let left, _) = node.once.content,
      isMany(node, bit, FactorTree.branchBits)
    else { return nil }
    var first = left
    while true {
      switch first.content {
      case .inner(_, let left, _): first = left
      case .repeated(let unit): first = unit
      case .leaf(let leaf):
        var builder = DigestBuilder()
        builder.add("branch")
        for bit in 0..<FactorTree.branchBits { builder.add(leaf.source.bit(bit) ? 1 : 0) }
        return builder.finish()
      }
    }
  }

  private static func units(_ node: FactorTree.Node?, wholeSources: Bool = false) -> Int {
    guard let node else { return 0 }
    if branch(node) != nil { return 1 }
    switch node.once.content {
    case .inner(let bit, let left, let right):
      let wholeSources = wholeSources || isMany(node, bit, FactorTree.sourceBits)
      return units(left, wholeSources: wholeSources) + units(right, wholeSources: wholeSources)
    case .leaf(let leaf): return wholeSources && node.times > 0 ? 1 : leaf.blocks.count
    case .repeated: return 0
    }
  }
}
