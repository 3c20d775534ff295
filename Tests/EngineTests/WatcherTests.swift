import Configurations
import Engine
import Platform
import Synchronization
import TestSupport
import Testing

/// Two watched folders in memory whose watcher is driven by a script; waiting costs no time.
private final class World: Sendable {
  let clock = ManualClock()
  let files: MemoryFileSystem
  let events: MemoryEventSource
  let messages = Messages()
  private let state = Mutex<(registries: [String: UnitRegistry], batches: [(Duration, SettledBatch)])>(
    ([:], []))

  init() {
    files = MemoryFileSystem(clock: clock)
    files.dropFolder("/inbox")
    files.dropFolder("/pool")
    events = MemoryEventSource(clock: clock)
  }

  var batches: [(time: Duration, batch: SettledBatch)] {
    state.withLock { $0.batches.map { (time: $0.0, batch: $0.1) } }
  }

  /// What was delivered, as "seconds: +new -removed"; of the pool with its path.
  var log: [String] {
    batches.map { time, batch in
      let parts = batch.parts.flatMap { part in
        let prefix = part.folder == "/inbox" ? "" : part.folder + "/"
        return part.fresh.map { "+" + prefix + $0.path } + part.removed.map { "-" + prefix + $0.path }
      }
      return (["\(time.components.seconds):"] + parts).joined(separator: " ")
    }
  }

  func drop(at seconds: Int, _ path: String, _ text: String = "x", seen: Bool = true) {
    events.schedule(at: .seconds(seconds), waking: seen ? Wake(hasChanges: true) : nil) {
      self.files.drop(path.hasPrefix("/") ? path : "/inbox/" + path, text)
    }
  }

  func watcher(
    _ folders: [WatchedFolder] = World.folders, _ timing: Watcher.Timing = .init(),
    source: (any EventSource)? = nil
  ) -> Watcher {
    Watcher(folders, files, events: source ?? events, clock: clock, timing: timing, report: messages.report)
  }

  static let folders = [WatchedFolder("/inbox"), WatchedFolder("/pool")]

  func run(
    until seconds: Int, _ folders: [WatchedFolder] = World.folders, timing: Watcher.Timing = .init(),
    source: (any EventSource)? = nil, isDue: () -> Bool = { false },
    onBatch: (SettledBatch) throws -> Void = { _ in }
  ) throws {
    events.schedule(at: .seconds(seconds), waking: nil) { self.events.interrupt() }
    func known(_ folder: String) -> UnitRegistry { state.withLock { $0.registries[folder] ?? UnitRegistry() } }
    try watcher(folders, timing, source: source).run(registry: known, isDue: isDue) { batch in
      let time = clock.uptime
      try onBatch(batch)
      for part in batch.parts {
        var registry = known(part.folder)
        for unit in part.fresh {
          if case .read(let record) = try Inbox(files, folder: part.folder).digest(unit) {
            registry.apply(.learned(record))
          }
        }
        for record in part.removed { registry.apply(.forgotten(path: record.path)) }
        registry.apply(.inbox(inode: part.scan.rootInode))
        state.withLock { [registry] in $0.registries[part.folder] = registry }
      }
      state.withLock { $0.batches.append((time, batch)) }
      return true
    }
  }
}

@Suite struct WatcherTests {
  @Test func deliversWhatHasSettled() throws {
    let world = World()
    world.drop(at: 5, "a.xyz")
    try world.run(until: 100)
    #expect(world.log == ["15: +a.xyz"])
    #expect(world.events.watched == ["/inbox", "/pool"])
  }

  @Test func aBurstIsOneBatch() throws {
    let world = World()
    for number in 0..<500 { world.drop(at: 5 + number / 60, "r\(number)/OUTCAR") }
    try world.run(until: 200)
    #expect(world.batches.count == 1)
    #expect(world.batches[0].batch.parts.map(\.fresh.count) == [500, 0])
    #expect(world.batches[0].time <= .seconds(26))
  }

  @Test func patienceEnds() throws {
    let world = World()
    world.drop(at: 1, "a.xyz")
    for second in 1..<300 {
      world.drop(at: second, "growing.xyz", String(repeating: "x", count: second))
    }
    try world.run(until: 290)
    #expect(world.log == ["71: +a.xyz"])
    #expect(world.batches[0].batch.parts[0].unsettled.map(\.path) == ["growing.xyz"])
  }

  @Test func dropsDuringAnUpdateQueueUp() throws {
    let world = World()
    world.drop(at: 5, "a.xyz")
    for number in 0..<50 { world.drop(at: 30 + number, "b\(number).xyz") }
    try world.run(
      until: 400,
      onBatch: { batch in
        // A refit of 100 s, during which things arrive.
        guard batch.parts[0].fresh.map(\.path) == ["a.xyz"] else { return }
        while world.clock.uptime < .seconds(115) {
          _ = world.events.wait(atMost: .seconds(115) - world.clock.uptime)
        }
      })
    #expect(world.batches.count == 2)
    #expect(world.batches[1].batch.parts[0].fresh.count == 50)
  }

  @Test func writesThatRaiseNoEventAreFoundByTheRescan() throws {
    let world = World()
    world.drop(at: 5, "a.xyz", seen: false)
    try world.run(until: 200)
    #expect(world.log == ["70: +a.xyz"])
  }

  @Test func anOverflowIsAScanLikeAnyOther() throws {
    let world = World()
    world.events.schedule(at: .seconds(5), waking: Wake(hasChanges: true, hasOverflowed: true)) {
      for number in 0..<1000 { world.files.drop("/inbox/d\(number % 50)/f\(number).xyz", "x") }
    }
    try world.run(until: 100)
    #expect(world.batches.map { $0.batch.parts[0].fresh.count } == [1000])
    #expect(Set(world.events.watched).count == 52)
  }

  @Test func foldersThatAppearAreWatchedAndScannedAgain() throws {
    let world = World()
    // The file lands after the scan that found its folder, before that folder is watched: only the
    // scan after adding the watch can see it in time.
    let sly = DroppingEventSource(world.events) { folder in
      if folder == "/inbox/r/a/b" { world.files.drop("/inbox/r/a/b/OUTCAR", "x") }
    }
    world.events.schedule(at: .seconds(5)) { world.files.dropFolder("/inbox/r/a/b") }
    try world.run(until: 50, timing: .init(rescan: .seconds(1000)), source: sly)
    #expect(world.log == ["15: +r/a/b"])
  }

  @Test func changesAndRemovalsAreDeliveredOnce() throws {
    let world = World()
    world.drop(at: 1, "a.xyz", "one")
    world.drop(at: 1, "b.xyz", "one")
    world.drop(at: 50, "a.xyz", "two!")
    world.events.schedule(at: .seconds(100)) { try? world.files.removeFile("/inbox/b.xyz") }
    // Removed and back within the settling time: nothing happened to it but a new inode.
    world.events.schedule(at: .seconds(150)) { try? world.files.removeFile("/inbox/a.xyz") }
    world.drop(at: 155, "a.xyz", "two!")
    try world.run(until: 400)
    #expect(
      world.log == ["11: +a.xyz +b.xyz", "60: +a.xyz", "110: -b.xyz", "165: +a.xyz"])
  }

  @Test func aUnitThatWasNotRecordedIsNotDeliveredForEver() throws {
    let world = World()
    world.files.drop("/inbox/bad.xyz", "x")
    world.events.schedule(at: .seconds(500), waking: nil) { world.events.interrupt() }
    var count = 0
    func nothing(_ folder: String) -> UnitRegistry { UnitRegistry() }
    try world.watcher().run(registry: nothing) { _ in
      count += 1
      return true
    }
    #expect(count == 1)
  }

  @Test func theBatchHandlerCanEndTheWatch() throws {
    let world = World()
    world.files.drop("/inbox/a.xyz", "x")
    try world.watcher().run(registry: { _ in UnitRegistry() }, onBatch: { _ in false })
    #expect(world.clock.uptime == .seconds(10))
  }

  @Test func allFoldersAreOneBatch() throws {
    let world = World()
    world.drop(at: 5, "a.xyz")
    world.drop(at: 9, "/pool/b.xyz")
    world.drop(at: 40, "/pool/sub/OUTCAR")
    world.events.schedule(at: .seconds(70)) { try? world.files.removeFile("/pool/b.xyz") }
    world.drop(at: 72, "c.xyz")
    try world.run(until: 200)
    #expect(world.log == ["19: +a.xyz +/pool/b.xyz", "50: +/pool/sub", "82: +c.xyz -/pool/b.xyz"])
    #expect(world.events.watched == ["/inbox", "/pool", "/pool/sub"])
  }

  @Test func patienceCountsOverAllFolders() throws {
    let world = World()
    world.drop(at: 1, "a.xyz")
    for second in 1..<300 { world.drop(at: second, "/pool/growing.xyz", String(repeating: "x", count: second)) }
    try world.run(until: 290)
    #expect(world.log == ["71: +a.xyz"])
    #expect(world.batches[0].batch.parts.map { $0.unsettled.map(\.path) } == [[], ["growing.xyz"]])
  }

  @Test func aSingleFileIsWatchedAlone() throws {
    let world = World()
    world.files.drop("/pool/list.xyz", "1")
    world.drop(at: 20, "/pool/other.xyz")
    world.drop(at: 30, "/pool/list.xyz", "22")
    // As an editor does it.
    world.events.schedule(at: .seconds(60)) {
      world.files.drop("/pool/.new", "333")
      try? world.files.rename("/pool/.new", to: "/pool/list.xyz")
    }
    world.events.schedule(at: .seconds(100)) { try? world.files.removeFile("/pool/list.xyz") }
    let folders = [WatchedFolder("/inbox"), WatchedFolder("/pool/list.xyz")]
    #expect(throws: InboxError.vanished(path: "/pool/list.xyz")) { try world.run(until: 150, folders) }
    #expect(world.log == ["10: +/pool/list.xyz", "40: +/pool/list.xyz", "70: +/pool/list.xyz"])
    #expect(world.events.watched == ["/inbox", "/pool"])
  }

  @Test func aFolderInAFolderIsDeliveredOnce() throws {
    let world = World()
    let folders = [WatchedFolder("/inbox", hidden: ["pool"]), WatchedFolder("/inbox/pool")]
    world.files.dropFolder("/inbox/pool")
    world.drop(at: 1, "pool/a.xyz")
    world.drop(at: 1, "poolside.xyz")
    world.events.schedule(at: .seconds(30)) { try? world.files.removeFile("/inbox/pool/a.xyz") }
    try world.run(until: 100, folders)
    #expect(world.log == ["11: +poolside.xyz +/inbox/pool/a.xyz", "40: -/inbox/pool/a.xyz"])
  }

  @Test func whatIsDueComesWithoutDropsButNotIntoABurst() throws {
    let world = World()
    world.drop(at: 70, "a.xyz")
    var last = 0
    func isDue() -> Bool {
      let now = Int(world.clock.uptime.components.seconds)
      defer { if now >= last + 60 { last = now } }
      return now >= last + 60
    }
    try world.run(until: 200, isDue: isDue)
    #expect(world.log == ["60:", "80: +a.xyz", "140:"])
    #expect(world.batches.map(\.batch.isEmpty) == [true, false, true])
  }

  @Test func theWallClockMayJump() throws {
    let world = World()
    world.drop(at: 5, "a.xyz")
    world.events.schedule(at: .seconds(8)) { world.clock.setWallTime(Timestamp(seconds: 1000)) }
    world.drop(at: 30, "b.xyz")
    world.events.schedule(at: .seconds(35)) {
      world.clock.setWallTime(Timestamp(seconds: 4_000_000_000))
    }
    try world.run(until: 100)
    #expect(world.log == ["15: +a.xyz", "40: +b.xyz"])
  }

  @Test func aVanishedInboxEndsTheWatchWithAnError() throws {
    let world = World()
    world.drop(at: 1, "a.xyz")
    world.events.schedule(at: .seconds(50)) { try? world.files.rename("/inbox", to: "/gone") }
    #expect(throws: InboxError.vanished(path: "/inbox")) { try world.run(until: 200) }
    #expect(world.log == ["11: +a.xyz"])
    world.files.dropFolder("/inbox")
    #expect(throws: InboxError.unmounted(path: "/inbox", known: 1)) { try world.run(until: 300) }
  }

  @Test func withoutWatchesTheScanIsMoreFrequent() throws {
    let world = World()
    let limited = LimitedEventSource(world.events)
    world.drop(at: 5, "a.xyz", seen: false)
    try world.run(until: 100, source: limited)
    // Scanned at 15 (seen), settled at 25.
    #expect(world.log == ["25: +a.xyz"])
    #expect(world.messages.codes == ["watch-limit"])
  }

  @Test func scansAreNotMadeMoreOftenThanNeeded() throws {
    let world = World()
    for tenth in 0..<200 {
      world.events.schedule(at: .milliseconds(100 * tenth)) {
        world.files.drop("/inbox/a.xyz", "\(tenth)")
      }
    }
    world.files.forgetTouches()
    try world.run(until: 20)
    let scans = world.files.touches.filter { $0.operation == .list }.count
    #expect(scans <= 50 && scans >= 36, "\(scans)")
  }
}

@Suite struct WatchPlanTests {
  private func plan(
    kind: FileSystemKind, hears: Bool, limit: FileSystemError? = nil, watching paths: [String] = ["/inbox"]
  ) throws -> (plan: WatchPlan, files: MemoryFileSystem) {
    let clock = ManualClock()
    let files = MemoryFileSystem(clock: clock, kind: kind)
    files.dropFolder("/inbox")
    files.dropFolder("/state")
    files.drop("/pool/list.xyz", "x")
    let events = MemoryEventSource(clock: clock)
    if hears { events.schedule(at: .milliseconds(1)) {} }
    let plan = try WatchPlan.choose(
      files, watching: paths, state: "/state", clock: clock,
      makeEvents: { () throws(FileSystemError) in
        if let limit { throw limit }
        return events
      },
      makePolling: { () throws(FileSystemError) in MemoryEventSource(clock: clock) })
    #expect(files.tree("/state").count == 1, "the self-test cleans up")
    return (plan, files)
  }

  @Test func localDisksAreWatched() throws {
    let plan = try plan(kind: .ext4, hears: true).plan
    #expect(plan.line == "watching /inbox (ext4)" && plan.settling == .byAge)
    #expect(plan.timing.settle == .seconds(10) && plan.timing.rescan == .seconds(60))
  }

  @Test(arguments: [UInt32(0x6969), 0x0BD0_0BD0, 0x4750_4653, 0x6573_5546, 0x1234])
  func otherDisksArePolled(_ magic: UInt32) throws {
    let plan = try plan(kind: FileSystemKind(magic: magic), hears: true).plan
    #expect(plan.line.hasPrefix("polling /inbox every 15 s: on "))
    #expect(plan.timing.settle == .seconds(60) && plan.timing.rescan == .seconds(15))
    #expect(plan.settling == .byTrust)
  }

  @Test func severalFoldersAndFilesAreNamed() throws {
    let paths = ["/inbox", "/pool/list.xyz"]
    let near = try plan(kind: .ext4, hears: true, watching: paths).plan
    #expect(near.line == "watching /inbox (ext4), /pool/list.xyz (ext4)")
    let deaf = try plan(kind: .ext4, hears: false, watching: paths).plan
    #expect(deaf.line.hasPrefix(near.line + " and scanning them every 15 s: no event came"))
    let far = try plan(kind: .nfs, hears: true, watching: paths).plan
    #expect(far.line.hasPrefix("polling /inbox, /pool/list.xyz every 15 s: on "))
  }

  @Test func deafnessAndLimitsAreSaidAloud() throws {
    let deaf = try plan(kind: .ext4, hears: false).plan
    #expect(deaf.line.contains("no event came") && deaf.timing.rescan == .seconds(15))
    let limit = FileSystemError(.watch, "inotify", errorNumber: 24)
    let limited = try plan(kind: .ext4, hears: true, limit: limit).plan
    #expect(limited.line.contains("max_user_instances"))
    #expect(limited.timing.settle == .seconds(10))
  }

  @Test(.timeLimit(.minutes(1))) func aRealLocalFolderIsHeard() throws {
    let scratch = try ScratchFolder()
    try scratch.shell("mkdir inbox state")
    let plan = try WatchPlan.choose(
      PosixFileSystem(), watching: [Path.join(scratch.path, "inbox")],
      state: Path.join(scratch.path, "state"), clock: SystemClock())
    let kind = try PosixFileSystem().kind(at: scratch.path)
    #expect(plan.line.hasPrefix(kind.reportsEveryChange ? "watching" : "polling"))
  }
}

/// Everything at once on a real folder: every way of dropping, nothing missed, nothing twice.
@Suite struct RealWatcherTests {
  @Test(.timeLimit(.minutes(2))) func everyWayOfDroppingIsSeenOnce() throws {
    let scratch = try ScratchFolder()
    try scratch.shell(
      "mkdir inbox pool; mkdir -p outside/run; echo a > outside/run/OUTCAR; echo b > b.xyz")
    let files = PosixFileSystem()
    let folders = [WatchedFolder(Path.join(scratch.path, "inbox")), WatchedFolder(Path.join(scratch.path, "pool"))]
    let events = try InotifyEventSource()
    let watcher = Watcher(
      folders, files, events: events, clock: SystemClock(),
      timing: .init(
        settle: .milliseconds(30), rescan: .seconds(60), leastInterval: .milliseconds(5),
        patience: .milliseconds(200)))
    let expected: Set<String> = Set(
      (0..<100).map { "n/\($0)/a/b" }
        + ["pooled.xyz", "copied.xyz", "moved.xyz", "linked.xyz", "run", "appended.xyz", "renamed/run2"])
    let seen = Mutex<[String: Int]>([:])
    let results = try concurrentMap(2, threads: 2) { index -> Bool in
      if index == 0 {
        try watcher.run(registry: { _ in UnitRegistry() }) { batch in
          seen.withLock { seen in
            for unit in batch.parts.flatMap(\.fresh) { seen[unit.path, default: 0] += 1 }
          }
          return seen.withLock { !expected.isSubset(of: Set($0.keys)) }
        }
      } else {
        try scratch.shell(
          """
          cp b.xyz pool/pooled.xyz; cp b.xyz inbox/copied.xyz; cp b.xyz c.xyz; mv c.xyz inbox/moved.xyz
          ln b.xyz inbox/linked.xyz; mv outside/run inbox/run
          echo 1 > inbox/appended.xyz; echo 2 >> inbox/appended.xyz
          for i in $(seq 0 99); do mkdir -p inbox/n/$i/a/b; echo x > inbox/n/$i/a/b/OUTCAR; done
          mkdir -p inbox/early; mv inbox/early inbox/renamed; mkdir inbox/renamed/run2
          echo y > inbox/renamed/run2/OUTCAR
          """)
      }
      return true
    }
    #expect(results.count == 2)
    let found = seen.withLock { $0 }
    #expect(expected.isSubset(of: Set(found.keys)))
    // Nothing but what was dropped, at most once per state; appended.xyz may have had two.
    #expect(Set(found.keys).subtracting(expected).isEmpty)
    #expect(found.filter { $0.key != "appended.xyz" && $0.value != 1 }.isEmpty)
  }
}

/// Acts when a folder is about to be watched.
private final class DroppingEventSource: EventSource {
  private let base: MemoryEventSource
  private let action: @Sendable (String) -> Void

  init(_ base: MemoryEventSource, _ action: @escaping @Sendable (String) -> Void) {
    self.base = base
    self.action = action
  }

  func watch(_ folder: String) throws(FileSystemError) {
    if !base.watched.contains(folder) { action(folder) }
    try base.watch(folder)
  }
  func wait(atMost limit: Duration) -> Wake { base.wait(atMost: limit) }
  func interrupt() { base.interrupt() }
}

/// Has no watches left.
private final class LimitedEventSource: EventSource {
  private let base: MemoryEventSource

  init(_ base: MemoryEventSource) { self.base = base }

  func watch(_ folder: String) throws(FileSystemError) {
    throw FileSystemError(.watch, folder, errorNumber: 28)
  }
  func wait(atMost limit: Duration) -> Wake { base.wait(atMost: limit) }
  func interrupt() { base.interrupt() }
}
