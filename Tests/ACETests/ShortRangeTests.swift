import ACE
import Configurations
import Glibc
import LinearAlgebra
import TestSupport
import Testing

@Suite struct ShortRangeTests {
  private static func elements(_ symbols: [String]) -> [Element] { symbols.map { Element(symbol: $0)! } }

  private static func repelling(_ symbols: [String], functions: Int = 25) throws -> Evaluator {
    let elements = elements(symbols)
    return Evaluator(
      try Basis(
        BasisSpecification(
          elements: elements, cutoff: 4.5, order: 3, functionsPerElement: functions,
          repulsion: PairRepulsion.automatic(elements))))
  }

  /// Coefficients of order one and a fade that begins at `onset` eV.
  private static func potential(_ evaluator: Evaluator, seed: UInt64, onset: Double) throws -> Potential {
    var generator = SeededGenerator(seed: seed)
    let coefficients = (0..<evaluator.basis.columnCount).map { _ in Double.random(in: -1...1, using: &generator) }
    let symbols = evaluator.basis.elements.map(\.symbol)
    let handover = Handover(
      basis: evaluator.basis, coreEnergies: Dictionary(uniqueKeysWithValues: symbols.map { ($0, onset) }))
    let plain = try Potential(basis: evaluator.basis, columns: coefficients)
    return try Potential(
      basis: plain.basis, coefficients: plain.coefficients, embeddings: handover.embeddings,
      referenceEnergies: symbols.indices.map { -1.5 - Double($0) })
  }

  /// The formulas, written out again.
  private static func core(_ a: Element, _ b: Element, _ r: Double, cutoff: Double) -> Double {
    let p = PairRepulsion(a, b)
    return r < cutoff ? p.prefactor * exp(-p.exponent * r * r) / r * (1 + cos(Double.pi * r / cutoff)) / 2 : 0
  }

  @Test func everyPairOfElementsRepelsAndNothingElseDecides() {
    let all = (1...118).map { Element(atomicNumber: $0)! }
    for a in all {
      for b in all {
        let p = PairRepulsion(a, b)
        #expect(p == PairRepulsion(b, a), "\(a)-\(b)")
        #expect(p.prefactor > 0 && p.prefactor < 1e6 && p.exponent > 0 && p.exponent < 100, "\(a)-\(b) \(p)")
      }
    }
    let tungsten = Element(symbol: "W")!
    // Screened nuclear repulsion at 0.3 of 2 · 1.62 Å, 0.2 eV at contact; for the pair, so twice per atom.
    let p = PairRepulsion(tungsten, tungsten)
    func pair(_ r: Double) -> Double { 2 * p.prefactor * exp(-p.exponent * r * r) / r }
    let length = 0.4685 / (2 * pow(74, 0.23))
    let x = 0.972 / length
    let phi =
      0.18175 * exp(-3.1998 * x) + 0.50986 * exp(-0.94229 * x) + 0.28022 * exp(-0.4029 * x)
      + 0.02817 * exp(-0.20162 * x)
    let nuclear = 14.399645351950543 * 74 * 74 * phi / 0.972
    #expect(abs(pair(0.972) / nuclear - 1) < 1e-4)
    #expect(abs(pair(3.24) / 0.2 - 1) < 1e-4)
  }

  @Test func repulsionIsTheSumOverPairs() throws {
    let evaluator = try Self.repelling(["Al", "Ti"])
    let c = Sample.configuration(["Al", "Ti", "Ti", "Al", "Ti"], size: 4.1, seed: 3)
    let found = try #require(try evaluator.repulsion(of: c))
    let vectors = try #require(c.cell).vectors
    var energies = [Double](repeating: 0, count: c.count)
    for i in 0..<c.count {
      for j in 0..<c.count {
        for x in -3...3 {
          for y in -3...3 {
            for z in -3...3 where !(i == j && x == 0 && y == 0 && z == 0) {
              let image = Vector3(Double(x), Double(y), Double(z)) * vectors
              let r = length(c.positions[j] + image - c.positions[i])
              energies[i] += Self.core(c.species[i], c.species[j], r, cutoff: 4.5)
            }
          }
        }
      }
    }
    for (a, b) in zip(found.energies, energies) { #expect(abs(a - b) < 1e-10 * max(1, b)) }
    // A potential without coefficients is its repulsion, before and in the fade.
    let nothing = try Potential(
      basis: evaluator.basis, columns: Array(repeating: 0, count: evaluator.basis.columnCount))
    let whole = try evaluator.evaluate(nothing, c)
    #expect(abs(whole.energy - found.energy) < 1e-10 * found.energy)
    for (a, b) in zip(whole.forces, found.forces) { #expect(length(a - b) < 1e-10 * max(1, length(b))) }
    for k in 0..<3 { #expect(length(whole.strainDerivative[k] - found.strainDerivative[k]) < 1e-9) }
    let bare = Evaluator(
      try Basis(BasisSpecification(elements: Self.elements(["W"]), cutoff: 4, functionsPerElement: 5)))
    #expect(try bare.repulsion(of: Sample.configuration(["W"], size: 3, seed: 1)) == nil)
  }

  @Test func forcesAndStrainAreDerivativesWhereACEFades() throws {
    let evaluator = try Self.repelling(["Al", "Ti"])
    let c = Sample.configuration(["Al", "Ti", "Ti", "Al", "Ti"], size: 4.6, seed: 5)
    let core = try #require(try evaluator.repulsion(of: c)).energies
    // Half of the atoms are past the onset, none beyond the fade.
    let onset = core.sorted()[2] - 0.5
    let potential = try Self.potential(evaluator, seed: 6, onset: onset)
    let reached = core.filter { $0 > onset + 0.1 && $0 < onset + Handover.leastWidth }
    #expect(!reached.isEmpty, "the case is in the fade: \(core), onset \(onset)")
    let found = try evaluator.evaluate(potential, c)
    func difference(_ change: (inout Configuration, Double) -> Void) throws -> Double {
      let energies = try [2e-4, 1e-4, -1e-4, -2e-4].map { h in
        var moved = c
        change(&moved, h)
        return try evaluator.evaluate(potential, moved).energy
      }
      return (-energies[0] + 8 * energies[1] - 8 * energies[2] + energies[3]) / 1.2e-3
    }
    let scale = found.forces.map(length).max()!
    for atom in 0..<c.count {
      let numeric = try difference { $0.positions[atom].y += $1 }
      #expect(abs(found.forces[atom].y + numeric) < 1e-7 * scale, "atom \(atom)")
    }
    let strain = try difference { moved, h in
      moved.positions = moved.positions.map { (1 + h) * $0 }
      moved.cell!.vectors = (1 + h) * moved.cell!.vectors
    }
    let trace = found.strainDerivative.x.x + found.strainDerivative.y.y + found.strainDerivative.z.z
    #expect(abs(trace - strain) < 1e-7 * abs(strain))
  }

  @Test func membersFadeLikeSinglePotentials() throws {
    let evaluator = try Self.repelling(["Al", "Ti"])
    let c = Sample.configuration(["Al", "Ti", "Ti", "Al", "Ti"], size: 4.6, seed: 5)
    let onset = try #require(try evaluator.repulsion(of: c)).energies.sorted()[2] - 0.5
    let members = try (0..<3).map { try Self.potential(evaluator, seed: 20 + UInt64($0), onset: onset) }
    let matrix = Matrix(members.map { $0.columnCoefficients! }, columns: evaluator.basis.columnCount)
    let together = try evaluator.evaluateEnsemble(matrix, c, embeddings: members[0].embeddings)
    for (m, member) in members.enumerated() {
      let alone = try evaluator.evaluate(member, c)
      let own = c.species.reduce(0) { $0 + member.referenceEnergies[evaluator.basis.index(of: $1)!] }
      #expect(abs(together.energies[m] - (alone.energy - own)) < 1e-9)
      for (a, b) in zip(together.forces[m], alone.forces) { #expect(length(a - b) < 1e-8) }
      for k in 0..<3 {
        #expect(length(together.strainDerivatives[m][k] - alone.strainDerivative[k]) < 1e-8)
      }
    }
  }

  @Test func filesKeepTheRepulsionAndTheFade() throws {
    let evaluator = try Self.repelling(["Al", "Ti"])
    let potential = try Self.potential(evaluator, seed: 6, onset: 1.25)
    #expect(try Potential(yaml: potential.yaml) == potential)
    let other = try Potential(yace: potential.yace)
    #expect(other.embeddings == potential.embeddings && other.basis.bonds == potential.basis.bonds)
    let c = Sample.configuration(["Al", "Ti", "Ti", "Al", "Ti"], size: 4.6, seed: 5)
    let (a, b) = (try evaluator.evaluate(potential, c), try Evaluator(other.basis).evaluate(other, c))
    #expect(abs(a.energy - b.energy) < 1e-9)
    #expect(zip(a.forces, b.forces).allSatisfy { length($0 - $1) < 1e-8 })
    let specification = BasisSpecification(
      elements: Self.elements(["W"]), cutoff: 4, repulsion: ["Mo-W": PairRepulsion(prefactor: 1, exponent: 1)])
    #expect(throws: ACEError.self) { try specification.validate() }
  }

  /// The energy rises along every path when there is no ACE at all, and where it is huge and fades.
  @Test func repulsionAloneNeverCollapses() throws {
    for symbols in [["Li"], ["O", "W"]] {
      let evaluator = try Self.repelling(symbols, functions: 4)
      let nothing = try Potential(
        basis: evaluator.basis, columns: Array(repeating: 0, count: evaluator.basis.columnCount))
      #expect(try evaluator.collapses(of: nothing, shortestDistances: [:]).isEmpty, "\(symbols)")
      let attractive = try Potential(
        basis: evaluator.basis, columns: Array(repeating: -1000, count: evaluator.basis.columnCount))
      #expect(try !evaluator.collapses(of: attractive, shortestDistances: [:]).isEmpty, "\(symbols)")
    }
  }

  @Test func pathsHaveTheDistancesTheyClaim() throws {
    for path in CompressionPath.all(Self.elements(["Al", "Ti"])) {
      let c = path.configuration(nearest: 2.5)
      let list = try NeighborList(c, cutoff: 2.51)
      let expected =
        path.name.hasSuffix("pair") ? 1 : path.name.hasPrefix("fcc") ? 12 : path.name.hasPrefix("diamond") ? 4 : 8
      for atom in 0..<c.count {
        #expect(list[atom].count == expected, "\(path.name)")
        #expect(list[atom].allSatisfy { abs($0.distance - 2.5) < 1e-12 }, "\(path.name)")
      }
    }
  }
}
