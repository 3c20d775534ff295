// A file comes in; the costs of the programs that read it go out, as a table.

import Foundation

/// What is run on each file.
struct Comparison {
  let runs: Int
  /// An interpreter with ASE, nil for none.
  let python: String?
  let scratch: Scratch

  private let sluice = beside("sluice")

  func measureGenerated(megabytes: Int, edge: Int, outcar: Bool = true, packed: Bool = true) {
    let folder = generated(megabytes: megabytes, edge: edge, seed: 1984)
    let xml = "\(folder)/big/vasprun.xml"
    print("\n== generated: molecular dynamics, \(2 * edge * edge * edge) atoms")
    measure(xml)
    if packed {
      for packer in Packer.all { measure(xml, packed: packer) }
      measureTwo(xml, "\(generated(megabytes: megabytes, edge: edge, seed: 1985))/big/vasprun.xml")
    }
    if outcar { measure("\(folder)/big/OUTCAR") }
  }

  private func generated(megabytes: Int, edge: Int, seed: Int) -> String {
    let folder = scratch.folder("\(megabytes)-\(edge)-\(seed)")
    let status = run([
      beside("generate-tungsten"), "--output", folder, "--big", "\(megabytes)", "--edge", "\(edge)", "--seed",
      "\(seed)",
    ]).status
    guard status == 0 else { fail("generate-tungsten failed; build all products first: swift build -c release") }
    return folder
  }

  func measure(_ file: String) {
    let isTree = head(of: file, 512).contains("<")
    var programs: [Program] = []
    if isTree { programs.append(Program("xmllint --sax --noout", ["xmllint", "--sax", "--noout", file])) }
    programs += convert([file])
    programs.append(Program("configurations in memory, all steps", [beside("ingest-benchmark"), Reading.option, file]))
    if let python {
      programs.append(
        Program(
          "ASE (index -1)",
          [python, "-c", "import sys, ase.io; ase.io.read(sys.argv[1], index=-1, format=sys.argv[2])", file]
            + [isTree ? "vasp-xml" : "vasp-out"]))
    }
    table(programs, bytes: size(of: file), title: file)
  }

  /// The file as `packer` packs it, beside the unpacking alone.
  private func measure(_ file: String, packed packer: Packer) {
    guard isInstalled(packer.program) else { return print("\(packer.program): not installed") }
    let target = scratch.path("packed" + packer.suffix)
    guard run([packer.program, "-1", "-c", file], output: target).status == 0 else {
      return print("\(packer.program) failed")
    }
    table(
      [
        Program("\(packer.program) -dc", [packer.program, "-dc", target]), convert([target])[0],
        Program("sluice convert --steps last, unpacked", convert([file])[0].command),
      ], bytes: size(of: file), title: "packed by \(packer.program)")
  }

  /// Two files at once: the wall time must be that of one where there are two processors.
  private func measureTwo(_ first: String, _ second: String) {
    let both = convert([first, second])[0].command
    table(
      [
        Program("one file", convert([first])[0].command), Program("two files", both),
        Program("two files, --threads 1", both + ["--threads", "1"]),
      ], bytes: size(of: first), title: "one file and two (bytes are those of one)")
  }

  private func convert(_ files: [String]) -> [Program] {
    let output = scratch.path("frames.extxyz")
    let common = [sluice, "convert", "-q", "--separate", "-o", output] + files
    return [
      Program("sluice convert --steps last", common + ["--steps", "last"]),
      Program("sluice convert, all steps", common),
    ]
  }

  /// Rounds in which every program takes its turn, so that a busy machine slows all of them.
  private func table(_ programs: [Program], bytes: Int, title: String) {
    let present = programs.filter { program in
      if isInstalled(program.command[0]) { return true }
      print("\(program.command[0]): not installed")
      return false
    }
    print("\n\(title), \(decimals(Double(bytes) / 1e6, 1)) MB")
    print(padded("", 40) + "   CPU s     MB/s    ratio   wall s  peak MB")
    var costs = present.map { _ in [Cost]() }
    for _ in 0..<runs {
      for k in present.indices { costs[k].append(run(present[k].command)) }
    }
    var reference: Double?
    for (program, costs) in zip(present, costs) {
      guard costs.allSatisfy({ $0.status == 0 }) else {
        print(padded(program.name, 40) + " failed")
        continue
      }
      let seconds = max(median(costs.map(\.processor)), 1e-6)
      reference = reference ?? seconds
      print(
        padded(program.name, 40) + right(decimals(seconds, 3), 8)
          + right(decimals(Double(bytes) / 1e6 / seconds, 0), 9) + right(decimals(reference! / seconds, 2), 9)
          + right(decimals(median(costs.map(\.wall)), 3), 9)
          + right(decimals(costs.map(\.peakMegabytes).max()!, 1), 9))
    }
    fflush(nil)
  }
}

struct Program {
  var name: String
  var command: [String]

  init(_ name: String, _ command: [String]) {
    self.name = name
    self.command = command
  }
}

/// A program that packs one file.
struct Packer {
  var program: String
  var suffix: String

  static let all = [
    Packer(program: "gzip", suffix: ".gz"), Packer(program: "zstd", suffix: ".zst"),
    Packer(program: "xz", suffix: ".xz"), Packer(program: "bzip2", suffix: ".bz2"),
  ]
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(1, width - text.count))
}

func right(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(1, width - text.count)) + text
}

/// `value` >= 0 with `digits` decimals.
func decimals(_ value: Double, _ digits: Int) -> String {
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let scaled = Int((value * scale).rounded())
  guard digits > 0 else { return "\(scaled)" }
  let rest = "\(scaled % Int(scale))"
  return "\(scaled / Int(scale))." + String(repeating: "0", count: digits - rest.count) + rest
}
