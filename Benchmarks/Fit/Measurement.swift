import Foundation
import Glibc

/// Processor seconds of the calling thread.
func threadTime() -> Double { seconds(CLOCK_THREAD_CPUTIME_ID) }

/// Processor seconds of the whole process.
func processTime() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

func wallTime() -> Double { seconds(CLOCK_MONOTONIC) }

private func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Largest resident memory so far, MB.
func peakMemory() -> Int {
  let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
  let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
  return (line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) / 1024
}

/// The median of `rounds` processor times of each body, taken in turn so that a slow moment hits all.
func medians(_ rounds: Int, _ bodies: [() -> Void]) -> [Double] {
  var times = Array(repeating: [Double](), count: bodies.count)
  for _ in 0..<rounds {
    for (index, body) in bodies.enumerated() {
      let start = threadTime()
      body()
      times[index].append(threadTime() - start)
    }
  }
  return times.map { $0.sorted()[rounds / 2] }
}

func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

func column(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}
