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
