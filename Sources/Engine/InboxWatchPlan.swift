import Configurations
import Platform

/// How folders are watched: by events where they can be trusted, else by looking every so often.
public struct WatchPlan: Sendable {
  /// How often folders are scanned where events cannot be trusted.
  public static let pollInterval: Duration = .seconds(15)

  public var timing: Watcher.Timing
  public var events: any EventSource
  /// What decides that a unit has settled: the clocks of other machines may go wrong.
  public var settling: WatchedFolders.Settling
  /// One line for the log.
  public var line: String

  public init(
    timing: Watcher.Timing, events: any EventSource, settling: WatchedFolders.Settling = .byAge, line: String = ""
  ) {
    self.timing = timing
    self.events = events
    self.settling = settling
    self.line = line
  }

  /// Chooses by the file systems of the folders and by a self-test in the state folder, which must be
  /// on a disk that this program may write.
  /// - Parameters:
  ///   - paths: folders, or single files; they must exist.
  ///   - settle: the user's wish; nil takes 10 s on local disks and 60 s on network ones.
  ///   - makeEvents: makes the event source.
  ///   - makePolling: makes one that only waits.
  public static func choose(
    _ fileSystem: any FileSystem, watching paths: [String], state: String, settle: Duration? = nil,
    clock: any Clock,
    makeEvents: () throws(FileSystemError) -> any EventSource = { () throws(FileSystemError) in
      try InotifyEventSource()
    },
    makePolling: () throws(FileSystemError) -> any EventSource = { () throws(FileSystemError) in
      try InotifyEventSource.polling()
    }
  ) throws(FileSystemError) -> WatchPlan {
    var kinds: [FileSystemKind] = []
    for path in paths { kinds.append(try fileSystem.kind(at: path)) }
    let remote = kinds.first { !$0.reportsEveryChange }
    var timing = Watcher.Timing(settle: settle ?? (remote == nil ? .seconds(10) : .seconds(60)))
    let settling: WatchedFolders.Settling = remote == nil ? .byAge : .byTrust
    func polling(_ why: String) throws(FileSystemError) -> WatchPlan {
      timing.rescan = pollInterval
      let names = paths.map(printable).joined(separator: ", ")
      return WatchPlan(
        timing: timing, events: try makePolling(), settling: settling,
        line: "polling \(names) every \(seconds(pollInterval)): \(why)")
    }
    let deafness = remote.map { "on \($0.name), writes from other machines raise no event" }
    if let deafness, !kinds.contains(where: \.reportsEveryChange) { return try polling(deafness) }
    let events: any EventSource
    do throws(FileSystemError) { events = try makeEvents() } catch {
      return try polling(error.description)
    }
    let names = zip(paths, kinds).map { "\(printable($0)) (\($1.name))" }.joined(separator: ", ")
    func both(_ why: String) -> WatchPlan {
      timing.rescan = pollInterval
      let them = paths.count == 1 ? "it" : "them"
      return WatchPlan(
        timing: timing, events: events, settling: settling,
        line: "watching \(names) and scanning \(them) every \(seconds(pollInterval)): \(why)")
    }
    if let deafness { return both(deafness) }
    let device = try fileSystem.status(of: Path.join(state, ".")).device
    for path in paths where try Self.device(of: path, fileSystem) != device {
      return both("\(printable(path)) is on another device than the self-test")
    }
    if try !selfTest(fileSystem, events, state, clock) {
      return both("no event came for a test file within 2 s")
    }
    return WatchPlan(timing: timing, events: events, settling: settling, line: "watching \(names)")
  }

  private static func device(of path: String, _ fileSystem: any FileSystem) throws(FileSystemError) -> UInt64 {
    let status = try fileSystem.status(of: path)
    // "/." follows a link.
    return status.kind == .file ? status.device : try fileSystem.status(of: Path.join(path, ".")).device
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
