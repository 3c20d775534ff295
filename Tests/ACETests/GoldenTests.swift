import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

@Suite(.enabled(if: SharedData.isAvailable, "skipped: no shared data"))
struct GoldenTests {
  static func potential(_ name: String) throws -> Potential {
    try Potential(yaml: try SharedData.bytes("golden/\(name).yaml"))
  }

  @Test(arguments: Golden.names) func projections(_ name: String) throws {
    let golden = try Golden.load(name)
    let potential = try Self.potential(name)
    #expect(potential.basis.functions.map(\.count) == golden.functionCounts)
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    var worst = 0.0
    for structure in golden.structures {
      for group in try evaluator.projections(of: structure.configuration) {
        for (row, atom) in group.atoms.enumerated() {
          let expected = structure.projections[atom]
          let scale = expected.map(abs).max()!
          for (value, reference) in zip(group.values.row(row), expected) {
            worst = max(worst, abs(value - reference) / max(abs(reference), 1e-3 * scale))
          }
        }
      }
    }
    #expect(worst < 1e-10, "\(name)")
  }

  @Test(arguments: Golden.names) func energiesForcesAndVirial(_ name: String) throws {
    let golden = try Golden.load(name)
    let potential = try Self.potential(name)
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    for (index, structure) in golden.structures.enumerated() {
      let result = try evaluator.evaluate(potential, structure.configuration)
      let count = Double(structure.symbols.count)
      #expect(abs(result.energy - structure.energy) / count < 1e-10, "\(name) \(index)")
      let perAtom = zip(result.energies, structure.energies).map { abs($0 - $1) }.max()!
      #expect(perAtom < 1e-10, "\(name) \(index)")
      var worst = 0.0
      for (f, g) in zip(result.forces, structure.forces) {
        for k in 0..<3 { worst = max(worst, abs(f[k] - g[k])) }
      }
      #expect(worst < 1e-8, "\(name) \(index)")
      if let v = structure.virial {
        let w = result.strainDerivative
        let ours = [w.x.x, w.y.y, w.z.z, w.x.y, w.x.z, w.y.z]
        let difference = zip(ours, v).map { abs($0 - $1) }.max()!
        #expect(difference < 1e-9 * max(1, v.map(abs).max()!), "\(name) \(index)")
      }
    }
  }

  @Test(arguments: Golden.names) func grades(_ name: String) throws {
    let golden = try Golden.load(name)
    let potential = try Self.potential(name)
    let file = try ActiveSetFile(decoding: try SharedData.bytes("golden/\(name).asi"))
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    let condition = golden.activeSets.values.map(\.cond).max()!
    for (index, structure) in golden.structures.enumerated() {
      let grades = try evaluator.grades(
        of: structure.configuration, inverses: file.inverses(for: potential.basis))
      #expect(grades.count == structure.gamma.count)
      for (ours, reference) in zip(grades, structure.gamma) where condition < 1e9 {
        #expect(abs(ours - reference) <= 1e-6 * max(1, reference), "\(name) \(index)")
      }
    }
    #expect(try ActiveSetFile(decoding: file.encoded) == file)
  }

  @Test(arguments: Golden.names) func yamlRoundTripIsBitExact(_ name: String) throws {
    let potential = try Self.potential(name)
    let text = potential.yaml
    let again = try Potential(yaml: text)
    #expect(again == potential)
    #expect(again.yaml == text)
  }

  @Test(arguments: Golden.names) func yaceRoundTripAndExpansion(_ name: String) throws {
    let potential = try Self.potential(name)
    let file = try CTildeFile(decoding: try SharedData.bytes("golden/\(name).yace"))
    #expect(try CTildeFile(decoding: file.encoded) == file)
    // Our expansion has the numbers of pacemaker's.
    let ours = CTildeFile(potential)
    #expect(ours.bonds == file.bonds && ours.embeddings == file.embeddings)
    for (a, b) in zip(ours.functions, file.functions) {
      #expect(a.count == b.count)
      var reference: [String: [[Int]: [Double]]] = [:]
      for (functions, list) in [(a, 0), (b, 1)] {
        for f in functions {
          var table: [[Int]: [Double]] = [:]
          let width = f.coefficients.count / f.projections.count
          for (k, ms) in f.projections.enumerated() {
            let key = Self.canonical(ms, f)
            for p in 0..<width {
              table[key, default: Array(repeating: 0, count: width)][p] +=
                f.coefficients[k * width + p]
            }
          }
          let name = "\(f.neighbors) \(f.ns) \(f.ls)"
          if list == 0 {
            reference[name] = table
          } else {
            let other = reference[name] ?? [:]
            for key in Set(table.keys).union(other.keys) {
              let x = table[key] ?? Array(repeating: 0, count: width)
              let y = other[key] ?? Array(repeating: 0, count: width)
              #expect(zip(x, y).allSatisfy { abs($0 - $1) < 1e-15 + 1e-12 * abs($0) }, "\(name)")
            }
          }
        }
      }
    }
  }

  /// The same for all m-vectors that differ by exchange of equal factors or by reversal of signs.
  private static func canonical(_ ms: [Int], _ f: CTildeFile.Function) -> [Int] {
    func sorted(_ ms: [Int]) -> [Int] {
      let tuples = ms.indices.map { [f.neighbors[$0], f.ns[$0], f.ls[$0], ms[$0]] }
      return tuples.sorted { $0.lexicographicallyPrecedes($1) }.map { $0[3] }
    }
    let (a, b) = (sorted(ms), sorted(ms.map { -$0 }))
    return a.lexicographicallyPrecedes(b) ? a : b
  }

  /// The functions of a reference file and what it multiplies out to go there and back.
  @Test(arguments: Golden.names) func conversionsBetweenFormatsKeepTheFunctions(_ name: String) throws {
    let potential = try Self.potential(name)
    let file = try CTildeFile(decoding: try SharedData.bytes("golden/\(name).yace"))
    let back = try file.potential()
    #expect(back.basis == potential.basis)
    #expect(CTildeFile(back).largestDifference(from: file) < 1e-14)
    #expect(CTildeFile(potential).largestDifference(from: file) < 1e-14)
    var other = file
    other.functions[0][0].coefficients[0] *= 1.001
    #expect(other.largestDifference(from: file) > 1e-4)
    other.functions[0].removeFirst()
    #expect(file.largestDifference(from: other) == .infinity)
  }

  @Test(arguments: Golden.names) func potentialFromYaceGivesTheSameNumbers(_ name: String) throws {
    let golden = try Golden.load(name)
    let potential = try Potential(yace: try SharedData.bytes("golden/\(name).yace"))
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    let structure = golden.structures[1]
    let result = try evaluator.evaluate(potential, structure.configuration)
    #expect(abs(result.energy - structure.energy) / Double(structure.symbols.count) < 1e-10)
    for (f, g) in zip(result.forces, structure.forces) {
      for k in 0..<3 { #expect(abs(f[k] - g[k]) < 1e-8) }
    }
  }
}
