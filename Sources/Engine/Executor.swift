// Independent actions go in, their results come out in order: the seam between this machine and a cluster.

import Configurations
import Platform
import StageKit

/// What an executor needs to know of an action. Plain data: a cluster executor writes it into a job
/// and takes the result from the store, where it lies under `key`.
public struct ActionTask: Sendable, Codable, Equatable {
  public enum Subject: Sendable, Codable, Equatable {
    /// A unit of the stage's folders, by name.
    case unit(String)
    case source(Digest)
    case all
  }

  public let stage: String
  public let subject: Subject
  public let key: Digest

  public init(stage: String, subject: Subject, key: Digest) {
    self.stage = stage
    self.subject = subject
    self.key = key
  }
}

/// What became of an action.
public enum ActionResult: Sendable {
  /// It ran and its record is in the store.
  case recorded(ActionRecord)
  /// The unit changed while it was read: it waits for the next run.
  case unsettled
  /// The unit could not be read this time (an I/O error, not its content): the next run tries again.
  case unreadable(Diagnostic)
}

/// Runs independent actions.
public protocol Executor: Sendable {
  /// How many actions run at once.
  var width: Int { get }

  /// Performs every task, in any order and at most `width` at once, and returns the results in the
  /// order of the tasks. `perform` takes a task's index; it may be called twice for one task, and a
  /// cluster executor need not call it at all. Throws an error of one of the tasks.
  func map(_ tasks: [ActionTask], _ perform: @Sendable (Int) throws -> ActionResult) throws
    -> [ActionResult]
}

/// Runs actions on this machine's threads.
public struct LocalExecutor: Executor {
  public let width: Int

  /// `threads`: 0 for as many as there are processors.
  public init(threads: Int = 0) { width = threads > 0 ? threads : availableProcessors() }

  public func map(_ tasks: [ActionTask], _ perform: @Sendable (Int) throws -> ActionResult) throws
    -> [ActionResult]
  {
    try concurrentMap(tasks.count, threads: width, perform)
  }
}
