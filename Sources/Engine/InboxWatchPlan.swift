import Configurations
import Platform

/// How an inbox is watched: by events where they can be trusted, else by looking every so often.
public struct WatchPlan: Sendable {
  /// How often the inbox is scanned where events cannot be trusted.
  public static let pollInterval: Duration = .seconds(15)

  public var timing: Watcher.Timing
  public var events: any EventSource
  /// One line for the log.
  public var line: String

  /// Chooses by the file system of the inbox and by a self-test in the state folder, which must be
  /// on a disk that this program may write.
  /// - Parameters:
  ///   - settle: the user's wish; nil takes 10 s on local disks and 60 s on network ones.
  ///   - makeEvents: makes the event source.
  ///   - makePolling: makes one that only waits.
  public static func choose(
    _ fileSystem: any FileSystem, inbox: String, state: String, settle: Duration? = nil,
    clock: any Clock,
    makeEvents: () throws(FileSystemError) -> any EventSource = { () throws(FileSystemError) in
      try InotifyEventSource()
    },
    makePolling: () throws(FileSystemError) -> any EventSource = { () throws(FileSystemError) in
      try InotifyEventSource.polling()
    }
  ) throws(FileSystemError) -> WatchPlan {
    let kind = try fileSystem.kind(at: inbox)
    let local = kind.reportsEveryChange
    var timing = Watcher.Timing(settle: settle ?? (local ? .seconds(10) : .seconds(60)))
    func polling(_ why: String) throws(FileSystemError) -> WatchPlan {
      timing.rescan = pollInterval
      return WatchPlan(
        timing: timing, events: try makePolling(),
        line: "polling \(printable(inbox)) every \(seconds(pollInterval)): \(why)")
    }
    guard local else {
      return try polling("on \(kind.name), writes from other machines raise no event")
    }
    let events: any EventSource
    do throws(FileSystemError) { events = try makeEvents() } catch {
      return try polling(error.description)
    }
    let name = "watching \(printable(inbox)) (\(kind.name))"
    func both(_ why: String) -> WatchPlan {
      timing.rescan = pollInterval
      return WatchPlan(
        timing: timing, events: events,
        line: name + " and scanning it every \(seconds(pollInterval)): \(why)")
    }
    let devices = (
      try fileSystem.status(of: Path.join(inbox, ".")).device,
      try fileSystem.status(of: Path.join(state, ".")).device
    )
    if devices.0 != devices.1 { return both("it is on another device than the self-test") }
    if try !selfTest(fileSystem, events, state, clock) {
      return both("no event came for a test file within 2 s")
    }
    return WatchPlan(timing: timing, events: events, line: name)
  }

  /// Writes a file into its own folder in the state and waits for the event.
  private static func selfTest(
    _ fileSystem: any FileSystem, _ events: any EventSource, _ state: String, _ clock: any Clock
  ) throws(FileSystemError) -> Bool {
    let folder = Path.join(state, ".cookie-" + uniqueSuffix())
    try fileSystem.createFolder(folder, isPrivate: true)
    do throws(FileSystemError) {
      try events.watch(folder)
    } catch {
      try fileSystem.removeFolder(folder)
      return false
    }
    let file = Path.join(folder, "cookie")
    try fileSystem.createFile(file, [])
    let deadline = clock.uptime + .seconds(2)
    var heard = false
    while !heard && clock.uptime < deadline {
      heard = events.wait(atMost: deadline - clock.uptime).hasChanges
    }
    try fileSystem.removeFile(file)
    try fileSystem.removeFolder(folder)
    return heard
  }

  private static func seconds(_ duration: Duration) -> String {
    "\(duration.components.seconds) s"
  }
}
