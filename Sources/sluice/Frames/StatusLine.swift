import Foundation
import Platform
import Synchronization

/// A line on a terminal that the next one replaces, at most ten times a second; nothing where standard error is no
/// terminal. Any thread may write it.
final class StatusLine: Sendable {
  private struct State {
    var last = Date.distantPast
    var isOnScreen = false
  }

  private let isShown: Bool
  private let state = Mutex(State())

  init(quiet: Bool) {
    isShown = !quiet && isatty(2) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  }

  func show(_ text: @autoclosure () -> String) {
    guard isShown else { return }
    state.withLock { state in
      let now = Date()
      guard now.timeIntervalSince(state.last) > 0.1 else { return }
      state.last = now
      state.isOnScreen = true
      let line = printable(text()).prefix(Self.width - 1)
      FileHandle.standardError.write(Data("\r\u{1B}[2K\(line)".utf8))
    }
  }

  /// Takes the line away, for good.
  func clear() {
    state.withLock { state in
      if state.isOnScreen { FileHandle.standardError.write(Data("\r\u{1B}[2K".utf8)) }
      state.isOnScreen = false
      state.last = .distantFuture
    }
  }

  /// Columns of the terminal behind standard error; 160 where there is none.
  static var width: Int {
    guard isatty(2) == 1 else { return 160 }
    var size = winsize()
    return ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 40 ? Int(size.ws_col) : 100
  }
}
