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
