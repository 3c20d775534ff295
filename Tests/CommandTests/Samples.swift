import ACE
import Configurations
import LinearAlgebra
import Platform
import TestSupport
import TungstenReference
import VASP

/// Runs, structures and a potential, all made here.
enum Samples {
  /// `count` labelled steps of a small crystal.
  static func steps(_ count: Int, seed: UInt64 = 1) -> [Configuration] {
    var random = RandomNumbers(seed: seed)
    let potential = FinnisSinclairTungsten()
    return (0..<count).map { _ in
      potential.label(TungstenStructures.displaced(TungstenStructures.bulk((2, 2, 2)), amplitude: 0.08, &random))
    }
  }

  static func run(_ count: Int, seed: UInt64 = 1) -> VASPRun {
    VASPRun(title: "sample \(seed)", kind: .molecularDynamics, steps: steps(count, seed: seed))
  }

  static func frames(_ bytes: [UInt8], name: String = "frames") throws -> [Configuration] {
    var reader = ExtendedXYZReader(MemoryByteSource(bytes), name: name)
    return try reader.readAll()
  }

  /// What the reader of VASP files makes of one.
  static func read(_ bytes: [UInt8], name: String) throws -> [Configuration] {
    try SourceReader().read(MemoryByteSource(bytes), name: name).flatMap(\.configurations)
  }

  static func extendedXYZ(_ frames: [Configuration]) -> [UInt8] {
    frames.reduce(into: []) { ExtendedXYZWriter().append($1, to: &$0) }
  }

  static func potential(referenceEnergy: Double = 0) throws -> Potential {
    let basis = try Basis(
      BasisSpecification(
        elements: [Element(symbol: "W")!], cutoff: 4.2, order: 3,
        limits: [.init(radial: [5, 2, 2], angular: [0, 2, 1])]))
    var random = SeededGenerator(seed: 7)
    let columns = (0..<basis.columnCount).map { _ in Double.random(in: -0.02...0.02, using: &random) }
    return try Potential(basis: basis, columns: columns, referenceEnergies: [referenceEnergy])
  }

  /// Any matrix of the right size will do for comparing grades.
  static func activeSet(_ potential: Potential) -> ActiveSetFile {
    let count = potential.basis.functions[0].count
    var random = SeededGenerator(seed: 8)
    let values = (0..<count * count).map { _ in Double.random(in: -1...1, using: &random) }
    return ActiveSetFile([(Element(symbol: "W")!, Matrix(rows: count, columns: count, storage: values))])
  }
}
