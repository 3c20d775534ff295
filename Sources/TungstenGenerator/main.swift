// A seed comes in; an inbox of tungsten runs and a pool of candidates go out.

import Foundation

let usage = """
  usage: generate-tungsten --output DIR [--seed N] [--one-more | --big MB [--edge N]]

  Writes DIR/tungsten (runs in VASP's layout) and DIR/tungsten-candidates (structures without labels).
  All labels are Finnis-Sinclair's, not DFT.

    --seed N     another seed gives other runs (default 1984)
    --one-more   write only one further run, DIR/tungsten/interstitial/900K/OUTCAR
    --big MB     write only DIR/big/vasprun.xml and DIR/big/OUTCAR of about MB megabytes each
    --edge N     cells along each edge of that run's box: 2 N^3 atoms (default 4)

  """

func fail(_ message: String) -> Never {
  FileHandle.standardError.write(Data("generate-tungsten: \(message)\n\(usage)".utf8))
  exit(2)
}

var folder: String?
var seed: UInt64 = 1984
var oneMore = false
var big: Int?
var edge = 4
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
  switch argument {
  case "--output":
    guard let value = arguments.popFirst() else { fail("--output needs a folder") }
    folder = value
  case "--seed":
    guard let value = arguments.popFirst().flatMap({ UInt64($0) }) else {
      fail("--seed needs a number")
    }
    seed = value
  case "--one-more": oneMore = true
  case "--big":
    guard let value = arguments.popFirst().flatMap({ Int($0) }), value > 0 else {
      fail("--big needs a number of megabytes")
    }
    big = value
  case "--edge":
    guard let value = arguments.popFirst().flatMap({ Int($0) }), (1...16).contains(value) else {
      fail("--edge needs a number of cells from 1 to 16")
    }
    edge = value
  case "--help", "-h":
    print(usage)
    exit(0)
  default: fail("unknown argument '\(argument)'")
  }
}
guard let folder else { fail("--output is missing") }

let output = Output(folder: URL(fileURLWithPath: folder))
let runs = Runs(seed: seed)
do {
  if let big {
    try BigRun(runs: runs, output: output, megabytes: big, edge: edge).write()
  } else if oneMore {
    try Inbox(runs: runs, output: output).writeOneMore()
  } else {
    try Inbox(runs: runs, output: output).write()
    try Candidates(runs: runs, output: output).write()
  }
} catch {
  FileHandle.standardError.write(Data("generate-tungsten: \(error)\n".utf8))
  exit(1)
}
