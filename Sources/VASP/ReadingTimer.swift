import Configurations
import Glibc

/// How much processor time the reading of one file has taken: what its reader does between two reads
/// counts, waiting for a disk does not. The answer depends on the machine, so its limit lies thousands
/// of times beyond what any reader needs, and only inputs that were made to hang a program meet it.
struct ReadingTimer {
  let secondsPerMegabyte: Double
  private var start: Double?

  init(secondsPerMegabyte: Double) { self.secondsPerMegabyte = secondsPerMegabyte }

  /// Asked at every read, by the thread that reads. The first one starts the time.
  mutating func isOver(byteCount: Int) -> Bool {
    let now = Self.processorTime()
    guard let start else {
      start = now
      return false
    }
    return now - start > secondsPerMegabyte * max(1, Double(byteCount) * 1e-6)
  }

  func refusal(_ place: Diagnostic.Place) -> Diagnostic {
    Diagnostic(
      .error, code: "too-slow", place: place,
      cause: "reading took more than \(secondsPerMegabyte) seconds of processor time for a megabyte and was given up.",
      remedy: "The file is not as a program writes it: look at it there, or copy it again from its origin.")
  }

  /// Of this thread, s.
  private static func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
