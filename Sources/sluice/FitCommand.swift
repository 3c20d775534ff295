// Labelled data come in, a potential with its errors goes out: the stages of a pipeline, without one.

import Configurations
import Engine
import Foundation
import Platform
import StageKit

let fitCommand = Command(
  name: "fit", operands: "DATA… -o DIR", operandCount: 1...1_000_000,
  summary: """
    Fits a linear ACE potential to labelled data; needs no pipeline.

    DATA: whatever convert reads and holds labels: vasprun.xml, OUTCAR, extended XYZ (labels as ASE or MACE name
    them); plain, compressed, in archives, or in folders, which are searched. The stages ingest, screen, featurize
    and refit of a pipeline do the work, with their defaults ('sluice stages' tells them): the same data in an
    inbox give the same potential, byte by byte. Groups are config_type, or the folder below a folder that is named.

    DIR gets NAME.yaml and NAME.yace for LAMMPS, NAME.asi (extrapolation grades), fit.json (what was fitted and how
    well), screening.json and report.html. What was computed is kept in DIR/.sluice: the same command with other
    weights, priors, ensembles or reference energies, or with more DATA, does only what is new.

    WEIGHTS is E/F/S, what rows of energies (totals over √N, eV), forces (eV/Å) and stresses (V·σ over √N, eV) are
    multiplied by; S may be auto: 1, or 1/32 where stresses contradict energies and forces. By energy: 'hull' or
    'lowest', optionally followed by :softness and :cutoff in eV/atom.
    With --choose-from the fit is made twice: to N functions first, of which those stay that the training data need
    most. 'featurize: { basis: 'DIR/basis.json' }' then uses them in a pipeline, --basis in later fits.
    TEST is a share of the data, whole runs at a time, that tests a second fit while the potential learns from all;
    or files and folders that nothing is learned from (exact copies of frames are then kept on both sides).
    Exit codes: 0 done, 1 no potential, 2 wrong usage, 3 done, with inputs set aside, 75 another run works in DIR.
    """,
  options: [
    Option("output", short: "o", value: "DIR", "Folder for the results: new, empty, or of an earlier fit."),
    Option(
      "elements", short: "e", value: "LIST", "Elements, as W,Re; default: those of the data. Others are set aside."),
    Option("name", value: "NAME", "Of the potential; default: potential."),
    Option("test", short: "t", value: "TEST", repeats: true, "A share such as 0.1 (default), or files and folders."),
    Option("weights", short: "w", value: "WEIGHTS", "Default: 30/1/auto."),
    Option("group-weights", value: "GROUP=WEIGHTS", repeats: true, "Of one group; 0/0/0 leaves it out."),
    Option(
      "normalisation", value: "HOW", "Energies, stresses: totals over root of N (root), over N (atoms), or total."),
    Option("energy-weights", value: "HOW", "Less weight above the ground state: hull, lowest, hull:1:10."),
    Option("outliers", value: "T", "Less weight for runs with errors T robust deviations out (4 is usual)."),
    Option("functions", short: "n", value: "N", "Basis functions per element."),
    Option(
      "choose-from", value: "N",
      "Let the data choose the functions among the N simplest; the choice goes to DIR/basis.json."),
    Option("basis", value: "FILE", "The functions of a basis.json, which was chosen before; says all of the basis."),
    Option("degree", value: "LIST", "In place of functions: total degree, for all ranks or each, as 16,12,10."),
    Option("order", value: "N", "Largest number of neighbours in one function."),
    Option("cutoff", short: "c", value: "Å", "How far an atom sees."),
    Option("radial", value: "KIND", "Radial functions: SBessel, ChebExpCos, ChebPow."),
    Option("repulsion", value: "HOW", "Core repulsion closer than the data: auto or none."),
    Option("prior", value: "PRIOR", "evidence, smoothness or ridge."),
    Option("regularisation", value: "HOW", "evidence, gcv, or a number: the strength itself."),
    Option("reference-energies", value: "HOW", "isolated-atoms, least-squares, or energies: W=-4.5,Re=-7.1 (eV)."),
    Option("ensemble", value: "METHOD:N", "bootstrap:16, posterior:32, none …; as the refit stage names them."),
    Option("steps", value: "STEPS", "Which steps of a run or frames of a file, as convert takes them."),
    Option("seed", value: "N", "Another number, another choice of what is held out."),
    Option(
      "set", value: "STAGE.KEY=VALUE", repeats: true, "Any other parameter of a stage, as a pipeline file writes it."),
    Option("no-active-set", "Neither NAME.asi nor report.html, whose active sets take time on large data."),
    Option("threads", value: "N", "Threads to use; default: all processors. The output does not depend on it."),
    Option("json", "The metrics as JSON on standard output, instead of the table."),
    Option("verbose", short: "v", "Also what was counted."),
    Option("quiet", short: "q", "Only problems and the errors' table."),
  ],
  examples: [
    "sluice fit train.extxyz --test test.extxyz -o fit", "sluice fit runs/ more.tar.gz -o fit --elements W,Re",
    "sluice fit runs/ -o fit --weights 100/1/1 --group-weights liquid=10/0.5/0.5 --energy-weights hull:1:10",
    "sluice fit data.extxyz.xz -o fit -n 1000 -c 6 --ensemble posterior:32 --json",
    "sluice fit runs/ -o fit -n 500 --choose-from 2500",
  ],
  run: fit)

private func fit(_ arguments: Arguments) throws -> Int32 {
  let request = try FitRequest(arguments)
  let stop = StopSignal()
  do { return try FitRun(request, stop).run() } catch  where stop.isSet {
    complain("stopped; the same command goes on from here.")
    return stop.exitStatus
  } catch let error as ParameterError {
    // The text that it was found in is none of the user's.
    let stage = error.stage.map { "stage '\($0)': " } ?? ""
    throw UsageError(stage + error.message)
  }
}

/// One run of the command.
private struct FitRun {
  private let request: FitRequest
  private let stop: StopSignal
  private let fileSystem = PosixFileSystem()

  init(_ request: FitRequest, _ stop: StopSignal) {
    self.request = request
    self.stop = stop
  }

  func run() throws -> Int32 {
    // What makes no sense is said before anything is read.
    _ = try request.plan(.everything, elements: ["H"])
    try request.checkFolder(fileSystem)
    let state = Path.join(request.output, ".sluice")
    try fileSystem.createFolders(state)
    try fileSystem.requireOwner(ProcessIdentity.effectiveUser, of: state)
    let lock = try RunLock.acquire(fileSystem, state: state, report: { tell("\($0)") })
    lock.keepAlive { _ in }
    defer { try? lock.release() }
    let store = StoreActions(Store(fileSystem, state: state, report: { tell("\($0)") }), fileSystem)

    let data = try FitInputs(request.data, fileSystem, threads: request.threads)
    let test = try FitInputs(request.testFiles, fileSystem, threads: request.threads)
    var all = data.joined(test)
    func runner(_ plan: Plan, _ inputs: FitInputs) -> Runner {
      Runner(plan: plan, store: store, drops: inputs, threads: request.threads)
    }
    var complete = request
    var elements = request.elements
    if elements.isEmpty {
      let first = try runner(try request.plan(.reading, elements: ["H"]), all).run(checkCancellation: stop.check)
      elements = try Self.elements(of: first, store)
      guard !elements.isEmpty else {
        for input in first.record.quarantined { tell("set aside: \(input.diagnostic)") }
        complain("no labelled configuration was found in \(request.data.map(printable).joined(separator: ", ")).")
        return 1
      }
    }
    if !request.testFiles.isEmpty {
      let reading = try request.plan(.reading, elements: elements)
      let tests = try runner(reading, test).run(checkCancellation: stop.check)
      let sources = Self.sources(of: tests)
      guard !sources.isEmpty else {
        for input in tests.record.quarantined { tell("set aside: \(input.diagnostic)") }
        complain("no labelled configuration was found in \(request.testFiles.map(printable).joined(separator: ", ")).")
        return 1
      }
      let own = try runner(reading, data).run(checkCancellation: stop.check)
      if let both = Self.sources(of: own).first(where: { source in sources.contains { $0 == source } }) {
        throw UsageError("'\(printable(both.name))' is given as data and as test: it cannot be both")
      }
      complete.testSources = sources.map(\.digest.description)
    }
    if request.chooseFrom != nil {
      let basis = try choose(complete, all, elements: elements, beside: state)
      complete.takeBasis(from: FitResults.basisName)
      all.attach(basis, as: FitResults.basisName)
    }
    let plan = try complete.plan(request.makesActiveSet ? .everything : .fitting, elements: elements)
    let console = RunConsole(plan: plan, quiet: request.quiet || request.json, verbose: request.verbose)
    let outcome = try runner(plan, all).run(checkCancellation: stop.check) { event in
      if let event = Self.toldEvent(event) { console.show(event) }
    }
    let results = try FitResults(outcome, store, request, elements: elements, basis: all.attached)
    try lock.check()
    try results.write(to: request.output, fileSystem)
    results.show(passedOver: all.passedOver)
    return outcome.exitStatus
  }

  /// The functions that the training data need most. Features of all that come into question are large and of no use
  /// afterwards, so they have a store of their own while it takes.
  private func choose(
    _ request: FitRequest, _ inputs: FitInputs, elements: [String], beside state: String
  ) throws -> [UInt8] {
    let folder = Path.join(state, "choosing")
    try fileSystem.removeTree(folder)
    try fileSystem.createFolders(folder)
    defer { try? fileSystem.removeTree(folder) }
    let store = StoreActions(Store(fileSystem, state: folder, report: { tell("\($0)") }), fileSystem)
    let plan = try request.plan(.choosing, elements: elements)
    let console = RunConsole(plan: plan, quiet: request.quiet || request.json, verbose: request.verbose)
    let outcome = try Runner(plan: plan, store: store, drops: inputs, threads: request.threads)
      .run(checkCancellation: stop.check) { console.show($0) }
    guard let part = outcome.results["choose"]?.wholes[.basis]?.part("basis.json") else {
      throw RunError(.bug, cause: "no functions were chosen")
    }
    return try store.bytes(part)
  }

  /// Nothing is said of candidates, which nobody asked for.
  private static func toldEvent(_ event: RunEvent) -> RunEvent? {
    guard case .stageFinished(var record) = event else { return event }
    record.diagnostics.removeAll { $0.code == "no-candidates" }
    return record.use == "candidates" ? nil : .stageFinished(record)
  }

  private static func sources(of outcome: RunOutcome) -> [Source] {
    outcome.results["ingest"]?.collections[.configurations]?.map(\.source) ?? []
  }

  /// Symbols of all elements in the labelled frames, alphabetical.
  private static func elements(of outcome: RunOutcome, _ store: StoreActions) throws -> [String] {
    var found: Set<String> = []
    for item in outcome.results["ingest"]?.collections[.configurations] ?? [] {
      guard let part = item.artifact.part("frames.json") else { continue }
      for frame in try CanonicalJSON.decode([FrameSummary].self, store.bytes(part)) {
        if frame.energyPerAtom != nil { found.formUnion(frame.elements) }
      }
    }
    return found.sorted()
  }
}
