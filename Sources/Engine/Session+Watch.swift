// A session and a plan how to watch come in; a pass is made for each batch of settled drops.

import Configurations
import Platform
import StageKit

extension Session {
  /// How the folders of this session's pipeline are watched.
  public func watchPlan() throws -> WatchPlan {
    try WatchPlan.choose(
      fileSystem, watching: folders.all.map(\.path), state: Self.stateFolder(of: pipeline),
      settle: .nanoseconds(Int64(pipeline.settle * 1e9)), clock: clock)
  }

  /// Makes a pass at once, then one for each batch of settled drops, and one when something else has
  /// changed that the regular scans show: a file that a stage names, a unit that broke off so long ago
  /// that it is taken now. Returns when `watchPlan.events` are interrupted, `onPass` answers false or
  /// a pass was cancelled.
  ///
  /// A pass that the environment or a vanished folder spoiled is made again at the next regular scan.
  /// Throws only where going on is of no use: the lock was lost.
  /// - Parameters:
  ///   - checkCancellation: throws once a pass is to stop.
  ///   - report: what the watcher itself has to say.
  ///   - onPass: what a pass did, or why it failed; a failure that repeats is told once.
  public func watch(
    _ watchPlan: WatchPlan, version: String, checkCancellation: @escaping @Sendable () throws -> Void = {},
    progress: @escaping @Sendable (RunEvent) -> Void = { _ in },
    report: @escaping @Sendable (Diagnostic) -> Void = { _ in },
    onPass: (Result<PassResult, any Error>) -> Bool
  ) throws {
    folders.settle(watchPlan.settling)
    defer { folders.settle(.byAge) }
    var memory = WatchMemory()
    let rescan = watchPlan.timing.rescan

    func failed(_ error: any Error) -> Bool {
      // Names of temporary files differ each time.
      let words = "\(error)".filter { !$0.isHexDigit }
      if memory.complaint == words { return true }
      memory.complaint = words
      return onPass(.failure(error))
    }
    /// Returns false when the watch is to end.
    func makePass() throws -> Bool {
      memory.attachments = attachmentState()
      defer { memory.nextLook = clock.uptime + rescan }
      do {
        try checkLock()
        let result = try pass(version: version, checkCancellation: checkCancellation, progress: progress)
        memory.isOwing = false
        memory.complaint = nil
        memory.unsettled = Set(result.outcome.record.unsettled)
        memory.dueAt = result.outcome.record.waiting?.until
        return onPass(.success(result))
      } catch let error as LockError {
        if case .lost = error { throw error }
        memory.isOwing = true
        return failed(error)
      } catch is CancellationError {
        return false
      } catch let error as RunError where ![.environment, .elsewhere].contains(error.kind) {
        // Other input or another pipeline is what helps; or it was asked to stop.
        if error.kind == .cancelled { return false }
        memory.isOwing = false
        // What is missing may be on its way.
        if error.kind == .input, (try? hasUnsettledDrops()) == true { return true }
        return failed(error)
      } catch {
        memory.isOwing = true
        return failed(error)
      }
    }
    /// Whether a pass is due without a batch; looks only once per regular scan.
    func isDue() throws -> Bool {
      if let moment = memory.dueAt, clock.wallTime >= moment {
        memory.dueAt = nil
        return true
      }
      guard clock.uptime >= memory.nextLook else { return false }
      memory.nextLook = clock.uptime + rescan
      return try memory.isOwing || attachmentState() != memory.attachments
        || folders.acceptsIncomplete(anyOf: memory.unsettled)
    }

    guard try makePass() else { return }
    let watcher = Watcher(
      folders.all, fileSystem, events: watchPlan.events, clock: clock, timing: watchPlan.timing, report: report)
    while true {
      do {
        return try watcher.run(registry: folders.registry, isDue: isDue) { batch in
          for part in batch.parts { folders.trust(part.fresh, of: part.folder) }
          return try makePass()
        }
      } catch let error as InboxError {
        // A folder is gone, or cannot be read: nothing is forgotten, and it may come back.
        guard failed(error) else { return }
      } catch let error as FileSystemError {
        guard failed(error) else { return }
      }
      memory.isOwing = true
      let end = clock.uptime + rescan
      while clock.uptime < end {
        if watchPlan.events.wait(atMost: end - clock.uptime).isInterrupted { return }
      }
    }
  }

  /// Digest of everything that the stages' parameters name; of the error where it cannot be read.
  private func attachmentState() -> Digest {
    var builder = DigestBuilder()
    for stage in plan.stages {
      do {
        for file in try folders.attachments(stage) {
          builder.add(file.path)
          builder.add(file.name)
          builder.add(Digest(of: file.bytes))
        }
      } catch {
        builder.add("\(error)")
      }
    }
    return builder.finish()
  }
}

/// What a watch remembers between passes.
private struct WatchMemory {
  /// The state of the named files before the last pass.
  var attachments: Digest?
  /// What the last pass left for later.
  var unsettled: Set<String> = []
  /// When a stage that waits is due.
  var dueAt: Timestamp?
  /// The last pass failed for reasons that may be gone the next time.
  var isOwing = false
  var nextLook = Duration.zero
  /// What failed last, to tell it once.
  var complaint: String?
}
