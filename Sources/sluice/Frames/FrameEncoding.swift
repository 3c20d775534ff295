// A configuration comes in, the bytes of one frame go out.

import Configurations
import Foundation
import StageKit

/// How frames are written.
enum FrameFormatting: Sendable {
  case extendedXYZ(ExtendedXYZWriter)
  case poscar
  case json

  func append(_ configuration: Configuration, to bytes: inout [UInt8]) throws {
    switch self {
    case .extendedXYZ(let writer): writer.append(configuration, to: &bytes)
    case .json: bytes += try CanonicalJSON.encode(FrameRecord(configuration)).dropLast()
    case .poscar:
      let provenance = configuration.provenance
      bytes += POSCARWriter().bytes(
        configuration, comment: "\(configuration.formula) \(provenance.source) step \(provenance.ionicStep)")
    }
  }
}

/// One frame as a JSON object. Lengths in Å, energies eV, forces eV/Å, stress eV/Å³ with tension positive;
/// numbers that are not finite are the strings "NaN", "Infinity", "-Infinity". A key whose value the source
/// did not give is absent.
///
/// Keys: `source`, `ionic_step`, `config_type`, `symbols` [atoms], `positions` [atoms][3], `cell` [3][3] (rows
/// are lattice vectors), `pbc` [3], `energy` (force-consistent), `energy_without_entropy`, `energy_sigma0`,
/// `forces` [atoms][3], `stress` [3][3], `converged`, `machine_learned`, and `properties`: everything else, per
/// frame or per atom ([atoms], or [atoms][columns]).
private struct FrameRecord: Encodable {
  private let configuration: Configuration

  init(_ configuration: Configuration) { self.configuration = configuration }

  private enum Key: String, CodingKey {
    case source, symbols, positions, cell, pbc, energy, forces, stress, converged, properties
    case ionicStep = "ionic_step"
    case group = "config_type"
    case energyWithoutEntropy = "energy_without_entropy"
    case energySigmaZero = "energy_sigma0"
    case machineLearned = "machine_learned"
  }

  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Key.self)
    let labels = configuration.labels
    try object.encode(configuration.provenance.source, forKey: .source)
    try object.encode(configuration.provenance.ionicStep, forKey: .ionicStep)
    try object.encodeIfPresent(configuration.provenance.group, forKey: .group)
    try object.encode(configuration.species.map(\.symbol), forKey: .symbols)
    try object.encode(configuration.positions.map(Self.row), forKey: .positions)
    try object.encodeIfPresent(configuration.cell.map { Self.rows($0.vectors) }, forKey: .cell)
    let periodic = configuration.cell?.periodic ?? []
    try object.encode((0..<3).map { periodic.contains(direction: $0) }, forKey: .pbc)
    try object.encodeIfPresent(labels.energy, forKey: .energy)
    try object.encodeIfPresent(labels.energyWithoutEntropy, forKey: .energyWithoutEntropy)
    try object.encodeIfPresent(labels.energySigmaZero, forKey: .energySigmaZero)
    try object.encodeIfPresent(labels.forces.map { $0.map(Self.row) }, forKey: .forces)
    try object.encodeIfPresent(labels.stress.map(Self.rows), forKey: .stress)
    try object.encodeIfPresent(labels.electronicallyConverged, forKey: .converged)
    if labels.machineLearned { try object.encode(true, forKey: .machineLearned) }
    if !configuration.properties.isEmpty {
      try object.encode(configuration.properties.mapValues(PropertyRecord.init), forKey: .properties)
    }
  }

  private static func row(_ v: Vector3) -> [Double] { [v.x, v.y, v.z] }
  private static func rows(_ m: Matrix3) -> [[Double]] { [row(m.x), row(m.y), row(m.z)] }
}

private struct PropertyRecord: Encodable {
  let value: PropertyValue

  func encode(to encoder: any Encoder) throws {
    var single = encoder.singleValueContainer()
    switch value {
    case .text(let text): try single.encode(text)
    case .integer(let integer): try single.encode(integer)
    case .real(let real): try single.encode(real)
    case .logical(let logical): try single.encode(logical)
    case .reals(let reals): try single.encode(reals)
    case .perAtomReals(let values, let columns): try encode(values, columns, to: &single)
    case .perAtomIntegers(let values, let columns): try encode(values, columns, to: &single)
    case .perAtomText(let values, let columns): try encode(values, columns, to: &single)
    case .perAtomLogicals(let values, let columns): try encode(values, columns, to: &single)
    }
  }

  private func encode<Value: Encodable>(
    _ values: [Value], _ columns: Int, to single: inout any SingleValueEncodingContainer
  ) throws {
    if columns == 1 { return try single.encode(values) }
    let starts = stride(from: 0, to: values.count, by: columns)
    try single.encode(starts.map { Array(values[$0..<$0 + columns]) })
  }
}
