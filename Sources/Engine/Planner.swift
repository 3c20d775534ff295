// A pipeline file goes in, a plan with every input wired comes out, or the place where it cannot be.

import StageKit

/// Wires stages by artifact kind: each takes a kind from the earlier stage that gives it. Where
/// several do, `from` must name one, so that adding a stage never rewires another in silence.
public struct Planner: Sendable {
  private let registry: StageRegistry

  /// `stages`: all known stages, for remedies ("add { use: 'ingest' } before it").
  public init(stages: StageRegistry) { registry = stages }

  public func plan(_ file: PipelineFile) throws(ParameterError) -> Plan {
    var planned: [PlannedStage] = []
    for (index, entry) in file.stages.enumerated() {
      do throws(ParameterError) {
        planned.append(
          try wire(entry, after: planned, before: file.stages[(index + 1)...], of: file))
      } catch {
        var named = error
        named.stage = entry.id
        named.file = file.path
        throw named
      }
    }
    return Plan(project: file.project, elements: file.elements, stages: planned)
  }

  private func wire(
    _ entry: PipelineFile.Entry, after earlier: [PlannedStage],
    before later: ArraySlice<PipelineFile.Entry>, of file: PipelineFile
  ) throws(ParameterError) -> PlannedStage {
    let description = type(of: entry.stage).description
    try check(entry.from, of: description, after: earlier, before: later)
    var inputs: [PlannedInput] = []
    for input in description.takes {
      let givers = earlier.filter { $0.gives(input.kind) }
      let named = entry.from.first { $0.kind == input.kind.rawValue }
      let giver: PlannedStage
      if let named {
        // `check` has made sure that it is there and gives the kind.
        giver = earlier.first { $0.id == named.stage }!
      } else if givers.count > 1 {
        let ids = givers.map { "'\($0.id)'" }.joined(separator: " and ")
        throw ParameterError(
          "\(ids) both give \(input.kind); say which with from: { \(quotedKey(input.kind)): '\(givers.last!.id)' }",
          at: entry.place)
      } else if let only = givers.first {
        giver = only
      } else if input.isOptional {
        inputs.append(
          PlannedInput(kind: input.kind, stage: nil, isPerSource: false, isOptional: true))
        continue
      } else {
        throw ParameterError(
          "needs \(input.kind), which no earlier stage gives" + remedy(input.kind, later),
          at: entry.place)
      }
      let output = giver.description.gives.first { $0.kind == input.kind }!
      inputs.append(
        PlannedInput(
          kind: input.kind, stage: giver.id, isPerSource: output.isPerSource,
          isOptional: input.isOptional))
    }
    let (work, folders) = try work(entry, description, inputs, file)
    if entry.trigger != nil, !(entry.stage is any FoldStage) {
      throw ParameterError(
        "cannot wait: 'when' is for stages that fold all sources, such as 'refit'", at: entry.place)
    }
    return PlannedStage(
      id: entry.id, description: description, work: work, inputs: inputs,
      parameters: entry.parameters, folders: folders, attachments: file.attachments(entry.stage.attachments),
      trigger: entry.trigger)
  }

  /// `from` may only name kinds that the stage takes and earlier stages that give them.
  private func check(
    _ wires: [PipelineFile.Entry.Wire], of description: StageDescription,
    after earlier: [PlannedStage], before later: ArraySlice<PipelineFile.Entry>
  ) throws(ParameterError) {
    for wire in wires {
      let kinds = description.takes.map(\.kind.rawValue)
      guard kinds.contains(wire.kind) else {
        throw ParameterError(
          kinds.isEmpty
            ? "takes no artifacts, so from has nothing to say"
            : "takes no '\(wire.kind)'" + didYouMean(wire.kind, among: kinds), at: wire.kindPlace)
      }
      let kind = ArtifactKind(rawValue: wire.kind)
      let givers = earlier.filter { $0.gives(kind) }.map(\.id)
      let whoGives =
        givers.isEmpty ? "" : "; \(kind) comes from " + givers.joined(separator: ", ")
      guard let stage = earlier.first(where: { $0.id == wire.stage }) else {
        if later.contains(where: { $0.id == wire.stage }) {
          throw ParameterError(
            "'\(wire.stage)' comes later; a stage takes from earlier ones only" + whoGives,
            at: wire.stagePlace)
        }
        throw ParameterError(
          "no earlier stage is called '\(wire.stage)'"
            + didYouMean(wire.stage, among: earlier.map(\.id)), at: wire.stagePlace)
      }
      guard stage.gives(kind) else {
        throw ParameterError("'\(wire.stage)' gives no \(kind)" + whoGives, at: wire.stagePlace)
      }
    }
  }

  /// What would give the kind: a later stage of the pipeline, or a stage not in it.
  private func remedy(_ kind: ArtifactKind, _ later: ArraySlice<PipelineFile.Entry>) -> String {
    let gives = { (type: any Stage.Type) in type.description.gives.contains { $0.kind == kind } }
    if let later = later.first(where: { gives(type(of: $0.stage)) }) {
      return "; move '\(later.id)', which gives it, before this one"
    }
    let known = registry.filter { gives($0.value) }.keys.sorted()
    if known.isEmpty { return "; no known stage gives it" }
    return "; add " + known.map { "{ use: '\($0)' }" }.joined(separator: " or ") + " before it"
  }

  /// A stage must be of one shape, and its inputs must fit it.
  private func work(
    _ entry: PipelineFile.Entry, _ description: StageDescription, _ inputs: [PlannedInput],
    _ file: PipelineFile
  ) throws(ParameterError) -> (PlannedStage.Work, [String]) {
    let refuse = { (message: String) in ParameterError(message, at: entry.place) }
    let kinds = description.gives.map(\.kind)
    if let twice = kinds.first(where: { kind in kinds.count(where: { $0 == kind }) > 1 }) {
      throw refuse("says that it gives \(twice) twice; this is an error in the stage")
    }
    let hasWhole = description.gives.contains { !$0.isPerSource }
    switch (
      entry.stage as? any ImportStage, entry.stage as? any SourceStage,
      entry.stage as? any FoldStage
    )
    {
    case (let stage?, nil, nil):
      if !description.takes.isEmpty || hasWhole {
        throw refuse(
          "reads drops, so it takes no artifacts and gives them per source; this is an error in the stage"
        )
      }
      return (.importing(stage), file.folders(stage.folders))
    case (nil, let stage?, nil):
      if hasWhole {
        throw refuse(
          "works on each source by itself, so all that it gives is per source; this is an error in the stage"
        )
      }
      guard inputs.contains(where: { $0.isPerSource && !$0.isOptional }) else {
        let wholes = inputs.filter { $0.stage != nil }.map { "\($0.kind) from '\($0.stage!)'" }
        throw refuse(
          "works on each source by itself, but nothing that it takes is per source"
            + (wholes.isEmpty ? "" : " (" + wholes.joined(separator: ", ") + ")"))
      }
      return (.mapping(stage), [])
    case (nil, nil, let stage?):
      return (.folding(stage), [])
    default:
      throw refuse(
        "must be exactly one of ImportStage, SourceStage and FoldStage; this is an error in the stage"
      )
    }
  }

  private func quotedKey(_ kind: ArtifactKind) -> String {
    kind.rawValue.contains("-") ? "'\(kind)'" : kind.rawValue
  }
}

extension PlannedStage {
  fileprivate func gives(_ kind: ArtifactKind) -> Bool {
    description.gives.contains { $0.kind == kind }
  }
}
