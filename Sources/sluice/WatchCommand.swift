// `sluice watch`: passes over one or several pipelines whenever something has settled.

import Configurations
import Engine
import Foundation
import Platform
import StageKit
import Synchronization

let watchCommand = Command(
  name: "watch", operands: "PIPELINE…", operandCount: 1...64,
  summary: "Stay and run a pass whenever a drop has settled; SIGTERM ends it, SIGHUP reads the pipeline again.",
  options: [
    Option("quiet", short: "q", "Only problems and the results' places."),
    Option("verbose", short: "v", "Also what was counted."),
  ],
  examples: ["sluice watch pipelines/tungsten.json5", "sluice watch copper.json5 silicon.json5"]
) { arguments in
  let stop = Interrupter()
  let watches = try arguments.operands.map { path in
    try PipelineWatch(path, quiet: arguments.has("quiet"), verbose: arguments.has("verbose"), stop: stop)
  }
  let failures = Mutex(0)
  let group = DispatchGroup()
  for watch in watches {
    let thread = Thread {
      do {
        try watch.run()
      } catch {
        complain("\(watch.path): \(error)")
        failures.withLock { $0 += 1 }
      }
      group.leave()
    }
    thread.stackSize = 8 << 20
    group.enter()
    thread.start()
  }
  group.wait()
  return failures.withLock { $0 } == 0 ? 0 : 1
}

/// Ends or reloads all watches on a signal.
final class Interrupter: Sendable {
  private struct State {
    var isEnding = false
    var reloads = 0
    var events: [Int: any EventSource] = [:]
    var lastKey = 0
  }

  private let state = Mutex(State())

  init() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { [self] in
        let waiting = state.withLock { state in
          if number == SIGHUP {
            state.reloads += 1
          } else if state.isEnding {
            _exit(128 + number)  // asked twice
          } else {
            state.isEnding = true
          }
          return Array(state.events.values)
        }
        for events in waiting { events.interrupt() }
        _ = source  // keeps the handler alive
      }
      source.resume()
    }
  }

  var isEnding: Bool { state.withLock { $0.isEnding } }
  var reloads: Int { state.withLock { $0.reloads } }

  /// While `body` runs, waits of this source end when a signal comes.
  func interrupting(_ events: any EventSource, _ body: () throws -> Void) rethrows {
    let key = state.withLock { state in
      state.lastKey += 1
      state.events[state.lastKey] = events
      return state.lastKey
    }
    defer { state.withLock { $0.events[key] = nil } }
    try body()
  }

  @Sendable func check() throws { if isEnding { throw CancellationError() } }
}

/// One pipeline under watch.
final class PipelineWatch: Sendable {
  let path: String
  private let quiet: Bool
  private let verbose: Bool
  private let stop: Interrupter

  init(_ path: String, quiet: Bool, verbose: Bool, stop: Interrupter) throws {
    self.path = path
    self.quiet = quiet
    self.verbose = verbose
    self.stop = stop
    _ = try load(path)  // a bad pipeline stops before anything starts
  }

  func run() throws {
    var (pipeline, plan) = try load(path)
    while !stop.isEnding {
      let reloads = stop.reloads
      try watch(pipeline, plan) { [stop] in stop.isEnding || stop.reloads != reloads }
      if stop.isEnding { return }
      do {
        (pipeline, plan) = try load(path)
        note("\(pipeline.project): \(path) was read again.")
      } catch let error as ParameterError {
        complain("\(error). The pipeline is watched as it was before.")
      }
    }
  }

  /// Watches until `isOver`, which a signal brings about.
  private func watch(_ pipeline: PipelineFile, _ plan: Plan, until isOver: @escaping @Sendable () -> Bool) throws {
    let console = RunConsole(plan: plan, quiet: quiet, verbose: verbose)
    let session = try open(pipeline, plan)
    defer { try? session.close() }
    let watchPlan = try session.watchPlan()
    note("\(pipeline.project): \(watchPlan.line)")
    try stop.interrupting(watchPlan.events) {
      if isOver() { return }
      try session.watch(
        watchPlan, version: version, checkCancellation: stop.check, progress: console.show,
        report: { tell("\($0)") }
      ) { result in
        switch result {
        case .success(let pass):
          console.finish(pass, outbox: pipeline.outbox)
          fflush(nil)  // who reads the log does not want to wait for the next run
        case .failure(let error): complain("\(pipeline.project): \(error)")
        }
        return !isOver()
      }
    }
  }

  private func note(_ text: String) { if !quiet { tell(text) } }
}
