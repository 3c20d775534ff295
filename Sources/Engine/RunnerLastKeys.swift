// What the last finished run depended on, part by part: for `explain` and for what changed since.

import Foundation
import Platform
import StageKit

/// What one stage depended on.
struct StageKeys: Sendable, Codable {
  var id: String
  /// Of the stage's part and of all its actions' keys.
  var digest: Digest
  var stage: [KeyComponent]
  /// The actions' own components, by the action's name.
  var actions: [String: [KeyComponent]]
  /// Of a fold: each per-source input as "source digest" to "artifact digest".
  var members: [String: [String: Digest]]
  var sources: [Source]
}

extension StageKeys {
  init(
    stage: PlannedStage, key: StageKey, actions: [PendingAction], _ inputs: BoundInputs,
    _ outputs: StageOutputs
  ) {
    id = stage.id
    self.stage = key.components
    var builder = DigestBuilder()
    self.actions = [:]
    for action in actions {
      builder.add(action.key.digest)
      self.actions[action.name] = action.inputs
    }
    members = [:]
    if case .folding = stage.work {
      for input in inputs.collections { members[input.kind.rawValue] = input.collection.members }
    }
    sources = outputs.sources
    digest = builder.finish()
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
  static func state(_ stages: [StageKeys]) -> Digest {
    var builder = DigestBuilder()
    for stage in stages {
      builder.add(stage.id)
      builder.add(stage.digest)
      for name in stage.actions.keys.sorted() { builder.add(name) }
      for source in stage.sources { builder.add(source.name) }
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
  func save(_ store: any ActionStore) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let bytes: Data
    do { bytes = try encoder.encode(self) } catch {
      throw RunError(.bug, cause: "the record of keys cannot be written: \(error)")
    }
    try store.setNote(Self.keysNote, [UInt8](bytes))
    try store.setNote(Self.stateNote, Array(Self.state(stages).description.utf8))
  }
}
