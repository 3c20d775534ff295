// What stages hand on: artifacts with their digests, whole or one of each source, bound to the stages that take them.

import Platform
import StageKit

/// One source's artifact with its digest, computed once.
struct BoundArtifact: Sendable {
  let source: Source
  let artifact: Artifact
  let digest: Digest
}

/// All artifacts of a per-source kind, in digest order.
struct BoundCollection: Sendable {
  let items: [BoundArtifact]
  let digest: Digest

  /// - Parameter threads: how many to use; what comes out does not depend on it.
  init(_ given: [SourceArtifact], threads: Int = 1) {
    let given = given.inOrder { $0.source < $1.source }
    items = concurrentShares(given.count, threads: threads) { share in
      // Many sources are given the same ("all frames kept").
      var last: (artifact: Artifact, digest: Digest)?
      return given[share].map { item in
        if last?.artifact != item.artifact { last = (item.artifact, item.artifact.digest) }
        return BoundArtifact(source: item.source, artifact: item.artifact, digest: last!.digest)
      }
    }
    var builder = DigestBuilder()
    for item in items {
      builder.add(item.source.digest)
      builder.add(item.digest)
    }
    digest = builder.finish()
  }

  var sources: [Source] { items.map(\.source) }

  func item(_ source: Digest) -> BoundArtifact? {
    let place = items.partition { $0.source.digest < source }
    return place < items.count && items[place].source.digest == source ? items[place] : nil
  }

  /// What each of the sources has, in their order, which is that of digests.
  func items(of sources: ArraySlice<Source>) -> [BoundArtifact?] {
    guard let first = sources.first else { return [] }
    var place = items.partition { $0.source < first }
    return sources.map { source in
      while place < items.count, items[place].source < source { place += 1 }
      return place < items.count && items[place].source == source ? items[place] : nil
    }
  }

  var members: SourceMembers { SourceMembers(items.map { ($0.source.digest, $0.digest) }) }
}

/// What a stage gave.
struct StageOutputs: Sendable {
  var collections: [ArtifactKind: BoundCollection] = [:]
  var wholes: [ArtifactKind: Artifact] = [:]
  /// The sources that the stage worked on, in digest order.
  var sources: [Source] = []
  /// What it set aside.
  var quarantined: [QuarantinedInput] = []
}

/// What the stages before a stage gave it, by kind.
struct BoundInputs: Sendable {
  var collections: [(kind: ArtifactKind, isOptional: Bool, collection: BoundCollection)] = []
  var wholes: [(kind: ArtifactKind, artifact: Artifact)] = []
  /// Optional kinds that nothing gives.
  var absent: [ArtifactKind] = []
  /// What earlier stages set aside, by stage and then in their order.
  var quarantined: [QuarantinedInput] = []
  /// Content of the files that the stage's parameters name.
  var attachments: [Attachment] = []

  /// All sources of all per-source inputs, in digest order.
  var sources: [Source] {
    guard let first = collections.first?.collection.sources else { return [] }
    // Nearly always they have the same.
    let others = collections.dropFirst().map(\.collection.sources).filter { $0 != first }
    if others.isEmpty { return first }
    var all: [Digest: Source] = [:]
    for source in first + others.joined() where all[source.digest] == nil { all[source.digest] = source }
    return all.values.sorted()
  }

  /// The sources that are present in every needed per-source input, in digest order.
  var completeSources: [Source] {
    let needed = collections.filter { !$0.isOptional }.map(\.collection)
    guard let first = needed.first else { return [] }
    return needed.dropFirst().reduce(first.sources) { sources, collection in
      zip(sources, collection.items(of: sources[...])).compactMap { $1 == nil ? nil : $0 }
    }
  }
}

extension BoundInputs {
  init(_ stage: PlannedStage, _ outputs: [String: StageOutputs], _ drops: any DropProvider) throws {
    if case .folding = stage.work {
      quarantined = outputs.keys.sorted().flatMap { outputs[$0]!.quarantined }
    }
    do { attachments = try drops.attachments(stage) } catch {
      throw RunError(
        .pipeline, stage: stage.id, cause: "\(error)", remedy: "A parameter of the stage names this file.")
    }
    for input in stage.inputs {
      guard let giver = input.stage, let given = outputs[giver] else {
        absent.append(input.kind)
        continue
      }
      if input.isPerSource {
        let collection = given.collections[input.kind] ?? BoundCollection([])
        collections.append((input.kind, input.isOptional, collection))
      } else if let whole = given.wholes[input.kind] {
        wholes.append((input.kind, whole))
      } else {
        absent.append(input.kind)
      }
    }
  }
}

extension Array {
  /// Where in a partitioned list those begin of which `isBefore` does not hold.
  func partition(_ isBefore: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
