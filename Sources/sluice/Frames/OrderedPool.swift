// Pieces of work come in one at a time, are done on all threads, and their results leave in order.

import Foundation
import Platform
import Synchronization

/// Does work on several threads. All its methods belong to one thread, and `consume` is called on
/// that one, in the order of submission, so that nothing depends on scheduling. No more than a few pieces per thread
/// are under way.
final class OrderedPool<Input: Sendable, Output: Sendable> {
  private final class Shared: Sendable {
    struct State {
      var queue: [(index: Int, input: Input)] = []
      var results: [Int: Result<Output, any Error>] = [:]
      var isClosed = false
    }
    let state = Mutex(State())
    let waiting = DispatchSemaphore(value: 0)
    let done = DispatchSemaphore(value: 0)
  }

  private let shared = Shared()
  private let threads: Int
  private let window: Int
  private let consume: (Output) throws -> Void
  private var submitted = 0
  private var consumed = 0

  /// `worker` makes what one thread keeps for all its work.
  init<Worker>(
    threads: Int, worker: @escaping @Sendable () -> Worker,
    work: @escaping @Sendable (Worker, Input) throws -> Output, consume: @escaping (Output) throws -> Void
  ) {
    self.threads = threads
    self.consume = consume
    window = 3 * threads
    let shared = shared
    for _ in 0..<threads {
      let thread = Thread {
        let own = worker()
        while true {
          shared.waiting.wait()
          let next = shared.state.withLock { state in state.queue.isEmpty ? nil : state.queue.removeFirst() }
          guard let next else { return }
          let result = Result { try work(own, next.input) }
          shared.state.withLock { $0.results[next.index] = result }
          shared.done.signal()
        }
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  deinit { close() }

  /// Waits while too much is under way. Throws the failure of the first piece that failed.
  func submit(_ input: Input) throws {
    while submitted - consumed >= window { try takeNext() }
    let index = submitted
    submitted += 1
    shared.state.withLock { $0.queue.append((index, input)) }
    shared.waiting.signal()
    while let result = ready() { try take(result) }
  }

  /// Waits for everything that was submitted.
  func finish() throws {
    while consumed < submitted { try takeNext() }
    close()
  }

  private func takeNext() throws {
    while true {
      if let result = ready() { return try take(result) }
      shared.done.wait()
    }
  }

  private func ready() -> Result<Output, any Error>? {
    shared.state.withLock { $0.results.removeValue(forKey: consumed) }
  }

  private func take(_ result: Result<Output, any Error>) throws {
    consumed += 1
    try consume(try result.get())
  }

  private func close() {
    let isFirst = shared.state.withLock { state in
      state.queue = []
      defer { state.isClosed = true }
      return !state.isClosed
    }
    if isFirst { for _ in 0..<threads { shared.waiting.signal() } }
  }
}
