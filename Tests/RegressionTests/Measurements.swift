import FoundationEssentials
import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

private let isWanted = ProcessInfo.processInfo.environment["SLUICE_MEASURE"] != nil

/// Times of a fit of 500 functions; `SLUICE_MEASURE=1 swift test -c release --filter Measurements`.
@Suite(.enabled(if: isWanted, "skipped: SLUICE_MEASURE is not set"), .serialized)
struct Measurements {
  private let layout = ColumnLayout(basis: 500, elements: 1)

  private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
    var generator = SeededGenerator(seed: seed)
    return Matrix(
      rows: rows, columns: columns,
      storage: (0..<rows * columns).map { _ in
        Double(Int64(bitPattern: generator.next()) >> 11) * 0x1p-52
      })
  }

  /// The best of three, in milliseconds.
  private func time(_ what: String, operations: Double = 0, _ body: () throws -> Void) rethrows {
    let clock = ContinuousClock()
    let best = try (0..<3).map { _ in
      let elapsed = try clock.measure { try body() }
      return Double(elapsed.components.seconds) * 1e3 + Double(elapsed.components.attoseconds)
        * 1e-15
    }.min()!
    let rate = operations > 0 ? ", \((operations / best / 1e5).rounded() / 10) GF/s" : ""
    print("measured: \(what): \((best * 100).rounded() / 100) ms\(rate)")
  }

  @Test func factors() throws {
    let n = Double(layout.columns)
    let square = random(layout.columns, layout.columns, seed: 1)
    time("dgemm \(layout.columns)", operations: 2 * n * n * n) { _ = square.times(square) }
    let rows = random(10_000, layout.columns, seed: 2)
    time("reduce 10,000 rows", operations: 2 * n * n * 1e4) {
      var reducer = RowReducer(columns: layout.columns)
      reducer.append(rows)
      _ = reducer.finish()
    }
    let a = TriangularFactor(rows: rows.selecting(rows: Array(0..<1000)))
    let b = TriangularFactor(rows: rows.selecting(rows: Array(1000..<2000)))
    time("merge two triangles", operations: 2 * n * n * n / 3) { _ = TriangularFactor.merge(a, b) }
    time("encode a triangle") { _ = a.numPyBytes }
    let bytes = a.numPyBytes
    try time("decode a triangle") {
      _ = try TriangularFactor(numPyBytes: bytes, columns: layout.columns, rowCount: 1000)
    }
    var factor = TriangularFactor(rows: rows)
    for i in 0..<layout.columns where factor.matrix.rows > i {
      var scaled = factor.matrix
      for j in i..<layout.columns { scaled[i, j] /= Double(1 + i * i) }
      factor = TriangularFactor(triangle: scaled)
    }
    for references in [ReferenceEnergies.given([-3]), .leastSquares(elements: 1)] {
      try time("fit with evidence, E0 \(references.fixed[0] == nil ? "fitted" : "given")") {
        _ = try Fit(factor, layout: layout, references: references, prior: .ridge)
      }
    }
    let fit = try Fit(factor, layout: layout, references: .given([-3]), prior: .ridge)
    try time("solve at fixed λ") {
      let problem = try ReducedProblem(factor, layout: layout, references: .given([-3]))
      _ = try problem.coefficients(lambda: fit.lambda, scales: fit.scales)
    }
  }

  @Test func keysOfManySources() throws {
    let sources = (0..<5000).map { index in
      let keys = RowKind.allCases.map { RowKey(block: 0, group: "bulk", kind: $0) }
      return TreeSource(
        source: Digest(of: "source \(index)"), content: Digest(of: "content \(index)"), keys: keys)
    }
    let tree = try FactorTree(layout: layout, sources: sources)
    let selection = Selection(weights: Weights())
    time("keys of 5000 sources") { _ = tree.key(selection.resampled(member: 1)) }
  }

  @Test(arguments: [(32, 1), (128, 8)])
  func bootstrapAfterOneNewSource(_ arguments: (sources: Int, smallest: Int)) throws {
    var factors: [Digest: SourceFactors] = [:]
    let shared = random(700, layout.columns, seed: 3)
    for s in 0..<arguments.sources {
      var builder = SourceFactorsBuilder(layout: layout)
      let rows = (0..<600).map { ($0 * 7 + s * 11) % 700 }
      let key = RowKey(block: 0, group: "", kind: .force)
      try builder.append(shared.selecting(rows: rows), key: key, atoms: 10)
      factors[Digest(of: "source \(s)")] = builder.finish()
    }
    let known = factors
    let load: @Sendable (Digest) throws -> SourceFactors = { known[$0]! }
    let all = factors.keys.sorted().map { TreeSource(source: $0, factors: factors[$0]!) }
    let selection = Selection(weights: Weights())
    let new = Digest(of: "source 0")
    var tree = try FactorTree(layout: layout, sources: all)
    tree.smallestCachedNode = arguments.smallest
    var old = try FactorTree(layout: layout, sources: all.filter { $0.source != new })
    old.smallestCachedNode = arguments.smallest
    let cache = InMemoryFactorCache()
    let references = ReferenceEnergies.given([0])
    let clock = ContinuousClock()
    func run(_ tree: FactorTree) throws {
      var fit: Fit?
      let first = try clock.measure {
        let factor = try tree.factor(selection, cache: cache, threads: 2, load: load)
        fit = try Fit(factor, layout: layout, references: references, prior: .ridge)
      }
      let second = try clock.measure {
        _ = try Ensemble.bootstrap(
          members: 16, of: fit!, tree: tree, root: tree.root(selection), references: references,
          cache: cache, threads: 2, load: load)
      }
      print(
        "measured: \(tree.sources.count) sources, nodes of \(tree.smallestCachedNode) kept:",
        "merge and fit \(first), 16 members \(second), \(cache.takeComputedCount()) computed,",
        "\(cache.count) kept")
    }
    try run(old)
    try run(tree)
  }
}
