// The steps of a file that streams come in; to which calculation they belong, and which of them count, goes out.

import Configurations
import Platform

/// What one file that streams told of one calculation: one run, or several that go on from each other.
struct StreamedPart {
  let name: String
  private(set) var settings: CalculationSettings
  private(set) var carried: [String: PropertyValue]
  private(set) var lastRun: Int
  private let firstRun: Int
  private var species: [Element]
  var refusals = StepRefusals()
  /// Steps that VASP's own force field made and nobody asked for.
  var machineLearned = 0

  init(_ run: RunDescription, _ step: IonicStep?, name: String) {
    let part = step?.part ?? 0
    self.name = part == 0 ? name : "\(name)#\(part + 1)"
    settings = run.settings
    carried = run.carried
    species = run.species
    (firstRun, lastRun) = (part, part)
  }

  func goesOn(with run: RunDescription) -> Bool {
    (species.isEmpty || run.species.isEmpty || species == run.species)
      && settings.differences(from: run.settings).isEmpty
  }

  mutating func add(_ run: RunDescription, _ part: Int) {
    carried = run.carried.merging(["run_part": .integer(part - firstRun)]) { $1 }
    lastRun = part
  }

  func digest(in file: Digest) -> Digest {
    var builder = DigestBuilder()
    builder.add("vasp run")
    builder.add(file)
    builder.add(firstRun)
    return builder.finish()
  }
}

/// Leaves out steps that an earlier run of the same file has to the last digit, and numbers the others.
struct RepeatedSteps {
  private var earlier: Set<StepKey> = []
  private var own: Set<StepKey> = []
  private var part: Int?
  private var next = 0
  private var count = 0

  mutating func number(_ step: IonicStep) -> IonicStep? {
    if part != step.part {
      part = step.part
      earlier.formUnion(own)
      own = []
    }
    if let key = StepKey(step) {
      if earlier.contains(key) {
        count += 1
        return nil
      }
      own.insert(key)
    }
    var step = step
    step.index = next
    next += 1
    return step
  }

  func diagnostics(_ name: String) -> [Diagnostic] {
    guard count > 0 else { return [] }
    return [
      Diagnostic(
        .note, code: "restarted-run", place: .init(file: name),
        cause: "\(count) steps that are the same to the last digit in two runs of the file count once.")
    ]
  }
}
