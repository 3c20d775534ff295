import Configurations
import Engine
import Foundation
import Platform
import StageKit
import Synchronization

/// A scheduler in memory. Its tasks run in this process, when somebody pauses, and meet the fate that a
/// test has in mind for them.
final class FakeCluster: BatchScheduler {
  /// What happens to one start of a task.
  enum Fate: Sendable, Equatable {
    case runs
    /// Two processes do it, one after the other: a requeue that came too late.
    case runsTwice
    /// Nobody hears of it again, and it did nothing.
    case vanishes
    /// Ends without having begun, with the scheduler's word for it.
    case ends(String)
    /// Is cut off when it asks for the n-th time whether to go on.
    case cutOff(after: Int, String)
    /// Is cut off and put back into the queue.
    case requeued(after: Int)
    case stuck(String)
    /// Runs, but its result is not seen until `show` is called: a slow network file system.
    case keepsWaiting
  }

  struct Start: Sendable {
    var job: BatchJob
    var number: Int
    /// How often this task of this job was started before.
    var before: Int
  }

  private struct Task {
    var state = BatchTask.State.waiting
    var isGone = false
    var starts = 0
  }

  private struct Job {
    var id: String
    var batch: BatchJob
    var tasks: [Int: Task]
  }

  private struct State {
    var jobs: [Job] = []
    var last = 100
    var submitted: [BatchJob] = []
    var cancelled: [String] = []
    var refusals: [SchedulerError] = []
    var silence: [SchedulerError] = []
    var looks = 0
    var pauses = 0
    var acceptsSilently = false
  }

  let files: MemoryFileSystem
  let largest: Int
  private let registry: StageRegistry
  private let fate: @Sendable (Start) -> Fate
  private let state = Mutex(State())

  init(
    _ files: MemoryFileSystem, largest: Int = 1000, registry: StageRegistry = Toy.registry,
    fate: @escaping @Sendable (Start) -> Fate = { _ in .runs }
  ) {
    self.files = files
    self.largest = largest
    self.registry = registry
    self.fate = fate
  }

  var submitted: [BatchJob] { state.withLock { $0.submitted } }
  var cancelled: [String] { state.withLock { $0.cancelled } }
  var looks: Int { state.withLock { $0.looks } }

  /// The next submissions fail with these; `butAccepts`: the job is taken all the same.
  func refuse(_ errors: [SchedulerError], butAccepts: Bool = false) {
    state.withLock {
      $0.refusals = errors
      $0.acceptsSilently = butAccepts
    }
  }

  /// The next looks at the queue fail with these.
  func beSilent(_ errors: [SchedulerError]) { state.withLock { $0.silence = errors } }

  // MARK: BatchScheduler

  func submit(_ job: BatchJob) throws(SchedulerError) -> String {
    let outcome = state.withLock { state -> Result<String, SchedulerError> in
      let refusal = state.refusals.isEmpty ? nil : state.refusals.removeFirst()
      if let refusal, !state.acceptsSilently { return .failure(refusal) }
      state.last += 1
      let tasks = Dictionary(uniqueKeysWithValues: (1...(job.tasks ?? 1)).map { ($0, Task()) })
      state.jobs.append(Job(id: "\(state.last)", batch: job, tasks: tasks))
      state.submitted.append(job)
      return refusal.map { .failure($0) } ?? .success("\(state.last)")
    }
    return try outcome.get()
  }

  func tasks(named names: [String]) throws(SchedulerError) -> [BatchTask] {
    let outcome = state.withLock { state -> Result<[BatchTask], SchedulerError> in
      state.looks += 1
      if !state.silence.isEmpty { return .failure(state.silence.removeFirst()) }
      return .success(
        state.jobs.filter { names.contains($0.batch.name) }.flatMap { job in
          job.tasks.filter { !$0.value.isGone }.sorted { $0.key < $1.key }.map {
            BatchTask(name: job.batch.name, job: job.id, number: $0.key, state: $0.value.state)
          }
        })
    }
    return try outcome.get()
  }

  func cancel(named names: [String]) throws(SchedulerError) {
    state.withLock { state in
      state.cancelled += names
      for index in state.jobs.indices where names.contains(state.jobs[index].batch.name) {
        for number in state.jobs[index].tasks.keys where state.jobs[index].tasks[number]!.state != .ended("COMPLETED") {
          state.jobs[index].tasks[number]!.state = .ended("CANCELLED")
        }
      }
    }
  }

  func largestArray() -> Int { largest }

  func ending(job: String, number: Int) -> String? { nil }

  // MARK: Time

  /// Lets time pass: every task that may start does.
  func pause(_ duration: Duration) {
    files.clock.advance(by: duration)
    state.withLock { $0.pauses += 1 }
    // Folders of a memory disk are stamped by its clock; a job takes a moment.
    for (index, number) in ready() { start(index, number) }
  }

  private func ready() -> [(Int, Int)] {
    state.withLock { state in
      var ready: [(Int, Int)] = []
      for index in state.jobs.indices {
        let after = state.jobs.filter { state.jobs[index].batch.after.contains($0.id) }
        let tasks = after.flatMap(\.tasks.values)
        for (number, task) in state.jobs[index].tasks.sorted(by: { $0.key < $1.key })
        where task.state == .waiting && !task.isGone {
          let isHopeless = tasks.contains { task in
            if task.isGone { return true }
            if case .ended(let word) = task.state { return word != "COMPLETED" }
            return false
          }
          if isHopeless {
            state.jobs[index].tasks[number]!.isGone = true
          } else if tasks.allSatisfy({ $0.state == .ended("COMPLETED") }) {
            ready.append((index, number))
          }
        }
      }
      return ready
    }
  }

  private func start(_ index: Int, _ number: Int) {
    let (job, before) = state.withLock { state -> (BatchJob, Int) in
      state.jobs[index].tasks[number]!.starts += 1
      return (state.jobs[index].batch, state.jobs[index].tasks[number]!.starts - 1)
    }
    func end(_ task: BatchTask.State) { state.withLock { $0.jobs[index].tasks[number]!.state = task } }
    switch fate(Start(job: job, number: number, before: before)) {
    case .runs: end(.ended(work(job, number) ? "COMPLETED" : "FAILED"))
    case .runsTwice:
      // The second finds the first one's result gone, as a process that began before it would.
      _ = work(job, number)
      try? files.removeFile(job.folder + "/results/\(number).json")
      end(.ended(work(job, number) ? "COMPLETED" : "FAILED"))
    case .vanishes: state.withLock { $0.jobs[index].tasks[number]!.isGone = true }
    case .ends(let word): end(.ended(word))
    case .cutOff(let count, let word):
      _ = work(job, number, cutOffAfter: count)
      end(.ended(word))
    case .requeued(let count):
      _ = work(job, number, cutOffAfter: count)
    case .stuck(let word): end(.stuck(word))
    case .keepsWaiting: break
    }
  }

  /// As `sluice work` would; false where it exits with an error.
  private func work(_ job: BatchJob, _ number: Int, cutOffAfter count: Int? = nil) -> Bool {
    let asked = Mutex(0)
    let worker = Worker(files, stages: registry, threads: 1, host: "node")
    do {
      _ = try worker.perform(
        order: job.folder, share: number,
        checkCancellation: {
          let turn = asked.withLock {
            $0 += 1
            return $0
          }
          if let count, turn > count { throw CancellationError() }
        })
      return true
    } catch {
      files.drop(job.folder + "/logs/\(number).log", "first line\nsluice: \(error)\n")
      return false
    }
  }
}
