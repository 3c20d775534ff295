// What the last finished run depended on, part by part: for `explain` and for what changed since.

import Foundation
import Platform
import StageKit

/// What one stage depended on.
struct StageKeys: Sendable, Codable {
  var id: String
  var stage: [KeyComponent]
  /// The actions' own components, by the action's name.
  var actions: [String: [KeyComponent]]
  /// Of a fold: each per-source input as "source digest" to "artifact digest".
  var members: [String: [String: Digest]]
  var sources: [Source]
}

/// A stage's actions and what they gave, from which its `StageKeys` are made when they are needed.
struct FinishedStage: Sendable {
  let stage: PlannedStage
  let key: StageKey
  let actions: [PendingAction]
  let inputs: BoundInputs
  let outputs: StageOutputs
  /// Of all actions' keys.
  let digest: Digest

  init(
    stage: PlannedStage, key: StageKey, actions: [PendingAction], inputs: BoundInputs,
    outputs: StageOutputs
  ) {
    self.stage = stage
    self.key = key
    self.actions = actions
    self.inputs = inputs
    self.outputs = outputs
    var builder = DigestBuilder()
    for action in actions { builder.add(action.key.digest) }
    digest = builder.finish()
  }

  var keys: StageKeys {
    var keys = StageKeys(
      id: stage.id, stage: key.components, actions: [:], members: [:], sources: outputs.sources)
    for action in actions { keys.actions[action.name] = action.inputs }
    if case .folding = stage.work {
      for input in inputs.collections {
        keys.members[input.kind.rawValue] = input.collection.members
      }
    }
    return keys
  }
}

extension BoundCollection {
  var members: [String: Digest] {
    Dictionary(uniqueKeysWithValues: items.map { ($0.source.digest.description, $0.digest) })
  }
}

/// The keys of the last finished run.
struct LastKeys: Sendable, Codable {
  var stages: [StageKeys]

  private static let stateNote = "last-state"
  private static let keysNote = "last-keys"

  /// Equal where nothing changed that a run's record would show. Unlike a fingerprint this holds names.
  static func state(_ stages: [FinishedStage]) -> Digest {
    var builder = DigestBuilder()
    for finished in stages {
      builder.add(finished.stage.id)
      builder.add(finished.digest)
      for action in finished.actions { builder.add(action.label) }
      for source in finished.outputs.sources { builder.add(source.name) }
    }
    return builder.finish()
  }

  func stage(_ id: String) -> StageKeys? { stages.first { $0.id == id } }

  static func state(_ store: any ActionStore) throws -> Digest? {
    try store.note(stateNote).flatMap {
      Digest(hexadecimal: String(decoding: $0, as: UTF8.self))
    }
  }

  /// nil where no run has finished yet, or where the note cannot be read: it only explains.
  static func load(_ store: any ActionStore) throws -> LastKeys? {
    try store.note(keysNote).flatMap { try? JSONDecoder().decode(LastKeys.self, from: Data($0)) }
  }

  /// The state's digest moves last: a torn pair only makes the next run write both again.
  func save(_ store: any ActionStore, state: Digest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let bytes: Data
    do { bytes = try encoder.encode(self) } catch {
      throw RunError(.bug, cause: "the record of keys cannot be written: \(error)")
    }
    try store.setNote(Self.keysNote, [UInt8](bytes))
    try store.setNote(Self.stateNote, Array(state.description.utf8))
  }
}
