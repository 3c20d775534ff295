// A potential comes in, the same potential in another format goes out, or the active set that belongs to it.

import ACE
import Configurations
import Foundation
import Platform

let exportCommand = Command(
  name: "export", operands: "POTENTIAL -o OUT", operandCount: 1...1,
  summary: """
    Writes a potential in another format: .yaml, .yace; or its active set from data: .asi.

    .yaml holds coupled functions and is what pair_style pace/extrapolation reads; .yace holds them multiplied out over
    m and is what pair_style pace reads fastest. From .yaml to .yace the text of the metadata is lost. From .yace to
    .yaml the coefficients of the couplings are solved for, which works for every function that is a rotation
    invariant. Reference energies are E0 in .yace and are added there by LAMMPS; .yaml has no place for them: they go
    into the metadata, which only Sluice adds, so that LAMMPS' total energy with .yaml differs by their sum.
    .asi holds environments, which no potential file does: give frames with --data.
    """,
  options: [
    Option("output", short: "o", value: "OUT", "The file to write, '-' for standard output."),
    Option("format", short: "f", value: "FORMAT", "yaml, yace or asi; default: what OUT ends with."),
    Option("data", short: "d", value: "INPUT", repeats: true, "With .asi: frames to choose from; may be repeated."),
    Option("threads", value: "N", "Threads to use; default: all processors. The output does not depend on it."),
    Option("quiet", short: "q", "Only errors."),
  ],
  examples: [
    "sluice export potential.yaml -o potential.yace", "sluice export foreign.yace -o foreign.yaml",
    "sluice export potential.yaml --data training.extxyz -o potential.asi",
  ],
  run: export)

private func export(_ arguments: Arguments) throws -> Int32 {
  let input = arguments.operands[0]
  guard let target = arguments.value("output"), !target.isEmpty else {
    throw UsageError("--output is missing: -o FILE, or -o - for standard output")
  }
  let format = try exportFormat(arguments, target)
  let data = arguments.values("data")
  if format == "asi" {
    guard !data.isEmpty else {
      throw UsageError("an active set is chosen among environments, which no potential file holds: give --data FRAMES")
    }
  } else if !data.isEmpty {
    throw UsageError("--data goes with .asi only")
  }
  if input.lowercased().hasSuffix(".asi") {
    throw UsageError(
      "'\(printable(input))' is an active set; it holds no coefficients, so no potential can be made of it")
  }
  let output = try FrameOutput(target, shape: .lines)
  defer { output.discard() }
  do {
    let content: ExportedFile
    if format == "asi" {
      let threads = try arguments.integer("threads", in: 1...1024) ?? availableProcessors()
      content = try ActiveSetExport(PotentialInput(input).potential, frames: data, threads: threads).file()
    } else {
      content = try exported(input, as: format)
    }
    try output.write(content.bytes, atoms: 0)
    try output.publish()
    if !arguments.has("quiet") {
      for note in content.notes { tell(note) }
      if target != "-" { tell("\(content.bytes.count) bytes: \(printable(target))") }
    }
    return 0
  } catch let error as Diagnostic {
    complain("\(error)")
    return 1
  }
}

private func exportFormat(_ arguments: Arguments, _ target: String) throws(UsageError) -> String {
  if let format = try arguments.choice("format", of: ["yaml", "yace", "asi"]) { return format }
  let lower = target.lowercased()
  for (ending, format) in [(".yaml", "yaml"), (".yml", "yaml"), (".yace", "yace"), (".asi", "asi")]
  where lower.hasSuffix(ending) { return format }
  throw UsageError(
    target == "-"
      ? "--format is missing: yaml, yace or asi"
      : "'\(printable(target))' ends with none of .yaml, .yace, .asi; name the format with --format")
}

/// The bytes of a file and what there is to know about it.
struct ExportedFile {
  var bytes: [UInt8]
  var notes: [String] = []
}

private func exported(_ file: String, as format: String) throws -> ExportedFile {
  let input = try PotentialInput.Content(file)
  switch (input, format) {
  case (.coupled(let potential), "yaml"): return ExportedFile(bytes: try checkedYAML(potential, file))
  case (.expanded(let expanded), "yace"): return ExportedFile(bytes: expanded.encoded)
  case (.coupled(let potential), _):
    let expanded = CTildeFile(potential)
    var notes: [String] = []
    if !potential.metadata.isEmpty { notes.append("Left out, for .yace has no place for it: metadata.") }
    if potential.referenceEnergies.contains(where: { $0 != 0 }) {
      notes.append("Reference energies are written as E0; LAMMPS adds them.")
    }
    return ExportedFile(bytes: expanded.encoded, notes: notes)
  case (.expanded(let expanded), _):
    let potential: Potential
    do throws(PotentialFileError) { potential = try expanded.potential() } catch {
      var diagnostic = error.sentence(file: file)
      diagnostic.code = "not-invertible"
      diagnostic.remedy = "Only sums of rotation invariants of the half basis have a form in .yaml; keep the .yace."
      throw diagnostic
    }
    var notes = [
      "Coefficients of the couplings were solved for; multiplied out again they are the file's to"
        + " \(scientific(CTildeFile(potential).largestDifference(from: expanded))) of the largest of their function."
    ]
    if potential.referenceEnergies.contains(where: { $0 != 0 }) {
      notes.append("E0 went into the metadata: LAMMPS' energies with the .yaml are without it.")
    }
    return ExportedFile(bytes: try checkedYAML(potential, file), notes: notes)
  }
}

/// The `.yaml` of a potential, once it has been read back.
private func checkedYAML(_ potential: Potential, _ file: String) throws -> [UInt8] {
  let elements = potential.basis.elements
  for i in elements.indices {
    for j in elements.indices where potential.basis.bonds[i][j] != potential.basis.bonds[j][i] {
      throw Diagnostic(
        .error, code: "no-such-yaml", place: .init(file: file),
        cause: "the bonds \(elements[i])-\(elements[j]) and \(elements[j])-\(elements[i]) differ, and .yaml demands "
          + "that they agree.",
        remedy: "Keep the .yace.")
    }
  }
  let bytes = potential.yaml
  guard try Potential(yaml: bytes) == potential else {
    throw Diagnostic(
      .error, code: "not-restored", place: .init(file: file),
      cause: "what was written does not read back as the same potential; this is a fault of Sluice.",
      remedy: "Report it with the file.")
  }
  return bytes
}

private func scientific(_ value: Double) -> String { value == 0 ? "0" : "\(Float(value))" }
