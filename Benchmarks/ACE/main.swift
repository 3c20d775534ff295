// Times the ACE engine on rattled bcc tungsten: microseconds per atom, processor time of one thread,
// best of several repetitions.
// Usage: ace-benchmark [functions…]; standard: 100 500 1000 functions, 250 atoms, cutoff 5.5 Å.

import ACE
import Configurations
import Glibc
import LinearAlgebra

struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

func tungsten(cells: Int, amplitude: Double) -> Configuration {
  var generator = Generator(state: 1)
  let a = 3.1652
  var positions: [Vector3] = []
  for x in 0..<cells {
    for y in 0..<cells {
      for z in 0..<cells {
        for offset in [0.0, 0.5] {
          var p = Vector3(Double(x) + offset, Double(y) + offset, Double(z) + offset) * a
          for k in 0..<3 { p[k] += .random(in: -amplitude...amplitude, using: &generator) }
          positions.append(p)
        }
      }
    }
  }
  let l = a * Double(cells)
  return Configuration(
    species: Array(repeating: Element(symbol: "W")!, count: positions.count), positions: positions,
    cell: Cell(vectors: Matrix3([l, 0, 0], [0, l, 0], [0, 0, l])))
}

/// Processor time of this thread, microseconds: not disturbed by what else runs on the machine.
func processorTime() -> Double {
  var t = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t)
  return Double(t.tv_sec) * 1e6 + Double(t.tv_nsec) * 1e-3
}

/// Best time of one call, microseconds per atom.
func time(
  _ label: String, atoms: Int, repetitions: Int, unit: String = "us/atom", _ body: () throws -> Void
) rethrows {
  var best = Double.infinity
  for _ in 0..<repetitions {
    let start = processorTime()
    try body()
    best = min(best, processorTime() - start)
  }
  let tenths = Int(best / Double(atoms) * 10 + 0.5)
  print("  \(label): \(tenths / 10).\(tenths % 10) \(unit)")
}

useSingleThreadedBLAS()
let counts = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let workspace = Workspace()
for count in counts.isEmpty ? [100, 500, 1000] : counts {
  let specification = BasisSpecification(
    elements: [Element(symbol: "W")!], cutoff: 5.5, order: 5,
    limits: [.init(radial: [8, 5, 4, 3, 2], angular: [0, 5, 4, 3, 2])], functionsPerElement: count)
  let start = processorTime()
  let basis = try Basis(specification)
  print("\(count) functions: basis in \(Int(processorTime() - start)) us")
  let evaluator = Evaluator(basis)
  let c = tungsten(cells: 5, amplitude: 0.05)
  let list = try NeighborList(c, cutoff: 5.5)
  print("  \(c.count) atoms, \(Double(list.neighbors.count) / Double(c.count)) neighbours")
  var generator = Generator(state: 7)
  func random(_ n: Int) -> [Double] { (0..<n).map { _ in .random(in: -1...1, using: &generator) } }
  let potential = try Potential(basis: basis, columns: random(basis.columnCount))
  let inverse = Matrix(rows: count, columns: count, storage: random(count * count))
  let ensemble = Matrix(rows: 16, columns: count, storage: random(16 * count))
  try time("neighbour list", atoms: c.count, repetitions: 15) {
    _ = try NeighborList(c, cutoff: 5.5)
  }
  try time("energy and forces", atoms: c.count, repetitions: 15) {
    _ = try evaluator.evaluate(potential, c, workspace: workspace)
  }
  try time("projections", atoms: c.count, repetitions: 15) {
    _ = try evaluator.projections(of: c, workspace: workspace)
  }
  try time("grades", atoms: c.count, repetitions: 15) {
    _ = try evaluator.grades(of: c, inverses: [inverse], workspace: workspace)
  }
  try time("16 members, energies and forces", atoms: c.count, repetitions: 3) {
    _ = try evaluator.evaluateEnsemble(ensemble, c, workspace: workspace)
  }
  let (yaml, yace) = (potential.yaml, potential.yace)
  print("  .yaml of \(yaml.count / 1024) kB, .yace of \(yace.count / 1024) kB")
  try time("read .yaml, whole file", atoms: 1, repetitions: 3, unit: "us") {
    _ = try Potential(yaml: yaml)
  }
  try time("read .yace, whole file", atoms: 1, repetitions: 3, unit: "us") {
    _ = try Potential(yace: yace)
  }
  time("write .yace, whole file", atoms: 1, repetitions: 3, unit: "us") { _ = potential.yace }
  for cells in [1, 2, 3, 5] {
    let c = tungsten(cells: cells, amplitude: 0.05)
    try time("design rows, \(c.count) atoms", atoms: c.count, repetitions: 3) {
      _ = try evaluator.designRows(of: c, workspace: workspace)
    }
  }
}
