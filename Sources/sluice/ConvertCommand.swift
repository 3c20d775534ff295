// VASP outputs and structure files of any kind come in, frames in one file go out; no pipeline is needed.

import Configurations
import Foundation
import Platform
import StageKit
import Synchronization
import VASP

let convertCommand = Command(
  name: "convert", operands: "INPUT… -o OUT", operandCount: 1...1_000_000,
  summary: """
    Writes VASP outputs and structure files as extended XYZ, JSON or POSCAR; needs no pipeline.

    INPUT: vasprun.xml, OUTCAR, extended XYZ, POSCAR, CONTCAR, XDATCAR, LAMMPS dump; plain, compressed, in tar
    or zip archives, or in folders, which are searched. A pattern in quotes is expanded here: 'runs/**/OUTCAR*'.
    What a file is, its content says. vasprun.xml and OUTCAR of one run in one folder are one source; the same
    content counts once. Every frame says where it came from: source (the path as given, with the member of an
    archive) and ionic_step, from 0.

    STEPS, for each run or file by itself:
    \(StepSelection.forms.map { "  \(Help.pad($0.form, 13)) \($0.meaning)" }.joined(separator: "\n"))
    The first step is kept where there is nothing to compare it with. Rules that compare pass over steps whose
    electronic loop did not converge; the others keep them, marked converged=F.

    extxyz: energy (force-consistent), forces, stress and the rest as ASE reads them; --keys mace writes
    REF_energy, REF_forces, REF_stress. json: a list of objects with source, ionic_step, symbols, positions, cell,
    pbc, energy, energy_without_entropy, energy_sigma0, forces, stress, converged, config_type, properties.
    Å, eV, eV/Å, eV/Å³ (tension positive). poscar: one file per frame in a new or empty folder, without labels.

    OUT appears whole or not at all. A file there is replaced, unless it is an input or a calculation. With '-'
    messages stay on standard error. Exit codes: 0 all inputs went through, 1 nothing was written because of an
    error, 2 wrong usage, 3 some inputs failed and the others were written, 128 + n ended by signal n.
    """,
  options: [
    Option("output", short: "o", value: "OUT", "The file to write, '-' for standard output; with poscar a folder."),
    Option("format", short: "f", value: "FORMAT", "extxyz (default), json, or poscar: one file per frame."),
    Option("keys", value: "KEYS", "Names of the labels in extxyz: ase (default) or mace."),
    Option("steps", value: "STEPS", "Which steps of a run or frames of a file, as above; default: all."),
    Option("separate", "Do not pair vasprun.xml with OUTCAR: every file is a source."),
    Option("machine-learned", "Keep steps that VASP's own force field made; otherwise they are left out."),
    Option("types", value: "SYMBOLS", "Elements of LAMMPS atom types 1, 2, …, as W,Re."),
    Option("threads", value: "N", "Threads to use; default: all processors. The output does not depend on it."),
    Option("json", "A summary of every source as JSON on standard output, instead of the table."),
    Option("quiet", short: "q", "Only errors."),
  ],
  examples: [
    "sluice convert vasprun.xml -o run.extxyz", "sluice convert runs/ more.tar.gz -o all.extxyz",
    "sluice convert OUTCAR -o - --steps last | head -3",
    "sluice convert md/ -o structures --format poscar --steps every:50+last",
    "sluice convert 'runs/**/vasprun*.xml*' -o train.extxyz --keys mace --steps energy:0.002",
  ],
  run: convert)

private func convert(_ arguments: Arguments) throws -> Int32 {
  let options = try ReadingOptions(arguments)
  let format = try arguments.choice("format", of: ["extxyz", "json", "poscar"]) ?? "extxyz"
  let keys = try arguments.choice("keys", of: ["ase", "mace"])
  if keys != nil, format != "extxyz" { throw UsageError("--keys goes with --format extxyz") }
  let formatting: FrameFormatting =
    switch format {
    case "json": .json
    case "poscar": .poscar
    default: .extendedXYZ(ExtendedXYZWriter(keys == "mace" ? .mace : .ase))
    }
  try options.checkOutput()
  let output = try FrameOutput(options.output, shape: format == "json" ? .list : format == "poscar" ? .folder : .lines)
  defer { output.discard() }
  return try options.stoppable { stop in
    let collection = FrameCollection(output, dropsCopies: options.pairsRuns)
    let line = StatusLine(quiet: options.quiet || options.json)
    let inputs = try options.inputs()
    let total = inputs.units.count
    let (reader, scratch) = (options.reader, output.scratch)
    let done = Atomic(0)
    let framesRead = Atomic(0)
    let pool = OrderedPool<InputUnit, ReadUnit>(
      threads: min(options.threads, max(1, total)), worker: {},
      work: { _, unit in
        var spool = FrameSpool(folder: scratch)
        let account = try reader.read(unit) { configuration in
          try stop.check()
          try spool.append(source: configuration.provenance.source, atoms: configuration.count) {
            try formatting.append(configuration, to: &$0)
          }
          let count = framesRead.add(1, ordering: .relaxed).newValue
          line.show(
            "\(done.load(ordering: .relaxed))/\(total) inputs, \(count) frames  \(configuration.provenance.source)")
        }
        return ReadUnit(account: account, spool: spool)
      },
      consume: { unit in
        var unit = unit
        try collection.add(unit.account, &unit.spool)
        if options.output == "-" { try output.flush() }
        done.add(1, ordering: .relaxed)
      })
    for unit in inputs.units {
      try stop.check()
      try pool.submit(unit)
    }
    try pool.finish()
    collection.passedOver = inputs.passedOver + collection.passedOver
    line.clear()
    try output.publish()
    collection.show(quiet: options.quiet, brief: options.json)
    if !options.quiet {
      if let tally = collection.tally { tell(tally) }
      tell(written(output, options.output))
    }
    let status = collection.exitStatus()
    if options.json {
      let summary = ConvertSummary(
        output: options.output, format: format, steps: "\(options.reader.steps)", frames: output.frames,
        atoms: output.atoms, exit: Int(status),
        sources: collection.sources, passedOver: collection.passedOver)
      FileHandle.standardOutput.write(Data(try CanonicalJSON.encode(summary, pretty: true)))
    }
    return status
  }
}

private struct ReadUnit: Sendable {
  var account: UnitAccount
  var spool: FrameSpool
}

/// What `--json` prints; a field may be added without a new version, none removed or changed.
private struct ConvertSummary: Encodable {
  let schema = "sluice-convert"
  let version = 1
  var output: String
  var format: String
  var steps: String
  var frames: Int
  var atoms: Int
  var exit: Int
  var sources: [SourceLine]
  var passedOver: [PassedOver]

  private enum CodingKeys: String, CodingKey {
    case schema, version, output, format, steps, frames, atoms, exit, sources
    case passedOver = "passed_over"
  }
}

/// One line on what there is now.
func written(_ output: FrameOutput, _ target: String) -> String {
  guard output.frames > 0 else { return "No frames; nothing was written." }
  let count = output.frames == 1 ? "1 frame" : "\(output.frames) frames"
  return "\(count), \(output.atoms) atoms" + (target == "-" ? "" : ": \(printable(target))")
}
