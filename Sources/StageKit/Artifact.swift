// What flows between stages: typed bundles of named, content-addressed parts.

import Platform

/// The type of an artifact, by which the planner wires stages.
public struct ArtifactKind: RawRepresentable, Hashable, Comparable, Sendable, Codable,
  CustomStringConvertible
{
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }
  public var description: String { rawValue }
  public static func < (a: ArtifactKind, b: ArtifactKind) -> Bool { a.rawValue < b.rawValue }

  /// Labelled configurations of one source: `configurations.extxyz`, `frames.json`, `settings.json`.
  public static let configurations = ArtifactKind(rawValue: "configurations")
  /// Which frames of one source may become training data, and why the others may not.
  public static let selection = ArtifactKind(rawValue: "selection")
  /// What was set aside in all, per reason.
  public static let screening = ArtifactKind(rawValue: "screening")
  /// One source's environments (B rows) and regression factors.
  public static let features = ArtifactKind(rawValue: "features")
  /// The functions that were chosen of many: `basis.json`.
  public static let basis = ArtifactKind(rawValue: "basis")
  /// The fitted potential, its ensemble and its errors.
  public static let potential = ArtifactKind(rawValue: "potential")
  /// The partition of configuration space.
  public static let clustering = ArtifactKind(rawValue: "clustering")
  /// Unlabelled structures of one pool file.
  public static let candidates = ArtifactKind(rawValue: "candidates")
  /// Global and local active sets.
  public static let activeSets = ArtifactKind(rawValue: "active-sets")
  /// The candidates in order of novelty.
  public static let ranking = ArtifactKind(rawValue: "ranking")
  /// The files of a run folder, part names being relative paths.
  public static let publication = ArtifactKind(rawValue: "publication")
}

/// A part of an artifact: a name with an extension that tells its encoding, and its content's digest.
public struct ArtifactPart: Hashable, Sendable, Codable {
  public let name: String
  public let digest: Digest
  /// Bytes.
  public let size: Int

  public init(name: String, digest: Digest, size: Int) {
    self.name = name
    self.digest = digest
    self.size = size
  }
}

/// A typed value between stages, held in the store. Equal digests mean equal content.
public struct Artifact: Hashable, Sendable, Codable {
  public let kind: ArtifactKind
  /// In the order of their names.
  public let parts: [ArtifactPart]

  public init(kind: ArtifactKind, parts: [ArtifactPart]) {
    self.kind = kind
    self.parts = parts.sorted { $0.name < $1.name }
    precondition(
      zip(self.parts, self.parts.dropFirst()).allSatisfy { $0.name != $1.name },
      "part names are unique")
  }

  /// Parts that are in the order of their names already.
  package init(kind: ArtifactKind, sortedParts parts: [ArtifactPart]) {
    self.kind = kind
    self.parts = parts
  }

  /// The digest of the kind and of every part's name and content.
  public var digest: Digest {
    var builder = DigestBuilder()
    builder.add(kind.rawValue)
    for part in parts {
      builder.add(part.name)
      builder.add(part.digest)
    }
    return builder.finish()
  }

  public func part(_ name: String) -> ArtifactPart? { parts.first { $0.name == name } }
}

/// An artifact as a stage hands it over: named bytes that the engine stores.
public struct ArtifactDraft: Sendable, Equatable {
  public let kind: ArtifactKind
  public private(set) var parts: [(name: String, bytes: [UInt8])]

  public init(_ kind: ArtifactKind, parts: [(name: String, bytes: [UInt8])] = []) {
    self.kind = kind
    self.parts = parts
  }

  public mutating func add(_ name: String, _ bytes: [UInt8]) { parts.append((name, bytes)) }

  public mutating func add(_ name: String, _ text: String) { add(name, Array(text.utf8)) }

  public static func == (a: ArtifactDraft, b: ArtifactDraft) -> Bool {
    a.kind == b.kind && a.parts.elementsEqual(b.parts) { $0.name == $1.name && $0.bytes == $1.bytes }
  }
}

/// One thing dropped, by the digest of its decompressed content. Sources are always in digest order.
public struct Source: Hashable, Comparable, Sendable, Codable {
  public let digest: Digest
  /// The path that people know it by, relative to the inbox, with the archive member. Not part of its
  /// identity: the same content under another name is the same source.
  public let name: String

  public init(digest: Digest, name: String) {
    self.digest = digest
    self.name = name
  }

  public static func == (a: Source, b: Source) -> Bool { a.digest == b.digest }
  public static func < (a: Source, b: Source) -> Bool { a.digest < b.digest }
  public func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}

/// One source's artifact of some kind.
public struct SourceArtifact: Sendable {
  public let source: Source
  public let artifact: Artifact

  public init(source: Source, artifact: Artifact) {
    self.source = source
    self.artifact = artifact
  }
}

extension [SourceArtifact] {
  /// What a source has, in a list that is in digest order.
  public func artifact(of source: Digest) -> Artifact? {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].source.digest < source { low = middle + 1 } else { high = middle }
    }
    return low < count && self[low].source.digest == source ? self[low].artifact : nil
  }
}
