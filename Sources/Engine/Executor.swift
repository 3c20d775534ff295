// Independent actions go in, their results come out in order: the seam between this machine and a cluster.

import Configurations
import Platform
import StageKit
import Synchronization

/// An action by what it is about and by its key, under which its result lies in the store.
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
public enum ActionResult: Sendable, Codable, Equatable {
  /// It ran and its record is in the store.
  case recorded(ActionRecord)
  /// The unit changed while it was read: it waits for the next run.
  case unsettled
  /// The unit could not be read this time (an I/O error, not its content): the next run tries again.
  case unreadable(Diagnostic)
}

/// Actions of one stage that have no result yet, with all that is needed to perform them here or elsewhere.
public final class StageShare: Sendable {
  /// What is to be done. A fold is one task.
  public let tasks: [ActionTask]
  let actions: [PendingAction]
  let work: StageWork
  /// The pass that asks.
  let pass: Pass
  private let course = Mutex((done: 0, failure: (any Error)?.none))

  init(_ actions: [PendingAction], _ work: StageWork, pass: Pass) {
    tasks = actions.map { $0.task(work.stage.id) }
    self.actions = actions
    self.work = work
    self.pass = pass
  }

  var stage: PlannedStage { work.stage }

  /// The first error that a task met here.
  var failure: (any Error)? { course.withLock { $0.failure } }

  /// Performs one task on the calling thread. Doing one twice is harmless; after the first failure
  /// nothing more is begun.
  public func perform(_ index: Int) throws -> ActionResult {
    if failure != nil { throw CancellationError() }
    let isFold = if case .folding = stage.work { true } else { false }
    let width = isFold ? 1 : max(1, min(pass.runner.executor.width, actions.count))
    do {
      try pass.checkCancellation()
      let result = try work.perform(actions[index], threads: max(1, pass.runner.threads / width))
      pass.tally.update(stage.id) { $0.ran += 1 }
      tell(index)
      return result
    } catch {
      course.withLock { if $0.failure == nil { $0.failure = error } }
      throw error
    }
  }

  /// Says that a task was done, here or elsewhere.
  func tell(_ index: Int) {
    let done = course.withLock {
      $0.done += 1
      return $0.done
    }
    pass.report(
      .actionFinished(stage: stage.id, subject: actions[index].label, done: done, toRun: actions.count))
  }
}

/// Runs actions.
public protocol Executor: Sendable {
  /// How many actions run at once in this process.
  var width: Int { get }

  /// Whether `prepare` wants to be called, which costs a look at every record.
  var readsAhead: Bool { get }

  /// Told of reading to be done in this pass, before the stages are gone through: it may begin.
  func prepare(_ share: StageShare) throws

  /// Has every task performed, in any order, and returns the results in the order of the tasks. A task
  /// may be performed twice, and elsewhere. Throws an error of one of the tasks.
  func map(_ share: StageShare) throws -> [ActionResult]

  /// Has the one action of a fold performed, after all earlier stages.
  func fold(_ share: StageShare) throws -> ActionResult
}

extension Executor {
  public var readsAhead: Bool { false }
  public func prepare(_ share: StageShare) throws {}
  public func fold(_ share: StageShare) throws -> ActionResult { try share.perform(0) }
}

/// Runs actions on this machine's threads.
public struct LocalExecutor: Executor {
  public let width: Int

  /// `threads`: 0 for as many as there are processors.
  public init(threads: Int = 0) { width = threads > 0 ? threads : availableProcessors() }

  public func map(_ share: StageShare) throws -> [ActionResult] {
    try concurrentMap(share.tasks.count, threads: width, share.perform)
  }
}
