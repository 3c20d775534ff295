// One share of a run's work, and the end of it.

import Engine
import Foundation
import Platform
import StageKit

let workCommand = Command(
  name: "work", operands: "ORDER [TASK…]", operandCount: 1...100_000,
  summary: """
    Does tasks that 'sluice run' gave out: what jobs of a cluster run, and commands by hand.

    ORDER is a folder below outbox/.sluice/work, TASK a number from 1; without one, all tasks without a result are
    done. Results go to the project's store, from where the next 'sluice run' takes them. A task may be done twice, at
    once or again; it needs no lock. Exit code 0: done, also where inputs were set aside; 1: the reason is told and
    kept for the run that asked.
    """,
  options: [
    Option("threads", value: "N", "Threads to use; default: all processors. Results do not depend on it."),
    Option("quiet", short: "q", "Only errors."),
  ],
  examples: [
    "sluice work outbox/tungsten/.sluice/work/ingest-5f0c… 3",
    "seq 1 40 | parallel -S node1,node2 sluice work --threads 1 /shared/outbox/w/.sluice/work/ingest-5f0c… {}",
  ]
) { arguments in
  let order = arguments.operands[0]
  let threads = try arguments.integer("threads", in: 1...4096) ?? 0
  let registry = Dictionary(uniqueKeysWithValues: builtInStages.map { ($0.description.name, $0) })
  let fileSystem = PosixFileSystem()
  let worker = Worker(fileSystem, stages: registry, threads: threads)
  var numbers = try arguments.operands.dropFirst().map { word throws(UsageError) in
    guard let number = Int(word), number > 0 else {
      throw UsageError("'\(word)' is no task: tasks are numbered from 1")
    }
    return number
  }
  guard let count = try worker.shares(of: order) else {
    tell("Nobody needs \(printable(order)) any more, or it never was: nothing to do.")
    return 0
  }
  if numbers.isEmpty { numbers = Array(1...count) }
  if let wrong = numbers.first(where: { $0 > count }) {
    throw UsageError("there are \(count) tasks and no task \(wrong)")
  }
  let stop = StopSignal()
  for number in numbers {
    do {
      let ending = try worker.perform(
        order: order, share: number, owner: ProcessIdentity.effectiveUser, checkCancellation: stop.check,
        report: { tell("\($0)") })
      guard !arguments.has("quiet") else { continue }
      switch ending {
      case .done(let tasks, let ran):
        tell("task \(number): \(ran) done" + (tasks > ran ? ", \(tasks - ran) known" : ""))
      case .alreadyDone: tell("task \(number): done before")
      case .notNeeded: tell("task \(number): withdrawn")
      }
    } catch  where stop.isSet {
      complain("stopped; task \(number) begins where it was when it is started again.")
      return stop.exitStatus
    }
  }
  return 0
}

let cancelCommand = Command(
  name: "cancel", operands: "PIPELINE", operandCount: 1...1,
  summary: "Withdraw jobs that a stopped run left in the queue. What they have done is kept.",
  options: [], examples: ["sluice cancel pipelines/tungsten.json5"]
) { arguments in
  let (pipeline, plan) = try load(arguments.operands[0])
  let session = try open(pipeline, plan)
  defer { try? session.close() }
  let count = try session.cancelWork()
  tell(count == 0 ? "Nothing was given out." : "\(count) orders withdrawn.")
  return 0
}
