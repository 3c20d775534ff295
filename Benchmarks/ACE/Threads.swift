// What two threads gain, beside what the machine gives two processes that know nothing of each other: its
// processors may share caches, memory and more.

import ACE
import Configurations
import Foundation
import Synchronization

/// Work of which there is as much as one likes.
enum Load: String, CaseIterable {
  case structures = "32 structures of 250 atoms"
  case rows = "design rows of 16 structures of 250 atoms"
  case large = "one of 8192 atoms"
  case largeRows = "design rows of one of 8192 atoms, by blocks"

  /// The work, to be done on as many threads as one says.
  func body(_ evaluator: Evaluator, _ potential: Potential) -> @Sendable (_ threads: Int) throws -> Void {
    let structure = tungsten(cells: self == .large || self == .largeRows ? 16 : 5, amplitude: 0.05)
    switch self {
    case .structures:
      return { threads in
        forEach(32, threads) { _ = try? evaluator.evaluate(potential, structure, workspace: $0) }
      }
    case .rows:
      return { threads in forEach(16, threads) { _ = try? evaluator.designRows(of: structure, workspace: $0) } }
    case .large:
      return { threads in _ = try evaluator.evaluate(potential, structure, threads: threads) }
    case .largeRows:
      return { threads in _ = try evaluator.forEachRowBlock(of: structure, threads: threads) { _, _ in } }
    }
  }
}

/// Work handed out one by one; a workspace for each thread.
private func forEach(_ count: Int, _ threads: Int, _ body: @Sendable (Workspace) -> Void) {
  let next = Atomic(0)
  DispatchQueue.concurrentPerform(iterations: threads) { _ in
    let workspace = Workspace()
    while next.add(1, ordering: .relaxed).oldValue < count { body(workspace) }
  }
}

/// A process, on one processor where `taskset` can be had, which does its work whenever it is asked to.
private final class Worker {
  private let process = Process()
  private let (orders, answers) = (Pipe(), Pipe())

  init(_ name: String, _ load: Load, processor: Int) throws {
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let taskset = "/usr/bin/taskset"
    if FileManager.default.isExecutableFile(atPath: taskset) {
      process.executableURL = URL(fileURLWithPath: taskset)
      process.arguments = ["-c", String(processor), own.path]
    } else {
      (process.executableURL, process.arguments) = (own, [])
    }
    process.arguments! += ["--worker", name, load.rawValue]
    (process.standardInput, process.standardOutput) = (orders, answers)
    try process.run()
  }

  func start() { orders.fileHandleForWriting.write(Data([10])) }

  /// Processor seconds.
  func finish() -> Double {
    let text = String(decoding: answers.fileHandleForReading.availableData, as: UTF8.self)
    return Double(text.filter { !$0.isNewline }) ?? .nan
  }

  deinit {
    try? orders.fileHandleForWriting.close()
    process.waitUntilExit()
  }
}

/// What such a process does.
func work(_ name: String, _ load: Load) throws {
  let (potential, _) = try potential(name)
  let body = load.body(Evaluator(potential.basis), potential)
  try body(1)
  while readLine() != nil {
    let start = seconds(CLOCK_PROCESS_CPUTIME_ID)
    try body(1)
    FileHandle.standardOutput.write(Data("\(seconds(CLOCK_PROCESS_CPUTIME_ID) - start)\n".utf8))
  }
}

/// Seconds that all processors were at work, whoever for; for a guest, stolen time too.
private func machineTime() -> Double {
  let text = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8)) ?? ""
  let fields = text.prefix { !$0.isNewline }.split(separator: " ").dropFirst().compactMap { Double($0) }
  guard fields.count >= 8 else { return 0 }
  return (fields.reduce(0, +) - fields[3] - fields[4]) / Double(sysconf(Int32(_SC_CLK_TCK)))
}

/// One measurement: wall and processor seconds, and what others took of both processors meanwhile.
private struct Sample {
  var wall = 0.0
  var processor = 0.0
  var foreign = 0.0

  init(_ body: () throws -> Double) rethrows {
    let (wall, machine) = (seconds(CLOCK_MONOTONIC), machineTime())
    processor = try body()
    self.wall = seconds(CLOCK_MONOTONIC) - wall
    foreign = machineTime() - machine - processor
  }

  /// Whether others took less than a tenth of one processor (and the clock of the machine its two ticks).
  var isQuiet: Bool { foreign < 0.1 * wall + 0.02 }
}

private func median(_ values: [Double]) -> Double {
  values.isEmpty ? .nan : values.sorted()[values.count / 2]
}

/// Two threads against one, and two processes against one, in turn.
func compareThreads(_ name: String, _ load: Load, rounds: Int) throws {
  let (potential, label) = try potential(name)
  let body = load.body(Evaluator(potential.basis), potential)
  let workers = try (0..<2).map { try Worker(name, load, processor: $0) }
  func threads(_ count: Int) throws -> Sample {
    try Sample {
      let start = seconds(CLOCK_PROCESS_CPUTIME_ID)
      try body(count)
      return seconds(CLOCK_PROCESS_CPUTIME_ID) - start
    }
  }
  func processes(_ count: Int) -> Sample {
    Sample {
      for worker in workers.prefix(count) { worker.start() }
      return workers.prefix(count).reduce(0) { $0 + $1.finish() }
    }
  }
  for worker in workers {
    worker.start()
    _ = worker.finish()
  }
  _ = try threads(2)
  var (gains, ceilings, growths, processGrowths) = ([Double](), [Double](), [Double](), [Double]())
  for _ in 0..<rounds {
    let (one, two) = (try threads(1), try threads(2))
    let (single, both) = (processes(1), processes(2))
    growths.append(two.processor / one.processor)
    processGrowths.append(both.processor / single.processor / 2)
    if one.isQuiet, two.isQuiet { gains.append(one.wall / two.wall) }
    if single.isQuiet, both.isQuiet { ceilings.append(2 * single.wall / both.wall) }
  }
  func text(_ x: Double) -> String { fixed(x, 2, width: 1) }
  print("\(label), \(load.rawValue):")
  print(
    "  two threads \(text(median(gains))) times one, two processes \(text(median(ceilings))) times one:"
      + " \(text(median(gains) / median(ceilings))) of that (wall, medians of \(gains.count) and \(ceilings.count)"
      + " rounds of \(rounds) without others)")
  print(
    "  processor time of the same work: threads \(text(median(growths))), processes \(text(median(processGrowths)))"
      + " times that of one (medians of all rounds)")
}
