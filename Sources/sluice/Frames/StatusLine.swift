import Foundation

/// A line on a terminal that the next one replaces; nothing where standard error is no terminal.
final class StatusLine {
  private let isShown: Bool
  private var last = Date.distantPast
  private var isOnScreen = false

  init(quiet: Bool) {
    isShown = !quiet && isatty(2) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  }

  func show(_ text: @autoclosure () -> String) {
    guard isShown, Date().timeIntervalSince(last) > 0.1 else { return }
    last = Date()
    isOnScreen = true
    FileHandle.standardError.write(Data("\r\u{1B}[2K\(text().prefix(Self.width - 1))".utf8))
  }

  func clear() {
    if isOnScreen { FileHandle.standardError.write(Data("\r\u{1B}[2K".utf8)) }
    isOnScreen = false
  }

  /// Columns of the terminal behind standard error; 160 where there is none.
  static var width: Int {
    guard isatty(2) == 1 else { return 160 }
    var size = winsize()
    return ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 40 ? Int(size.ws_col) : 100
  }
}
