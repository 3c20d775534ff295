import CLinux
import Synchronization

/// What time it is. Only messages, settling and time limits ask; no result depends on it.
public protocol Clock: Sendable {
  /// Coordinated universal time, for people to read. It may jump.
  var wallTime: Timestamp { get }
  /// Time since some fixed moment; never runs backwards.
  var uptime: Duration { get }
}

/// The machine's clocks.
public struct SystemClock: Clock {
  public init() {}

  public var wallTime: Timestamp {
    let time = Self.read(CLOCK_REALTIME)
    return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
  }

  public var uptime: Duration {
    let time = Self.read(CLOCK_MONOTONIC)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  private static func read(_ clock: clockid_t) -> timespec {
    var time = timespec()
    clock_gettime(clock, &time)
    return time
  }
}

/// A clock that stands still until a test moves it.
public final class ManualClock: Clock {
  private let state: Mutex<(wall: Timestamp, uptime: Duration)>

  public init(wallTime: Timestamp = Timestamp(seconds: 1_800_000_000)) {
    state = Mutex((wallTime, .zero))
  }

  public var wallTime: Timestamp { state.withLock { $0.wall } }

  public var uptime: Duration { state.withLock { $0.uptime } }

  /// Lets both clocks run on by `duration`.
  public func advance(by duration: Duration) {
    precondition(duration >= .zero, "a clock does not run backwards; use setWallTime")
    state.withLock { $0 = ($0.wall + duration, $0.uptime + duration) }
  }

  /// Sets the wall clock alone, forwards or backwards, as an administrator or NTP would.
  public func setWallTime(_ time: Timestamp) { state.withLock { $0.wall = time } }
}
