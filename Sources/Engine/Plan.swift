// A plan: stages with every input wired, known before anything is read.

import Configurations
import StageKit

/// A pipeline whose wiring holds. A value: `check` prints it, the runner executes it.
public struct Plan: Sendable {
  public let project: String
  /// Alphabetical by symbol.
  public let elements: [Element]
  /// In the order of the pipeline file, which is an order of execution.
  public let stages: [PlannedStage]

  public init(project: String, elements: [Element], stages: [PlannedStage]) {
    self.project = project
    self.elements = elements.sorted { $0.symbol < $1.symbol }
    self.stages = stages
  }

  public func stage(_ id: String) -> PlannedStage? { stages.first { $0.id == id } }

  /// The stage whose publication goes to the outbox: the last that gives one.
  public var publisher: PlannedStage? {
    stages.last { $0.description.gives.contains { $0.kind == .publication } }
  }
}

/// A stage with its parameters read and its inputs wired.
public struct PlannedStage: Sendable {
  /// How the stage works on its inputs.
  public enum Work: Sendable {
    /// Reads the units of watched folders.
    case importing(any ImportStage)
    /// Maps every source by itself.
    case mapping(any SourceStage)
    /// Folds all sources.
    case folding(any FoldStage)

    public var words: String {
      switch self {
      case .importing: "reads every drop once"
      case .mapping: "once for each source"
      case .folding: "over all sources"
      }
    }
  }

  /// Unique in the pipeline.
  public let id: String
  public let description: StageDescription
  public let work: Work
  public let inputs: [PlannedInput]
  /// In the order of their names.
  public let parameters: [StageParameter]
  /// Of an import stage: the folders and files to watch, resolved against the pipeline file.
  public let folders: [String]
  /// Files and folders that parameters name: as they are named, and resolved.
  public let attachments: [(named: String, path: String)]
  /// When a fold runs; nil for whenever its inputs changed.
  public let trigger: Trigger?

  public init(
    id: String, description: StageDescription, work: Work, inputs: [PlannedInput],
    parameters: [StageParameter], folders: [String] = [], attachments: [(named: String, path: String)] = [],
    trigger: Trigger? = nil
  ) {
    self.id = id
    self.description = description
    self.work = work
    self.inputs = inputs
    self.parameters = parameters.sorted { $0.name < $1.name }
    self.folders = folders
    self.attachments = attachments
    self.trigger = trigger
  }
}

/// Where a stage takes a kind of artifact from.
public struct PlannedInput: Sendable, Equatable {
  public let kind: ArtifactKind
  /// The stage that gives it; nil for an optional input that none gives.
  public let stage: String?
  public let isPerSource: Bool
  public let isOptional: Bool

  public init(kind: ArtifactKind, stage: String?, isPerSource: Bool, isOptional: Bool) {
    self.kind = kind
    self.stage = stage
    self.isPerSource = isPerSource
    self.isOptional = isOptional
  }
}

extension StageOutputKind {
  /// Whether there is one for each source.
  public var isPerSource: Bool {
    switch self {
    case .perSource: true
    case .whole: false
    }
  }
}

extension Plan: CustomStringConvertible {
  /// What `sluice check` prints.
  public var description: String {
    var text =
      "project \(project), elements \(elements.map(\.symbol).joined(separator: " "))\n"
    for (index, stage) in stages.enumerated() {
      text += "\n\(index + 1). \(stage.id)"
      if stage.id != stage.description.name { text += " (\(stage.description.name))" }
      text += " version \(stage.description.version), \(stage.work.words)\n"
      if let trigger = stage.trigger { text += "   when: \(trigger.words)\n" }
      for folder in stage.folders { text += "   reads \(folder)\n" }
      for input in stage.inputs {
        let shape = input.isPerSource ? " of each source" : ""
        text += "   takes \(input.kind)"
        text += input.stage.map { "\(shape) from \($0)\n" } ?? " (optional): none\n"
      }
      for output in stage.description.gives {
        text += "   gives \(output.kind)\(output.isPerSource ? " for each source" : "")\n"
      }
      for parameter in stage.parameters {
        text += "   \(parameter.name): \(parameter.readable)\n"
      }
    }
    return text
  }
}
