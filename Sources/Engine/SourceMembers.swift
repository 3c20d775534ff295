import Platform

/// A per-source input as keys have it: each source with the digest of its artifact.
package struct SourceMembers {
  /// In the order of the sources' digests.
  package let items: [(source: Digest, artifact: Digest)]

  /// `items`: in digest order.
  package init(_ items: [(source: Digest, artifact: Digest)] = []) { self.items = items }

  package subscript(source: Digest) -> Digest? {
    let place = items.partition { $0.source < source }
    return place < items.count && items[place].source == source ? items[place].artifact : nil
  }

  /// Sources that are new, gone, or have another artifact than before, each in digest order.
  package func changes(since old: SourceMembers) -> (added: [Digest], removed: [Digest], changed: [Digest]) {
    var changes: (added: [Digest], removed: [Digest], changed: [Digest]) = ([], [], [])
    var before = old.items[...]
    for (source, artifact) in items {
      while let first = before.first, first.source < source { changes.removed.append(before.removeFirst().source) }
      guard let first = before.first, first.source == source else {
        changes.added.append(source)
        continue
      }
      if first.artifact != artifact { changes.changed.append(source) }
      before.removeFirst()
    }
    changes.removed += before.map(\.source)
    return changes
  }
}
