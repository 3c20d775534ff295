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
  /// - Parameter threads: how many to use; what comes out does not depend on it.
  mutating func gather(_ actions: [PendingAction], _ inputs: BoundInputs, threads: Int) throws -> StageOutputs {
    var found = FoundArtifacts()
    var outputs = StageOutputs()
    switch stage.work {
    case .importing:
      for imported in gatherImports(actions) {
        outputs.sources.append(imported.source)
        found.add(imported.artifacts, of: imported.source)
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
        for output in record.outputs { found.add(output.artifacts, of: source) }
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
      var place = 0
      for output in record.outputs {
        guard let digest = output.source else {
          for artifact in output.artifacts { outputs.wholes[artifact.kind] = artifact }
          continue
        }
        // Nearly always the next one.
        if place < outputs.sources.count, outputs.sources[place].digest == digest {
          found.add(output.artifacts, of: outputs.sources[place])
          place += 1
          continue
        }
        guard let source = outputs.sources.find(digest) else {
          throw RunError(
            .bug, stage: stage.id, cause: "gave artifacts for a source that it was not given",
            remedy: "This is an error in the stage.")
        }
        found.add(output.artifacts, of: source)
      }
    }
    for output in stage.description.gives where output.isPerSource {
      outputs.collections[output.kind] = BoundCollection(found[output.kind], threads: threads)
    }
    outputs.quarantined = quarantined
    return outputs
  }

  /// Artifacts by kind, of which there are few.
  private struct FoundArtifacts {
    private var lists: [(kind: ArtifactKind, items: [SourceArtifact])] = []

    subscript(kind: ArtifactKind) -> [SourceArtifact] { lists.first { $0.kind == kind }?.items ?? [] }

    mutating func add(_ artifacts: [Artifact], of source: Source) {
      for artifact in artifacts {
        if let place = lists.firstIndex(where: { $0.kind == artifact.kind }) {
          lists[place].items.append(SourceArtifact(source: source, artifact: artifact))
        } else {
          lists.append((artifact.kind, [SourceArtifact(source: source, artifact: artifact)]))
        }
      }
    }
  }

  private struct Imported {
    var source: Source
    var artifacts: [Artifact]
  }

  /// One content is one source, however often it was dropped; the first unit (by group, then name)
  /// speaks for it, so that the order of arrival does not matter.
  private mutating func gatherImports(_ actions: [PendingAction]) -> [Imported] {
    var candidates: [(unit: DropUnit, action: Int)] = []
    candidates.reserveCapacity(actions.count)
    for (number, action) in actions.enumerated() where action.record != nil {
      guard case .units(let units) = action.subject else { continue }
      for unit in units { candidates.append((unit, number)) }
    }
    candidates = candidates.inOrder { DropUnit.isBefore($0.unit, $1.unit) }

    var imported: [Imported] = []
    imported.reserveCapacity(candidates.count)
    var places = [Digest: Int](minimumCapacity: candidates.count)
    for (unit, number) in candidates {
      let record = actions[number].record!
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
        if let known = places[digest] {
          diagnostics.append(
            Diagnostic(
              .note, code: "already-known",
              place: Diagnostic.Place(file: unit.name, member: member.isEmpty ? nil : member),
              cause: "already known as \(imported[known].source.name)."))
          continue
        }
        places[digest] = imported.count
        imported.append(Imported(source: Source(digest: digest, name: name), artifacts: output.artifacts))
      }
    }
    return imported.indices.sorted { imported[$0].source < imported[$1].source }.map { imported[$0] }
  }
}

extension [Source] {
  /// By digest, in a list that is in digest order.
  func find(_ digest: Digest) -> Source? {
    let place = partition { $0.digest < digest }
    return place < count && self[place].digest == digest ? self[place] : nil
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
