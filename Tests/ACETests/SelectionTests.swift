import ACE
import Configurations
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite struct SelectionTests {
  private static let w = Element(symbol: "W")!

  private static func rank(_ matrix: Matrix) throws -> Int {
    // Columns of unit norm, so that the threshold means the same for all.
    var scaled = matrix
    for j in 0..<matrix.columns {
      let norm = matrix.column(j).reduce(0) { $0 + $1 * $1 }.squareRoot()
      for i in 0..<matrix.rows { scaled[i, j] /= norm }
    }
    let values = try SingularValues(scaled).values
    return values.filter { $0 > 1e-11 * values[0] }.count
  }

  /// Random clusters span as many dimensions as there are functions.
  @Test(arguments: [["W"], ["Cu", "Zr"]]) func functionsAreIndependent(_ symbols: [String]) throws {
    let limits: BasisSpecification.Limits =
      symbols.count == 1
      ? .init(radial: [3, 2, 2, 2], angular: [0, 2, 2, 2])
      : .init(radial: [2, 1, 1, 1], angular: [0, 2, 2, 1])
    let basis = try Sample.basis(symbols, order: 4, cutoff: 4, limits: limits)
    let evaluator = Evaluator(basis)
    let element = symbols.count - 1
    let count = basis.functions[element].count
    var rows: [Double] = []
    var made = 0
    var seed: UInt64 = 1000
    while made < count + 20 {
      let names = (0..<7).map { symbols[($0 + Int(seed)) % symbols.count] }
      let c = Sample.configuration(names, size: 4.6, seed: seed, periodic: false)
      seed += 1
      for group in try evaluator.projections(of: c) where group.element == element {
        rows += group.values.storage
        made += group.atoms.count
      }
    }
    #expect(try Self.rank(Matrix(rows: made, columns: count, storage: rows)) == count)
  }

  /// The rule keeps neither too few nor too many: with all admissible couplings the rank is the same.
  @Test func allCouplingsHaveTheRankOfTheKeptOnes() throws {
    for (ns, ls) in [
      ([1, 1, 1, 1], [2, 2, 2, 2]), ([1, 1, 2, 2], [1, 1, 1, 1]), ([1, 1, 1], [1, 1, 2]),
    ] {
      var all: [BasisFunction] = []
      for a in 0...4 {
        let f = BasisFunction(
          centre: 0, neighbors: ns.map { _ in 0 }, ns: ns, ls: ls,
          couplings: ns.count == 4 ? [a, a] : [a])
        let bond = Bond(
          radial: .sBessel, cutoff: 4, functionCount: 2, radialLimit: 2, angularLimit: 2)
        if (try? Basis(elements: [Self.w], bonds: [[bond]], functions: [[f]])) != nil {
          all.append(f)
        }
      }
      let bond = Bond(
        radial: .sBessel, cutoff: 4, functionCount: 2, radialLimit: 2, angularLimit: 2)
      let basis = try Basis(elements: [Self.w], bonds: [[bond]], functions: [all])
      var runs: [Int] = []
      for i in ns.indices {
        if i > 0, ns[i] == ns[i - 1] { runs[runs.count - 1] += 1 } else { runs.append(1) }
      }
      var rule = IndependentCouplings()
      let kept = rule.intermediates(ls: ls, runs: runs)
      var rows: [Double] = []
      for seed in 0..<6 {
        let c = Sample.configuration(
          Array(repeating: "W", count: 6), size: 4.4, seed: UInt64(50 + seed), periodic: false)
        rows += try Evaluator(basis).projections(of: c)[0].values.storage
      }
      let values = try SingularValues(
        Matrix(rows: rows.count / all.count, columns: all.count, storage: rows)
      ).values
      #expect(values.filter { $0 > 1e-10 * values[0] }.count == kept.count, "\(ns) \(ls)")
    }
  }

  @Test func knownCounts() {
    var rule = IndependentCouplings()
    // Four equal factors with l = 1 give one invariant, four different ones three.
    #expect(rule.intermediates(ls: [1, 1, 1, 1], runs: [4]) == [[0, 0]])
    #expect(
      rule.intermediates(ls: [1, 1, 1, 1], runs: [1, 1, 1, 1]) == [[0, 0], [1, 1], [2, 2]])
    // Rank 4, l ≤ 3, by pattern of equal (species, n).
    for (runs, expected) in [
      ([4], 23), ([3, 1], 49), ([2, 2], 76), ([2, 1, 1], 116), ([1, 1, 1, 1], 204),
    ] {
      var count = 0
      for code in 0..<256 {
        let ls = [code >> 6 & 3, code >> 4 & 3, code >> 2 & 3, code & 3]
        var ascending = true
        var start = 0
        for run in runs {
          for i in start..<start + run - 1 where ls[i] > ls[i + 1] { ascending = false }
          start += run
        }
        guard ascending, ls.reduce(0, +) % 2 == 0 else { continue }
        count += rule.intermediates(ls: ls, runs: runs).count
      }
      #expect(count == expected, "\(runs)")
    }
  }

  @Test func numberOfFunctionsIsSharedByBlocks() throws {
    let basis = try Basis(
      BasisSpecification(
        elements: ["Al", "Cu", "Zr"].map { Element(symbol: $0)! }, cutoff: 5, order: 3,
        functionsPerElement: 70))
    // Blocks A, AB, AC, ABC of each centre: 70 · 3 / 12 each, rounded down.
    #expect(basis.functions.map(\.count) == [68, 68, 68])
    for (centre, list) in basis.functions.enumerated() {
      var blocks: [Set<Int>: Int] = [:]
      for f in list { blocks[Set(f.neighbors).union([centre]), default: 0] += 1 }
      #expect(blocks.count == 4 && blocks.values.allSatisfy { $0 == 17 })
    }
  }

  @Test func specificationsAreCheckedAndCoded() throws {
    let good = BasisSpecification(
      elements: [Self.w], cutoff: 5, radial: .chebExpCos(lambda: 5), order: 3,
      functionsPerElement: 50)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = try encoder.encode(good)
    #expect(try JSONDecoder().decode(BasisSpecification.self, from: text) == good)
    #expect(try encoder.encode(JSONDecoder().decode(BasisSpecification.self, from: text)) == text)
    #expect(good.limits == [.init(radial: [20, 10, 6], angular: [0, 6, 6])])
    func refuses(_ change: (inout BasisSpecification) -> Void, _ label: String) {
      var bad = good
      change(&bad)
      #expect(throws: ACEError.self, "\(label)") { try Basis(bad) }
    }
    refuses({ $0.cutoff = 0 }, "cutoff")
    refuses({ $0.cutoff = .nan }, "cutoff")
    refuses({ $0.order = 7 }, "order")
    refuses({ $0.order = 2 }, "more limits than the order")
    refuses({ $0.functionsPerElement = 0 }, "functions")
    refuses({ $0.radial = .chebLinear }, "ChebLinear")
    refuses({ $0.radial = .chebExpCos(lambda: -1) }, "lambda")
    refuses({ $0.radial = .chebPow(lambda: 1.5) }, "slope at the cutoff")
    refuses({ $0.limits = [] }, "limits")
    refuses({ $0.limits = [.init(radial: [2, 2], angular: [0, 11])] }, "l")
    refuses({ $0.limits = [.init(radial: [2, 2], angular: [1, 1])] }, "rank 1")
    refuses({ $0.limits = [.init(radial: [2], angular: [0, 1])] }, "lengths")
    let all = BasisSpecification(
      elements: [Self.w], cutoff: 5, order: 4,
      limits: [.init(radial: [20, 10, 6, 6], angular: [0, 6, 6, 6])])
    #expect(throws: ACEError.self, "far too many functions") { try Basis(all) }
    #expect(throws: ACEError.self) { try Basis(BasisSpecification(elements: [], cutoff: 5)) }
  }

  @Test func roughness() {
    let f = BasisFunction(centre: 0, neighbors: [0, 0], ns: [1, 3], ls: [2, 2], couplings: [])
    // (2/(2/3))^4 twice, 1 and 81.
    let value = f.roughness(angularScale: 2.0 / 3, radialScale: 1, power: 4)
    #expect(abs(value - (81 + 81 + 1 + 81)) < 1e-10)
  }
}
