// What stages hand on: artifacts with their digests, whole or one of each source, bound to the stages that take them.

import Platform
import StageKit

/// One source's artifact with its digest, computed once.
struct BoundArtifact: Sendable {
  let source: Source
  let artifact: Artifact
  let digest: Digest

  init(source: Source, artifact: Artifact) {
    self.source = source
    self.artifact = artifact
    digest = artifact.digest
  }
}

/// All artifacts of a per-source kind, in digest order.
struct BoundCollection: Sendable {
  let items: [BoundArtifact]
  let digest: Digest

  init(_ items: [BoundArtifact]) {
    self.items = items.inOrder { $0.source < $1.source }
    var builder = DigestBuilder()
    for item in self.items {
      builder.add(item.source.digest)
      builder.add(item.digest)
    }
    digest = builder.finish()
  }

  var sources: [Source] { items.map(\.source) }

  func item(_ source: Digest) -> BoundArtifact? {
    var (low, high) = (0, items.count)
    while low < high {
      let middle = (low + high) / 2
      if items[middle].source.digest < source { low = middle + 1 } else { high = middle }
    }
    return low < items.count && items[low].source.digest == source ? items[low] : nil
  }
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
    var all: [Digest: Source] = [:]
    if collections.count == 1 { return collections[0].collection.sources }
    for input in collections {
      for item in input.collection.items where all[item.source.digest] == nil {
        all[item.source.digest] = item.source
      }
    }
    return all.values.sorted()
  }

  /// The sources that are present in every needed per-source input, in digest order.
  var completeSources: [Source] {
    let needed = collections.filter { !$0.isOptional }.map(\.collection)
    guard let first = needed.first else { return [] }
    return first.sources.filter { source in
      needed.dropFirst().allSatisfy { $0.item(source.digest) != nil }
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
