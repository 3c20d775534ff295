// Structures and a potential come in, frames with the potential's energies, forces and stresses go out.

import ACE
import Configurations
import Foundation
import LinearAlgebra
import Platform
import StageKit

let predictCommand = Command(
  name: "predict", operands: "INPUT… --potential FILE -o OUT", operandCount: 1...1_000_000,
  summary: """
    Writes energies, forces and stresses of an ACE potential, with extrapolation grades on request.

    INPUT: whatever convert reads, labelled or not. Where it is labelled, the errors are said too. Frames of one
    run keep their order; those that Sluice wrote keep their source and ionic_step. Radial functions are tabulated
    as LAMMPS does it, so that the numbers are those of LAMMPS with the same file. What the potential file names as
    reference energies is added.
    """,
  options: [
    Option("potential", short: "p", value: "FILE", "The potential: .yaml or .yace."),
    Option("output", short: "o", value: "OUT", "The extended XYZ file to write, '-' for standard output."),
    Option("active-set", short: "a", value: "FILE", "A .asi file: adds the column gamma, the extrapolation grade."),
    Option(
      "ensemble", short: "e", value: "PATH",
      "ensemble.npz, a folder with one, or a folder of potentials: adds force_deviation (per atom: largest distance of a"
        + " member from the mean, eV/Å), energy_deviation (standard deviation, eV/atom) and stress_deviation (largest"
        + " distance, eV/Å³). They order structures and are no errors. Where fit.json lies beside ensemble.npz (or above"
        + " its folder) and its calibration passed its check: energy_uncertainty (eV/atom), force_uncertainty (of each"
        + " component, eV/Å) and stress_uncertainty (of each component, eV/Å³), error bars of one standard deviation."
    ),
    Option("per-atom", "Adds the column energies, eV per atom."),
    Option("keys", value: "KEYS", "Names of the labels: ase (default) or mace (REF_energy …)."),
    Option("steps", value: "STEPS", "Which steps or frames, as 'sluice convert --help' says; default: all."),
    Option("separate", "Do not pair vasprun.xml with OUTCAR: every file is a source."),
    Option("types", value: "SYMBOLS", "Elements of LAMMPS atom types 1, 2, …, as W,Re."),
    Option("threads", value: "N", "Threads to use; default: all processors. The output does not depend on it."),
    Option("json", "A summary as JSON on standard output."),
    Option("quiet", short: "q", "Only errors."),
  ],
  examples: [
    "sluice predict --potential potential.yaml candidates.extxyz -o predicted.extxyz",
    "sluice predict -p fit/W.yaml --ensemble fit candidates.extxyz -o predicted.extxyz",
    "sluice predict -p potential.yaml --active-set potential.asi XDATCAR -o graded.extxyz --per-atom",
  ],
  run: predict)

private func predict(_ arguments: Arguments) throws -> Int32 {
  let options = try ReadingOptions(arguments, keepsMachineLearned: true)
  guard let file = arguments.value("potential") else { throw UsageError("--potential is missing: --potential FILE") }
  let keys = try arguments.choice("keys", of: ["ase", "mace"])
  let predictor: Predictor
  do {
    predictor = try Predictor(
      potential: file, activeSet: arguments.value("active-set"), ensemble: arguments.value("ensemble"),
      perAtom: arguments.has("per-atom"), threads: options.threads,
      writer: ExtendedXYZWriter(keys == "mace" ? .mace : .ase))
  } catch let error as Diagnostic {
    complain("\(error)")
    return 1
  }
  try options.checkOutput()
  let output = try FrameOutput(options.output, shape: .lines)
  defer { output.discard() }
  return try options.stoppable { stop in
    var prediction = PredictionRun(options, output)
    try prediction.run(predictor, stop)
    try output.publish()
    return try prediction.finish(predictor.ensemble?.errorBars)
  }
}

/// The pieces that pass through the threads, in order.
private enum Piece: Sendable {
  case frames([Configuration])
  /// The unit that the frames before belong to has been read.
  case end(UnitAccount)
}

private enum PredictedPiece: Sendable {
  case frames(PredictedFrames)
  case end(UnitAccount)
}

/// One run of the command and its books.
private struct PredictionRun {
  /// Atoms that are handed to a thread at once, and frames.
  private static let batch = (atoms: 512, frames: 64)

  private let options: ReadingOptions
  private let output: FrameOutput
  private let collection: FrameCollection
  private var statistics = PredictionStatistics()
  private var failures: [Diagnostic] = []
  private let start = Date()

  init(_ options: ReadingOptions, _ output: FrameOutput) {
    self.options = options
    self.output = output
    collection = FrameCollection(output, dropsCopies: options.pairsRuns)
  }

  mutating func run(_ predictor: Predictor, _ stop: StopSignal) throws {
    let line = StatusLine(quiet: options.quiet || options.json)
    let inputs = try options.inputs()
    let (output, collection) = (output, collection)
    let isStream = options.output == "-"
    var spool = FrameSpool(folder: output.scratch)
    var (statistics, failures, frames) = (PredictionStatistics(), [Diagnostic](), 0)
    let start = start
    func rate(_ atoms: Int) -> Int { Int(Double(atoms) / max(Date().timeIntervalSince(start), 1e-3)) }
    let pool = OrderedPool<Piece, PredictedPiece>(
      threads: options.threads, worker: { Workspace() },
      work: { workspace, piece in
        switch piece {
        case .frames(let configurations):
          return .frames(try predictor.predict(configurations, workspace, check: stop.check))
        case .end(let account): return .end(account)
        }
      },
      consume: { piece in
        switch piece {
        case .frames(let predicted):
          statistics.add(predicted.statistics)
          failures += predicted.failures
          frames += predicted.frames.count
          for frame in predicted.frames {
            try spool.append(source: frame.source, atoms: frame.atoms) { $0 += frame.bytes }
          }
        case .end(let account):
          try collection.add(account, &spool)
          spool = FrameSpool(folder: output.scratch)
          if isStream { try output.flush() }
        }
        line.show(
          "\(frames) frames, \(statistics.atoms) atoms, \(rate(statistics.atoms)) atoms/s  "
            + (collection.sources.last?.source ?? ""))
      })
    for unit in inputs.units {
      var pending: [Configuration] = []
      var atoms = 0
      let account = try options.reader.read(unit) { configuration in
        try stop.check()
        pending.append(configuration)
        atoms += configuration.count
        guard atoms >= Self.batch.atoms || pending.count >= Self.batch.frames else { return }
        try pool.submit(.frames(pending))
        (pending, atoms) = ([], 0)
      }
      if !pending.isEmpty { try pool.submit(.frames(pending)) }
      try pool.submit(.end(account))
    }
    try pool.finish()
    line.clear()
    collection.passedOver = inputs.passedOver + collection.passedOver
    (self.statistics, self.failures) = (statistics, failures)
  }

  func finish(_ bars: ErrorBars?) throws -> Int32 {
    collection.note(failures)
    collection.show(quiet: options.quiet)
    let status = collection.exitStatus(otherErrors: failures.count)
    let seconds = Date().timeIntervalSince(start)
    if !options.quiet {
      tell(written(output, options.output))
      for line in statistics.lines(seconds: seconds, bars) { tell(line) }
    }
    if options.json {
      let summary = PredictSummary(
        output: options.output, frames: output.frames, atoms: output.atoms, exit: Int(status),
        microsecondsPerAtom: statistics.microsecondsPerAtom, seconds: seconds,
        errors: statistics.errors, uncertainties: statistics.uncertainties(bars), failedFrames: failures.count,
        sources: collection.sources,
        passedOver: collection.passedOver)
      FileHandle.standardOutput.write(Data(try CanonicalJSON.encode(summary, pretty: true)))
    }
    return status
  }
}

/// What `--json` prints; a field may be added without a new version, none removed or changed.
private struct PredictSummary: Encodable {
  let schema = "sluice-predict"
  let version = 1
  var output: String
  var frames: Int
  var atoms: Int
  var exit: Int
  /// Processor time of the evaluation.
  var microsecondsPerAtom: Double?
  var seconds: Double
  var errors: PredictionErrors?
  /// With an ensemble: energy, force, stress.
  var uncertainties: [UncertaintySummary]?
  /// Their reasons stand with their sources.
  var failedFrames: Int
  var sources: [SourceLine]
  var passedOver: [PassedOver]

  private enum CodingKeys: String, CodingKey {
    case schema, version, output, frames, atoms, exit, seconds, errors, uncertainties, sources
    case microsecondsPerAtom = "microseconds_per_atom"
    case failedFrames = "failed_frames"
    case passedOver = "passed_over"
  }
}
