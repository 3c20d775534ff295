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
    var events: [any EventSource] = []
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
          return state.events
        }
        for events in waiting { events.interrupt() }
        _ = source  // keeps the handler alive
      }
      source.resume()
    }
  }

  var isEnding: Bool { state.withLock { $0.isEnding } }
  var reloads: Int { state.withLock { $0.reloads } }

  /// Waits of this source end when a signal comes.
  func register(_ events: any EventSource) { state.withLock { $0.events.append(events) } }

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
    while !stop.isEnding {
      let reloads = stop.reloads
      do {
        try watch { [stop] in stop.isEnding || stop.reloads != reloads }
      } catch let error as ParameterError {
        // Read again after a SIGHUP: say what is wrong and wait for the next one.
        complain(error.description)
        while !stop.isEnding && stop.reloads == reloads { Thread.sleep(forTimeInterval: 0.5) }
      }
    }
  }

  /// Watches until `isOver`.
  private func watch(until isOver: @escaping @Sendable () -> Bool) throws {
    let (pipeline, plan) = try load(path)
    let console = RunConsole(plan: plan, quiet: quiet, verbose: verbose)
    let session = try Session(pipeline, plan: plan, report: { tell("\($0)") })
    defer { try? session.close() }
    let fileSystem = PosixFileSystem()
    let clock = SystemClock()
    let chosen = try WatchPlan.choose(
      fileSystem, inbox: pipeline.inbox, state: Session.stateFolder(of: pipeline),
      settle: .nanoseconds(Int64(pipeline.settle * 1e9)), clock: clock)
    console.note("\(pipeline.project): \(chosen.line)")
    stop.register(chosen.events)
    var watched: Set<String> = []
    while !isOver() {
      // The scan inside a pass is the truth; events only say when to look.
      let wait = try pass(session, console, chosen.timing)
      try watchFolders(plan, fileSystem, chosen.events, &watched)
      if isOver() { return }
      let wake = chosen.events.wait(atMost: wait)
      // One pass answers all the events of a moment.
      if wake.hasChanges { _ = chosen.events.wait(atMost: chosen.timing.leastInterval) }
    }
  }

  /// One pass; returns how long to wait for the next one at most.
  private func pass(_ session: Session, _ console: RunConsole, _ timing: Watcher.Timing) throws -> Duration {
    let settle = Duration.nanoseconds(Int64(session.pipeline.settle * 1e9))
    do {
      let isIdle = try session.isIdle()
      guard !isIdle else { return try session.hasUnsettledDrops() ? settle + .milliseconds(100) : timing.rescan }
      let result = try session.pass(version: version, checkCancellation: stop.check, progress: console.show)
      console.finish(result, outbox: session.pipeline.outbox)
      return result.outcome.record.unsettled.isEmpty ? timing.rescan : settle + .milliseconds(100)
    } catch let error as RunError {
      if error.kind == .cancelled { return .zero }
      // A sick environment or insufficient input: say so and try again later; nothing is lost.
      complain("\(session.pipeline.project): \(error)")
      return timing.rescan
    }
  }

  /// New folders are watched as they appear; those that cannot be are found by the regular scans.
  private func watchFolders(
    _ plan: Plan, _ fileSystem: any FileSystem, _ events: any EventSource, _ watched: inout Set<String>
  ) throws {
    for folder in plan.stages.flatMap(\.folders) {
      guard let scan = try? Inbox(fileSystem, folder: folder).scan() else { continue }
      for path in scan.folders where watched.insert(path).inserted {
        do throws(FileSystemError) { try events.watch(path) } catch {
          tell("\(error)")
        }
      }
    }
  }
}
