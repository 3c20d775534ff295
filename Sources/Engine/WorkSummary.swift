// What lies in the work folder, for `status`, and how it is withdrawn.

import Platform
import StageKit

/// One order as people see it.
public struct WorkSummary: Sendable, Equatable {
  public let name: String
  public let stage: String
  /// Whether it is the folds that follow the stage.
  public let isFold: Bool
  public let sources: Int
  /// Tasks, and those that have a result.
  public let tasks: Int
  public let done: Int
  /// What the scheduler calls it; nil where nothing was submitted.
  public let job: String?
  public let isManual: Bool
  /// Nothing more is expected of it.
  public let isClosed: Bool
  /// Where its logs lie.
  public let logs: String

  /// All orders of a state folder; needs no lock.
  public static func all(_ fileSystem: any FileSystem, state: String) throws -> [WorkSummary] {
    let work = WorkFolder(fileSystem, state: state)
    return try work.orders().compactMap { name in
      guard let order = try? work.order(name) else { return nil }
      return WorkSummary(
        name: name, stage: order.stage, isFold: order.work == .folds, sources: order.tasks, tasks: order.shares,
        done: try work.finishedShares(name).count, job: try work.job(name), isManual: order.isManual,
        isClosed: try work.isClosed(name), logs: Path.join(work.path(name), "logs"))
    }
  }

  /// What the scheduler says of those that are under way: how many tasks wait and run, by order.
  public static func queue(_ summaries: [WorkSummary], _ scheduler: any BatchScheduler) throws(SchedulerError)
    -> [String: (waiting: Int, running: Int)]
  {
    let names = summaries.filter { !$0.isManual && !$0.isClosed }.map { ClusterExecutor.jobName($0.name) }
    var counts: [String: (waiting: Int, running: Int)] = [:]
    for task in try scheduler.tasks(named: names) {
      let name = String(task.name.dropFirst(ClusterExecutor.jobName("").count))
      switch task.state {
      case .waiting, .stuck: counts[name, default: (0, 0)].waiting += 1
      case .running: counts[name, default: (0, 0)].running += 1
      case .ended: break
      }
    }
    return counts
  }
}

extension Session {
  /// Withdraws all work that was given out; what was done stays in the store. The number of orders.
  public func cancelWork() throws -> Int {
    let state = Self.stateFolder(of: pipeline)
    let orders = try WorkSummary.all(fileSystem, state: state)
    let names = orders.filter { !$0.isManual && !$0.isClosed }.map { ClusterExecutor.jobName($0.name) }
    if !names.isEmpty { try scheduler.cancel(named: names) }
    try WorkFolder(fileSystem, state: state).removeAll()
    return orders.count
  }
}
