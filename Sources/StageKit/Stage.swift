// A stage states what it is before it runs, and then maps files, one source, or all sources to artifacts.

import Configurations
import Platform

/// What a stage is, known without running it.
public struct StageDescription: Sendable {
  /// What a pipeline file writes after `use:`.
  public let name: String
  /// Raised whenever the same input may give other bytes; part of every key.
  public let version: Int
  /// One sentence for `sluice stages`.
  public let summary: String
  public let takes: [StageInput]
  public let gives: [StageOutputKind]
  /// Whether names of sources, or inputs that were set aside, appear in the output: then renaming a
  /// file, or setting one aside, runs the stage again.
  public let showsNames: Bool

  public init(
    name: String, version: Int, summary: String, takes: [StageInput], gives: [StageOutputKind],
    showsNames: Bool = false
  ) {
    self.name = name
    self.version = version
    self.summary = summary
    self.takes = takes
    self.gives = gives
    self.showsNames = showsNames
  }
}

/// A kind of artifact that a stage takes.
public struct StageInput: Sendable {
  public let kind: ArtifactKind
  /// Whether the stage runs without it.
  public let isOptional: Bool

  public init(_ kind: ArtifactKind, optional: Bool = false) {
    self.kind = kind
    self.isOptional = optional
  }
}

/// A kind of artifact that a stage gives: one for each source, or one in all.
public enum StageOutputKind: Sendable {
  case perSource(ArtifactKind)
  case whole(ArtifactKind)

  public var kind: ArtifactKind {
    switch self {
    case .perSource(let kind), .whole(let kind): kind
    }
  }
}

/// One step of a pipeline. Values made once from strict parameters; all work is a pure function of
/// parameters and inputs, so that the engine may cache, repeat, reorder and distribute it.
public protocol Stage: Sendable {
  static var description: StageDescription { get }

  /// Reads every parameter, with defaults; the decoder refuses unknown keys afterwards and records
  /// what was asked for, which is what `sluice stages` prints.
  init(parameters: inout ParameterDecoder) throws(ParameterError)

  /// Files and folders that parameters name, relative to the pipeline file (templates, chosen functions). The
  /// engine hands their content to folds and to each action of a source stage, and it is part of their keys.
  var attachments: [String] { get }
}

extension Stage {
  public var attachments: [String] { [] }
}

/// A stage that reads dropped files into sources (ingest, candidates).
public protocol ImportStage: Stage {
  /// Which folders the engine watches for it.
  var folders: ImportFolders { get }

  /// Reads one unit. Throws a `Diagnostic` where nothing of it can be used; the unit is then quarantined.
  func process(_ drop: Drop, _ context: StageContext) throws -> ImportResult
}

/// A stage that maps each source by itself (featurize).
public protocol SourceStage: Stage {
  func process(_ source: Source, _ inputs: StageInputs, _ context: StageContext) throws
    -> [ArtifactDraft]
}

/// A stage that folds all sources (screen, refit, recluster, rank, publish).
public protocol FoldStage: Stage {
  func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult
}

/// The folders an import stage reads.
public enum ImportFolders: Sendable, Equatable {
  /// The pipeline's inbox.
  case inbox
  /// Folders or files named in the pipeline, relative to the pipeline file.
  case pools([String])
}

/// One settled unit of a watched folder: a file, or a run folder.
public struct Drop: Sendable {
  /// Relative to the watched folder.
  public let name: String
  /// The folder it lies in, relative to the watched folder: the user's own grouping. Part of the key.
  public let group: String?
  public let files: [DroppedFile]

  public init(name: String, group: String?, files: [DroppedFile]) {
    self.name = name
    self.group = group
    self.files = files
  }
}

/// A file of a unit. Its raw bytes are checked against the recorded digest while they are read.
public struct DroppedFile: Sendable {
  /// The unit's name, followed by the path within it for run folders.
  public let name: String
  public let size: Int
  public let open: @Sendable () throws -> any ByteSource

  public init(name: String, size: Int, open: @escaping @Sendable () throws -> any ByteSource) {
    self.name = name
    self.size = size
    self.open = open
  }
}

/// What an import stage made of one unit.
public struct ImportResult: Sendable {
  public var sources: [ImportedSource]
  /// Everything worth telling, also where sources came out.
  public var diagnostics: [Diagnostic]
  /// False where the unit breaks off (no `</modeling>`, no timing block): the watcher then waits
  /// longer before it takes the unit as truncated.
  public var isComplete: Bool

  public init(
    sources: [ImportedSource] = [], diagnostics: [Diagnostic] = [], isComplete: Bool = true
  ) {
    self.sources = sources
    self.diagnostics = diagnostics
    self.isComplete = isComplete
  }
}

/// One source found in a unit.
public struct ImportedSource: Sendable {
  /// Of the decompressed content.
  public let digest: Digest
  /// What to add to the unit's name: the archive member or the file in the run folder; may be empty.
  public let member: String
  public let drafts: [ArtifactDraft]

  public init(digest: Digest, member: String, drafts: [ArtifactDraft]) {
    self.digest = digest
    self.member = member
    self.drafts = drafts
  }
}

/// What a fold stage gives.
public struct FoldResult: Sendable {
  public var wholes: [ArtifactDraft] = []
  /// By source digest; every draft's kind is one that the stage declared per source.
  public var perSource: [Digest: [ArtifactDraft]] = [:]
  /// Lines for the terminal and the report ("3 frames set aside: unconverged").
  public var diagnostics: [Diagnostic] = []

  public init(wholes: [ArtifactDraft] = []) { self.wholes = wholes }
}
