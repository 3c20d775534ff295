import CLinux
import Dispatch
import Synchronization

/// Processors this process may use.
public func availableProcessors() -> Int { Int(sluice_available_processors()) }

/// Maps `0..<count` on up to `threads` threads and returns the results in index order, so that what
/// comes out never depends on scheduling. Work is handed out one index at a time. The error of the
/// lowest failing index is thrown after all running work has ended.
public func concurrentMap<Result: Sendable, Failure: Error>(
  _ count: Int, threads: Int, _ body: @Sendable (Int) throws(Failure) -> Result
) throws(Failure) -> [Result] {
  var values: [Result] = []
  values.reserveCapacity(count)
  if threads <= 1 || count <= 1 {
    for index in 0..<count { values.append(try body(index)) }
    return values
  }
  let results = Mutex([Swift.Result<Result, Failure>?](repeating: nil, count: count))
  let next = Atomic(0)
  DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      if index >= count { return }
      let result = Swift.Result { () throws(Failure) in try body(index) }
      results.withLock { $0[index] = result }
    }
  }
  for result in results.withLock({ $0 }) { values.append(try result!.get()) }
  return values
}

/// As `concurrentMap`, for many elements of a few microseconds each: `body` maps a share of them at a time.
public func concurrentShares<Result: Sendable, Failure: Error>(
  _ count: Int, threads: Int, _ body: @Sendable (Range<Int>) throws(Failure) -> [Result]
) throws(Failure) -> [Result] {
  let share = 256
  let parts = try concurrentMap((count + share - 1) / share, threads: threads) { number throws(Failure) in
    try body(number * share..<min(count, (number + 1) * share))
  }
  var results: [Result] = []
  results.reserveCapacity(count)
  for part in parts { results += part }
  return results
}
