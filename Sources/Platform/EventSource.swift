import Synchronization

/// What ended a wait for changes. It is a hint: the scan that follows is the truth.
public struct Wake: Sendable, Equatable {
  /// Something changed in a watched folder.
  public var hasChanges: Bool
  /// Events were lost; a scan must not rely on any of them.
  public var hasOverflowed: Bool
  /// `interrupt` was called.
  public var isInterrupted: Bool

  public init(hasChanges: Bool = false, hasOverflowed: Bool = false, isInterrupted: Bool = false) {
    self.hasChanges = hasChanges
    self.hasOverflowed = hasOverflowed
    self.isInterrupted = isInterrupted
  }
}

/// Waits for changes in folders.
public protocol EventSource: Sendable {
  /// Adds a folder (not what is below it). A folder that is watched already is left alone.
  func watch(_ folder: String) throws(FileSystemError)
  /// Blocks until something changed, `interrupt` was called, or `limit` has passed.
  func wait(atMost limit: Duration) -> Wake
  /// Ends the present or next wait; callable from any thread.
  func interrupt()
}

/// Scripted changes under a manual clock: waiting costs no time, it moves the clock.
public final class MemoryEventSource: EventSource {
  private struct Event {
    var time: Duration
    var wake: Wake
    var action: @Sendable () -> Void
  }

  private struct State {
    var script: [Event] = []
    var watched: [String] = []
    var isInterrupted = false
  }

  private let clock: ManualClock
  private let state = Mutex(State())

  public init(clock: ManualClock) { self.clock = clock }

  /// Folders watched so far, in order.
  public var watched: [String] { state.withLock { $0.watched } }

  /// Runs `action` when the clock's uptime reaches `time`; `wake` nil lets it go unnoticed, as a
  /// write from another machine does.
  public func schedule(
    at time: Duration, waking wake: Wake? = Wake(hasChanges: true),
    _ action: @escaping @Sendable () -> Void
  ) {
    state.withLock { state in
      state.script.append(Event(time: time, wake: wake ?? Wake(), action: action))
      // Stable: events of one time keep the order in which they were scheduled.
      state.script.sort { $0.time < $1.time }
    }
  }

  public func watch(_ folder: String) throws(FileSystemError) {
    state.withLock { if !$0.watched.contains(folder) { $0.watched.append(folder) } }
  }

  public func interrupt() { state.withLock { $0.isInterrupted = true } }

  public func wait(atMost limit: Duration) -> Wake {
    let deadline = clock.uptime + limit
    var wake = Wake()
    while true {
      let (next, interrupted) = state.withLock { state -> (Event?, Bool) in
        let interrupted = state.isInterrupted
        state.isInterrupted = false
        guard let first = state.script.first,
          first.time <= (wake.hasChanges ? clock.uptime : deadline)
        else { return (nil, interrupted) }
        return interrupted ? (nil, true) : (state.script.removeFirst(), false)
      }
      if interrupted {
        wake.isInterrupted = true
        return wake
      }
      guard let event = next else { break }
      if event.time > clock.uptime { clock.advance(by: event.time - clock.uptime) }
      event.action()
      wake.hasChanges = wake.hasChanges || event.wake.hasChanges
      wake.hasOverflowed = wake.hasOverflowed || event.wake.hasOverflowed
    }
    if !wake.hasChanges && !wake.hasOverflowed {
      clock.advance(by: max(.zero, deadline - clock.uptime))
    }
    return wake
  }
}
