import ACE
import Configurations
import Glibc
import LinearAlgebra
import TestSupport
import Testing

/// Quick ways of computing something against the slow ones: tables, differences of members, parts on threads.
@Suite struct FastPathTests {
  static func columns(_ count: Int, seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in .random(in: -1...1, using: &generator) }
  }

  static func basis(_ symbols: [String], radial: RadialKind = .sBessel, repels: Bool = true) throws -> Basis {
    let elements = symbols.map { Element(symbol: $0)! }
    return try Basis(
      BasisSpecification(
        elements: elements, cutoff: 4.5, radial: radial, order: 3, functionsPerElement: 40,
        repulsion: repels ? PairRepulsion.automatic(elements) : [:]))
  }

  static func crystal(_ symbols: [String], cells: Int) -> Configuration {
    var generator = SeededGenerator(seed: 3)
    var positions: [Vector3] = []
    for x in 0..<cells {
      for y in 0..<cells {
        for z in 0..<cells {
          for offset in [0.0, 0.5] {
            var p = 3.2 * (Vector3(Double(x), Double(y), Double(z)) + Vector3(repeating: offset))
            for d in 0..<3 { p[d] += .random(in: -0.2...0.2, using: &generator) }
            positions.append(p)
          }
        }
      }
    }
    let l = 3.2 * Double(cells)
    return Configuration(
      species: positions.indices.map { Element(symbol: symbols[$0 % symbols.count])! }, positions: positions,
      cell: Cell(vectors: Matrix3([l, 0, 0], [0.3, l, 0], [0, 0, l])))
  }

  static func worst(_ a: [Vector3], _ b: [Vector3]) -> Double { zip(a, b).map { length($0 - $1) }.max()! }

  @Test(arguments: [RadialKind.sBessel, .chebExpCos(lambda: 5.25), .chebPow(lambda: 2)])
  func tablesGiveWhatTheEndsOfEachBinGive(_ radial: RadialKind) throws {
    let basis = try Self.basis(["Al", "Ti"], radial: radial)
    let c = Self.crystal(["Al", "Ti", "Ti"], cells: 2)
    let potential = try Potential(basis: basis, columns: Self.columns(basis.columnCount, seed: 1))
    let kept = try Evaluator(basis, radial: .tabulated).evaluate(potential, c)
    let formed = try Evaluator(basis, radial: .tabulated, tableBytes: 0).evaluate(potential, c)
    let exact = try Evaluator(basis).evaluate(potential, c)
    let scale = formed.forces.map(length).max()!
    // A slope is a difference of two values over the bin's 0.001 Å: it shows their last bit a thousandfold.
    #expect(Self.worst(kept.forces, formed.forces) < 1e-12 * scale)
    for (a, b) in zip(kept.energies, formed.energies) { #expect(abs(a - b) < 1e-13 * abs(formed.energy)) }
    // Interpolation differs from the functions themselves, which shows that it was done.
    #expect(Self.worst(exact.forces, formed.forces) > 1e-12 * scale)
    #expect(Self.worst(exact.forces, formed.forces) < 1e-6 * scale)
  }

  /// The kernel of core repulsion against the formulas, bond by bond.
  @Test func repulsionIsThatOfTheBonds() throws {
    let basis = try Self.basis(["Al", "Ti"])
    let evaluator = Evaluator(basis)
    let nothing = try Potential(basis: basis, columns: Array(repeating: 0, count: basis.columnCount))
    for c in [Self.crystal(["Al", "Ti", "Ti"], cells: 2), Sample.configuration(["Al", "Ti", "Al"], size: 4, seed: 2)] {
      let (energies, forces, strain) = try Self.plainRepulsion(c, basis)
      let alone = try #require(try evaluator.repulsion(of: c))
      for found in [alone, try evaluator.evaluate(nothing, c)] {
        for (a, b) in zip(found.energies, energies) { #expect(abs(a - b) < 1e-13 * b) }
        #expect(Self.worst(found.forces, forces) < 1e-12 * forces.map(length).max()!)
        for k in 0..<3 { #expect(length(found.strainDerivative[k] - strain[k]) < 1e-12 * length(strain.x)) }
      }
    }
  }

  private static func plainRepulsion(
    _ c: Configuration, _ basis: Basis
  ) throws -> (energies: [Double], forces: [Vector3], strain: Matrix3) {
    var (energies, forces) = ([Double](repeating: 0, count: c.count), [Vector3](repeating: .zero, count: c.count))
    var strain = Matrix3.zero
    let list = try NeighborList(c, cutoff: basis.cutoff)
    for atom in 0..<c.count {
      for neighbor in list[atom] {
        let other = Int(neighbor.index)
        let bond = basis.bonds[basis.index(of: c.species[atom])!][basis.index(of: c.species[other])!]
        let (r, k) = (neighbor.distance, Double.pi / bond.cutoff)
        let bare = bond.corePrefactor * exp(-bond.coreExponent * r * r) / r
        let fade = (1 + cos(k * r)) / 2
        energies[atom] += bare * fade
        let slope = bare * (-2 * bond.coreExponent * r - 1 / r) * fade - bare * k * sin(k * r) / 2
        let gradient = slope / r * neighbor.displacement
        forces[atom] += gradient
        forces[other] -= gradient
        for a in 0..<3 { strain[a] += neighbor.displacement[a] * gradient }
      }
    }
    return (energies, forces, strain)
  }

  /// One element and two, images of the atom itself, more than sixteen members, pairs shared or not.
  @Test(arguments: [(1, 2), (2, 1), (2, 3)])
  func singleDifferencesAreThoseOfTheMembers(_ elements: Int, _ cells: Int) throws {
    let symbols = Array(["Al", "Ti"][..<elements])
    let basis = try Self.basis(symbols)
    let evaluator = Evaluator(basis)
    let c = Self.crystal(symbols, cells: cells)
    let mean = Self.columns(basis.columnCount, seed: 2)
    for members in [2, 16, 19] {
      // Members that differ by a hundredth, as those of a fit do.
      let rows = (0..<members).map { m in
        zip(mean, Self.columns(basis.columnCount, seed: UInt64(10 + m))).map { $0 + 0.01 * $1 }
      }
      let matrix = Matrix(rows)
      let exact = try evaluator.evaluateEnsemble(matrix, c)
      for memory in [Int.max, 0] {
        let single = try evaluator.evaluateEnsemble(
          matrix, c, precision: .singleDifferences, pairMemory: memory)
        #expect(single.energies == exact.energies && single.atomEnergies == exact.atomEnergies)
        try Self.expectSameDifferences(single, exact, "\(members) members, \(memory)")
        let again = try evaluator.evaluateEnsemble(matrix, c, precision: .singleDifferences, pairMemory: memory)
        #expect(again == single)
      }
    }
    let none = Matrix(rows: 0, columns: basis.columnCount)
    #expect(try evaluator.evaluateEnsemble(none, c, precision: .singleDifferences).forces.isEmpty)
  }

  static func expectSameDifferences(
    _ single: EnsembleEvaluation, _ exact: EnsembleEvaluation, _ label: String
  ) throws {
    let count = exact.forces[0].count
    func mean(_ e: EnsembleEvaluation) -> [Vector3] {
      (0..<count).map { atom in e.forces.reduce(Vector3.zero) { $0 + $1[atom] } / Double(e.forces.count) }
    }
    let average = mean(exact)
    let scale = exact.forces.flatMap { zip($0, average).map { length($0 - $1) } }.max()!
    #expect(scale > 0)
    #expect(Self.worst(mean(single), average) < 1e-6 * scale, "\(label)")
    let strain = exact.strainDerivatives.map { length($0.x - exact.strainDerivatives[0].x) }.max()!
    for m in exact.forces.indices {
      #expect(Self.worst(single.forces[m], exact.forces[m]) < 1e-5 * scale, "\(label), member \(m)")
      for k in 0..<3 {
        #expect(length(single.strainDerivatives[m][k] - exact.strainDerivatives[m][k]) < 1e-5 * strain, "\(label)")
      }
    }
  }

  /// Where core repulsion switches the members off.
  @Test func singleDifferencesFade() throws {
    let basis = try Self.basis(["Al", "Ti"])
    let evaluator = Evaluator(basis)
    let c = Sample.configuration(["Al", "Ti", "Ti", "Al", "Ti"], size: 4.6, seed: 5)
    let onset = try #require(try evaluator.repulsion(of: c)).energies.sorted()[2] - 0.5
    let handover = Handover(basis: basis, coreEnergies: ["Al": onset, "Ti": onset])
    let matrix = Matrix((0..<4).map { Self.columns(basis.columnCount, seed: 30 + UInt64($0)) })
    let exact = try evaluator.evaluateEnsemble(matrix, c, embeddings: handover.embeddings)
    let single = try evaluator.evaluateEnsemble(
      matrix, c, embeddings: handover.embeddings, precision: .singleDifferences)
    let plain = try evaluator.evaluateEnsemble(matrix, c)
    #expect(Self.worst(plain.forces[0], exact.forces[0]) > 0.01, "nothing fades")
    #expect(single.energies == exact.energies)
    try Self.expectSameDifferences(single, exact, "fade")
  }

  /// Parts do not depend on how many threads there are.
  @Test func largeStructuresAreTheSameOnAnyNumberOfThreads() throws {
    let elements = [Element(symbol: "Al")!, Element(symbol: "Ti")!]
    let basis = try Basis(
      BasisSpecification(
        elements: elements, cutoff: 3.4, order: 2, functionsPerElement: 6,
        repulsion: PairRepulsion.automatic(elements)))
    let evaluator = Evaluator(basis)
    let c = Self.crystal(["Al", "Ti", "Ti"], cells: 13)
    #expect(c.count > Evaluator.atomsInOnePart)
    let potential = try Potential(basis: basis, columns: Self.columns(basis.columnCount, seed: 4))
    let inverses = basis.elements.indices.map { element -> Matrix? in
      let n = basis.functions[element].count
      return Matrix(rows: n, columns: n, storage: Self.columns(n * n, seed: 5))
    }
    let (one, grades) = try evaluator.evaluate(potential, c, inverses: inverses, threads: 1)
    for threads in [2, 3, 7] {
      let (several, others) = try evaluator.evaluate(potential, c, inverses: inverses, threads: threads)
      #expect(several == one && others == grades, "\(threads) threads")
      #expect(try evaluator.evaluate(potential, c, threads: threads) == one)
    }
    // A piece of it that is evaluated as a whole gives the same energies inside.
    let total = try evaluator.evaluate(potential, c).energies.reduce(0, +)
    #expect(abs(total - one.energy) < 1e-12 * abs(total))
    let projections = try evaluator.projections(of: c)
    for part in projections {
      let coefficients = potential.coefficients[part.element]
      let core = try #require(try evaluator.repulsion(of: c)).energies
      for (row, atom) in part.atoms.enumerated() where atom % 97 == 0 {
        let energy = zip(part.values.row(row), coefficients).reduce(0) { $0 + $1.0 * $1.1 } + core[atom]
        #expect(abs(one.energies[atom] - energy) < 1e-11)
      }
    }
    #expect(try evaluator.grades(of: c, inverses: inverses) == grades)
    #expect(length(one.forces.reduce(Vector3.zero, +)) < 1e-9)
    var foreign = c
    foreign.positions[4000] = c.positions[17] + [1e-5, 0, 0]
    #expect(throws: ACEError.self) { try evaluator.evaluate(potential, foreign, threads: 3) }
  }
}
