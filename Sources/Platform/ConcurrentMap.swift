import CLinux
import Dispatch
import Synchronization

/// Processors this process may use.
public func availableProcessors() -> Int { Int(sluice_available_processors()) }

/// Maps `0..<count` on up to `threads` threads and returns the results in index order, so that what
/// comes out never depends on scheduling. Work is handed out one index at a time. The error of the
/// lowest failing index is thrown after all running work has ended.
public func concurrentMap<Result: Sendable>(
  _ count: Int, threads: Int, _ body: @Sendable (Int) throws -> Result
) throws -> [Result] {
  if threads <= 1 || count <= 1 { return try (0..<count).map(body) }
  let results = Mutex([Swift.Result<Result, any Error>?](repeating: nil, count: count))
  let next = Atomic(0)
  DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      if index >= count { return }
      let result = Swift.Result { try body(index) }
      results.withLock { $0[index] = result }
    }
  }
  return try results.withLock { try $0.map { try $0!.get() } }
}
