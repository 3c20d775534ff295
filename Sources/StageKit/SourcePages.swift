import Platform

/// What a fold must know of every source, kept in pages: opening ten thousand small files and decoding their JSON
/// takes longer than most folds. Sources whose digests begin alike share a page; a new one changes its own.
public struct SourcePages: Sendable {
  /// Sources of a page at most.
  private static let largest = 48

  /// Says what the lines are and which version of their encoding is used; part of every page's key.
  private let use: String
  /// Parts of the artifacts on which the lines depend.
  private let parts: [String]

  public init(use: String, parts: [String]) {
    self.use = use
    self.parts = parts
  }

  /// One line for each source, in their order.
  /// - Parameters:
  ///   - sources: in digest order.
  ///   - write: makes a line from the artifact's parts; only for pages that changed.
  ///   - read: reads what `write` wrote.
  public func lines<Line: Sendable>(
    _ sources: [SourceArtifact], _ context: StageContext,
    write: @Sendable (SourceArtifact, inout CompactEncoder) throws -> Void,
    read: @Sendable (inout CompactDecoder) throws -> Line
  ) throws -> [Line] {
    let pages = Self.pages(sources[...], bit: 0)
    return try concurrentMap(pages.count, threads: context.threads) { number in
      let page = pages[number]
      var key = DigestBuilder()
      key.add(use)
      for item in page { for part in parts { key.add(try Self.part(item.artifact, part).digest) } }
      let bytes = try context.memo(key.finish()) {
        var encoder = CompactEncoder()
        for item in page { try write(item, &encoder) }
        return encoder.finish()
      }
      var decoder = try CompactDecoder(bytes)
      let lines = try page.map { _ in try read(&decoder) }
      guard decoder.isAtEnd else { throw CompactDecoder.Damaged() }
      return lines
    }.flatMap { $0 }
  }

  /// Runs of sources in digest order; which ones depends on the set of sources alone.
  private static func pages(_ sources: ArraySlice<SourceArtifact>, bit: Int) -> [ArraySlice<SourceArtifact>] {
    guard sources.count > largest else { return sources.isEmpty ? [] : [sources] }
    let split = sources.firstIndex { $0.source.digest.bit(bit) } ?? sources.endIndex
    return pages(sources[..<split], bit: bit + 1) + pages(sources[split...], bit: bit + 1)
  }

  /// A part that the artifact's kind promises.
  public static func part(_ artifact: Artifact, _ name: String) throws -> ArtifactPart {
    guard let part = artifact.part(name) else { throw StageError("artifact '\(artifact.kind)' has no part '\(name)'") }
    return part
  }
}
