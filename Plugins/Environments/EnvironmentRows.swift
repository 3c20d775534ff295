// Features of all sources come in; per element, rows in canonical order and what each belongs to go out.

import LinearAlgebra
import Novelty
import Platform
import StageKit

/// The environments (B rows) of all sources, element by element, in digest order.
public struct EnvironmentRows: Sendable {
  /// What a row belongs to.
  public struct Site: Sendable {
    public let source: Int
    /// Position in the source's `FeatureIndex.frames`.
    public let frame: Int
    public let atom: Int
  }

  public let sources: [Source]
  public let indices: [FeatureIndex]
  /// Elements with at least one row, alphabetical.
  public let elements: [String]
  private let artifacts: [Artifact]
  private let context: StageContext

  public init(_ features: [SourceArtifact], _ context: StageContext) throws {
    self.context = context
    sources = features.map(\.source)
    artifacts = features.map(\.artifact)
    indices = try features.map {
      try CanonicalJSON.decode(FeatureIndex.self, context.bytes($0.artifact, "index.json"))
    }
    elements = Set(indices.flatMap { $0.environments.map(\.element) }).sorted()
    guard Set(indices.filter { !$0.frames.isEmpty }.map(\.basis)).count <= 1 else {
      throw StageError("features of different bases cannot be mixed.")
    }
  }

  /// How near atoms of each pair of elements come in all training data, Å.
  public var shortestDistances: [String: Double] {
    indices.reduce(into: [:]) { $0.merge($1.shortestDistances, uniquingKeysWith: min) }
  }

  /// The digest of everything the rows depend on.
  public var digest: Digest {
    var builder = DigestBuilder()
    for artifact in artifacts { builder.add(artifact.digest) }
    return builder.finish()
  }

  /// Rows of up to this many bytes are held in memory while a stage works on them.
  private static let heldInMemory = 1 << 30

  /// The rows of one element. Many passes are made over them, so they are read once where they fit
  /// into memory, and otherwise anew for every pass.
  public func rows(of element: String) throws -> RowBlocks {
    let rows = streamed(element)
    return rows.count * rows.columns * 8 <= Self.heldInMemory ? RowBlocks(try rows.matrix()) : rows
  }

  private func streamed(_ element: String) -> RowBlocks {
    let holders = holders(of: element)
    let sizes = holders.map { held(element, $0)!.rows }
    let columns = holders.first.flatMap { held(element, $0)?.functions } ?? 0
    return RowBlocks(columns: columns, sizes: sizes) { [artifacts, context] piece in
      try Matrix(
        numPyBytes: context.bytes(artifacts[holders[piece]], FeatureIndex.environmentsPart(element)))
    }
  }

  /// What each row of an element belongs to, in the same order.
  public func sites(of element: String) throws -> [Site] {
    var all: [Site] = []
    for holder in holders(of: element) {
      let bytes = try context.bytes(artifacts[holder], FeatureIndex.sitesPart(element))
      let numbers = try NumPyArray<Int32>(decoding: bytes).values
      for row in 0..<numbers.count / 2 {
        all.append(Site(source: holder, frame: Int(numbers[2 * row]), atom: Int(numbers[2 * row + 1])))
      }
    }
    return all
  }

  private func held(_ element: String, _ source: Int) -> FeatureIndex.Environments? {
    indices[source].environments.first { $0.element == element }
  }

  private func holders(of element: String) -> [Int] {
    indices.indices.filter { held(element, $0) != nil }
  }
}
