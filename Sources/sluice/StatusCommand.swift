import Engine
import Foundation
import Platform
import Report
import StageKit

let statusCommand = Command(
  name: "status", operands: "PIPELINE", operandCount: 1...1,
  summary: "The latest run, what was set aside, and whether a run is working now; needs no lock.",
  options: [Option("json", "The latest run's record as JSON.")],
  examples: ["sluice status pipelines/tungsten.json5"]
) { arguments in
  let (pipeline, _) = try load(arguments.operands[0])
  let state = Session.stateFolder(of: pipeline)
  let fileSystem = PosixFileSystem()
  let outbox = Outbox(fileSystem, folder: pipeline.outbox)
  let record = try fileSystem.readFileIfPresent("\(pipeline.outbox)/latest/run.json")
  if arguments.has("json") {
    FileHandle.standardOutput.write(Data(record ?? Array("null\n".utf8)))
    return 0
  }
  print("project   \(pipeline.project)")
  print("inbox     \(pipeline.inbox)")
  print("outbox    \(pipeline.outbox)")
  print("now       " + (RunLock.holder(fileSystem, state: state).map { "\($0) holds the lock" } ?? "idle"))
  let waiting = try Session.waiting(pipeline)
  if !waiting.isEmpty { print("waiting   \(waiting)") }
  try showWork(pipeline, fileSystem, state)
  guard let number = try outbox.latestRun(), let record else {
    print("latest    none yet")
    return 0
  }
  let run = try CanonicalJSON.decode(RunRecord.self, record)
  print("latest    run \(number), \(run.provenance["finished"] ?? "time unknown")")
  for stage in run.stages {
    print(
      "  \(Help.pad(stage.id, 12)) \(stage.ran) done, \(stage.cached) known, \(String(format: "%.2f", stage.seconds)) s"
    )
  }
  print("set aside " + (run.quarantined.isEmpty ? "nothing" : "\(run.quarantined.count) inputs"))
  for input in run.quarantined { print("  \(input.diagnostic)") }
  return 0
}

/// What was given to a cluster or to people, and how far it is.
private func showWork(_ pipeline: PipelineFile, _ fileSystem: PosixFileSystem, _ state: String) throws {
  let orders = try WorkSummary.all(fileSystem, state: state)
  guard !orders.isEmpty else { return }
  var queue: [String: (waiting: Int, running: Int)] = [:]
  var silence: String?
  if orders.contains(where: { !$0.isManual && !$0.isClosed }) {
    do throws(SchedulerError) { queue = try WorkSummary.queue(orders, SlurmScheduler(pipeline.executor)) } catch {
      silence = "\(error)"
    }
  }
  for order in orders {
    var words = "\(order.stage): \(order.done) of \(order.tasks) tasks done"
    if order.isFold { words = "folds after \(order.stage): " + (order.done > 0 ? "done" : "not done") }
    if let job = order.job { words += ", job \(job)" }
    if order.isManual { words += ", by hand" }
    if order.isClosed {
      words += ", ended; logs in \(order.logs)"
    } else if let counts = queue[order.name] {
      words += ", \(counts.running) running, \(counts.waiting) waiting"
    } else if !order.isManual && silence == nil {
      words += ", none in the queue"
    }
    print("elsewhere \(words)")
  }
  if let silence { print("          Slurm does not answer: \(silence)") }
}
