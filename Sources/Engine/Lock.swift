// One run at a time per state folder, also between machines that share it. The lock is a file that
// appears whole under its name (temporary file, then link, which fails when the name exists), is
// kept fresh by its modification time, and is held by flock as well where that works.

import Configurations
import Foundation
import Platform
import Synchronization

/// Who holds the lock, as written in the lock file.
public struct LockHolder: Sendable, Equatable, Codable, CustomStringConvertible {
  public var process: ProcessIdentity
  /// When the lock was taken, for people.
  public var since: Timestamp
  /// Random; tells this holding apart from every other.
  public var token: String

  public init(process: ProcessIdentity, since: Timestamp, token: String) {
    self.process = process
    self.since = since
    self.token = token
  }

  public var description: String {
    "process \(process.processID) on \(printable(process.host)) since \(since)"
  }
}

/// Why the lock is not ours.
public enum LockError: Error, Sendable, Equatable, CustomStringConvertible {
  case fileSystem(FileSystemError)
  /// Another run holds it (exit code 75). The holder is nil when its file cannot be read.
  case held(path: String, by: LockHolder?)
  /// It was ours and was taken over while this process was not heard from: publish nothing.
  case lost(path: String, to: LockHolder?)

  public var description: String {
    switch self {
    case .fileSystem(let error): error.description
    case .held(let path, let holder):
      "\(printable(path)) is held by \(holder.map(String.init(describing:)) ?? "another run"). "
        + "Wait for it to end; a run that died is taken over by itself."
    case .lost(let path, let holder):
      "\(printable(path)) was taken over by \(holder.map(String.init(describing:)) ?? "another run")"
        + " while this run was stopped; nothing more is published. Run again."
    }
  }
}

/// The lock of a state folder, held until `release` or the end of the process.
public final class RunLock: Sendable {
  /// How often the holder shows that it is alive, and when it counts as dead.
  public struct Timing: Sendable {
    public var heartbeat: Duration
    public var stale: Duration

    public init(heartbeat: Duration = .seconds(15), stale: Duration = .seconds(300)) {
      self.heartbeat = heartbeat
      self.stale = stale
    }
  }

  public let holder: LockHolder
  public let path: String
  private let fileSystem: any FileSystem
  private let timing: Timing
  /// Keeps the flock.
  private let file: Mutex<(any OpenFile)?>
  private let pulse = Mutex(0)

  private init(
    _ fileSystem: any FileSystem, _ path: String, _ holder: LockHolder, _ timing: Timing,
    _ file: any OpenFile
  ) {
    self.fileSystem = fileSystem
    self.path = path
    self.holder = holder
    self.timing = timing
    self.file = Mutex(file)
  }

  static func path(in state: String) -> String { Path.join(state, "lock") }

  /// Takes the lock or says who has it. Waits for nobody.
  /// - Parameters:
  ///   - isAlive: whether the process of a lock file may still run; a test's own answer.
  public static func acquire(
    _ fileSystem: any FileSystem, state: String, clock: any Clock = SystemClock(),
    identity: ProcessIdentity = .current(), timing: Timing = Timing(),
    isAlive: ((ProcessIdentity) -> Bool)? = nil,
    report: @Sendable (Diagnostic) -> Void = { _ in }
  ) throws(LockError) -> RunLock {
    let path = path(in: state)
    let holder = LockHolder(
      process: identity, since: clock.wallTime, token: uniqueSuffix() + uniqueSuffix())
    let mayLive = isAlive ?? { $0.mayBeAlive(seenFrom: identity) }
    let outcome: Outcome
    do throws(FileSystemError) {
      outcome = try contend(
        fileSystem, state, path, holder, timing, mayLive, report)
    } catch { throw .fileSystem(error) }
    switch outcome {
    case .mine(let file): return RunLock(fileSystem, path, holder, timing, file)
    case .held(let other): throw .held(path: path, by: other)
    }
  }

  private enum Outcome {
    case mine(any OpenFile)
    case held(LockHolder?)
  }

  private static func contend(
    _ fileSystem: any FileSystem, _ state: String, _ path: String, _ holder: LockHolder,
    _ timing: Timing, _ mayLive: (ProcessIdentity) -> Bool, _ report: (Diagnostic) -> Void
  ) throws(FileSystemError) -> Outcome {
    try fileSystem.createFolders(state)
    // Each round either ends or follows a change that another process made.
    for _ in 0..<16 {
      if let file = try LockFile.create(fileSystem, path, holder) {
        return .mine(file)
      }
      guard let found = try LockFile.look(fileSystem, path) else { continue }
      guard try found.isStale(fileSystem, state, after: timing.stale, mayLive) else {
        return .held(found.holder)
      }
      if try found.takeAway(fileSystem, token: holder.token) {
        report(
          Diagnostic(
            .note, code: "lock-taken-over", place: .init(file: path),
            cause: "the lock of \(found.holder.map(String.init(describing:)) ?? "an unknown run")"
              + " was stale and has been taken over."))
      }
    }
    return .held(nil)
  }

  /// The present holder, for `status`; nil when nobody holds the lock or its file is unreadable.
  public static func holder(_ fileSystem: any FileSystem, state: String) -> LockHolder? {
    (try? fileSystem.readFile(path(in: state))).flatMap(LockFile.decode)
  }

  /// Throws unless the lock is still ours. Call it right before every publication.
  public func check() throws(LockError) {
    let bytes: [UInt8]?
    do throws(FileSystemError) { bytes = try fileSystem.readFileIfPresent(path) } catch {
      throw .fileSystem(error)
    }
    let present = bytes.flatMap(LockFile.decode)
    if present?.token != holder.token { throw .lost(path: path, to: present) }
  }

  /// Shows that this run is alive.
  public func beat() throws(LockError) {
    try check()
    do throws(FileSystemError) { try fileSystem.touch(path) } catch {
      if error.code == .notFound { throw .lost(path: path, to: nil) }
      throw .fileSystem(error)
    }
  }

  /// Beats by itself until released. `onLoss` is called once, on another thread, if the lock is
  /// taken over; passing errors (a network file system that hiccups) are waited out.
  public func keepAlive(onLoss: @escaping @Sendable (LockError) -> Void) {
    let turn = pulse.withLock { turn in
      turn += 1
      return turn
    }
    scheduleBeat(turn, onLoss)
  }

  private func scheduleBeat(_ turn: Int, _ onLoss: @escaping @Sendable (LockError) -> Void) {
    let period = Double(timing.heartbeat.wholeNanoseconds) / 1e9
    DispatchQueue.global(qos: .utility).asyncAfter(deadline: .now() + period) { [weak self] in
      guard let self, pulse.withLock({ $0 }) == turn else { return }
      do throws(LockError) { try beat() } catch {
        if case .lost = error { return onLoss(error) }
      }
      scheduleBeat(turn, onLoss)
    }
  }

  /// Ends the beating: a beat belongs to a turn that is over.
  private func stopBeating() { pulse.withLock { $0 += 1 } }

  /// Gives the lock back. What another run took over meanwhile is left alone.
  public func release() throws(LockError) {
    stopBeating()
    defer { file.withLock { $0 = nil } }
    do throws(LockError) { try check() } catch {
      // Not even for a moment may another run's lock be moved.
      if case .lost = error { return }
      throw error
    }
    do throws(FileSystemError) {
      let mine = LockFile(path: path, holder: holder, isHeldHere: false, file: nil)
      _ = try mine.takeAway(fileSystem, token: holder.token)
    } catch { throw .fileSystem(error) }
  }
}
