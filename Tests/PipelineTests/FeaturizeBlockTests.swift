import ACE
import Configurations
import Featurize
import LinearAlgebra
import Platform
import Regression
import TestSupport
import Testing

/// Rows of large frames are reduced block by block: the factors are those of all rows at once.
@Suite struct FeaturizeBlockTests {
  private static func frame(cells: Int, seed: UInt64) -> Configuration {
    var generator = SeededGenerator(seed: seed)
    var positions: [Vector3] = []
    for x in 0..<cells {
      for y in 0..<cells {
        for z in 0..<cells {
          for offset in [0.0, 0.5] {
            let ideal = 3.2 * (Vector3(Double(x), Double(y), Double(z)) + Vector3(repeating: offset))
            positions.append(ideal + Vector3(.random(in: -0.2...0.2, using: &generator), 0.1 * Double(x % 2), 0))
          }
        }
      }
    }
    let l = 3.2 * Double(cells)
    var c = Configuration(
      species: positions.indices.map { Element(symbol: $0 % 3 == 0 ? "Al" : "Ti")! }, positions: positions,
      cell: Cell(vectors: Matrix3([l, 0, 0], [0, l, 0], [0, 0, l])))
    func number() -> Double { .random(in: -1...1, using: &generator) }
    c.labels = Labels(
      energy: number(), forces: positions.map { _ in Vector3(number(), number(), number()) },
      stress: Matrix3([number(), 0, 0], [0, number(), 0], [0, 0, number()]))
    return c
  }

  @Test func blocksGiveTheFactorsOfTheWhole() throws {
    let elements = [Element(symbol: "Al")!, Element(symbol: "Ti")!]
    let evaluator = Evaluator(
      try Basis(
        BasisSpecification(
          elements: elements, cutoff: 3.6, order: 2, functionsPerElement: 8,
          repulsion: PairRepulsion.automatic(elements))))
    var whole = SourceFeatures(evaluator: evaluator, largestRows: .max)
    var blocks = SourceFeatures(evaluator: evaluator, largestRows: 1)
    // The second frame has more atoms than one block.
    for (k, cells) in [2, 4, 5].enumerated() {
      let c = Self.frame(cells: cells, seed: UInt64(k))
      let digest = Digest(of: [UInt8(k)])
      let summary = FrameSummary(frame: k, of: c, group: nil, unit: Digest(of: [7]), content: digest)
      try whole.add(c, summary)
      try blocks.add(c, summary)
    }
    #expect(whole.environments == blocks.environments)
    let (a, b) = (whole.factors.finish(), blocks.factors.finish())
    #expect(a.leaves.map(\.key) == b.leaves.map(\.key))
    for kind in [RowKind.energy, .force, .stress] {
      let leaves = b.leaves.filter { $0.key.kind == kind }
      #expect(leaves.reduce(0) { $0 + $1.statistics.frames } == 3, "\(kind)")
    }
    func gram(_ m: Matrix) -> [Double] { m.transposed.times(m).storage }
    for (x, y) in zip(a.leaves, b.leaves) {
      #expect(x.statistics.frames == y.statistics.frames)
      #expect(x.statistics.rows == y.statistics.rows)
      #expect(abs(x.statistics.targetSquares / y.statistics.targetSquares - 1) < 1e-12)
      // R'R is the same whatever the order of the rows.
      let (p, q) = (x.factor.matrix, y.factor.matrix)
      let scale = gram(p).map(abs).max()!
      for (s, t) in zip(gram(p), gram(q)) { #expect(abs(s - t) < 1e-11 * scale) }
    }
  }
}
