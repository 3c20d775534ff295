// The entries of a comment line come in; cell, labels, provenance and properties go out.

/// What the comment line of one frame says, with empty columns ready for its atoms.
struct FrameComment {
  typealias Bytes = UnsafeBufferPointer<UInt8>
  typealias Trouble = (_ code: String, _ cause: String, _ remedy: String) -> Diagnostic

  var columns: ExtendedXYZColumns
  var cell: Cell?
  var labels = Labels()
  var source: String?
  var ionicStep: Int?
  var group: String?
  var properties: [String: PropertyValue] = [:]

  init(
    _ entries: [ExtendedXYZEntry], _ bytes: Bytes, _ keys: LabelKeys, _ restoresProvenance: Bool,
    _ cache: inout ColumnsCache, trouble: Trouble
  ) throws(Diagnostic) {
    if let key = Self.repeatedKey(entries) {
      throw trouble("malformed", "the key '\(key)' occurs twice.", "")
    }
    func entry(_ key: String) -> ExtendedXYZEntry? { entries.first { $0.key == key } }

    let declared =
      (entry("Properties") ?? entry("properties"))?.text(bytes) ?? ExtendedXYZColumns.standard
    do {
      columns = try cache.columns(declared, keys: keys)
    } catch {
      throw trouble(error.code, error.cause, "")
    }
    cell = try Self.cell(entry("Lattice") ?? entry("lattice"), entry("pbc"), bytes, trouble)

    let isOwn =
      restoresProvenance && entry("source") != nil && entry("ionic_step")?.integer(bytes) != nil
    var readings = LabelReadings()
    for entry in entries where !entry.key.isEmpty {
      switch entry.key {
      case "Properties", "properties", "Lattice", "lattice", "pbc": continue
      case "source" where isOwn: source = entry.text(bytes)
      case "ionic_step" where isOwn: ionicStep = entry.integer(bytes)
      case "config_type": group = entry.text(bytes)
      case "energy_without_entropy":
        labels.energyWithoutEntropy = try Self.number(entry, bytes, trouble)
      case "energy_sigma0": labels.energySigmaZero = try Self.number(entry, bytes, trouble)
      default:
        if let flag = Self.flag(entry, bytes) {
          if entry.key == "converged" {
            labels.electronicallyConverged = flag
            continue
          } else if entry.key == "machine_learned" {
            labels.machineLearned = flag
            continue
          }
        }
        if let label = keys.label(of: entry.key),
          try readings.take(label, entry, bytes, cell?.volume, trouble)
        {
          continue
        }
        properties[entry.key] = entry.property(bytes)
      }
    }
    try readings.settle(into: &labels, trouble)
  }

  /// A key that has a value twice.
  private static func repeatedKey(_ entries: [ExtendedXYZEntry]) -> String? {
    func hasValue(_ entry: ExtendedXYZEntry) -> Bool {
      if case .flag = entry.form { return false }
      return true
    }
    guard entries.count > 16 else {
      for (k, entry) in entries.enumerated() where hasValue(entry) {
        for other in entries[..<k] where other.key == entry.key && hasValue(other) {
          return entry.key
        }
      }
      return nil
    }
    var seen: Set<String> = []
    return entries.first { hasValue($0) && !seen.insert($0.key).inserted }?.key
  }

  private static func flag(_ entry: ExtendedXYZEntry, _ bytes: Bytes) -> Bool? {
    guard entry.key == "converged" || entry.key == "machine_learned",
      let values = entry.logicals(bytes), values.count == 1
    else { return nil }
    return values[0]
  }

  fileprivate static func number(
    _ entry: ExtendedXYZEntry, _ bytes: Bytes, _ trouble: Trouble
  ) throws(Diagnostic) -> Double {
    guard let value = entry.number(bytes) else {
      throw trouble("malformed", "'\(entry.key)' is not a number.", "")
    }
    return value
  }

  private static func cell(
    _ lattice: ExtendedXYZEntry?, _ pbc: ExtendedXYZEntry?, _ bytes: Bytes, _ trouble: Trouble
  ) throws(Diagnostic) -> Cell? {
    var periodic: Periodicity = lattice == nil ? [] : .all
    if let pbc {
      guard var flags = pbc.logicals(bytes), flags.count == 3 || flags.count == 1 else {
        throw trouble("malformed", "pbc is not three of T and F.", "")
      }
      if flags.count == 1 { flags = [flags[0], flags[0], flags[0]] }
      periodic = []
      for (k, flag) in flags.enumerated() where flag {
        periodic.insert(Periodicity(rawValue: 1 << UInt8(k)))
      }
    }
    guard let lattice else {
      guard periodic.isEmpty else {
        throw trouble("malformed", "pbc says periodic, but there is no Lattice.", "")
      }
      return nil
    }
    guard let v = lattice.numbers(bytes), v.count == 9 || v.count == 3 else {
      throw trouble("malformed", "Lattice is not nine numbers.", "")
    }
    guard v.allSatisfy(\.isFinite) else {
      throw trouble("not-finite", "Lattice is not finite.", "")
    }
    let vectors =
      v.count == 3
      ? Matrix3([v[0], 0, 0], [0, v[1], 0], [0, 0, v[2]])
      : Matrix3([v[0], v[1], v[2]], [v[3], v[4], v[5]], [v[6], v[7], v[8]])
    if vectors.determinant == 0 || !vectors.determinant.isFinite {
      if periodic.isEmpty { return nil }
      throw trouble(
        "malformed", "the lattice vectors span no volume.",
        "Give directions that do not repeat a length, too.")
    }
    return Cell(vectors: vectors, periodic: periodic)
  }
}

/// The columns of the last `Properties`, as frames of one file mostly have the same.
struct ColumnsCache {
  private var properties: String?
  private var empty: ExtendedXYZColumns?

  mutating func columns(
    _ properties: String, keys: LabelKeys
  ) throws(ExtendedXYZColumns.Trouble) -> ExtendedXYZColumns {
    if let empty, properties == self.properties { return empty }
    let columns = try ExtendedXYZColumns(properties, keys: keys)
    (self.properties, empty) = (properties, columns)
    return columns
  }
}

/// The labels that were found under their various keys, until all are known.
private struct LabelReadings {
  typealias Bytes = UnsafeBufferPointer<UInt8>

  private var energy: (key: String, value: Double)?
  private var freeEnergies: [(key: String, value: Double)] = []
  private var stresses: [(key: String, value: Matrix3)] = []
  private var fromVirials: [(key: String, value: Matrix3)] = []

  /// False where the entry is no label after all (a virial without a volume).
  mutating func take(
    _ label: LabelKeys.Label, _ entry: ExtendedXYZEntry, _ bytes: Bytes, _ volume: Double?,
    _ trouble: FrameComment.Trouble
  ) throws(Diagnostic) -> Bool {
    switch label {
    case .energy: energy = (entry.key, try FrameComment.number(entry, bytes, trouble))
    case .freeEnergy:
      freeEnergies.append((entry.key, try FrameComment.number(entry, bytes, trouble)))
    case .stress, .virial:
      guard let volume else { return false }
      guard let numbers = entry.numbers(bytes), let tensor = Self.tensor(numbers) else {
        throw trouble("malformed", "'\(entry.key)' is not nine or six numbers.", "")
      }
      if label == .stress {
        stresses.append((entry.key, tensor))
      } else {
        fromVirials.append((entry.key, (-1 / volume) * tensor))
      }
    }
    return true
  }

  /// Nine numbers by rows, or six as xx yy zz yz xz xy.
  private static func tensor(_ v: [Double]) -> Matrix3? {
    switch v.count {
    case 9: Matrix3([v[0], v[1], v[2]], [v[3], v[4], v[5]], [v[6], v[7], v[8]])
    case 6: Matrix3([v[0], v[5], v[4]], [v[5], v[1], v[3]], [v[4], v[3], v[2]])
    default: nil
    }
  }

  func settle(into labels: inout Labels, _ trouble: FrameComment.Trouble) throws(Diagnostic) {
    var candidates = freeEnergies
    let hasFree = freeEnergies.contains { $0.key.lowercased() == "free_energy" }
    if let energy {
      if hasFree {
        let free = freeEnergies.first { $0.key.lowercased() == "free_energy" }!
        if energy.value != free.value, labels.energySigmaZero == nil {
          labels.energySigmaZero = energy.value
        }
      } else {
        candidates.insert(energy, at: 0)
      }
    }
    if let first = candidates.first {
      for other in candidates.dropFirst() where !same(first.value, other.value) {
        throw trouble(
          "ambiguous-label",
          "'\(first.key)' (\(first.value)) and '\(other.key)' (\(other.value)) both look like the energy and differ.",
          "Name the key to use.")
      }
      labels.energy = first.value
    }
    try settleStress(into: &labels, trouble)
  }

  private func settleStress(
    into labels: inout Labels, _ trouble: FrameComment.Trouble
  ) throws(Diagnostic) {
    let all = stresses + fromVirials
    guard let first = all.first else { return }
    for other in all.dropFirst() where !agree(first.value, other.value) {
      throw trouble(
        "ambiguous-label",
        "'\(first.key)' and '\(other.key)' do not agree (virial = -volume * stress, tension positive).",
        "Remove the wrong one, or name the key to use.")
    }
    labels.stress = first.value
  }

  private func same(_ a: Double, _ b: Double) -> Bool { a == b || (a.isNaN && b.isNaN) }

  /// Files print six decimals or so: agreement within 1e-5 eV/Å³ and a ten-thousandth.
  private func agree(_ a: Matrix3, _ b: Matrix3) -> Bool {
    var largest = 0.0
    var difference = 0.0
    for row in 0..<3 {
      for column in 0..<3 {
        let (x, y) = (a[row, column], b[row, column])
        if same(x, y) { continue }
        largest = max(largest, max(abs(x), abs(y)))
        guard abs(x - y).isFinite else { return false }
        difference = max(difference, abs(x - y))
      }
    }
    return difference <= 1e-5 + 1e-4 * largest
  }
}
