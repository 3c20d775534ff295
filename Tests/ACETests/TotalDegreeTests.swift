import ACE
import Configurations
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite struct TotalDegreeTests {
  private static let w = Element(symbol: "W")!

  private static func basis(
    _ symbols: [String], _ degree: TotalDegree, order: Int
  ) throws -> Basis {
    try Basis(
      BasisSpecification(
        elements: symbols.map { Element(symbol: $0)! }, cutoff: 5, order: order, totalDegree: degree))
  }

  /// Every pattern in a box that the degree cannot reach the walls of, by plain loops.
  @Test(arguments: [
    (["W"], TotalDegree([9, 8, 7]), 3), (["W"], TotalDegree([7]), 4),
    (["W"], TotalDegree([6, 6], radialWeight: 2, angularWeight: 0.9), 2),
    (["Cu", "Zr"], TotalDegree([6, 6, 6]), 3),
  ]) func patternsAreThoseOfPlainLoops(_ symbols: [String], _ degree: TotalDegree, _ order: Int) throws {
    let basis = try Self.basis(symbols, degree, order: order)
    let box = (n: 13, l: 7)
    var rule = IndependentCouplings()
    for (centre, functions) in basis.functions.enumerated() {
      var expected = Set<[Int]>()
      for rank in 1...order {
        // Factors (species, n, l) as numbers, in ascending order: every multiset once.
        var stack: [[Int]] = [[]]
        let width = (box.l + 1) * box.n
        while let factors = stack.popLast() {
          if factors.count == rank {
            let species = factors.map { $0 / width }
            let ns = factors.map { 1 + $0 % width / (box.l + 1) }
            let ls = factors.map { $0 % (box.l + 1) }
            guard rank > 1 || ls == [0], ls.reduce(0, +) % 2 == 0 else { continue }
            let level = zip(ns, ls).reduce(0) {
              $0 + Double($1.0) / degree.radialWeight + Double($1.1) / degree.angularWeight
            }
            guard level <= degree.largest[min(rank, degree.largest.count) - 1] + 1e-9 else { continue }
            var runs: [Int] = []
            for i in ns.indices {
              if i > 0, ns[i] == ns[i - 1], species[i] == species[i - 1] {
                runs[runs.count - 1] += 1
              } else {
                runs.append(1)
              }
            }
            if !rule.intermediates(ls: ls, runs: runs).isEmpty { expected.insert(species + ns + ls) }
          } else {
            for next in (factors.last ?? 0)..<symbols.count * width {
              let spent = (factors + [next]).reduce(0.0) { $0 + Double(1 + $1 % width / (box.l + 1)) }
              if spent / degree.radialWeight < 14 { stack.append(factors + [next]) }
            }
          }
        }
      }
      let found = Set(functions.map { $0.neighbors + $0.ns + $0.ls })
      #expect(found == expected, "centre \(centre)")
      #expect(Set(functions).count == functions.count)
    }
  }

  @Test func ranksHaveTheirOwnDegree() throws {
    let basis = try Self.basis(["W"], TotalDegree([20, 16, 12]), order: 3)
    func largest(_ rank: Int) -> Double {
      basis.functions[0].filter { $0.rank == rank }.map { f in
        Double(f.ns.reduce(0, +)) + 1.5 * Double(f.ls.reduce(0, +))
      }.max()!
    }
    #expect([largest(1), largest(2), largest(3)] == [20, 16, 12])
    #expect(basis.functions[0].count { $0.rank == 1 } == 20)
    // The last degree holds for further ranks.
    let same = try Self.basis(["W"], TotalDegree([12]), order: 3)
    let spelt = try Self.basis(["W"], TotalDegree([12, 12, 12]), order: 3)
    #expect(same == spelt)
  }

  @Test func functionsByDegreeAreIndependentAndOfOneOrder() throws {
    let basis = try Self.basis(["W"], TotalDegree([9, 9, 9, 9]), order: 4)
    for (a, b) in zip(basis.functions[0], basis.functions[0].dropFirst())
    where a.ns == b.ns && a.ls == b.ls && a.neighbors == b.neighbors {
      let (x, y) = (
        EvaluatorOrder.vectorCount(ls: a.ls, couplings: a.couplings),
        EvaluatorOrder.vectorCount(ls: b.ls, couplings: b.couplings)
      )
      #expect(x.upperBound < y.lowerBound || (x.count == 1 && x == y))
    }
  }

  @Test func whatCannotBeIsRefused() throws {
    func refuses(_ degree: TotalDegree, order: Int, _ words: String) {
      do {
        _ = try Self.basis(["W"], degree, order: order)
        Issue.record("\(degree) was accepted")
      } catch { #expect("\(error)".contains(words), "\(error)") }
    }
    refuses(TotalDegree([]), order: 2, "one number or one for each")
    refuses(TotalDegree([5, 5, 5]), order: 2, "one number or one for each")
    refuses(TotalDegree([-1]), order: 2, "0...1000")
    refuses(TotalDegree([5], radialWeight: 0), order: 2, "weights")
    refuses(TotalDegree([0.5]), order: 2, "leaves no function")
    refuses(TotalDegree([60, 5]), order: 2, "n reach 60")
    refuses(TotalDegree([10, 40]), order: 2, "l reach 12")
    refuses(TotalDegree([30]), order: 6, "more than 20000 functions")
    var both = BasisSpecification(elements: [Self.w], cutoff: 5, order: 2, totalDegree: TotalDegree([6]))
    both.functionsPerElement = 10
    #expect(throws: ACEError.self) { try Basis(both) }
  }

  @Test func specificationsWithADegreeAreCoded() throws {
    let good = BasisSpecification(
      elements: [Self.w], cutoff: 5, order: 3, totalDegree: TotalDegree([9, 8], angularWeight: 0.5))
    let text = try JSONEncoder().encode(good)
    let again = try JSONDecoder().decode(BasisSpecification.self, from: text)
    #expect(again == good && again.limits.isEmpty)
    #expect(try Basis(again) == Basis(good))
  }
}

/// The rule of independent couplings against the rank of plain evaluation, element blocks included.
@Suite struct IndependenceTests {
  /// (species, n) of the factors, their l.
  @Test(arguments: [
    ([0, 0], [1, 1], [3, 3]), ([0, 0, 0], [1, 1, 1], [2, 2, 2]), ([0, 0, 0], [1, 1, 1], [1, 1, 2]),
    ([0, 0, 0], [1, 1, 2], [1, 1, 2]), ([0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 2, 2]),
    ([0, 0, 0, 0], [1, 1, 1, 2], [1, 2, 2, 1]), ([0, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
    ([0, 0, 1, 1], [1, 1, 1, 1], [2, 2, 2, 2]), ([0, 1, 1, 1], [1, 1, 1, 1], [2, 1, 1, 2]),
    ([0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 2]), ([0, 0, 0, 1, 1], [1, 1, 1, 1, 1], [1, 1, 2, 1, 1]),
    ([0, 0, 1, 1, 2], [1, 1, 1, 1, 1], [1, 1, 1, 1, 2]),
    ([0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]),
    ([0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]),
    ([0, 0, 1, 1, 2, 2], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]),
  ]) func keptCouplingsAreARankBasis(_ species: [Int], _ ns: [Int], _ ls: [Int]) throws {
    let elements = ["Al", "Cu", "Zr"].map { Element(symbol: $0)! }
    let bond = Bond(radial: .sBessel, cutoff: 5, functionCount: 2, radialLimit: 2, angularLimit: 3)
    // Every list of intermediates that the triangle rules admit.
    let length = [0, 0, 0, 1, 2, 3, 4][ns.count]
    var all: [BasisFunction] = []
    for code in 0..<Int(pow(7.0, Double(length))) {
      let couplings = (0..<length).map { code / Int(pow(7.0, Double($0))) % 7 }
      let f = BasisFunction(centre: 0, neighbors: species, ns: ns, ls: ls, couplings: couplings)
      if Self.isAdmissible(ls, couplings) { all.append(f) }
    }
    let basis = try Basis(
      elements: elements, bonds: Array(repeating: Array(repeating: bond, count: 3), count: 3),
      functions: [all, [], []])
    var runs: [Int] = []
    for i in ns.indices {
      if i > 0, ns[i] == ns[i - 1], species[i] == species[i - 1] { runs[runs.count - 1] += 1 } else { runs.append(1) }
    }
    var rule = IndependentCouplings()
    let kept = rule.intermediates(ls: ls, runs: runs)
    let evaluator = Evaluator(basis)
    var rows: [Double] = []
    var seed: UInt64 = 900
    while rows.count < (all.count + 12) * all.count {
      // Three neighbours of each element and the centre.
      let c = Sample.configuration(
        ["Al", "Al", "Al", "Al", "Cu", "Cu", "Cu", "Zr", "Zr", "Zr"], size: 4.6, seed: seed, periodic: false)
      seed += 1
      rows += try evaluator.projections(of: c)[0].values.storage
    }
    func rank(_ columns: [Int]) throws -> Int {
      let count = rows.count / all.count
      var matrix = Matrix(rows: count, columns: columns.count)
      for (j, column) in columns.enumerated() {
        var square = 0.0
        for i in 0..<count { square += rows[i * all.count + column] * rows[i * all.count + column] }
        // A function that vanishes stays a column of zeros.
        let scale = square > 1e-20 ? 1 / square.squareRoot() : 0
        for i in 0..<count { matrix[i, j] = rows[i * all.count + column] * scale }
      }
      let values = try SingularValues(matrix).values
      return values.filter { $0 > 1e-9 * max(values[0], 1e-3) }.count
    }
    let chosen = all.indices.filter { kept.contains(basis.functions[0][$0].couplings) }
    #expect(chosen.count == kept.count)
    #expect(try rank(Array(all.indices)) == kept.count, "all \(all.count) of \(species) \(ns) \(ls)")
    #expect(try rank(chosen) == kept.count, "the kept ones of \(species) \(ns) \(ls)")
  }

  /// The trees of ranks 2 to 6, written out.
  private static func isAdmissible(_ l: [Int], _ c: [Int]) -> Bool {
    func triangle(_ a: Int, _ b: Int, _ to: Int) -> Bool { abs(a - b) <= to && to <= a + b }
    switch l.count {
    case 2: return l[0] == l[1]
    case 3: return triangle(l[0], l[1], c[0]) && c[0] == l[2]
    case 4: return triangle(l[0], l[1], c[0]) && triangle(l[2], l[3], c[1]) && c[0] == c[1]
    case 5:
      return triangle(l[0], l[1], c[0]) && triangle(l[2], l[3], c[1]) && triangle(c[0], c[1], c[2]) && c[2] == l[4]
    default:
      return triangle(l[0], l[1], c[0]) && triangle(l[2], l[3], c[1]) && triangle(l[4], l[5], c[2])
        && triangle(c[0], c[1], c[3]) && c[3] == c[2]
    }
  }
}
