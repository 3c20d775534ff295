import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

@Suite struct EventTests {
  @Test func scriptedEventsMoveTheClock() {
    let clock = ManualClock()
    let events = MemoryEventSource(clock: clock)
    let log = Mutex<[String]>([])
    events.schedule(at: .seconds(5)) { log.withLock { $0.append("seen") } }
    events.schedule(at: .seconds(2), waking: nil) { log.withLock { $0.append("unseen") } }
    events.schedule(at: .seconds(8), waking: Wake(hasOverflowed: true)) {}
    #expect(events.wait(atMost: .seconds(3)) == Wake())
    #expect(clock.uptime == .seconds(3) && log.withLock { $0 } == ["unseen"])
    #expect(events.wait(atMost: .seconds(10)) == Wake(hasChanges: true))
    #expect(clock.uptime == .seconds(5))
    #expect(events.wait(atMost: .seconds(10)).hasOverflowed)
    events.interrupt()
    #expect(events.wait(atMost: .seconds(10)).isInterrupted)
    #expect(events.wait(atMost: .seconds(1)) == Wake())
  }

  /// Long enough that a busy machine delivers, never waited out when it works.
  private static let patience: Duration = .seconds(30)

  @Test(
    .timeLimit(.minutes(2)),
    arguments: [
      "cp ../source new", "mv ../source new", "ln ../source new", "ln -s /nowhere new",
      "mkdir new", "mv ../tree new", "rm old", "echo more >> old",
    ])
  func theKernelReports(_ command: String) throws {
    let scratch = try ScratchFolder()
    try scratch.shell("mkdir inbox; echo x > source; mkdir -p tree/a; echo y > inbox/old")
    let events = try InotifyEventSource()
    try events.watch(Path.join(scratch.path, "inbox"))
    try events.watch(Path.join(scratch.path, "inbox"))
    try scratch.shell("cd inbox; \(command)")
    #expect(events.wait(atMost: Self.patience).hasChanges)
  }

  @Test(.timeLimit(.minutes(2))) func aFolderMadeAnewIsWatchedAnew() throws {
    let scratch = try ScratchFolder()
    let folder = Path.join(scratch.path, "a")
    try scratch.shell("mkdir a")
    let events = try InotifyEventSource()
    try events.watch(folder)
    try scratch.shell("rmdir a")
    #expect(events.wait(atMost: Self.patience).hasChanges)
    try scratch.shell("mkdir a")
    try events.watch(folder)
    try scratch.shell("touch a/x")
    #expect(events.wait(atMost: Self.patience).hasChanges)
    // A folder that is not there is the scan's business.
    try events.watch(Path.join(scratch.path, "none"))
  }

  @Test(.timeLimit(.minutes(2))) func aMovedFolderIsWatchedUnderItsNewName() throws {
    let scratch = try ScratchFolder()
    try scratch.shell("mkdir a")
    let events = try InotifyEventSource()
    try events.watch(Path.join(scratch.path, "a"))
    try scratch.shell("mv a b; mkdir a")
    #expect(events.wait(atMost: Self.patience).hasChanges)
    try events.watch(Path.join(scratch.path, "a"))
    try events.watch(Path.join(scratch.path, "b"))
    _ = events.wait(atMost: .zero)
    try scratch.shell("touch a/x")
    #expect(events.wait(atMost: Self.patience).hasChanges)
    try scratch.shell("touch b/x")
    #expect(events.wait(atMost: Self.patience).hasChanges)
  }

  @Test(.timeLimit(.minutes(2))) func aLostQueueIsReportedAsOverflow() throws {
    let text = try PosixFileSystem().readFile("/proc/sys/fs/inotify/max_queued_events")
    let limit = Int(String(decoding: text, as: UTF8.self).filter(\.isNumber)) ?? .max
    // Worth its time only where the queue is as short as it is by default.
    guard limit <= 20_000 else { return }
    let scratch = try ScratchFolder()
    let events = try InotifyEventSource()
    try events.watch(scratch.path)
    for index in 0...limit / 2 {
      let name = Path.join(scratch.path, "\(index)")
      let descriptor = creat(name, 0o600)
      close(descriptor)
    }
    let wake = events.wait(atMost: Self.patience)
    #expect(wake.hasChanges && wake.hasOverflowed)
    #expect(!events.wait(atMost: .zero).hasChanges)
  }

  @Test(.timeLimit(.minutes(2))) func anInterruptEndsTheWaitFromAnotherThread() throws {
    for events in [try InotifyEventSource(), try InotifyEventSource.polling()] {
      let thread = events
      let results = concurrentMap(2, threads: 2) { index in
        if index == 0 { return thread.wait(atMost: Self.patience).isInterrupted }
        thread.interrupt()
        return true
      }
      #expect(results == [true, true])
      #expect(events.wait(atMost: .zero) == Wake())
    }
  }

  @Test func pollingHearsNothing() throws {
    let scratch = try ScratchFolder()
    let events = try InotifyEventSource.polling()
    try events.watch(scratch.path)
    try scratch.shell("touch x")
    #expect(events.wait(atMost: .milliseconds(20)) == Wake())
  }
}

@Suite struct ProcessIdentityTests {
  @Test func thisProcessLives() {
    let me = ProcessIdentity.current()
    #expect(me == .current())
    #expect(!me.host.isEmpty && !me.bootID.isEmpty && me.processStart > 0)
    #expect(me.mayBeAlive(seenFrom: me))
  }

  @Test func onlyALocalProcessCanBeKnownDead() {
    let me = ProcessIdentity.current()
    var reused = me
    reused.processStart += 1
    #expect(!reused.mayBeAlive(seenFrom: me))
    for change in [\ProcessIdentity.host, \.bootID, \.namespace] {
      var other = reused
      other[keyPath: change] += "x"
      #expect(other.mayBeAlive(seenFrom: me), "elsewhere, nothing is known")
    }
  }

  @Test func aChildThatEndedIsDeadEvenAsAZombie() throws {
    var pid: pid_t = 0
    let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
    defer { free(arguments[0]) }
    #expect(posix_spawnp(&pid, "true", nil, nil, arguments, nil) == 0)
    // Waits for the end but leaves the zombie.
    var information = siginfo_t()
    #expect(waitid(P_PID, UInt32(pid), &information, WEXITED | WNOWAIT) == 0)
    let me = ProcessIdentity.current()
    var child = me
    child.processID = pid
    #expect(!child.mayBeAlive(seenFrom: me))
    waitpid(pid, nil, 0)
    #expect(!child.mayBeAlive(seenFrom: me))
  }
}
