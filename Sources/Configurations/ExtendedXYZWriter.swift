// Configurations come in, the bytes of an extended XYZ file go out.

/// Writes extended XYZ. Numbers are the shortest that read back to the same bits, keys come in a
/// fixed order (properties in alphabetical order), and `ExtendedXYZReader` gives back an equal
/// configuration.
///
/// Keys: `Lattice`, `Properties`, `pbc`, the labels (see `Convention`), `energy_without_entropy`,
/// `energy_sigma0`, `converged`, `machine_learned`, then `config_type` (the group), `source` and
/// `ionic_step`. A property under one of these names is written as `info_NAME`.
public struct ExtendedXYZWriter: Sendable {
  /// Who is to find the labels.
  public enum Convention: Sendable, Equatable {
    /// `energy` and `free_energy` (both force-consistent), `forces`, `stress` (nine numbers, eV/Å³,
    /// tension positive).
    case ase
    /// `REF_energy`, `REF_forces`, `REF_stress`.
    case mace
    /// `energy`, `force`, `virial` (nine numbers, eV, -volume * stress).
    case quip
    /// As ase, under other names.
    case custom(energy: String, forces: String, stress: String)
  }

  public let convention: Convention
  private let names: (energy: [String], forces: String, stress: String, isVirial: Bool)
  /// Keys of the comment line that mean something, but for the labels'.
  private static let reserved: Set<String> = [
    "Lattice", "lattice", "Properties", "properties", "pbc", "source", "ionic_step", "config_type", "converged",
    "machine_learned", "energy_without_entropy", "energy_sigma0",
  ]

  public init(_ convention: Convention = .ase) {
    self.convention = convention
    names =
      switch convention {
      case .ase: (["energy", "free_energy"], "forces", "stress", false)
      case .mace: (["REF_energy"], "REF_forces", "REF_stress", false)
      case .quip: (["energy"], "force", "virial", true)
      case .custom(let energy, let forces, let stress): ([energy], forces, stress, false)
      }
  }

  /// The configuration as one frame.
  public func frame(_ configuration: Configuration) -> [UInt8] {
    var bytes: [UInt8] = []
    append(configuration, to: &bytes)
    return bytes
  }

  /// Appends one frame.
  public func append(_ configuration: Configuration, to bytes: inout [UInt8]) {
    let columns = columns(of: configuration)
    bytes.append(text: "\(configuration.count)\n")
    appendComment(configuration, columns, to: &bytes)
    for atom in configuration.species.indices {
      bytes.append(text: configuration.species[atom].symbol)
      bytes.append(vector: configuration.positions[atom])
      if let forces = configuration.labels.forces { bytes.append(vector: forces[atom]) }
      for column in columns { column.append(atom, to: &bytes) }
      bytes.append(0x0A)
    }
  }

  private func appendComment(
    _ configuration: Configuration, _ columns: [PerAtomColumn], to bytes: inout [UInt8]
  ) {
    let labels = configuration.labels
    if let cell = configuration.cell {
      bytes.append(text: "Lattice=")
      bytes.append(quoted: cell.vectors)
      bytes.append(0x20)
    }
    bytes.append(text: "Properties=species:S:1:pos:R:3")
    if let forces = labels.forces {
      precondition(forces.count == configuration.count, "one force per atom")
      bytes.append(text: ":\(names.forces):R:3")
    }
    for column in columns { bytes.append(text: ":\(column.name):\(column.letter):\(column.width)") }
    let periodic = configuration.cell?.periodic ?? []
    let flags = (0..<3).map { periodic.contains(direction: $0) ? "T" : "F" }
    bytes.append(text: " pbc=\"\(flags[0]) \(flags[1]) \(flags[2])\"")
    if let energy = labels.energy {
      for name in names.energy { bytes.append(key: name, real: energy) }
    }
    if let energy = labels.energyWithoutEntropy {
      bytes.append(key: "energy_without_entropy", real: energy)
    }
    if let energy = labels.energySigmaZero { bytes.append(key: "energy_sigma0", real: energy) }
    if let stress = labels.stress, let cell = configuration.cell {
      bytes.append(text: " \(names.stress)=")
      bytes.append(quoted: names.isVirial ? -cell.volume * stress : stress)
    }
    if let converged = labels.electronicallyConverged {
      bytes.append(text: converged ? " converged=T" : " converged=F")
    }
    if labels.machineLearned { bytes.append(text: " machine_learned=T") }
    appendProvenance(configuration.provenance, to: &bytes)
    appendProperties(configuration, to: &bytes)
    bytes.append(0x0A)
  }

  private func appendProvenance(_ provenance: Provenance, to bytes: inout [UInt8]) {
    if let group = provenance.group {
      bytes.append(text: " config_type=")
      bytes.append(value: group)
    }
    bytes.append(text: " source=")
    bytes.append(value: provenance.source)
    bytes.append(text: " ionic_step=\(provenance.ionicStep)")
  }

  private func appendProperties(_ configuration: Configuration, to bytes: inout [UInt8]) {
    let keys = configuration.properties.compactMap { $0.value.isPerAtom ? nil : $0.key }
    for (name, key) in unreserved(keys, isReserved: { isReserved($0) || $0.isEmpty }) {
      guard let value = configuration.properties[key] else { continue }
      bytes.append(0x20)
      bytes.append(value: name)
      bytes.append(0x3D)
      switch value {
      case .text(let text): bytes.append(value: text)
      case .integer(let integer): bytes.append(text: "\(integer)")
      case .real(let real): bytes.append(text: real.description)
      case .logical(let logical): bytes.append(text: logical ? "T" : "F")
      case .reals(let reals):
        let list = reals.map(\.description).joined(separator: reals.count == 1 ? "" : " ")
        bytes.append(text: reals.count < 2 ? "[\(list)]" : "\"\(list)\"")
      default: break
      }
    }
  }

  private func isReserved(_ key: String) -> Bool {
    Self.reserved.contains(key) || names.energy.contains(key) || key == names.stress
      || LabelKeys().label(of: key) != nil
  }

  /// Keys under names that mean nothing else and are all different, in order of the names.
  private func unreserved(
    _ keys: [String], isReserved: (String) -> Bool, spelled: (String) -> String = { $0 }
  ) -> [(name: String, key: String)] {
    guard keys.contains(where: isReserved) else { return keys.sorted().map { ($0, $0) } }
    var taken = Set(keys.filter { !isReserved($0) })
    let named = keys.sorted().map { key -> (name: String, key: String) in
      guard isReserved(key) else { return (key, key) }
      var name = "info_" + spelled(key)
      while !taken.insert(name).inserted { name = "info_" + name }
      return (name, key)
    }
    return named.sorted { $0.name < $1.name }
  }

  private func columns(of configuration: Configuration) -> [PerAtomColumn] {
    let perAtom = configuration.properties.compactMapValues { PerAtomColumn($0) }
    // A colon, blank or quote would break the Properties list.
    func isBreaking(_ letter: Character) -> Bool {
      letter == ":" || letter == "\"" || letter.isWhitespace
    }
    let meant = [
      "species", "symbols", "symbol", "element", "z", "numbers", "atomic_numbers", "pos",
      "position", "positions",
    ]
    let named = unreserved(
      Array(perAtom.keys),
      isReserved: { key in
        meant.contains(key.lowercased()) || LabelKeys().isForces(key) || key == names.forces
          || key.isEmpty || key.contains(where: isBreaking)
      }, spelled: { String($0.map { isBreaking($0) ? "_" : $0 }) })
    return named.compactMap { name, key in
      guard var column = perAtom[key] else { return nil }
      precondition(column.count == configuration.count * column.width, "'\(key)': one row per atom")
      column.name = name
      return column
    }
  }
}

/// A property that has a value, or a row of them, per atom.
private struct PerAtomColumn {
  var name = ""
  let letter: Character
  let width: Int
  let count: Int
  private let value: PropertyValue

  init?(_ value: PropertyValue) {
    self.value = value
    switch value {
    case .perAtomReals(let values, let columns):
      (letter, width, count) = ("R", columns, values.count)
    case .perAtomIntegers(let values, let columns):
      (letter, width, count) = ("I", columns, values.count)
    case .perAtomText(let values, let columns):
      (letter, width, count) = ("S", columns, values.count)
    case .perAtomLogicals(let values, let columns):
      (letter, width, count) = ("L", columns, values.count)
    case .text, .integer, .real, .logical, .reals: return nil
    }
    precondition(width > 0, "a per-atom property has at least one column")
  }

  func append(_ atom: Int, to bytes: inout [UInt8]) {
    for k in atom * width..<(atom + 1) * width {
      bytes.append(0x20)
      switch value {
      case .perAtomReals(let values, _): bytes.append(real: values[k])
      case .perAtomIntegers(let values, _): bytes.append(text: "\(values[k])")
      case .perAtomLogicals(let values, _): bytes.append(values[k] ? 0x54 : 0x46)
      case .perAtomText(let values, _):
        // Columns have no quotes: blanks cannot be written.
        let word = String(values[k].map { $0.isWhitespace ? "_" : $0 })
        bytes.append(text: word.isEmpty ? "_" : word)
      default: break
      }
    }
  }
}

extension [UInt8] {
  mutating func append(text: String) { append(contentsOf: text.utf8) }

  mutating func append(vector: Vector3) {
    for k in 0..<3 {
      append(0x20)
      append(real: vector[k])
    }
  }

  fileprivate mutating func append(key: String, real: Double) {
    append(text: " \(key)=")
    append(real: real)
  }

  fileprivate mutating func append(quoted matrix: Matrix3) {
    append(0x22)
    for row in 0..<3 {
      for column in 0..<3 {
        if row + column > 0 { append(0x20) }
        append(real: matrix[row, column])
      }
    }
    append(0x22)
  }

  /// Letters, digits, and signs that no reader takes for a separator.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x61...0x7A, 0x41...0x5A, 0x2D...0x3A, 0x5F, 0x2B, 0x40, 0x23, 0x25: true
    default: false
    }
  }

  /// A text as a value or key that reads back as the same text.
  fileprivate mutating func append(value text: String) {
    let isPlain = text.utf8.allSatisfy(Self.isPlain)
    let looksTyped =
      DecimalNumber.canBegin(text.utf8.first) && DecimalNumber.parse(text) != nil
      || text.utf8.count < 6 && ["T", "F", "True", "False", "true", "false", "TRUE", "FALSE"].contains(text)
    if isPlain, !looksTyped, !text.isEmpty {
      append(text: text)
      return
    }
    // A quoted list of numbers would read back as an array; one escape says that it is text.
    let words = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "\t" || $0 == "\r" })
    var needsEscape = words.count > 1 && words.allSatisfy { DecimalNumber.parse($0) != nil }
    append(0x22)
    for byte in text.utf8 {
      switch byte {
      case 0x0A: append(text: "\\n")
      case 0x22, 0x5C:
        append(0x5C)
        append(byte)
      default:
        if needsEscape, byte != UInt8(ascii: "n") {
          append(0x5C)
          needsEscape = false
        }
        append(byte)
      }
    }
    append(0x22)
  }
}
