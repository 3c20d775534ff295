// Hints about changes come in; batches of settled units go out. Every wake-up is answered by a full
// scan, so that restart, overflow, network file systems and cron are one code path.

import Configurations
import Platform

/// What has settled since the last batch, in all watched folders.
public struct SettledBatch: Sendable, Equatable {
  /// Of one folder.
  public struct Part: Sendable, Equatable {
    /// Under which the registry knows the units: the watched folder, or the folder of a watched file.
    public var folder: String
    /// New or changed units, settled, in the order of their paths' bytes.
    public var fresh: [InboxUnit]
    /// Recorded units that have been gone as long.
    public var removed: [UnitRecord]
    /// Units that are still changing and will come later.
    public var unsettled: [InboxUnit]
    /// The scan behind this batch.
    public var scan: InboxScan
  }

  /// One for each watched folder, in the order of the watcher; also where nothing has settled.
  public var parts: [Part]

  /// Whether nothing has settled.
  public var isEmpty: Bool { parts.allSatisfy { $0.fresh.isEmpty && $0.removed.isEmpty } }
}

/// Watches folders until interrupted. What settles in any of them at about the same time is one batch.
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

  private let folders: [WatchedFolder]
  private let fileSystem: any FileSystem
  private let events: any EventSource
  private let clock: any Clock
  private let timing: Timing
  private let report: @Sendable (Diagnostic) -> Void

  public init(
    _ folders: [WatchedFolder], _ fileSystem: any FileSystem, events: any EventSource, clock: any Clock,
    timing: Timing = Timing(), report: @escaping @Sendable (Diagnostic) -> Void = { _ in }
  ) {
    self.folders = folders
    self.fileSystem = fileSystem
    self.events = events
    self.clock = clock
    self.timing = timing
    self.report = report
  }

  /// Scans, waits and delivers until `events.interrupt()` is called or `onBatch` answers false.
  /// Drops during `onBatch` queue up and come as one later batch.
  /// - Parameters:
  ///   - registry: what is known now of the folder of a part; asked before each comparison. A unit
  ///     that was delivered is not delivered again in the same state, recorded or not.
  ///   - isDue: asked after each scan that found nothing to deliver; true delivers an empty batch.
  ///   - onBatch: takes a batch; false ends the watch.
  public func run(
    registry: (_ folder: String) throws -> UnitRegistry, isDue: () throws -> Bool = { false },
    onBatch: (SettledBatch) throws -> Bool
  ) throws {
    var memory = Memory(folders.count, timing.settle)
    var rescan = timing.rescan
    var waitingSince: Duration?
    while true {
      let start = clock.uptime
      let looks = try lookAndWatch(&memory, &rescan)
      let now = clock.uptime
      // A stream of events in a huge inbox may not keep a processor busy: at most a fifth of it.
      let pause = max(timing.leastInterval, (now - start) * 4)
      let batch = SettledBatch(
        parts: try looks.enumerated().map { index, look in
          let difference = try look.difference(try registry(look.inbox.folder))
          return memory.folders[index].observe(look, difference, at: now)
        })
      let isReady: Bool
      if batch.isEmpty {
        waitingSince = nil
        isReady = try isDue()
      } else {
        let since = waitingSince ?? now
        waitingSince = since
        isReady = batch.parts.allSatisfy(\.unsettled.isEmpty) || now - since >= timing.patience
      }
      if isReady {
        memory.deliver(batch)
        waitingSince = nil
        if try !onBatch(batch) { return }
        // Whatever came meanwhile is waited for without a pause.
        continue
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

  /// Looks; where that shows folders that were not watched yet, watches them and looks again, for
  /// what was dropped into them before the watch stood.
  private func lookAndWatch(_ memory: inout Memory, _ rescan: inout Duration) throws(InboxError)
    -> [WatchedFolder.Look]
  {
    for _ in 0..<8 {
      let looks = try look()
      let seen = Set(looks.flatMap(\.scan.folders))
      let isKnown = seen.isSubset(of: memory.watched)
      memory.watched = seen
      // Also the known ones: one that was removed and made again has lost its watch.
      for folder in looks.flatMap(\.scan.folders) where !memory.isBlind {
        do throws(FileSystemError) { try events.watch(folder) } catch {
          memory.isBlind = true
          rescan = min(rescan, WatchPlan.pollInterval)
          report(
            Diagnostic(
              .warning, code: "watch-limit", place: .init(file: folder), cause: error.description,
              remedy: "All folders are also scanned every \(rescan) now."))
        }
      }
      if isKnown || memory.isBlind { return looks }
    }
    return try look()
  }

  private func look() throws(InboxError) -> [WatchedFolder.Look] {
    var looks: [WatchedFolder.Look] = []
    for folder in folders { looks.append(try folder.look(fileSystem)) }
    return looks
  }
}

extension Watcher {
  /// What the watcher remembers between scans.
  private struct Memory {
    var folders: [FolderMemory]
    var watched: Set<String> = []
    /// A watch could not be added: scans alone must do.
    var isBlind = false

    init(_ count: Int, _ settle: Duration) {
      folders = Array(repeating: FolderMemory(settle), count: count)
    }

    mutating func deliver(_ batch: SettledBatch) {
      for (index, part) in batch.parts.enumerated() { folders[index].deliver(part) }
    }

    func nextDue(after now: Duration) -> Duration? { folders.compactMap { $0.nextDue(after: now) }.min() }
  }

  /// ... of one folder.
  private struct FolderMemory {
    private var tracker: SettleTracker
    private var goneSince: [String: Duration] = [:]
    private var delivered: [String: InboxUnit] = [:]
    private var deliveredRemovals: Set<String> = []

    init(_ settle: Duration) { tracker = SettleTracker(settle: settle) }

    mutating func observe(_ look: WatchedFolder.Look, _ difference: UnitRegistry.Difference, at now: Duration)
      -> SettledBatch.Part
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
      return SettledBatch.Part(
        folder: look.inbox.folder, fresh: settled, removed: removed, unsettled: unsettled, scan: look.scan)
    }

    mutating func deliver(_ part: SettledBatch.Part) {
      for unit in part.fresh { delivered[unit.path] = unit }
      for record in part.removed {
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
