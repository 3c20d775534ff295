import Configurations
import Foundation
import TestSupport

/// One case of the reference values that pyace and LAMMPS gave.
struct Golden: Decodable {
  struct ActiveSet: Decodable { let cond: Double }

  struct Structure: Decodable {
    let symbols: [String]
    let cell: [[Double]]
    let pbc: [Bool]
    let positions: [[Double]]
    let energy: Double
    let energies: [Double]
    let forces: [[Double]]
    /// xx yy zz xy xz yz
    let virial: [Double]?
    let gamma: [Double]
    let projections: [[Double]]

    private enum CodingKeys: String, CodingKey {
      case symbols, cell, pbc, positions, energy, energies, forces, gamma, projections
      case virial = "virial_xx_yy_zz_xy_xz_yz"
    }

    var configuration: Configuration {
      let vectors = cell.map { Vector3($0[0], $0[1], $0[2]) }
      return Configuration(
        species: symbols.map { Element(symbol: $0)! },
        positions: positions.map { Vector3($0[0], $0[1], $0[2]) },
        cell: pbc.contains(true)
          ? Cell(vectors: Matrix3(vectors[0], vectors[1], vectors[2])) : nil)
    }
  }

  let elements: [String]
  let functionCounts: [Int]
  let activeSets: [String: ActiveSet]
  let structures: [Structure]

  private enum CodingKeys: String, CodingKey {
    case elements, structures
    case functionCounts = "nfuncs"
    case activeSets = "active_set"
  }

  static let names = [
    "Si_tiny", "Si_sbessel_crad", "Si_cheblinear", "W_100", "W_500", "Cu_chebpow_core",
    "Cu_zbl_fs2",
    "CuZr",
  ]

  static func load(_ name: String) throws -> Golden {
    try JSONDecoder().decode(
      Golden.self, from: Data(try SharedData.bytes("golden/\(name).json")))
  }
}
