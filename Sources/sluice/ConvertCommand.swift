// VASP outputs and structure files of any kind come in, frames in one file go out; no pipeline is needed.

import Configurations
import Foundation
import Platform
import StageKit
import VASP

let convertCommand = Command(
  name: "convert", operands: "INPUT… -o OUT", operandCount: 1...1_000_000,
  summary: """
    Writes VASP outputs and structure files as extended XYZ, JSON or POSCAR; needs no pipeline.

    INPUT: vasprun.xml, OUTCAR, extended XYZ, POSCAR, CONTCAR, XDATCAR, LAMMPS dump; plain, compressed, in tar
    or zip archives, or in folders, which are searched. What a file is, its content says. Every frame says where
    it came from: source (the path as given, with the member of an archive) and ionic_step. vasprun.xml and
    OUTCAR of one run in one folder are one source.
    JSON is a list of objects: source, ionic_step, symbols, positions, cell, pbc, energy, energy_without_entropy,
    energy_sigma0, forces, stress, converged, config_type, properties. Å, eV, eV/Å, eV/Å³ (tension positive).
    """,
  options: [
    Option("output", short: "o", value: "OUT", "The file to write, '-' for standard output; with poscar a folder."),
    Option("format", short: "f", value: "FORMAT", "extxyz (default), json, or poscar: one file per frame."),
    Option("keys", value: "KEYS", "Names of the labels in extxyz: ase (default) or mace (REF_energy …)."),
    Option("steps", value: "STEPS", "all (default), last, or every:N: those whose number is a multiple of N."),
    Option("separate", "Do not pair vasprun.xml with OUTCAR: every file is a source."),
    Option("machine-learned", "Keep steps that VASP's own force field made; otherwise they are left out."),
    Option("types", value: "SYMBOLS", "Elements of LAMMPS atom types 1, 2, …, as W,Re."),
    Option("threads", value: "N", "Threads to use; default: all processors. The output does not depend on it."),
    Option("json", "A summary as JSON on standard output."),
    Option("quiet", short: "q", "Only errors."),
  ],
  examples: [
    "sluice convert vasprun.xml -o run.extxyz", "sluice convert runs/ more.tar.gz -o all.extxyz",
    "sluice convert OUTCAR -o - --steps last | head -3",
    "sluice convert md/ -o structures --format poscar --steps every:50",
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
  let output = try FrameOutput(options.output, shape: format == "json" ? .list : format == "poscar" ? .folder : .lines)
  defer { output.discard() }
  return try options.stoppable { stop in
    let collection = FrameCollection(output, dropsCopies: options.pairsRuns)
    let line = StatusLine(quiet: options.quiet)
    let inputs = try options.inputs()
    let total = inputs.units.count
    let (reader, scratch) = (options.reader, output.scratch)
    var done = 0
    let pool = OrderedPool<InputUnit, ReadUnit>(
      threads: min(options.threads, max(1, total)), worker: {},
      work: { _, unit in
        var spool = FrameSpool(folder: scratch)
        let account = try reader.read(unit) { configuration in
          try stop.check()
          let bytes = try formatting.bytes(configuration)
          try spool.append(bytes, source: configuration.provenance.source, atoms: configuration.count)
        }
        return ReadUnit(account: account, spool: spool)
      },
      consume: { unit in
        var unit = unit
        try collection.add(unit.account, &unit.spool)
        if options.output == "-" { try output.flush() }
        done += 1
        line.show("\(done)/\(total) inputs, \(output.frames) frames  \(collection.sources.last?.source ?? "")")
      })
    for unit in inputs.units {
      try stop.check()
      try pool.submit(unit)
    }
    try pool.finish()
    collection.passedOver = inputs.passedOver + collection.passedOver
    line.clear()
    try output.publish()
    collection.show(quiet: options.quiet)
    if !options.quiet { tell(written(output, options.output)) }
    let status = collection.exitStatus()
    if options.json {
      let summary = ConvertSummary(
        output: options.output, format: format, frames: output.frames, atoms: output.atoms, exit: Int(status),
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
  var frames: Int
  var atoms: Int
  var exit: Int
  var sources: [SourceLine]
  var passedOver: [PassedOver]

  private enum CodingKeys: String, CodingKey {
    case schema, version, output, format, frames, atoms, exit, sources
    case passedOver = "passed_over"
  }
}

/// One line on what there is now.
func written(_ output: FrameOutput, _ target: String) -> String {
  guard output.frames > 0 else { return "No frames; nothing was written." }
  let count = output.frames == 1 ? "1 frame" : "\(output.frames) frames"
  return "\(count), \(output.atoms) atoms" + (target == "-" ? "" : ": \(printable(target))")
}
