import Platform
import Regression
import StageKit

/// What the fit must know of every source before it looks at any factor.
struct SourceTable: Sendable {
  struct Entry: Sendable {
    let source: Source
    let index: FeatureIndex
    /// Digest of its factors, and their keys.
    let factors: Digest
    let keys: [RowKey]
  }

  /// In digest order.
  let entries: [Entry]

  /// Reading ten thousand small files takes longer than a fit, so they are kept in pages: sources whose
  /// digests begin alike, up to `largestPage` of them. A new source changes the page it comes to.
  init(_ features: [SourceArtifact], _ context: StageContext) throws {
    let pages = Self.pages(features[...], bit: 0)
    entries = try concurrentMap(pages.count, threads: context.threads) { try Self.read(pages[$0], context) }
      .flatMap { $0 }
  }

  private static let largestPage = 48

  private struct Line: Codable {
    var index: FeatureIndex
    var keys: [RowKey]
  }

  /// Runs of sources in digest order; which ones depends on the set of sources alone.
  private static func pages(_ sources: ArraySlice<SourceArtifact>, bit: Int) -> [ArraySlice<SourceArtifact>] {
    guard sources.count > largestPage else { return sources.isEmpty ? [] : [sources] }
    let split = sources.firstIndex { $0.source.digest.bit(bit) } ?? sources.endIndex
    return pages(sources[..<split], bit: bit + 1) + pages(sources[split...], bit: bit + 1)
  }

  private static func read(_ page: ArraySlice<SourceArtifact>, _ context: StageContext) throws -> [Entry] {
    var key = DigestBuilder()
    key.add("sources of a fit 1")
    for item in page {
      key.add(try part(item.artifact, "index.json").digest)
      key.add(try part(item.artifact, "factors.npz").digest)
    }
    let bytes = try context.memo(key.finish()) {
      try CanonicalJSON.encode(try page.map { try line($0.artifact, context) })
    }
    let lines = try CanonicalJSON.decode([Line].self, bytes)
    guard lines.count == page.count else { throw StageError("a kept page of sources is damaged") }
    return try zip(page, lines).map { item, line in
      Entry(
        source: item.source, index: line.index, factors: try part(item.artifact, "factors.npz").digest,
        keys: line.keys)
    }
  }

  private static func line(_ artifact: Artifact, _ context: StageContext) throws -> Line {
    Line(
      index: try CanonicalJSON.decode(FeatureIndex.self, context.bytes(artifact, "index.json")),
      keys: try keys(artifact, context))
  }

  /// The keys of a source's factors; they stand in the factors' own index, which is read once.
  private static func keys(_ artifact: Artifact, _ context: StageContext) throws -> [RowKey] {
    var key = DigestBuilder()
    key.add("factor keys")
    key.add(try part(artifact, "factors.npz").digest)
    let bytes = try context.memo(key.finish()) {
      try CanonicalJSON.encode(try FitProblem.factors(artifact, context).leaves.map(\.key))
    }
    return try CanonicalJSON.decode([RowKey].self, bytes)
  }

  private static func part(_ artifact: Artifact, _ name: String) throws -> ArtifactPart {
    guard let part = artifact.part(name) else { throw StageError("a source's features have no part '\(name)'") }
    return part
  }
}
