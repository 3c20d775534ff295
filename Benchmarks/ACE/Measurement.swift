import Foundation
import Glibc

/// Processor time of this thread, µs: not disturbed by what else runs on the machine, but for its caches.
func processorTime() -> Double { seconds(CLOCK_THREAD_CPUTIME_ID) * 1e6 }

func seconds(_ clock: clockid_t) -> Double {
  var t = timespec()
  clock_gettime(clock, &t)
  return Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9
}

/// Measures several things in turn, round after round, so that a disturbance hits all of them alike.
struct Rounds {
  private(set) var labels: [String] = []
  private var bodies: [() throws -> Void] = []
  private var times: [[Double]] = []

  mutating func add(_ label: String, _ body: @escaping () throws -> Void) {
    labels.append(label)
    bodies.append(body)
    times.append([])
  }

  mutating func run(_ rounds: Int) throws {
    for _ in 0..<rounds {
      for k in bodies.indices {
        let start = processorTime()
        try bodies[k]()
        times[k].append(processorTime() - start)
      }
    }
  }

  /// µs of one call.
  func best(_ label: String) -> Double { times[labels.firstIndex(of: label)!].min()! }
  func median(_ label: String) -> Double {
    let sorted = times[labels.firstIndex(of: label)!].sorted()
    return sorted[sorted.count / 2]
  }
}

/// Peak memory of the process above what it held before, MB; of use in a young process only.
func peakMemory(_ body: () throws -> Void) rethrows -> Double {
  func status(_ key: String) -> Double {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(key) } ?? ""
    return Double(line.split { !$0.isNumber }.first ?? "0")! / 1024
  }
  // "5" sets the peak back to what is held now.
  if let file = fopen("/proc/self/clear_refs", "w") {
    fputs("5", file)
    fclose(file)
  }
  let before = status("VmRSS")
  try body()
  return status("VmHWM") - before
}

func fixed(_ x: Double, _ digits: Int = 1, width: Int = 8) -> String {
  String(format: "%\(width).\(digits)f", x)
}
