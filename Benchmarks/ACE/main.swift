// Times the ACE engine on rattled bcc tungsten, one thread unless said: processor time, µs per atom, best
// (median) of interleaved rounds; operations counted from the programs; memory of design rows; two threads.
// Usage: ace-benchmark [case…] [--quick | --threads]; a case is W_100, W_500 (reference potentials, from SLUICE_SHARED or
// ../shared) or a number of functions; standard: W_100 W_500 1000.

import ACE
import Configurations
import Foundation
import LinearAlgebra

useSingleThreadedBLAS()
let quick = CommandLine.arguments.contains("--quick")
let names = CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("--") }
let small = tungsten(cells: 5, amplitude: 0.05)
let large = tungsten(cells: 10, amplitude: 0.05)

/// GFlop/s of one core in a matrix product: what "peak" means here.
func matrixProductRate() -> Double {
  let n = 768
  let a = Matrix(rows: n, columns: n, storage: random(n * n, seed: 3))
  var best = Double.infinity
  for _ in 0..<8 {
    let start = processorTime()
    _ = a.times(a)
    best = min(best, processorTime() - start)
  }
  return 2 * Double(n * n * n) / best / 1e3
}

func report(_ name: String, _ peak: Double) throws {
  let (potential, label) = try potential(name)
  let basis = potential.basis
  let count = basis.columnCount
  let evaluator = Evaluator(basis)
  let tables = Evaluator(basis, radial: .tabulated)
  let ends = Evaluator(basis, radial: .tabulated, tableBytes: 0)
  let inverse = Matrix(rows: count, columns: count, storage: random(count * count, seed: 8))
  let ensemble = Matrix(rows: 16, columns: count, storage: random(16 * count, seed: 9))
  // The same functions without and with core repulsion.
  let twins = try [false, true].map { repels in
    let potential = try made(count, repels: repels)
    return (potential, Evaluator(potential.basis), Evaluator(potential.basis, radial: .tabulated))
  }
  for c in quick ? [small] : [small, large] {
    let workspace = Workspace()
    let list = try NeighborList(c, cutoff: basis.cutoff)
    let neighbors = Double(list.neighbors.count) / Double(c.count)
    print("\(label): \(count) functions, \(c.count) atoms, \(fixed(neighbors, 1, width: 1)) neighbours")
    var rounds = Rounds()
    rounds.add("neighbour list") { _ = try NeighborList(c, cutoff: basis.cutoff) }
    rounds.add("energy and forces") { _ = try evaluator.evaluate(potential, c, workspace: workspace) }
    rounds.add("energy and forces, tabulated") { _ = try tables.evaluate(potential, c, workspace: workspace) }
    rounds.add("the same without tables") { _ = try ends.evaluate(potential, c, workspace: workspace) }
    rounds.add("projections") { _ = try evaluator.projections(of: c, workspace: workspace) }
    rounds.add("grades") { _ = try evaluator.grades(of: c, inverses: [inverse], workspace: workspace) }
    rounds.add("16 members") { _ = try evaluator.evaluateEnsemble(ensemble, c, workspace: workspace) }
    rounds.add("16 members, single differences") {
      _ = try evaluator.evaluateEnsemble(ensemble, c, precision: .singleDifferences, workspace: workspace)
    }
    rounds.add("the same, pairs from both sides") {
      _ = try evaluator.evaluateEnsemble(
        ensemble, c, precision: .singleDifferences, pairMemory: 0, workspace: workspace)
    }
    for (made, exact, tabulated) in twins {
      let label = exact.basis.bonds[0][0].corePrefactor == 0 ? "" : ", repulsion"
      rounds.add("made, forces\(label)") { _ = try exact.evaluate(made, c, workspace: workspace) }
      rounds.add("made, forces, tabulated\(label)") { _ = try tabulated.evaluate(made, c, workspace: workspace) }
    }
    rounds.add("repulsion alone") { _ = try twins[1].1.repulsion(of: c) }
    try rounds.run(c.count > 1000 ? 5 : 25)
    var rows = Rounds()
    rows.add("design rows") { _ = try evaluator.designRows(of: c, workspace: workspace) }
    rows.add("design rows by 256 atoms") {
      _ = try evaluator.forEachRowBlock(of: c, workspace: workspace) { _, _ in }
    }
    try rows.run(c.count > 1000 ? 2 : 4)
    func line(_ r: Rounds, _ key: String) {
      let atoms = Double(c.count)
      print(
        "  " + key.padding(toLength: 30, withPad: " ", startingAt: 0) + fixed(r.best(key) / atoms)
          + " (" + fixed(r.median(key) / atoms, 1, width: 1) + ")")
    }
    for key in rounds.labels { line(rounds, key) }
    for key in rows.labels { line(rows, key) }
    let listTime = rounds.best("neighbour list")
    let (forces, values) = (rounds.best("energy and forces"), rounds.best("projections"))
    print(
      "  projections / energy and forces:", fixed(values / forces, 2, width: 1), "with the list,",
      fixed((values - listTime) / (forces - listTime), 2, width: 1), "without")
    print(
      "  16 members / energy and forces: ", fixed(rounds.best("16 members") / forces, 2, width: 1), "in single",
      fixed(rounds.best("16 members, single differences") / forces, 2, width: 1))
    print("  single differences: \(try differenceError(evaluator, ensemble, c)) of the largest difference off")
    for kind in ["", ", tabulated"] {
      let (with, without) = ("made, forces\(kind), repulsion", "made, forces\(kind)")
      print(
        "  repulsion / none\(kind):", fixed(rounds.best(with) / rounds.best(without), 3, width: 1), "medians",
        fixed(rounds.median(with) / rounds.median(without), 3, width: 1))
    }
    operations(evaluator, neighbors, peak, Double(c.count), listTime, values, forces, rows.best("design rows"))
  }
  if quick { return }
  try memory(name)
  for load in Load.allCases { try compareThreads(name, load, rounds: 15) }
}

/// The largest error of a member's force in single precision, by the largest difference from the mean.
func differenceError(_ evaluator: Evaluator, _ ensemble: Matrix, _ c: Configuration) throws -> Double {
  let exact = try evaluator.evaluateEnsemble(ensemble, c).forces
  let single = try evaluator.evaluateEnsemble(ensemble, c, precision: .singleDifferences).forces
  var (error, difference) = (0.0, 0.0)
  for atom in 0..<c.count {
    let mean = exact.reduce(Vector3.zero) { $0 + $1[atom] } / Double(exact.count)
    for m in exact.indices {
      error = max(error, length(single[m][atom] - exact[m][atom]))
      difference = max(difference, length(exact[m][atom] - mean))
    }
  }
  return error / difference
}

func operations(
  _ evaluator: Evaluator, _ neighbors: Double, _ peak: Double, _ atoms: Double, _ list: Double,
  _ values: Double, _ forces: Double, _ rows: Double
) {
  let n = evaluator.operationCounts(element: 0, neighbors: [neighbors])
  print(
    "  operations per atom (\(n.sumCount) one-particle sums): radial", Int(n.radial), "with slopes",
    Int(n.radialWithSlopes), "harmonics", Int(n.harmonics), "sums", Int(n.sums), "products", Int(n.products),
    "adjoint", Int(n.adjoint), "contraction", Int(n.contraction), "design rows", Int(n.designRows))
  func rate(_ label: String, _ operations: Double, _ time: Double) {
    let rate = operations * atoms / (time - list) / 1e3
    print(
      "  \(label): \(Int(operations)) operations,\(fixed(rate)) GFlop/s without the list,"
        + " \(fixed(100 * rate / peak, 0, width: 1)) % of dgemm")
  }
  rate("projections", n.projections, values)
  rate("energy and forces", n.energyAndForces, forces)
  rate("design rows", n.rows, rows)
}

/// What design rows need beyond what is there before, by size; each in a process of its own.
func memory(_ name: String) throws {
  for cells in [5, 10, 14] {
    var line = "  memory of design rows, \(2 * cells * cells * cells) atoms:"
    for way in cells > 10 ? ["blocks"] : ["blocks", "whole"] {
      let child = Process()
      child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      child.arguments = ["--memory", name, String(cells), way]
      let pipe = Pipe()
      child.standardOutput = pipe
      try child.run()
      let answer = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      child.waitUntilExit()
      line += " \(answer.filter { !$0.isNewline }) MB (\(way))"
    }
    print(line)
  }
}

func measureMemory(_ name: String, cells: Int, whole: Bool) throws {
  let evaluator = Evaluator(try potential(name).0.basis)
  let c = tungsten(cells: cells, amplitude: 0.05)
  let megabytes = try peakMemory {
    if whole {
      _ = try evaluator.designRows(of: c)
    } else {
      _ = try evaluator.forEachRowBlock(of: c, atomsPerBlock: 128) { _, _ in }
    }
  }
  print(fixed(megabytes, 0, width: 1))
}

if CommandLine.arguments.dropFirst().first == "--memory" {
  let words = CommandLine.arguments
  try measureMemory(words[2], cells: Int(words[3])!, whole: words[4] == "whole")
  exit(0)
}
if CommandLine.arguments.dropFirst().first == "--worker" {
  let words = CommandLine.arguments
  try work(words[2], Load(rawValue: words[3])!)
  exit(0)
}
if CommandLine.arguments.contains("--threads") {
  for name in names.isEmpty ? ["W_100", "W_500", "1000"] : Array(names) {
    for load in Load.allCases { try compareThreads(name, load, rounds: 25) }
  }
  exit(0)
}
let peak = matrixProductRate()
print("dgemm, one core: \(fixed(peak, 0, width: 1)) GFlop/s")
for name in names.isEmpty ? ["W_100", "W_500", "1000"] : Array(names) { try report(name, peak) }
