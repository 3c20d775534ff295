// Actions without a result come in; jobs go to a scheduler, results come back from files.

import Configurations
import Foundation
import Platform
import StageKit
import Synchronization

/// Spreads a stage's actions over the tasks of a job array, and lets a dependent job fold what they gave.
///
/// Results are files in the store and in the order's folder; the scheduler is only asked whether a
/// result that is not there can still be hoped for. So a task may run twice, be requeued or lost, and
/// the run that asked may be stopped: the next one finds the orders of this one and goes on.
public final class ClusterExecutor: Executor {
  /// How long things are waited for; tests make it short.
  public struct Timing: Sendable {
    /// Between looks for results: at first, and at most.
    public var results: ClosedRange<Duration>

    public init(results: ClosedRange<Duration> = .milliseconds(200) ... .seconds(5)) { self.results = results }
  }

  public let width: Int
  let options: ExecutorOptions
  /// nil: people start the work.
  let scheduler: (any BatchScheduler)?
  let pipeline: PipelineFile
  let fileSystem: any FileSystem
  let work: WorkFolder
  let clock: any Clock
  let timing: Timing
  let version: String
  let threads: Int
  private let pause: @Sendable (Duration) throws -> Void
  /// The orders that are waited for. One pass at a time uses it.
  let state = Mutex(State())

  struct State {
    var orders: [LiveOrder] = []
    var hasAdopted = false
    var nextLook: Duration = .zero
    var silentSince: Duration?
    var toldSilence = false
    var largestArray: Int?
  }

  /// - Parameters:
  ///   - pause: waits; may throw to stop.
  init(
    _ pipeline: PipelineFile, scheduler: (any BatchScheduler)?, fileSystem: any FileSystem, clock: any Clock,
    timing: Timing, version: String, pause: @escaping @Sendable (Duration) throws -> Void
  ) {
    self.pipeline = pipeline
    options = pipeline.executor
    self.scheduler = scheduler
    self.fileSystem = fileSystem
    work = WorkFolder(fileSystem, state: Session.stateFolder(of: pipeline))
    self.clock = clock
    self.timing = timing
    self.version = version
    threads = pipeline.threads > 0 ? pipeline.threads : availableProcessors()
    width = threads
    self.pause = pause
  }

  // MARK: Executor

  public var readsAhead: Bool { true }

  public func prepare(_ share: StageShare) throws {
    try withState { state in
      try adopt(&state, share.pass)
      let open = share.tasks.map(\.key).filter { key in !state.orders.contains { $0.isOpen(key) } }
      try submit(Set(open), of: share, attempt: 0, options.share, &state)
    }
  }

  public func map(_ share: StageShare) throws -> [ActionResult] {
    try withState { state in
      try adopt(&state, share.pass)
      var collection = Collection(share)
      try collect(&collection, share, &state)
      let open = collection.missing.filter { key in !state.orders.contains { $0.isOpen(key) } }
      try submit(open, of: share, attempt: 0, options.share, &state)
      guard let scheduler else {
        try collect(&collection, share, &state)
        if !collection.missing.isEmpty { throw try workElsewhere(share, state) }
        return try collection.results(share)
      }
      try submitFolds(after: share, &state)
      var wait = timing.results.lowerBound
      while true {
        if try collect(&collection, share, &state) { wait = timing.results.lowerBound }
        if collection.missing.isEmpty { break }
        try look(scheduler, &collection, share, &state)
        if collection.missing.isSubset(of: collection.lost.keys) { break }
        try rest(&wait, share.pass, state)
      }
      return try collection.results(share)
    }
  }

  public func fold(_ share: StageShare) throws -> ActionResult {
    guard let scheduler, !options.mergesHere else { return try share.perform(0) }
    return try withState { state in
      try adopt(&state, share.pass)
      let known = try situation(share.pass)
      // A dependent job may be at it; where it knew less than this run knows now, one more is needed.
      var wasAsked = false
      while true {
        if let record = try recorded(share) {
          share.tell(0)
          return .recorded(record)
        }
        if state.orders.allSatisfy({ $0.order.work != .folds || $0.isOver }) {
          if wasAsked { break }
          wasAsked = true
          try submitFolds(known, share, attempt: 0, after: [], &state)
        }
        try finishFolds(scheduler, known, share, &state)
      }
      throw RunError(
        .bug, stage: share.stage.id, cause: "another process folded the same inputs and found other keys",
        remedy: "Please report this; 'mergeHere: true' under executor works around it.")
    }
  }

  private func withState<Result>(_ body: (inout State) throws -> Result) throws -> Result {
    var state = state.withLock { $0 }
    defer { self.state.withLock { [state] in $0 = state } }
    return try body(&state)
  }

  private func recorded(_ share: StageShare) throws -> ActionRecord? {
    let store = share.pass.runner.store
    guard let record = try store.action(share.tasks[0].key), try record.parts.allSatisfy(store.contains) else {
      return nil
    }
    return record
  }

  // MARK: Waiting

  /// Pauses, a little longer each time.
  func rest(_ wait: inout Duration, _ pass: Pass, _ state: State) throws {
    do {
      var left = wait
      while left > .zero {
        try pass.checkCancellation()
        let piece = min(left, .milliseconds(500))
        try pause(piece)
        left -= piece
      }
      try pass.checkCancellation()
    } catch is CancellationError {
      let jobs = state.orders.filter { !$0.isOver }.compactMap(\.job)
      if !jobs.isEmpty {
        pass.report(
          .note(
            stage: "",
            words: "Jobs \(jobs.joined(separator: ", ")) go on without this run; the next one takes their results."))
      }
      throw CancellationError()
    }
    wait = min(timing.results.upperBound, wait * 3 / 2)
  }

  /// Waits for the folds that are under way, and starts them again where their job is lost.
  private func finishFolds(
    _ scheduler: any BatchScheduler, _ known: WorkShare, _ share: StageShare, _ state: inout State
  ) throws {
    var collection = Collection(share)
    var wait = timing.results.lowerBound
    while true {
      try collect(&collection, share, &state)
      guard let index = state.orders.firstIndex(where: { $0.order.work == .folds && !$0.isOver }) else { break }
      try look(scheduler, &collection, share, &state)
      let order = state.orders[index]
      if order.isOver, let loss = order.losses.values.first {
        // Dropped because a task that it waited for did not end well: nothing of its own went wrong.
        if order.wasDependent { break }
        guard order.order.attempt < options.retries else { throw loss.error(share.stage.id, nil) }
        try submitFolds(known, share, attempt: order.order.attempt + 1, after: [], &state, loss)
        continue
      }
      if !order.isOver { try rest(&wait, share.pass, state) }
    }
  }
}
