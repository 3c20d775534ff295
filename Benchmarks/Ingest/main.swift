// Files come in, or are generated; what programs need to read them goes out: CPU seconds of whole processes
// (user and system), medians of several rounds in which all programs take turns, and their peak memory.

import Foundation

let usage = """
  usage: ingest-benchmark [FILE…] [--runs N] [--large] [--python PYTHON] [--scratch DIR]

  Measures sluice beside xmllint, gzip, xz, bzip2 and zstd, where these are installed, on vasprun.xml and
  OUTCAR: on FILEs, or on generated runs of 60 MB. Programs stand beside this one.

    --runs N         rounds (default 5)
    --large          also a generated vasprun.xml of 1 GB
    --python PYTHON  an interpreter that has ASE, to be measured, too
    --scratch DIR    where generated files go (default: a new folder in TMPDIR, removed afterwards)

  """

func fail(_ message: String) -> Never {
  FileHandle.standardError.write(Data("ingest-benchmark: \(message)\n\(usage)".utf8))
  exit(2)
}

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == Reading.option {
  exit(Reading.keepAll(of: CommandLine.arguments[2]))
}

var files: [String] = []
var runs = 5
var isLarge = false
var python: String?
var scratch: String?
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
  switch argument {
  case "--runs":
    guard let value = arguments.popFirst().flatMap({ Int($0) }), value > 0 else { fail("--runs needs a number") }
    runs = value
  case "--large": isLarge = true
  case "--python":
    guard let value = arguments.popFirst() else { fail("--python needs a program") }
    python = value
  case "--scratch":
    guard let value = arguments.popFirst() else { fail("--scratch needs a folder") }
    scratch = value
  case "--help", "-h":
    print(usage)
    exit(0)
  default:
    if argument.hasPrefix("-") { fail("unknown argument '\(argument)'") }
    files.append(argument)
  }
}

let comparison = Comparison(runs: runs, python: python, scratch: Scratch(scratch))
defer { comparison.scratch.remove() }
if files.isEmpty {
  comparison.measureGenerated(megabytes: 60, edge: 4)
  comparison.measureGenerated(megabytes: 60, edge: 1, outcar: false, packed: false)
  if isLarge { comparison.measureGenerated(megabytes: 1000, edge: 4, outcar: false, packed: false) }
} else {
  for file in files { comparison.measure(file) }
}
