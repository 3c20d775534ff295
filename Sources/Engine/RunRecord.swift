// What a run did, stage by stage: the provenance that goes into run.json.

import Configurations
import Platform
import StageKit

/// One pass over a pipeline.
public struct RunRecord: Sendable, Codable, Equatable {
  /// Raised when a field changes its meaning.
  public var schema = 1
  public var project: String
  public var elements: [String]
  /// Equal where two runs had the same stages, parameters and inputs, and so the same results.
  public var fingerprint: Digest
  public var stages: [StageRecord] = []
  /// Inputs set aside, in the order of stages and units.
  public var quarantined: [QuarantinedInput] = []
  /// Units that still change or wait to be completed, by name.
  public var unsettled: [String] = []
  /// What the run stopped before, because it is not due yet; nil where it went to the end.
  public var waiting: Waiting?
  /// The digest of the publication artifact; nil where no stage gives one.
  public var publication: Digest?
  /// Why what ran did run; nil where nothing did.
  public var explanation: Explanation?
  /// What only who started the run knows: number, times, host, version. Never part of a key.
  public var provenance: [String: String] = [:]

  /// Whether no stage ran.
  public var isUnchanged: Bool { stages.allSatisfy { $0.ran == 0 } }
}

/// What one stage did in a run.
public struct StageRecord: Sendable, Codable, Equatable {
  public var id: String
  public var use: String
  public var version: Int
  /// The digest of the stage's name, version, parameters and all its inputs.
  public var key: Digest
  /// As a pipeline file would write them.
  public var parameters: [String: String]
  /// Actions that ran, and actions whose results were taken from the store.
  public var ran: Int
  public var cached: Int
  /// Wall time, in seconds.
  public var seconds: Double
  public var sources: SourceChange
  /// Counts from `StageContext.count`.
  public var counters: [String: Int]
  /// Notes and warnings, of cached actions too.
  public var diagnostics: [Diagnostic]
}

/// What changed in a stage's sources since the previous run, each list in digest order.
public struct SourceChange: Sendable, Codable, Equatable {
  public var added: [Source]
  public var removed: [Source]
  public var unchanged: Int

  init(added: [Source] = [], removed: [Source] = [], unchanged: Int = 0) {
    (self.added, self.removed, self.unchanged) = (added, removed, unchanged)
  }
}

/// What a run hands to who started it.
public struct RunOutcome: Sendable {
  public var record: RunRecord
  /// What to publish: part names are relative paths.
  public var publication: Artifact?
  /// Of which the rest is made where somebody asks for it.
  let finished: [FinishedStage]

  /// What every stage gave, by its id.
  public var results: [String: StageResults] {
    Dictionary(uniqueKeysWithValues: finished.map { ($0.stage.id, StageResults($0.outputs)) })
  }

  /// All actions that the pipeline's state consists of, in the order of stages. Their records and
  /// the objects that these name are what a garbage collection must keep.
  public var actions: [ActionTask] {
    finished.flatMap { finished in finished.actions.map { $0.task(finished.stage.id) } }
  }

  /// 0, or 3 where inputs were quarantined.
  public var exitStatus: Int32 { record.quarantined.isEmpty ? 0 : 3 }
}

/// What one stage gave in all.
public struct StageResults: Sendable {
  /// Per-source artifacts by kind, each list in digest order.
  public var collections: [ArtifactKind: [SourceArtifact]]
  public var wholes: [ArtifactKind: Artifact]

  init(_ outputs: StageOutputs) {
    collections = outputs.collections.mapValues { collection in
      collection.items.map { SourceArtifact(source: $0.source, artifact: $0.artifact) }
    }
    wholes = outputs.wholes
  }
}

/// A run that could not finish.
public struct RunError: Error, Sendable, CustomStringConvertible {
  /// What happens next depends on it.
  public enum Kind: String, Sendable, Codable {
    /// What was dropped does not suffice ("no converged frames"). Drop more, or other, files.
    case input
    /// The pipeline asks for something impossible.
    case pipeline
    /// Disk, permissions, a vanished folder. Once that is mended, the same command resumes.
    case environment
    /// A mistake in a stage or in the engine.
    case bug
    /// Asked to stop. The same command resumes.
    case cancelled
    /// `commands` are to be run, by somebody, before the same command goes on.
    case elsewhere
  }

  public var kind: Kind
  /// The stage's id; nil where none is concerned.
  public var stage: String?
  /// The unit or source, where one is concerned.
  public var subject: String?
  public var cause: String
  /// What to do, in one sentence; may be empty.
  public var remedy: String
  /// Of `elsewhere`: one share of the work each, in any order, on any machine that sees the folders
  /// under the same paths.
  public var commands: [String] = []

  public init(
    _ kind: Kind, stage: String? = nil, subject: String? = nil, cause: String, remedy: String = ""
  ) {
    self.kind = kind
    self.stage = stage
    self.subject = subject
    self.cause = cause
    self.remedy = remedy
  }

  public var description: String {
    (stage.map { "stage '\($0)': " } ?? "") + (subject.map { "\($0): " } ?? "") + cause
      + (remedy.isEmpty ? "" : " " + remedy)
  }
}

/// What a run tells while it goes on. Events come from any thread, one at a time.
public enum RunEvent: Sendable, Equatable {
  /// `toRun` of `actions` have no valid result yet.
  case stageStarted(stage: String, actions: Int, toRun: Int)
  case actionFinished(stage: String, subject: String, done: Int, toRun: Int)
  /// From a stage that tells how far it is: 0...1 and a few words.
  case progress(stage: String, subject: String, fraction: Double, words: String)
  case stageFinished(StageRecord)
  /// A stage is not due yet, and the run ends before it.
  case stageWaits(Waiting)
  /// An object was found missing or damaged; what made it runs again.
  case objectLost(String)
  /// What an executor has to say: jobs that were submitted, a controller that does not answer.
  case note(stage: String, words: String)
}
