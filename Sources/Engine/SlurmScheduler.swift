// sbatch, squeue, scancel, scontrol and sacct as a `BatchScheduler`.

import Foundation
import Platform
import StageKit
import Synchronization

/// Asks Slurm through its commands. Whatever `squeue` fails with is "unknown", never "gone".
public struct SlurmScheduler: BatchScheduler {
  /// Runs a command; nil where it is not installed.
  public typealias Command = @Sendable (_ words: [String]) -> CommandOutcome?

  private let options: ExecutorOptions
  private let run: Command

  public init(_ options: ExecutorOptions, run: @escaping Command = { CommandOutcome.of($0) }) {
    self.options = options
    self.run = run
  }

  // MARK: Submitting

  public func submit(_ job: BatchJob) throws(SchedulerError) -> String {
    let outcome = try call(arguments(job))
    if outcome.status == 0 {
      // "123" or "123;cluster", possibly after a site's own remarks.
      let last = outcome.output.split(whereSeparator: \.isNewline).last ?? ""
      let number = last.split(separator: ";").first.map(String.init) ?? ""
      if !number.isEmpty, number.allSatisfy(\.isNumber) { return number }
      throw .unreachable("sbatch answered '\(outcome.output)' instead of a job's number")
    }
    let words = outcome.errors
    if Self.isPassing(words) { throw .unreachable(words) }
    if words.contains("SubmitJobs") || words.contains("SubmitJobLimit") { throw .full(words) }
    throw .refused(words)
  }

  /// Everything goes through the argument list: no shell and no file takes paths apart.
  func arguments(_ job: BatchJob) -> [String] {
    var words = ["sbatch", "--parsable", "--job-name=\(job.name)", "--chdir=\(job.folder)", "--ntasks=1"]
    if job.attempt > 0 { words.append("--comment=attempt \(job.attempt + 1)") }
    words.append("--cpus-per-task=\(job.resources.processors)")
    if let minutes = job.resources.minutes { words.append("--time=\(SlurmTime.text(minutes: minutes))") }
    if let megabytes = job.resources.megabytes { words.append("--mem=\(megabytes)M") }
    if !options.partition.isEmpty { words.append("--partition=\(options.partition)") }
    if !options.account.isEmpty { words.append("--account=\(options.account)") }
    if let tasks = job.tasks {
      words.append("--array=1-\(tasks)" + (options.atOnce > 0 ? "%\(options.atOnce)" : ""))
    }
    // The script opens its log itself: Slurm gives % and \ in paths a meaning of their own.
    words += ["--output=/dev/null", "--requeue"]
    if !job.after.isEmpty {
      words += ["--dependency=afterok:\(job.after.joined(separator: ":"))", "--kill-on-invalid-dep=yes"]
    }
    return words + options.sbatch + [job.script]
  }

  private static let passing = [
    "Unable to contact slurm controller", "Socket timed out", "Connection refused", "Connection timed out",
    "Transport endpoint", "Zero Bytes", "temporarily", "Protocol authentication error",
    "Communication connection failure",
    "Unable to resolve", "standby mode", "Message receive failure", "Unexpected message received", "No route to host",
    "Munge", "munge", "no answer in",
  ]

  static func isPassing(_ words: String) -> Bool { passing.contains { words.contains($0) } }

  // MARK: Looking

  public func tasks(named names: [String]) throws(SchedulerError) -> [BatchTask] {
    guard !names.isEmpty else { return [] }
    let outcome = try call([
      "squeue", "--noheader", "--array", "--states=all", "--name=\(names.joined(separator: ","))",
      "--format=%j|%F|%K|%T|%r",
    ])
    guard outcome.status == 0 else { throw .unreachable(outcome.errors) }
    return outcome.output.split(whereSeparator: \.isNewline).compactMap(Self.task)
  }

  static func task(_ line: Substring) -> BatchTask? {
    let fields = line.split(separator: "|", maxSplits: 4, omittingEmptySubsequences: false).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    guard fields.count == 5 else { return nil }
    return BatchTask(
      name: fields[0], job: fields[1], number: Int(fields[2]) ?? 1, state: state(fields[3], reason: fields[4]))
  }

  private static let ends: Set<String> = [
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT", "REVOKED",
  ]

  /// Reasons for which a waiting job never starts by itself.
  private static let hopeless = [
    "DependencyNeverSatisfied", "JobHoldMaxRequeue", "launch failed requeued held", "launch_failed_requeued_held",
    "BadConstraints", "PartitionTimeLimit", "PartitionNodeLimit", "InvalidAccount", "InvalidQOS",
    "AssociationTimeLimit",
    "QOSTimeLimit",
  ]

  private static func state(_ word: String, reason: String) -> BatchTask.State {
    // PREEMPTED comes before a requeue as well as before the end: only its absence later tells.
    if word == "FAILED", !["None", "NonZeroExitCode", ""].contains(reason) { return .ended("\(word), \(reason)") }
    if ends.contains(word) { return .ended(word) }
    guard word == "PENDING" || word.hasPrefix("REQUEUE") || word == "SPECIAL_EXIT" else { return .running }
    return hopeless.contains { reason.contains($0) } ? .stuck(reason) : .waiting
  }

  public func ending(job: String, number: Int) -> String? {
    for id in ["\(job)_\(number)", job] {
      let words = ["sacct", "--noheader", "--parsable2", "--allocations", "--jobs=\(id)", "--format=State"]
      guard let outcome = run(words), outcome.status == 0 else { return nil }
      // "CANCELLED by 1000".
      let state = outcome.output.split(whereSeparator: \.isWhitespace).first.map(String.init)
      if let state, Self.ends.contains(state) { return state }
    }
    return nil
  }

  public func cancel(named names: [String]) throws(SchedulerError) {
    // One at a time: scancel takes one name.
    for name in names {
      let outcome = try call(["scancel", "--name=\(name)"])
      if outcome.status != 0, Self.isPassing(outcome.errors) { throw .unreachable(outcome.errors) }
    }
  }

  public func largestArray() -> Int {
    let fallback = 1000  // Slurm's own default
    guard let outcome = run(["scontrol", "show", "config"]), outcome.status == 0 else { return fallback }
    for line in outcome.output.split(whereSeparator: \.isNewline) where line.hasPrefix("MaxArraySize") {
      // Numbers must be smaller than it.
      if let size = line.split(separator: "=").last.flatMap({ Int($0.trimmingCharacters(in: .whitespaces)) }) {
        return max(1, size - 1)
      }
    }
    return fallback
  }

  private func call(_ words: [String]) throws(SchedulerError) -> CommandOutcome {
    guard let outcome = run(words) else {
      throw .absent("the command '\(words[0])' is not on this machine.")
    }
    return outcome
  }
}

/// What a command did.
public struct CommandOutcome: Sendable, Equatable {
  public var status: Int32
  public var output: String
  /// Standard error on one line.
  public var errors: String

  public init(status: Int32, output: String = "", errors: String = "") {
    self.status = status
    self.output = output
    self.errors = errors
  }

  /// Runs a command found on PATH, without a shell, for at most `limit` seconds; nil where it is not there.
  public static func of(_ words: [String], limit: Double = 60) -> CommandOutcome? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    let paths = folders.map { Path.join(String($0), words[0]) }
    guard let path = paths.first(where: FileManager.default.isExecutableFile) else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = Array(words.dropFirst())
    process.standardInput = FileHandle.nullDevice
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    do { try process.run() } catch { return nil }
    let id = process.processIdentifier
    let guardian = DispatchWorkItem { kill(id, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + limit, execute: guardian)
    let complaints = Reading(errors.fileHandleForReading)
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let words = complaints.wait()
    process.waitUntilExit()
    guardian.cancel()
    let line = String(decoding: words, as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: " ")
    return CommandOutcome(
      status: process.terminationReason == .exit ? process.terminationStatus : 128 + SIGKILL,
      output: String(decoding: text, as: UTF8.self),
      errors: process.terminationReason == .exit ? line : "no answer in \(Int(limit)) s")
  }
}

/// Reads a pipe to its end beside the caller, so that neither of two pipes fills up.
private final class Reading: Sendable {
  private let group = DispatchGroup()
  private let data = Mutex(Data())

  init(_ file: FileHandle) {
    group.enter()
    DispatchQueue.global().async { [self] in
      let all = file.readDataToEndOfFile()
      data.withLock { $0 = all }
      group.leave()
    }
  }

  func wait() -> Data {
    group.wait()
    return data.withLock { $0 }
  }
}
