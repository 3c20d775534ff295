// What another process needs to do a share of a run, and what it hands back: plain values, written once.

import Configurations
import Foundation
import Platform
import StageKit

/// A unit of a watched folder, so that any process that shares the file system can read it.
struct UnitDescription: Sendable, Codable, Equatable {
  /// The folder that the record's path is relative to, absolute.
  var folder: String
  var record: UnitRecord
  /// What the unit is to the stages.
  var digest: Digest
  var acceptsIncomplete: Bool
}

/// One kind of per-source artifacts, for some sources.
struct CollectionDescription: Sendable, Codable, Equatable {
  struct Item: Sendable, Codable, Equatable {
    var source: Digest
    var name: String
    var artifact: Artifact
  }

  var kind: ArtifactKind
  var isOptional: Bool
  var items: [Item]
}

/// What several processes are to do: the same for all of them. `shares` say who does what.
struct WorkOrder: Sendable, Codable, Equatable {
  enum Work: String, Sendable, Codable {
    /// Actions of one import or map stage, spread over shares.
    case actions
    /// All folds up to the next stage that needs other work; one share.
    case folds
  }

  var work: Work
  /// The stage, or the fold at which `folds` were asked for.
  var stage: String
  /// Of the program that asks.
  var version: String
  /// Absolute; relative paths in the file start from its folder.
  var pipelinePath: String
  var pipelineText: Data
  var shares: Int
  var tasks: Int
  /// 0 for the first time.
  var attempt: Int
  /// Nobody but a person starts it.
  var isManual: Bool
  /// What each job was given.
  var resources: ExecutorOptions.Resources
}

/// What one process is to do.
struct WorkShare: Sendable, Codable, Equatable {
  /// Keys of the actions; whoever computes others runs another version.
  var keys: [Digest] = []
  /// Of an import stage.
  var units: [UnitDescription] = []
  /// Of a map stage: the inputs of its sources, in the order in which the plan names them.
  var collections: [CollectionDescription] = []
  var wholes: [Artifact] = []
  var absent: [ArtifactKind] = []
  /// Of a map stage: the files that its parameters name.
  var attachments: [Situation.Attached] = []
  /// Of folds.
  var situation: Situation?

  /// What a pass knows before it begins, so that its folds can be performed by another process.
  struct Situation: Sendable, Codable, Equatable {
    struct Scan: Sendable, Codable, Equatable {
      var stage: String
      var units: [UnitDescription]
      var problems: [Diagnostic]
      /// Whether all its actions have been performed: those without a record then were left out.
      var isDone: Bool
      /// Actions that could not be performed this time, by key, and why.
      var unreadable: [Unreadable]
    }

    struct Unreadable: Sendable, Codable, Equatable {
      var key: Digest
      var diagnostic: Diagnostic
    }

    struct Attached: Sendable, Codable, Equatable {
      var stage: String
      var path: String
      var name: String
      var bytes: Data
    }

    var scans: [Scan]
    var attachments: [Attached]
  }
}

/// What one process made of its share.
struct WorkResult: Sendable, Codable, Equatable {
  struct Done: Sendable, Codable, Equatable {
    var key: Digest
    var result: ActionResult
  }

  /// What a stage did in this process.
  struct Account: Sendable, Codable, Equatable {
    var stage: String
    var ran: Int
    var seconds: Double
    var counters: [String: Int]
  }

  var done: [Done] = []
  var accounts: [Account] = []
}

/// Why one process could not do its share.
struct WorkFailure: Sendable, Codable, Equatable {
  var kind: RunError.Kind
  var stage: String?
  var subject: String?
  var cause: String
  var remedy: String
  /// An object that must be made again.
  var lost: ArtifactPart?
  var host: String

  init(_ error: RunError, host: String) {
    (kind, stage, subject) = (error.kind, error.stage, error.subject)
    (cause, remedy) = (error.cause, error.remedy)
    self.host = host
  }

  init(_ error: LostObject, host: String) {
    self.init(
      RunError(.environment, stage: error.stage, cause: "object \(error.part.digest.short) is missing or damaged"),
      host: host)
    lost = error.part
  }

  var error: RunError { RunError(kind, stage: stage, subject: subject, cause: cause, remedy: remedy) }
}

// MARK: From what a pass holds, and back

extension BoundInputs {
  /// The inputs of some sources, as a share carries them.
  func describe(_ sources: [Source], in share: inout WorkShare) {
    share.collections = collections.map { input in
      CollectionDescription(
        kind: input.kind, isOptional: input.isOptional,
        items: sources.compactMap { source in
          input.collection.item(source.digest).map {
            .init(source: source.digest, name: source.name, artifact: $0.artifact)
          }
        })
    }
    share.wholes = wholes.map(\.artifact)
    share.absent = absent
  }

  func describe(attachmentsOf stage: String, in share: inout WorkShare) {
    share.attachments = attachments.map { .init(stage: stage, path: $0.path, name: $0.name, bytes: Data($0.bytes)) }
  }

  init(_ share: WorkShare) {
    collections = share.collections.map { input in
      let items = input.items.map {
        SourceArtifact(source: Source(digest: $0.source, name: $0.name), artifact: $0.artifact)
      }
      return (input.kind, input.isOptional, BoundCollection(items))
    }
    wholes = share.wholes.map { ($0.kind, $0) }
    absent = share.absent
    attachments = share.attachments.map { Attachment(path: $0.path, name: $0.name, bytes: [UInt8]($0.bytes)) }
  }
}
