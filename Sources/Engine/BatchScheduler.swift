// What a cluster executor needs of a scheduler; `SlurmScheduler` asks the real one, tests play one.

import StageKit

/// One job, or an array of tasks numbered from 1.
public struct BatchJob: Sendable, Equatable {
  /// By which it is found again when its number was lost. Letters, digits and '-'.
  public var name: String
  /// The script that every task runs, and the folder in which it starts.
  public var script: String
  public var folder: String
  /// nil for a single job.
  public var tasks: Int?
  public var resources: ExecutorOptions.Resources
  /// 0 for the first time.
  public var attempt: Int
  /// Starts when all these have ended well, and is dropped when one did not.
  public var after: [String]

  public init(
    name: String, script: String, folder: String, tasks: Int?, resources: ExecutorOptions.Resources, attempt: Int,
    after: [String]
  ) {
    self.name = name
    self.script = script
    self.folder = folder
    self.tasks = tasks
    self.resources = resources
    self.attempt = attempt
    self.after = after
  }
}

/// What became of one task of a job, as the scheduler sees it. Results are files; this only tells
/// whether one can still be hoped for.
public struct BatchTask: Sendable, Equatable {
  public enum State: Sendable, Equatable {
    case waiting
    case running
    /// It waits for something that will not come; the scheduler's word for it.
    case stuck(String)
    /// The scheduler's word for how.
    case ended(String)
  }

  public var name: String
  public var job: String
  /// From 1.
  public var number: Int
  public var state: State

  public init(name: String, job: String, number: Int, state: State) {
    self.name = name
    self.job = job
    self.number = number
    self.state = state
  }
}

public enum SchedulerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Its commands are not installed.
  case absent(String)
  /// It does not answer; what it would say is unknown.
  case unreachable(String)
  /// It takes no more jobs of this user for now.
  case full(String)
  /// It does not take this job.
  case refused(String)

  public var description: String {
    switch self {
    case .absent(let words), .unreachable(let words), .full(let words), .refused(let words): words
    }
  }
}

/// A scheduler of batch jobs.
public protocol BatchScheduler: Sendable {
  /// The job's number.
  func submit(_ job: BatchJob) throws(SchedulerError) -> String
  /// All tasks of the jobs of these names that it knows of, those that ended lately too.
  func tasks(named names: [String]) throws(SchedulerError) -> [BatchTask]
  /// Withdraws jobs by name; absent ones are fine.
  func cancel(named names: [String]) throws(SchedulerError)
  /// Most tasks that one array may have.
  func largestArray() -> Int
  /// How a task ended, where accounting knows: "OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL".
  func ending(job: String, number: Int) -> String?
}
