// Commands that take a pipeline file.

import Configurations
import Engine
import Foundation
import Platform
import StageKit
import Synchronization

let runCommand = Command(
  name: "run", operands: "PIPELINE", operandCount: 1...1,
  summary: "One pass: take in what has settled, refit, rank, publish. For cron and by hand.",
  options: [
    Option("dry-run", short: "n", "Say what would run, and why; change nothing."),
    Option("quiet-if-locked", "Exit silently (75) where another run holds the lock."),
    Option("now", "Run stages that would still wait for more sources or their time ('when' in the pipeline)."),
    Option("no-wait", "Do not wait for files that were changed a moment ago."),
    Option("executor", value: "WHERE", "local, slurm or manual, instead of what the pipeline file says."),
    Option("accept-new-inbox", "The inbox was emptied and made anew on purpose: forget what it held."),
    Option("quiet", short: "q", "Only problems and the result's place."),
    Option("verbose", short: "v", "Also what was counted."),
    Option("json", "The run's record as JSON on standard output."),
  ],
  examples: [
    "sluice run pipelines/tungsten.json5", "sluice run --executor manual copper.json5 | parallel",
    "*/10 * * * * sluice run --quiet --quiet-if-locked copper.json5",
  ]
) { arguments in
  if arguments.has("dry-run") { return try explain(arguments.operands[0]) }
  do {
    return try runOnce(arguments)
  } catch let error as LockError where arguments.has("quiet-if-locked") {
    if case .held = error { return 75 }
    throw error
  }
}

let checkCommand = Command(
  name: "check", operands: "PIPELINE", operandCount: 1...1,
  summary: "Validate a pipeline file and show its plan; reads no data.",
  options: [], examples: ["sluice check pipelines/tungsten.json5"]
) { arguments in
  let (pipeline, plan) = try load(arguments.operands[0])
  print(plan, terminator: "")
  print("\ninbox  \(pipeline.inbox)\noutbox \(pipeline.outbox)")
  return 0
}

let explainCommand = Command(
  name: "explain", operands: "PIPELINE", operandCount: 1...1,
  summary: "Why each stage would run, or is cached: which part of its key differs.",
  options: [], examples: ["sluice explain pipelines/tungsten.json5"]
) { arguments in
  try explain(arguments.operands[0])
}

let retryCommand = Command(
  name: "retry", operands: "PIPELINE [NAME…]", operandCount: 1...1000,
  summary: "Read inputs that were set aside again in the next run (all, or those named).",
  options: [], examples: ["sluice retry copper.json5", "sluice retry copper.json5 run7/OUTCAR"]
) { arguments in
  let (pipeline, plan) = try load(arguments.operands[0])
  let names = Set(arguments.operands.dropFirst())
  let session = try open(pipeline, plan)
  defer { try? session.close() }
  let forgotten = try session.retry { names.isEmpty || names.contains($0) }
  for name in forgotten { print(name) }
  tell(forgotten.isEmpty ? "Nothing was set aside." : "\(forgotten.count) inputs will be read again by the next run.")
  return 0
}

let stagesCommandEntry = Command(
  name: "stages", operands: "[NAME…]", operandCount: 0...1000,
  summary: "What a pipeline can use: stages with their parameters, defaults and units.",
  options: [], examples: ["sluice stages", "sluice stages featurize"], run: stagesCommand)

/// The pipeline file and its plan, or an error with its place.
func load(_ path: String) throws -> (PipelineFile, Plan) {
  let registry = Dictionary(uniqueKeysWithValues: builtInStages.map { ($0.description.name, $0) })
  let pipeline = try PipelineFile.load(path, stages: registry)
  return (pipeline, try Planner(stages: registry).plan(pipeline))
}

/// The project's state under its lock.
func open(_ pipeline: PipelineFile, _ plan: Plan) throws -> Session {
  try Session(pipeline, plan: plan, owner: ProcessIdentity.effectiveUser, report: { tell("\($0)") })
}

private func explain(_ path: String) throws -> Int32 {
  let (pipeline, plan) = try load(path)
  let session = try open(pipeline, plan)
  defer { try? session.close() }
  if let record = try PosixFileSystem().readFileIfPresent("\(pipeline.outbox)/latest/run.json") {
    let last = try CanonicalJSON.decode(RunRecord.self, record)
    if let explanation = last.explanation {
      print("Run \(last.provenance["run"] ?? "?") did this:\n\(explanation)")
    }
  }
  print("The next run would do this:\n\(try session.explain())", terminator: "")
  return 0
}

private func runOnce(_ arguments: Arguments) throws -> Int32 {
  var (pipeline, plan) = try load(arguments.operands[0])
  if let word = try arguments.choice("executor", of: ExecutorOptions.Kind.allCases.map(\.rawValue)) {
    pipeline.executor.kind = ExecutorOptions.Kind(rawValue: word)!
  }
  let console = RunConsole(
    plan: plan, quiet: arguments.has("quiet") || arguments.has("json"), verbose: arguments.has("verbose"))
  let stop = StopSignal()
  let session = try open(pipeline, plan)
  defer { try? session.close() }
  if arguments.has("accept-new-inbox") { session.folders.acceptNewFolders() }
  let result: PassResult
  do {
    result = try pass(session, console, stop, waits: !arguments.has("no-wait"), now: arguments.has("now"))
  } catch let error as RunError
    where error.kind == .elsewhere
  {
    for command in error.commands { print(command) }
    complain(error.description)
    return 75
  } catch  where stop.isSet {
    complain("stopped; the same command goes on from here.")
    return stop.exitStatus
  }
  // The program ends: the kernel takes the memory back at once, and faster than we could piece by piece.
  _ = Unmanaged.passRetained(Kept(session, result))
  if arguments.has("json") {
    FileHandle.standardOutput.write(Data(try CanonicalJSON.encode(result.outcome.record, pretty: true)))
  } else {
    console.finish(result, outbox: pipeline.outbox)
  }
  return result.outcome.exitStatus
}

private final class Kept {
  let session: Session
  let result: PassResult
  init(_ session: Session, _ result: PassResult) { (self.session, self.result) = (session, result) }
}

/// One pass; where files were changed a moment ago, it waits for them to settle and looks once more.
private func pass(_ session: Session, _ console: RunConsole, _ stop: StopSignal, waits: Bool, now: Bool) throws
  -> PassResult
{
  let settle = session.pipeline.settle
  if waits, settle > 0, try session.hasUnsettledDrops() {
    console.note("Waiting \(settle) s for files that were changed a moment ago.")
    let end = Date().addingTimeInterval(settle + 0.1)
    while Date() < end {
      try stop.check()
      Thread.sleep(forTimeInterval: min(0.2, max(0.01, end.timeIntervalSinceNow)))
    }
  }
  return try session.pass(version: version, ignoresTriggers: now, checkCancellation: stop.check, progress: console.show)
}

/// Set by SIGINT and SIGTERM; a second one ends the program at once.
final class StopSignal: Sendable {
  /// 0 while none came.
  private let received = Atomic<Int32>(0)

  /// The handlers live as long as the program.
  init() {
    for number in [SIGINT, SIGTERM] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { [self] in
        if received.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
        _ = source  // keeps the handler alive
      }
      source.resume()
    }
  }

  var isSet: Bool { received.load(ordering: .relaxed) != 0 }

  /// What a program that was stopped exits with.
  var exitStatus: Int32 { 128 + received.load(ordering: .relaxed) }

  @Sendable func check() throws { if isSet { throw CancellationError() } }
}
