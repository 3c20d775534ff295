// Hints about changes come in; batches of settled units go out. Every wake-up is answered by a full
// scan, so that restart, overflow, network file systems and cron are one code path.

import Configurations
import Platform

/// What has settled since the last batch.
public struct SettledBatch: Sendable, Equatable {
  /// New or changed units, settled, in the order of their paths' bytes.
  public var fresh: [InboxUnit]
  /// Recorded units that have been gone as long.
  public var removed: [UnitRecord]
  /// Units that are still changing and will come later.
  public var unsettled: [InboxUnit]
  /// The scan behind this batch.
  public var scan: InboxScan
}

/// Watches an inbox until interrupted.
public struct Watcher: Sendable {
  public struct Timing: Sendable, Equatable {
    /// How long a unit must look the same.
    public var settle: Duration
    /// A scan is made at least this often, events or not.
    public var rescan: Duration
    /// ... and at most this often.
    public var leastInterval: Duration
    /// How long settled units wait for unsettled ones, so that a burst is one batch.
    public var patience: Duration

    public init(
      settle: Duration = .seconds(10), rescan: Duration = .seconds(60),
      leastInterval: Duration = .seconds(1), patience: Duration = .seconds(60)
    ) {
      self.settle = settle
      self.rescan = rescan
      self.leastInterval = leastInterval
      self.patience = patience
    }
  }

  private let inbox: Inbox
  private let events: any EventSource
  private let clock: any Clock
  private var timing: Timing
  private let report: @Sendable (Diagnostic) -> Void

  public init(
    _ inbox: Inbox, events: any EventSource, clock: any Clock, timing: Timing = Timing(),
    report: @escaping @Sendable (Diagnostic) -> Void = { _ in }
  ) {
    self.inbox = inbox
    self.events = events
    self.clock = clock
    self.timing = timing
    self.report = report
  }

  /// Scans, waits and delivers until `events.interrupt()` is called or `onBatch` answers false.
  /// Drops during `onBatch` queue up and come as one later batch.
  /// - Parameters:
  ///   - registry: what is known now; asked before each comparison. A unit that was delivered is not
  ///     delivered again in the same state, recorded or not.
  ///   - onBatch: takes a batch; false ends the watch.
  public func run(
    registry: () throws -> UnitRegistry, onBatch: (SettledBatch) throws -> Bool
  ) throws {
    var memory = Memory(timing.settle)
    var rescan = timing.rescan
    var waitingSince: Duration?
    while true {
      let start = clock.uptime
      let scan = try scanAndWatch(&memory, &rescan)
      let now = clock.uptime
      // A stream of events in a huge inbox may not keep a processor busy: at most a fifth of it.
      let pause = max(timing.leastInterval, (now - start) * 4)
      let difference = try registry().difference(scan, inbox: inbox.folder)
      let (ready, unsettled) = memory.observe(difference, at: now)
      if ready.isEmpty {
        waitingSince = nil
      } else {
        let since = waitingSince ?? now
        waitingSince = since
        if unsettled.isEmpty || now - since >= timing.patience {
          let batch = SettledBatch(
            fresh: ready.fresh, removed: ready.removed, unsettled: unsettled, scan: scan)
          memory.deliver(ready)
          waitingSince = nil
          if try !onBatch(batch) { return }
          // Whatever came meanwhile is waited for without a pause.
          continue
        }
      }
      var limit = rescan
      if let due = memory.nextDue(after: now) { limit = min(limit, due - now) }
      if let since = waitingSince { limit = min(limit, since + timing.patience - now) }
      if wait(until: now + max(.zero, limit), notBefore: now + pause) { return }
    }
  }

  /// Waits for a change or `end`, but never returns before `earliest` (unless that is after `end`).
  /// - Returns: true when interrupted.
  private func wait(until end: Duration, notBefore earliest: Duration) -> Bool {
    while true {
      let now = clock.uptime
      if now >= end { return false }
      let wake = events.wait(atMost: end - now)
      if wake.isInterrupted { return true }
      if wake.hasChanges || wake.hasOverflowed {
        // One scan answers all the events of a moment.
        let pause = min(earliest, end)
        while clock.uptime < pause {
          if events.wait(atMost: pause - clock.uptime).isInterrupted { return true }
        }
        return false
      }
    }
  }

  /// Scans; where that shows folders that were not watched yet, watches them and scans again, for
  /// what was dropped into them before the watch stood.
  private func scanAndWatch(_ memory: inout Memory, _ rescan: inout Duration) throws(InboxError)
    -> InboxScan
  {
    for _ in 0..<8 {
      let scan = try inbox.scan()
      let fresh = scan.folders.filter { !memory.watched.contains($0) }
      memory.watched = Set(scan.folders)
      // Also the known ones: one that was removed and made again has lost its watch.
      for folder in scan.folders where !memory.isBlind {
        do throws(FileSystemError) { try events.watch(folder) } catch {
          memory.isBlind = true
          rescan = min(rescan, WatchPlan.pollInterval)
          report(
            Diagnostic(
              .warning, code: "watch-limit", place: .init(file: folder),
              cause: error.description,
              remedy: "The inbox is also scanned every \(rescan) now."))
        }
      }
      if fresh.isEmpty || memory.isBlind { return scan }
    }
    return try inbox.scan()
  }
}

extension Watcher {
  /// What the watcher remembers between scans.
  private struct Memory {
    struct Ready {
      var fresh: [InboxUnit] = []
      var removed: [UnitRecord] = []
      var isEmpty: Bool { fresh.isEmpty && removed.isEmpty }
    }

    var watched: Set<String> = []
    /// A watch could not be added: scans alone must do.
    var isBlind = false
    private var tracker: SettleTracker
    private var goneSince: [String: Duration] = [:]
    private var delivered: [String: InboxUnit] = [:]
    private var deliveredRemovals: Set<String> = []

    init(_ settle: Duration) { tracker = SettleTracker(settle: settle) }

    mutating func observe(_ difference: UnitRegistry.Difference, at now: Duration)
      -> (Ready, unsettled: [InboxUnit])
    {
      let news = difference.fresh.filter { delivered[$0.path] != $0 }
      let (settled, unsettled) = tracker.observe(news, at: now)
      var gone: [String: Duration] = [:]
      var removed: [UnitRecord] = []
      for record in difference.removed where !deliveredRemovals.contains(record.path) {
        let since = goneSince[record.path] ?? now
        gone[record.path] = since
        if now - since >= tracker.settle { removed.append(record) }
      }
      goneSince = gone
      deliveredRemovals.formIntersection(difference.removed.map(\.path))
      return (Ready(fresh: settled, removed: removed), unsettled)
    }

    mutating func deliver(_ ready: Ready) {
      for unit in ready.fresh { delivered[unit.path] = unit }
      for record in ready.removed {
        deliveredRemovals.insert(record.path)
        delivered[record.path] = nil
      }
    }

    func nextDue(after now: Duration) -> Duration? {
      let due = goneSince.values.map { $0 + tracker.settle }.filter { $0 > now }
      return (due + [tracker.nextDue(after: now)].compactMap(\.self)).min()
    }
  }
}
