import ACE
import Configurations
import Foundation

/// SplitMix64.
struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

func tungsten(cells: Int, amplitude: Double) -> Configuration {
  var generator = Generator(state: 1)
  let a = 3.1652
  var positions: [Vector3] = []
  for x in 0..<cells {
    for y in 0..<cells {
      for z in 0..<cells {
        for offset in [0.0, 0.5] {
          var p = Vector3(Double(x) + offset, Double(y) + offset, Double(z) + offset) * a
          for k in 0..<3 { p[k] += .random(in: -amplitude...amplitude, using: &generator) }
          positions.append(p)
        }
      }
    }
  }
  let l = a * Double(cells)
  return Configuration(
    species: Array(repeating: Element(symbol: "W")!, count: positions.count), positions: positions,
    cell: Cell(vectors: Matrix3([l, 0, 0], [0, l, 0], [0, 0, l])))
}

func random(_ count: Int, seed: UInt64) -> [Double] {
  var generator = Generator(state: seed)
  return (0..<count).map { _ in .random(in: -1...1, using: &generator) }
}

/// The potentials of the tables: two of the reference cases where they are at hand, and made ones.
func potential(_ name: String) throws -> (Potential, String) {
  let shared = ProcessInfo.processInfo.environment["SLUICE_SHARED"] ?? "../shared"
  if name.hasPrefix("W_"), let data = FileManager.default.contents(atPath: "\(shared)/golden/\(name).yaml") {
    return (try Potential(yaml: Array(data)), name)
  }
  let count = Int(name.drop { !$0.isNumber }) ?? 100
  return (try made(count, repels: false), "made, \(count) functions")
}

/// Random coefficients, with the automatic core repulsion or without.
func made(_ functions: Int, repels: Bool) throws -> Potential {
  let elements = [Element(symbol: "W")!]
  let basis = try Basis(
    BasisSpecification(
      elements: elements, cutoff: 5.5, order: 5,
      limits: [.init(radial: [8, 5, 4, 3, 2], angular: [0, 5, 4, 3, 2])], functionsPerElement: functions,
      repulsion: repels ? PairRepulsion.automatic(elements) : [:]))
  let embeddings = repels ? Handover(basis: basis, coreEnergies: ["W": 2]).embeddings : nil
  return try Potential(
    basis: basis, coefficients: [random(basis.columnCount, seed: 7)], embeddings: embeddings)
}
