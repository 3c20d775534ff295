// A basis comes in; operations, times on this machine and memory go out.

import ACE
import Configurations
import Foundation
import Glibc
import LinearAlgebra
import Report

/// What a basis costs per atom in a crystal of some density.
struct BasisCost {
  /// Atoms per Å³.
  let density: Double
  /// Within the cutoff.
  let neighbors: Double
  /// Per element.
  let operations: [Operations]
  /// Microseconds of processor time per atom on this machine, one thread; nil where not timed.
  private(set) var times: Times?
  /// Bytes of force rows per atom, and of a source's triangular factor.
  let designRowBytes: Int
  let factorBytes: Int
  private let basis: Basis
  private let evaluator: Evaluator

  /// Floating-point operations for one atom, by stage.
  struct Operations: Encodable {
    var oneParticleSums: Int
    var radialWithSlopes: Double
    var harmonics: Double
    var sums: Double
    var products: Double
    var adjoint: Double
    var contraction: Double
    var designRows: Double
    /// The product with the inverse active set.
    var grade: Double
    /// In all.
    var projections: Double
    var energyAndForces: Double
    var rows: Double

    init(_ counts: OperationCounts, _ functions: Int) {
      oneParticleSums = counts.sumCount
      radialWithSlopes = counts.radialWithSlopes
      harmonics = counts.harmonics
      sums = counts.sums
      products = counts.products
      adjoint = counts.adjoint
      contraction = counts.contraction
      designRows = counts.designRows
      grade = 2 * Double(functions) * Double(functions)
      projections = counts.projections
      energyAndForces = counts.energyAndForces
      rows = counts.rows
    }
  }

  struct Times: Encodable {
    var projections = 0.0
    var energyAndForces = 0.0
    var designRows = 0.0
    /// nil where the active sets would take too much memory.
    var grades: Double?
  }

  init(_ basis: Basis, density: Double, timed: Bool) throws {
    self.basis = basis
    self.density = density
    neighbors = 4 / 3 * Double.pi * basis.cutoff * basis.cutoff * basis.cutoff * density
    let evaluator = Evaluator(basis)
    self.evaluator = evaluator
    let share = Array(repeating: neighbors / Double(basis.elements.count), count: basis.elements.count)
    operations = basis.elements.indices.map {
      Operations(evaluator.operationCounts(element: $0, neighbors: share), basis.functions[$0].count)
    }
    designRowBytes = 3 * basis.columnCount * 8
    let size = basis.columnCount + basis.elements.count + 1
    factorBytes = 8 * size * size
    if timed { times = try measure() }
  }

  /// A body-centred crystal of this density with the elements in turn.
  private var crystal: Configuration {
    let a = cbrt(2 / density)
    var positions: [Vector3] = []
    for x in 0..<3 {
      for y in 0..<3 {
        for z in 0..<3 {
          for offset in [0.0, 0.5] {
            // A wave in place of noise: no atom sits on a site of high symmetry.
            let k = Double(positions.count)
            let shift = Vector3(sin(1.7 * k), sin(2.3 * k + 1), sin(2.9 * k + 2))
            let site = Vector3(Double(x) + offset, Double(y) + offset, Double(z) + offset)
            positions.append(a * (site + 0.02 * shift))
          }
        }
      }
    }
    return Configuration(
      species: positions.indices.map { basis.elements[$0 % basis.elements.count] }, positions: positions,
      cell: Cell(vectors: 3 * a * Matrix3.identity))
  }

  private func measure() throws -> Times {
    let crystal = crystal
    let workspace = Workspace()
    let potential = try Potential(basis: basis, columns: Array(repeating: 1, count: basis.columnCount))
    var times = Times()
    times.projections = try best(crystal) { _ = try evaluator.projections(of: crystal, workspace: workspace) }
    times.energyAndForces = try best(crystal) {
      _ = try evaluator.evaluate(potential, crystal, workspace: workspace)
    }
    times.designRows = try best(crystal) { _ = try evaluator.designRows(of: crystal, workspace: workspace) }
    let counts = basis.functions.map(\.count)
    if counts.reduce(0, { $0 + $1 * $1 }) <= 20_000_000 {
      let inverses = counts.map { count in count == 0 ? nil : Matrix.identity(count) }
      times.grades = try best(crystal) {
        _ = try evaluator.grades(of: crystal, inverses: inverses, workspace: workspace)
      }
    }
    return times
  }

  /// The best of calls that take a twentieth of a second in all, or of two: µs per atom.
  private func best(_ crystal: Configuration, _ body: () throws -> Void) rethrows -> Double {
    var (least, spent, calls) = (Double.infinity, 0.0, 0)
    while calls < 2 || (spent < 0.05 && calls < 50) {
      let start = processorSeconds()
      try body()
      let time = processorSeconds() - start
      (least, spent, calls) = (min(least, time), spent + time, calls + 1)
    }
    return 1e6 * least / Double(crystal.count)
  }

  private func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }

  // MARK: - as text

  var text: String {
    let number = NumberText()
    var table = TextTable(
      columns: [.init("cost per atom")] + basis.elements.map { .init($0.symbol, .right) })
    func row(_ name: String, _ value: (Operations) -> String) { table.add([name] + operations.map(value)) }
    row("one-particle sums") { "\($0.oneParticleSums)" }
    row("kflop: projections") { number.significant($0.projections / 1000, 3) }
    row("kflop: energy and forces") { number.significant($0.energyAndForces / 1000, 3) }
    row("kflop: design rows") { number.significant($0.rows / 1000, 3) }
    row("kflop: extrapolation grade") { number.significant(($0.projections + $0.grade) / 1000, 3) }
    var text = table.text()
    text +=
      "\n\(number.significant(neighbors, 3)) neighbours within \(number.short(basis.cutoff)) Å"
      + " at \(number.short(density)) atoms/Å³\n"
    if let times {
      text +=
        "µs per atom, one thread of this machine: projections \(number.significant(times.projections, 2)),"
        + " energy and forces \(number.significant(times.energyAndForces, 2)),"
        + " design rows \(number.significant(times.designRows, 2))"
      text += times.grades.map { ", with grades \(number.significant($0, 2))\n" } ?? "\n"
    }
    text += "memory: design rows \(bytes(designRowBytes)) per atom, factor of a source \(bytes(factorBytes))\n"
    return text
  }

  private func bytes(_ count: Int) -> String {
    let number = NumberText()
    if count < 1 << 20 { return "\(number.significant(Double(count) / 1024, 3)) KiB" }
    if count < 1 << 30 { return "\(number.significant(Double(count) / 1_048_576, 3)) MiB" }
    return "\(number.significant(Double(count) / 1_073_741_824, 3)) GiB"
  }
}

/// What `--json` prints; a field may be added without a new version, none removed or changed.
struct BasisRecord: Encodable {
  struct Block: Encodable {
    var centre: String
    var others: [String]
    var functions: Int
    /// By rank, from 1.
    var ranks: [Int]
    var largestLevel: Double
  }

  struct Function: Encodable {
    /// From 1: of projections, coefficients and `.asi` files, all elements one after another.
    var column: Int
    var centre: String
    var neighbors: [String]
    var n: [Int]
    var l: [Int]
    /// Intermediate angular momenta.
    var couplings: [Int]
    var level: Double
  }

  struct Cost: Encodable {
    var density: Double
    var neighbors: Double
    /// Per element; operations are floating-point operations per atom.
    var operations: [BasisCost.Operations]
    var microsecondsPerAtom: BasisCost.Times?
    var designRowBytesPerAtom: Int
    var factorBytes: Int
  }

  let schema = "sluice-basis"
  let version = 1
  var elements: [String]
  var cutoff: Double
  /// Absent where a potential file gave the basis.
  var specification: BasisSpecification?
  var columns: Int
  var blocks: [Block]
  var functions: [Function]?
  var cost: Cost

  init(_ listing: BasisListing, _ cost: BasisCost, functions: Bool) {
    let basis = listing.basis
    func symbol(_ index: Int) -> String { basis.elements[index].symbol }
    elements = basis.elements.map(\.symbol)
    cutoff = basis.cutoff
    specification = listing.specification
    columns = basis.columnCount
    blocks = listing.blocks.map {
      Block(
        centre: symbol($0.centre), others: $0.others.map(symbol), functions: $0.count, ranks: $0.ranks,
        largestLevel: $0.largestLevel)
    }
    self.functions =
      functions
      ? basis.columnFunctions.enumerated().map { index, f in
        Function(
          column: index + 1, centre: symbol(f.centre), neighbors: f.neighbors.map(symbol), n: f.ns, l: f.ls,
          couplings: f.couplings, level: listing.level(f))
      } : nil
    self.cost = Cost(
      density: cost.density, neighbors: cost.neighbors, operations: cost.operations,
      microsecondsPerAtom: cost.times, designRowBytesPerAtom: cost.designRowBytes, factorBytes: cost.factorBytes)
  }
}
