// The records of a stage's actions go in; its outputs, quarantined inputs and diagnostics come out.

import Configurations
import Platform
import StageKit

/// Gathers what the actions of one stage gave, always in the same order.
struct StageOutcome {
  let stage: PlannedStage
  private(set) var quarantined: [QuarantinedInput] = []
  private(set) var unsettledUnits: [String]
  private(set) var diagnostics: [Diagnostic] = []

  init(stage: PlannedStage, scan: DropScan?) {
    self.stage = stage
    unsettledUnits = scan?.unsettled ?? []
    for problem in scan?.problems ?? [] { tell(problem.place.file, problem) }
  }

  mutating func quarantine(_ name: String, _ diagnostic: Diagnostic) {
    quarantined.append(QuarantinedInput(stage: stage.id, name: name, diagnostic: diagnostic))
  }

  mutating func unsettled(_ action: PendingAction) {
    guard case .units(let units) = action.subject else { return }
    unsettledUnits += units.map(\.name)
  }

  private mutating func tell(_ name: String, _ diagnostic: Diagnostic) {
    if diagnostic.severity == .error {
      quarantine(name, diagnostic)
    } else {
      diagnostics.append(diagnostic)
    }
  }

  /// All actions have their records.
  mutating func gather(_ actions: [PendingAction], _ inputs: BoundInputs) throws -> StageOutputs {
    var found: [ArtifactKind: [BoundArtifact]] = [:]
    var outputs = StageOutputs()
    switch stage.work {
    case .importing:
      for imported in gatherImports(actions) {
        outputs.sources.append(imported.source)
        for artifact in imported.artifacts {
          found[artifact.kind, default: []].append(
            BoundArtifact(source: imported.source, artifact: artifact))
        }
      }
    case .mapping:
      for action in actions {
        guard case .source(let source) = action.subject, let record = action.record else {
          continue
        }
        if let reason = record.quarantine {
          quarantine(source.name, reason.renamed(from: record.subject, to: source.name))
        }
        outputs.sources.append(source)
        for artifact in record.outputs.flatMap(\.artifacts) {
          found[artifact.kind, default: []].append(
            BoundArtifact(source: source, artifact: artifact))
        }
      }
    case .folding:
      outputs.sources = inputs.sources
      guard let record = actions.first?.record else { break }
      // Stages that may not depend on names call a source by its digest's first digits.
      let isOfSource = record.diagnostics.contains { !$0.place.file.isEmpty } && !stage.description.showsNames
      let names = isOfSource ? Dictionary(outputs.sources.map { ($0.digest.short, $0.name) }) { a, _ in a } : [:]
      for var diagnostic in record.diagnostics {
        diagnostic.place.file = names[diagnostic.place.file] ?? diagnostic.place.file
        tell(diagnostic.place.file, diagnostic)
      }
      for output in record.outputs {
        guard let digest = output.source else {
          for artifact in output.artifacts { outputs.wholes[artifact.kind] = artifact }
          continue
        }
        guard let source = outputs.sources.find(digest) else {
          throw RunError(
            .bug, stage: stage.id, cause: "gave artifacts for a source that it was not given",
            remedy: "This is an error in the stage.")
        }
        for artifact in output.artifacts {
          found[artifact.kind, default: []].append(
            BoundArtifact(source: source, artifact: artifact))
        }
      }
    }
    for output in stage.description.gives where output.isPerSource {
      outputs.collections[output.kind] = BoundCollection(found[output.kind] ?? [])
    }
    outputs.quarantined = quarantined
    return outputs
  }

  private struct Imported {
    var source: Source
    var unit: DropUnit
    var member: String
    var artifacts: [Artifact]
  }

  /// One content is one source, however often it was dropped; the first unit (by group, then name)
  /// speaks for it, so that the order of arrival does not matter.
  private mutating func gatherImports(_ actions: [PendingAction]) -> [Imported] {
    var candidates: [(unit: DropUnit, record: ActionRecord)] = []
    for action in actions {
      guard case .units(let units) = action.subject, let record = action.record else { continue }
      for unit in units { candidates.append((unit, record)) }
    }
    candidates = candidates.inOrder { DropUnit.isBefore($0.unit, $1.unit) }

    var imported: [Digest: Imported] = [:]
    for (unit, record) in candidates {
      if !record.isComplete && !unit.acceptsIncomplete {
        unsettledUnits.append(unit.name)
        continue
      }
      if let reason = record.quarantine {
        quarantine(unit.name, reason.renamed(from: record.subject, to: unit.name))
      }
      for diagnostic in record.diagnostics {
        tell(unit.name, diagnostic.renamed(from: record.subject, to: unit.name))
      }
      for output in record.outputs {
        guard let digest = output.source else { continue }
        let member = output.member ?? ""
        let name = member.isEmpty ? unit.name : unit.name + "/" + member
        if let known = imported[digest] {
          diagnostics.append(
            Diagnostic(
              .note, code: "already-known",
              place: Diagnostic.Place(file: unit.name, member: member.isEmpty ? nil : member),
              cause: "already known as \(known.source.name)."))
          continue
        }
        imported[digest] = Imported(
          source: Source(digest: digest, name: name), unit: unit, member: member,
          artifacts: output.artifacts)
      }
    }
    return imported.values.sorted { $0.source < $1.source }
  }
}

extension [Source] {
  /// By digest, in a list that is in digest order.
  func find(_ digest: Digest) -> Source? {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].digest < digest { low = middle + 1 } else { high = middle }
    }
    return low < count && self[low].digest == digest ? self[low] : nil
  }
}

extension Diagnostic {
  /// A recorded diagnostic bears the name that the unit had when it was read.
  fileprivate func renamed(from old: String, to new: String) -> Diagnostic {
    guard old != new, place.file == old || place.file.hasPrefix(old + "/") else { return self }
    var copy = self
    copy.place.file = new + place.file.dropFirst(old.count)
    return copy
  }
}
