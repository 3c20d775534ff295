// Looking after a project's state.

import Engine
import Foundation
import Platform
import StageKit

let verifyCommand = Command(
  name: "verify", operands: "PIPELINE", operandCount: 1...1,
  summary: "Read everything that is kept and the latest run, and compare it with its digests.",
  options: [], examples: ["sluice verify pipelines/tungsten.json5"]
) { arguments in
  let (pipeline, _) = try load(arguments.operands[0])
  let fileSystem = PosixFileSystem()
  let store = Store(fileSystem, state: Session.stateFolder(of: pipeline), report: { tell("\($0)") })
  let found = try store.verify()
  print("\(found.sizes.objects) objects, \(found.sizes.bytes / 1_000_000) MB; \(found.sizes.actions) finished actions")
  var isSound = found.isSound
  let outbox = Outbox(fileSystem, folder: pipeline.outbox)
  if let latest = try outbox.latestRun() {
    let damaged = try outbox.verify(run: latest)
    for path in damaged { print("run \(latest): \(path) is not what was published") }
    if damaged.isEmpty { print("run \(latest): every file is as published") }
    isSound = isSound && damaged.isEmpty
  }
  if !found.isSound { print("Damaged objects were moved aside; the next run makes them anew.") }
  return isSound ? 0 : 1
}

let repairCommand = Command(
  name: "repair", operands: "PIPELINE", operandCount: 1...1,
  summary: "Mend a damaged journal: keep every whole record, and the damaged file under another name.",
  options: [], examples: ["sluice repair pipelines/tungsten.json5"]
) { arguments in
  let (pipeline, _) = try load(arguments.operands[0])
  let fileSystem = PosixFileSystem()
  let state = Session.stateFolder(of: pipeline)
  let lock = try RunLock.acquire(fileSystem, state: state, report: { tell("\($0)") })
  defer { try? lock.release() }
  let report = try Journal.repair(fileSystem, state: state)
  guard let moved = report.movedTo else {
    print("The journal is whole: \(report.kept.count) records.")
    return 0
  }
  print("\(report.kept.count) records kept, \(report.lost.count) gaps; the damaged file is now \(moved).")
  print("What the journal forgot is read again by the next run.")
  return 0
}
