import Engine
import Foundation
import Platform
import Synchronization
import TestSupport
import Testing

@Suite struct LockTests {
  static func identity(_ host: String, _ pid: Int32) -> ProcessIdentity {
    ProcessIdentity(
      host: host, bootID: "boot-" + host, processID: pid, processStart: 1, namespace: "n")
  }

  /// Takes the lock as process `pid` of `host`; only the processes in `dead` are known to be dead.
  static func take(
    _ files: any FileSystem, _ host: String, _ pid: Int32, dead: Set<Int32> = [],
    _ messages: Messages = Messages()
  ) throws(LockError) -> RunLock {
    let clock = (files as? MemoryFileSystem)?.clock ?? ManualClock()
    return try RunLock.acquire(
      files, state: "/state", clock: clock, identity: identity(host, pid),
      isAlive: { $0.host != host || !dead.contains($0.processID) }, report: messages.report)
  }

  static func isHeld(by pid: Int32, _ body: () throws(LockError) -> RunLock) -> Bool {
    do throws(LockError) {
      _ = try body()
      return false
    } catch {
      guard case .held(_, let holder) = error else { return false }
      return holder?.process.processID == pid
    }
  }

  @Test func theSecondRunNamesTheHolder() throws {
    let files = MemoryFileSystem(clock: ManualClock(wallTime: Timestamp(seconds: 0)))
    let lock = try Self.take(files, "a", 1)
    try lock.check()
    #expect(RunLock.holder(files, state: "/state")?.token == lock.holder.token)
    for (host, pid) in [("a", Int32(2)), ("b", 3)] {
      let error = #expect(throws: LockError.self) { try Self.take(files, host, pid) }
      #expect(error == .held(path: "/state/lock", by: lock.holder))
      #expect(error?.description.contains("process 1 on a since 1970-01-01T00:00:00Z") == true)
    }
    try lock.release()
    #expect(RunLock.holder(files, state: "/state") == nil)
    #expect(throws: LockError.lost(path: "/state/lock", to: nil)) { try lock.check() }
    let next = try Self.take(files, "b", 3)
    try next.release()
    #expect(files.tree("/state").map(\.path) == ["/state"], "nothing is left lying about")
  }

  @Test func aDeadLocalHolderIsReplacedAtOnce() throws {
    let files = MemoryFileSystem()
    let old = try Self.take(files, "a", 1)
    // As after kill -9: the kernel has dropped the flock, the file is still there.
    let after = files.afterPowerLoss(.everything)
    let messages = Messages()
    let lock = try Self.take(after, "a", 2, dead: [1], messages)
    #expect(messages.codes == ["lock-taken-over"])
    try lock.check()
    // The same, seen from another machine, proves nothing yet.
    let elsewhere = files.afterPowerLoss(.everything)
    #expect(
      Self.isHeld(by: 1) { () throws(LockError) in try Self.take(elsewhere, "b", 2, dead: [1]) })
    withExtendedLifetime(old) {}
  }

  @Test func aHeldFlockOutweighsADeadProcessNumber() throws {
    let files = MemoryFileSystem()
    let lock = try Self.take(files, "a", 1)
    // Another process namespace may make a living process look dead.
    #expect(Self.isHeld(by: 1) { () throws(LockError) in try Self.take(files, "a", 2, dead: [1]) })
    withExtendedLifetime(lock) {}
  }

  @Test func aSilentHolderIsReplacedByTheFileSystemsClock() throws {
    let clock = ManualClock()
    let files = MemoryFileSystem(clock: clock)
    // The disk's clock is years off; only differences of its own times count.
    files.setClockSkew(.seconds(-300_000_000))
    let old = try Self.take(files, "a", 1)
    for _ in 0..<30 {
      clock.advance(by: .seconds(290))
      try old.beat()
      #expect(Self.isHeld(by: 1) { () throws(LockError) in try Self.take(files, "b", 2) })
    }
    clock.advance(by: .seconds(301))
    let new = try Self.take(files, "b", 2)
    // The old one resumes (SIGCONT) and must not publish, beat, or remove the new lock.
    #expect(throws: LockError.lost(path: "/state/lock", to: new.holder)) { try old.check() }
    #expect(throws: LockError.lost(path: "/state/lock", to: new.holder)) { try old.beat() }
    try old.release()
    try new.check()
    #expect(Self.isHeld(by: 2) { () throws(LockError) in try Self.take(files, "c", 3) })
  }

  @Test func aClockSetBackDoesNotHoldTheLockForEver() throws {
    let clock = ManualClock()
    let files = MemoryFileSystem(clock: clock)
    _ = try Self.take(files, "a", 1)
    clock.setWallTime(Timestamp(seconds: 1_000_000))
    _ = try Self.take(files, "b", 2)
  }

  @Test func anUnreadableLockIsJudgedByAge() throws {
    let clock = ManualClock()
    let files = MemoryFileSystem(clock: clock)
    for content in ["", "{\"process\":", "rubbish"] {
      files.drop("/state/lock", content)
      let error = #expect(throws: LockError.self) { try Self.take(files, "a", 1) }
      #expect(error == .held(path: "/state/lock", by: nil))
      clock.advance(by: .seconds(301))
      let lock = try Self.take(files, "a", 1)
      try lock.release()
    }
  }

  @Test func ofManyAtOnceOneWorks() throws {
    let scratch = try ScratchFolder()
    let state = Path.join(scratch.path, "state")
    for round in 0..<5 {
      // A dead run's lock lies there in every second round.
      if round % 2 == 1 {
        let dead = LockHolder(
          process: ProcessIdentity.current(), since: Timestamp(seconds: 0), token: "dead")
        var holder = dead
        holder.process.processStart += 1
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
        try JSONEncoder().encode(holder).write(to: URL(fileURLWithPath: Path.join(state, "lock")))
      }
      let locks = try concurrentMap(50, threads: 8) { _ -> RunLock? in
        do throws(LockError) { return try RunLock.acquire(PosixFileSystem(), state: state) } catch {
          guard case .held = error else { throw error }
          return nil
        }
      }.compactMap(\.self)
      #expect(locks.count == 1, "round \(round)")
      try locks.first?.check()
      try locks.first?.release()
      let left = try PosixFileSystem().entries(of: state).map(\.name)
      #expect(left.isEmpty, "\(left)")
    }
  }

  @Test func takersOfOneStaleLockCannotBothSucceed() throws {
    // Taker B judged the lock stale, then was overtaken by A, which took it and holds it now.
    let clock = ManualClock()
    let files = MemoryFileSystem(clock: clock)
    _ = try Self.take(files, "old", 9)
    clock.advance(by: .seconds(301))
    let slow = InterposedFileSystem(files)
    let winner = Mutex<RunLock?>(nil)
    slow.beforeFirstRename {
      let lock = try? Self.take(files, "a", 1)
      winner.withLock { $0 = lock }
    }
    #expect(
      Self.isHeld(by: 1) { () throws(LockError) in
        try RunLock.acquire(
          slow, state: "/state", clock: clock, identity: Self.identity("b", 2),
          isAlive: { _ in true })
      })
    try #require(winner.withLock { $0 }).check()
  }

  @Test func aFailureAnywhereLeavesNoLockBehind() throws {
    func work(_ files: any FileSystem) throws {
      let lock = try RunLock.acquire(
        files, state: "/state", clock: ManualClock(), identity: Self.identity("a", 1),
        isAlive: { _ in false })
      try lock.beat()
      try lock.check()
      try lock.release()
    }
    let counting = FaultyFileSystem(MemoryFileSystem(), call: 0, .crash)
    try work(counting)
    for call in 1...counting.calls {
      for fault: FaultyFileSystem.Fault in [.error(28), .error(5), .error(13), .crash] {
        let memory = MemoryFileSystem()
        do {
          try work(FaultyFileSystem(memory, call: call, fault))
          #expect(fault == .error(13), "call \(call) went unnoticed")
        } catch { #expect(error is LockError) }
        // The next run, after the process died, always gets the lock.
        try work(memory.afterPowerLoss(.everything))
        try work(memory.afterPowerLoss(.random(seed: UInt64(call))))
      }
    }
  }

  @Test(.timeLimit(.minutes(1))) func beatsByItself() throws {
    let scratch = try ScratchFolder()
    let files = PosixFileSystem()
    let state = Path.join(scratch.path, "state")
    let lock = try RunLock.acquire(
      files, state: state, timing: .init(heartbeat: .milliseconds(5)))
    let lost = Mutex(false)
    let path = Path.join(state, "lock")
    let first = try files.status(of: path).modified
    let signal = DispatchSemaphore(value: 0)
    lock.keepAlive { _ in
      lost.withLock { $0 = true }
      signal.signal()
    }
    while try files.status(of: path).modified == first { sched_yield() }
    try files.removeFile(path)
    signal.wait()
    #expect(lost.withLock { $0 })
    try lock.release()
  }
}

/// Lets a test act at the moment between a decision and the rename that follows it.
final class InterposedFileSystem: FileSystem {
  private let base: MemoryFileSystem
  private let action = Mutex<(@Sendable () -> Void)?>(nil)

  init(_ base: MemoryFileSystem) { self.base = base }

  func beforeFirstRename(_ body: @escaping @Sendable () -> Void) { action.withLock { $0 = body } }

  func rename(_ source: String, to destination: String) throws(FileSystemError) {
    let body = action.withLock { action in
      defer { action = nil }
      return action
    }
    body?()
    try base.rename(source, to: destination)
  }

  func status(of path: String) throws(FileSystemError) -> FileStatus { try base.status(of: path) }
  func entries(of relative: String, beneath root: String) throws(FileSystemError) -> [FolderEntry] {
    try base.entries(of: relative, beneath: root)
  }
  func open(_ relative: String, beneath root: String, _ mode: OpenMode) throws(FileSystemError)
    -> any OpenFile
  { try base.open(relative, beneath: root, mode) }
  func createFolder(_ path: String, isPrivate: Bool) throws(FileSystemError) {
    try base.createFolder(path, isPrivate: isPrivate)
  }
  func createLink(_ path: String, to existing: String) throws(FileSystemError) {
    try base.createLink(path, to: existing)
  }
  func createSymbolicLink(_ path: String, to target: String) throws(FileSystemError) {
    try base.createSymbolicLink(path, to: target)
  }
  func readSymbolicLink(_ path: String) throws(FileSystemError) -> String {
    try base.readSymbolicLink(path)
  }
  func removeFile(_ path: String) throws(FileSystemError) { try base.removeFile(path) }
  func removeFolder(_ path: String) throws(FileSystemError) { try base.removeFolder(path) }
  func synchronizeFolder(_ path: String) throws(FileSystemError) {
    try base.synchronizeFolder(path)
  }
  func touch(_ path: String) throws(FileSystemError) { try base.touch(path) }
  func freeSpace(at path: String) throws(FileSystemError) -> FreeSpace {
    try base.freeSpace(at: path)
  }
  func kind(at path: String) throws(FileSystemError) -> FileSystemKind { try base.kind(at: path) }
}
