// An order and the number of a share come in; the store holds the results afterwards, and a small
// file says which.

import Configurations
import Dispatch
import Platform
import StageKit

/// Does one share of an order, in any process that sees the project's folders under the same paths.
/// It needs no lock: whatever it writes is write-once and named by content or by key, so that a share
/// done twice, at once or again after a crash, changes nothing.
public struct Worker: Sendable {
  public enum Ending: Sendable, Equatable {
    /// `ran` of `tasks` had to be performed.
    case done(tasks: Int, ran: Int)
    /// Another process did it before.
    case alreadyDone
    /// The order was withdrawn.
    case notNeeded
  }

  private let fileSystem: any FileSystem
  private let registry: StageRegistry
  private let threads: Int
  private let host: String

  /// `threads`: 0 for all processors.
  public init(
    _ fileSystem: any FileSystem, stages registry: StageRegistry, threads: Int = 0,
    host: String = ProcessIdentity.current().host
  ) {
    self.fileSystem = fileSystem
    self.registry = registry
    self.threads = threads > 0 ? threads : availableProcessors()
    self.host = host
  }

  /// How many shares an order has; nil where it was withdrawn.
  public func shares(of order: String) throws -> Int? { try place(order).folder.order(place(order).name)?.shares }

  /// - Parameters:
  ///   - order: the order's folder.
  ///   - owner: the user who must own it, where one is given.
  /// - Throws: `RunError`, which is also written down for who waits; nothing is written when cancelled.
  public func perform(
    order: String, share number: Int, owner: UInt32? = nil,
    checkCancellation: @escaping @Sendable () throws -> Void = {},
    progress: @escaping @Sendable (RunEvent) -> Void = { _ in },
    report: @escaping @Sendable (Diagnostic) -> Void = { _ in }
  ) throws -> Ending {
    let (folder, name) = place(order)
    guard let order = try folder.order(name) else { return .notNeeded }
    // What lies in another user's folder could have been planted.
    if let owner { try fileSystem.requireOwner(owner, of: folder.path(name)) }
    if try folder.finishedShares(name).contains(number) { return .alreadyDone }
    guard let share = try folder.share(name, number) else {
      throw RunError(.environment, cause: "order \(name) has \(order.shares) shares and no share \(number)")
    }
    do {
      let store = StoreActions(Store(fileSystem, state: folder.state, report: report), fileSystem)
      let result = try perform(order, share, store, checkCancellation, progress)
      guard try folder.write(result, name, number) else { return .notNeeded }
      return .done(tasks: share.keys.count, ran: result.accounts.reduce(0) { $0 + $1.ran })
    } catch {
      let failure: WorkFailure
      switch error {
      case is CancellationError: throw error
      case let error as RunError where error.kind == .cancelled: throw error
      case let error as RunError: failure = WorkFailure(error, host: host)
      case let error as LostObject: failure = WorkFailure(error, host: host)
      case let error as ParameterError: failure = WorkFailure(RunError(.pipeline, cause: "\(error)"), host: host)
      default: failure = WorkFailure(RunError(.environment, cause: "\(error)"), host: host)
      }
      // Where the disk is what failed, the log alone tells.
      try? folder.write(failure, name, number)
      throw failure.error
    }
  }

  private func place(_ order: String) -> (folder: WorkFolder, name: String) {
    var path = order
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return (WorkFolder(fileSystem, state: Path.parent(Path.parent(path))), Path.name(path))
  }

  private func perform(
    _ order: WorkOrder, _ share: WorkShare, _ store: StoreActions,
    _ checkCancellation: @escaping @Sendable () throws -> Void, _ progress: @escaping @Sendable (RunEvent) -> Void
  ) throws -> WorkResult {
    let pipeline = try PipelineFile([UInt8](order.pipelineText), path: order.pipelinePath, stages: registry)
    let plan = try Planner(stages: registry).plan(pipeline)
    let tally = Tally()
    func pass(_ drops: any DropProvider, _ executor: any Executor) -> Pass {
      Pass(
        runner: Runner(plan: plan, store: store, drops: drops, threads: threads, executor: executor), tally: tally,
        checkCancellation: checkCancellation, report: progress)
    }
    var result = WorkResult()
    let start = DispatchTime.now().uptimeNanoseconds
    switch order.work {
    case .actions:
      guard let stage = plan.stage(order.stage) else {
        throw RunError(.bug, cause: "the pipeline has no stage '\(order.stage)'")
      }
      let drops = DescribedDrops(fileSystem, units: share.units, of: stage.id)
      result.done = try perform(share, stage, pass(drops, LocalExecutor(threads: threads)), drops)
    case .folds:
      let situation = share.situation ?? .init(scans: [], attachments: [])
      let drops = DescribedDrops(fileSystem, situation)
      do { try pass(drops, FoldsOnly(situation)).runStages() } catch is FoldsOnly.End {}
    }
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    for stage in plan.stages {
      let did = tally[stage.id]
      guard did.ran > 0 || !did.counters.isEmpty else { continue }
      result.accounts.append(
        .init(
          stage: stage.id, ran: did.ran, seconds: order.work == .actions ? seconds : did.seconds,
          counters: did.counters))
    }
    return result
  }

  /// Performs what has no valid record yet: a share that is done again does only what is missing.
  private func perform(_ share: WorkShare, _ stage: PlannedStage, _ pass: Pass, _ drops: DescribedDrops) throws
    -> [WorkResult.Done]
  {
    let inputs = BoundInputs(share)
    let actions = try pass.actions(stage, try drops.scan(stage), inputs)
    let byKey = Dictionary(actions.map { ($0.key.digest, $0) }) { first, _ in first }
    let mine = try share.keys.map { key in
      guard let action = byKey[key] else {
        throw RunError(
          .environment, stage: stage.id,
          cause: "this program computes other keys than the one that asks",
          remedy: "Install the same version of sluice on all machines ('program' of the executor names it).")
      }
      return action
    }
    let missing = mine.filter { $0.record == nil }
    let task = StageShare(missing, StageWork(pass: pass, stage: stage, inputs: inputs), pass: pass)
    let results: [ActionResult]
    do { results = try pass.runner.executor.map(task) } catch { throw task.failure ?? error }
    let made = Dictionary(uniqueKeysWithValues: zip(missing.map(\.key.digest), results))
    return mine.map { action in
      .init(key: action.key.digest, result: action.record.map(ActionResult.recorded) ?? made[action.key.digest]!)
    }
  }
}

/// Performs folds here and ends at the first stage that has other work to do.
private struct FoldsOnly: Executor {
  struct End: Error {}

  let width = 1
  private let done: Set<String>
  private let unreadable: [Digest: Diagnostic]

  init(_ situation: WorkShare.Situation) {
    done = Set(situation.scans.filter(\.isDone).map(\.stage))
    unreadable = Dictionary(
      situation.scans.flatMap(\.unreadable).map { ($0.key, $0.diagnostic) }, uniquingKeysWith: { first, _ in first })
  }

  func map(_ share: StageShare) throws -> [ActionResult] {
    // What still has no record could not be performed this time and is left out, as in the run that asks.
    guard done.contains(share.stage.id) else { throw End() }
    return share.tasks.map { task in unreadable[task.key].map { .unreadable($0) } ?? .unsettled }
  }
}
