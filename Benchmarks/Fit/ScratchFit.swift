import ACE
import Configurations
import Foundation
import LinearAlgebra
import Platform
import Regression
import TrainingRows
import VASP

/// A fit of real data from nothing, and of the same data in ten lots that arrive in two orders.
struct ScratchFit {
  private static let lots = 10
  private let files: [String]
  private let functions: Int
  private let threads = 2

  init(_ arguments: [String]) throws {
    var arguments = arguments
    var functions = 500
    if let index = arguments.firstIndex(of: "--functions"), index + 1 < arguments.count {
      functions = Int(arguments[index + 1]) ?? functions
      arguments.removeSubrange(index...index + 1)
    }
    (files, self.functions) = (arguments, functions)
  }

  private struct Lot: Sendable {
    var factors: SourceFactors
    /// Energy rows, weight 1 and not divided by anything: Σ B, per atom.
    var sums: [[Double]]
    var featurizing: Double
    var reducing: Double
  }

  func run() throws {
    let frames = try files.flatMap(Self.read)
    let elements = Array(Set(frames.flatMap(\.species)))
    let atoms = frames.reduce(0) { $0 + $1.count }
    print("\(frames.count) frames, \(atoms) atoms, \(functions) functions, \(threads) threads")
    let start = (wall: wallTime(), cpu: processTime())
    let basis = try Basis(BasisSpecification(elements: elements, cutoff: 5, functionsPerElement: functions))
    let evaluator = Evaluator(basis)
    let layout = ColumnLayout(basis: basis.columnCount, elements: basis.elements.count)
    let lots = try concurrentMap(Self.lots, threads: threads) { number in
      try Self.lot(stride(from: number, to: frames.count, by: Self.lots).map { frames[$0] }, evaluator, layout)
    }
    let names = lots.indices.map { Digest(of: "lot \($0)") }
    let sources = zip(names, lots).map { TreeSource(source: $0, factors: $1.factors) }
    let byName = Dictionary(uniqueKeysWithValues: zip(names, lots.map(\.factors)))
    let load: @Sendable (Digest) throws -> SourceFactors = { byName[$0]! }
    let selection = Selection(weights: Weights())
    let references = ReferenceEnergies.leastSquares(elements: basis.elements.count)
    func solve(_ factor: TriangularFactor, _ regularisation: Regularisation) throws -> Fit {
      try Fit(factor, layout: layout, references: references, prior: .ridge, regularisation: regularisation)
    }
    let factor = try FactorTree(layout: layout, sources: sources)
      .factor(selection, cache: NoFactorCache(), threads: threads, load: load)
    let fit = try solve(factor, .evidence)
    print(
      "from nothing: \(fixed(wallTime() - start.wall, 1)) s, processor \(fixed(processTime() - start.cpu, 1)) s "
        + "(features \(fixed(lots.reduce(0) { $0 + $1.featurizing }, 1)), "
        + "reduction \(fixed(lots.reduce(0) { $0 + $1.reducing }, 1))); peak memory \(peakMemory()) MB; "
        + "\(factor.rowCount) rows, condition \(String(format: "%.1e", fit.conditionNumber))")

    // The same lots one after the other, each on what is kept of those before.
    for order in [Array(names.indices), Array(names.indices.reversed())] {
      let cache = InMemoryFactorCache()
      var last = TriangularFactor(columns: layout.columns)
      var times: [Double] = []
      for count in 1...order.count {
        let begin = processTime()
        last = try FactorTree(layout: layout, sources: order[..<count].map { sources[$0] })
          .factor(selection, cache: cache, threads: threads, load: load)
        _ = try solve(last, .evidence)
        times.append(processTime() - begin)
      }
      print(
        "added lot by lot, \(order[0] == 0 ? "forwards" : "backwards"): median \(fixed(times.sorted()[5], 3)) s "
          + "of processor time each; bytes \(last == factor ? "equal" : "DIFFER")")
    }
    try compareWithOneReduction(lots, fit, layout, solve)
  }

  /// All rows merged in another order, without a tree.
  private func compareWithOneReduction(
    _ lots: [Lot], _ fit: Fit, _ layout: ColumnLayout, _ solve: (TriangularFactor, Regularisation) throws -> Fit
  ) throws {
    var chain = TriangularFactor(columns: layout.columns)
    let weights = Weights()
    for lot in lots.reversed() {
      for leaf in lot.factors.leaves {
        chain = TriangularFactor.merge(leaf.factor.scaled(by: weights.multiplier(of: leaf.key)), chain)
      }
    }
    func energies(_ fit: Fit) -> [Double] {
      lots.flatMap(\.sums).map { sums in
        zip(sums, fit.coefficients).reduce(0) { $0 + $1.0 * $1.1 } + fit.referenceEnergies[0]
      }
    }
    let own = energies(fit)
    for (words, regularisation) in [
      ("with the strength of the prior chosen anew", Regularisation.evidence), ("at the same", .fixed(fit.lambda)),
    ] {
      let difference = zip(own, energies(try solve(chain, regularisation))).map { abs($0 - $1) }.max() ?? 0
      print("energies of the tree and of one chain in another order, \(words): at most \(difference) eV/atom apart")
    }
  }

  private static func lot(_ frames: [Configuration], _ evaluator: Evaluator, _ layout: ColumnLayout) throws -> Lot {
    var builder = SourceFactorsBuilder(layout: layout)
    var lot = Lot(factors: builder.finish(), sums: [], featurizing: 0, reducing: 0)
    builder = SourceFactorsBuilder(layout: layout)
    let workspace = Workspace()
    for frame in frames {
      let begin = threadTime()
      let rows = try evaluator.designRows(of: frame, workspace: workspace)
      let between = threadTime()
      lot.sums.append(rows.energy.map { $0 / Double(frame.count) })
      let labelled = try TrainingRows(frame, evaluator)
      let own: [(RowKind, Matrix?)] = [
        (.energy, labelled.energy(basisSums: rows.energy)), (.force, labelled.forces(basis: rows.forces)),
      ]
      for case (let kind, let rows?) in own {
        try builder.append(rows, key: RowKey(block: 0, group: "", kind: kind), atoms: frame.count)
      }
      lot.featurizing += between - begin
      lot.reducing += threadTime() - between
    }
    let begin = threadTime()
    lot.factors = builder.finish()
    lot.reducing += threadTime() - begin
    return lot
  }

  private static func read(_ path: String) throws -> [Configuration] {
    guard let data = FileManager.default.contents(atPath: path) else { throw CocoaError(.fileReadNoSuchFile) }
    let stream = SourceStream(MemoryByteSource([UInt8](data)), name: path)
    guard let entry = try stream.next() else { return [] }
    var reader = ExtendedXYZReader(entry, name: path)
    return try reader.readAll()
  }
}
