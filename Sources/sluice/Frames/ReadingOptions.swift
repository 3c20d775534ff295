// What convert and predict have in common on the command line.

import Configurations
import Foundation
import Platform
import StageKit
import VASP

/// Options that say what is read and where frames go.
struct ReadingOptions {
  let operands: [String]
  let output: String
  let threads: Int
  let pairsRuns: Bool
  let quiet: Bool
  let json: Bool
  let reader: InputReader

  /// `keepsMachineLearned`: where labels do not matter, whoever made them.
  init(_ arguments: Arguments, keepsMachineLearned: Bool = false) throws(UsageError) {
    guard let output = arguments.value("output"), !output.isEmpty else {
      throw UsageError("--output is missing: -o FILE, or -o - for standard output")
    }
    operands = arguments.operands
    self.output = output
    threads = try arguments.integer("threads", in: 1...1024) ?? availableProcessors()
    pairsRuns = !arguments.has("separate")
    quiet = arguments.has("quiet")
    json = arguments.has("json")
    if json, output == "-" {
      throw UsageError("--json and -o - both want standard output; write the frames to a file")
    }
    reader = InputReader(
      steps: try Self.steps(arguments.value("steps") ?? "all"), pairsRuns: pairsRuns,
      keepsMachineLearned: keepsMachineLearned || arguments.has("machine-learned"),
      types: try Self.types(arguments.value("types")))
  }

  /// Refuses an output that must not be replaced, before anything is written.
  func checkOutput() throws {
    if output != "-" { try InputList.check(output: output, against: operands, PosixFileSystem()) }
  }

  func inputs() throws -> InputList {
    try InputList(
      operands, fileSystem: PosixFileSystem(), output: output == "-" ? nil : output, pairsRuns: pairsRuns,
      threads: threads)
  }

  /// Runs `body`; where the user stops it, it says so and gives the exit code of an interrupt.
  func stoppable(_ body: (StopSignal) throws -> Int32) throws -> Int32 {
    let stop = StopSignal()
    do { return try body(stop) } catch is CancellationError {
      complain("stopped; " + (output == "-" ? "the output is not complete" : "nothing was written"))
      return stop.exitStatus
    }
  }

  private static func steps(_ text: String) throws(UsageError) -> StepSelection {
    do throws(StepSelectionError) { return try StepSelection(words: text) } catch {
      throw UsageError(
        "--steps \(error)" + (error.unknownWord.map { didYouMean($0, among: StepSelectionError.knownWords) } ?? ""))
    }
  }

  private static func types(_ text: String?) throws(UsageError) -> [Element] {
    var types: [Element] = []
    for symbol in (text ?? "").split(separator: ",") {
      guard let element = Element(symbol: symbol) else {
        throw UsageError("--types: '\(symbol)' is no chemical symbol" + didYouMean(String(symbol), among: []))
      }
      types.append(element)
    }
    return types
  }
}
