/// Residuals come in, configuration by configuration; counts, MAE, RMSE and the largest go out, by
/// group, quantity, and whether the fit saw them.
///
/// Sums run in the order in which residuals are added and tables merged: keep to digest order.
public struct ErrorTable: Sendable, Equatable, Codable {
  public enum Quantity: String, Sendable, Codable, CaseIterable, Comparable {
    /// meV/atom.
    case energy
    /// Components, meV/Å.
    case force
    /// Lengths of force vectors, meV/Å.
    case forceMagnitude
    /// Components, GPa.
    case stress

    public var unit: String {
      switch self {
      case .energy: "meV/atom"
      case .force, .forceMagnitude: "meV/Å"
      case .stress: "GPa"
      }
    }

    /// From eV/atom, eV/Å and eV/Å³ to the unit above.
    public var scale: Double { self == .stress ? 160.2176634 : 1000 }

    public static func < (a: Quantity, b: Quantity) -> Bool { a.rawValue < b.rawValue }
  }

  public enum Split: String, Sendable, Codable, CaseIterable, Comparable {
    case train
    case heldOut

    public static func < (a: Split, b: Split) -> Bool { a == .train && b == .heldOut }
  }

  public struct Entry: Sendable, Equatable, Codable {
    public var group: String
    public var quantity: Quantity
    public var split: Split
    public var count: Int
    /// In the quantity's unit.
    public var sumOfMagnitudes: Double
    public var sumOfSquares: Double
    public var maximum: Double
    /// Residuals that were not finite; they are in none of the sums.
    public var notFinite: Int
    /// Of the reference values that came with residuals: mean, and sum of squared deviations from it.
    public var referenceMean = 0.0
    public var referenceSpread = 0.0
    /// Residuals that came with a reference value.
    public var referenced = 0

    public var meanAbsolute: Double { count > 0 ? sumOfMagnitudes / Double(count) : 0 }
    public var rootMeanSquare: Double {
      count > 0 ? (sumOfSquares / Double(count)).squareRoot() : 0
    }
    /// R² = 1 - Σ residual²/Σ (reference - mean)²; nil without reference values, or where they are all the same.
    public var determination: Double? {
      // A spread below rounding is none.
      let rounding = 1e-24 * Double(count) * referenceMean * referenceMean
      guard referenced == count, count > 1, referenceSpread > rounding else { return nil }
      return 1 - sumOfSquares / referenceSpread
    }

    mutating func add(_ other: Entry) {
      count += other.count
      sumOfMagnitudes += other.sumOfMagnitudes
      sumOfSquares += other.sumOfSquares
      maximum = max(maximum, other.maximum)
      notFinite += other.notFinite
      let all = referenced + other.referenced
      guard all > 0 else { return }
      let apart = other.referenceMean - referenceMean
      let share = Double(other.referenced) / Double(all)
      referenceMean += apart * share
      referenceSpread += other.referenceSpread + apart * apart * share * Double(referenced)
      referenced = all
    }

    fileprivate func precedes(_ other: Entry) -> Bool {
      if group != other.group { return group.utf8.lexicographicallyPrecedes(other.group.utf8) }
      return quantity != other.quantity ? quantity < other.quantity : split < other.split
    }
  }

  /// By group, then energy, force, stress, then train before held-out.
  public private(set) var entries: [Entry] = []

  public init() {}

  /// Adds residuals in eV/atom, eV/Å or eV/Å³.
  /// - Parameter references: what was to be predicted, for R²: as many, or none.
  public mutating func add(
    _ residuals: [Double], references: [Double] = [], group: String, quantity: Quantity, split: Split
  ) {
    precondition(references.isEmpty || references.count == residuals.count, "one reference per residual")
    guard !residuals.isEmpty else { return }
    var entry = Entry(
      group: group, quantity: quantity, split: split, count: 0, sumOfMagnitudes: 0, sumOfSquares: 0,
      maximum: 0, notFinite: 0)
    for (index, residual) in residuals.enumerated() {
      let magnitude = abs(residual) * quantity.scale
      guard magnitude < 1e150 else {
        entry.notFinite += 1
        continue
      }
      entry.count += 1
      entry.sumOfMagnitudes += magnitude
      entry.sumOfSquares += magnitude * magnitude
      entry.maximum = max(entry.maximum, magnitude)
      guard !references.isEmpty, references[index].isFinite else { continue }
      entry.referenced += 1
      let apart = references[index] * quantity.scale - entry.referenceMean
      entry.referenceMean += apart / Double(entry.referenced)
      entry.referenceSpread += apart * (references[index] * quantity.scale - entry.referenceMean)
    }
    add(entry)
  }

  /// Adds all of another table.
  public mutating func merge(_ other: ErrorTable) {
    for entry in other.entries { add(entry) }
  }

  private mutating func add(_ entry: Entry) {
    if let index = entries.firstIndex(where: { !$0.precedes(entry) }) {
      if entry.precedes(entries[index]) {
        entries.insert(entry, at: index)
      } else {
        entries[index].add(entry)
      }
    } else {
      entries.append(entry)
    }
  }

  /// The entry of a group, nil where nothing was added.
  public func entry(group: String, quantity: Quantity, split: Split) -> Entry? {
    entries.first { $0.group == group && $0.quantity == quantity && $0.split == split }
  }

  /// All groups together, by quantity and split.
  public var totals: [Entry] {
    var sums = ErrorTable()
    for entry in entries {
      var entry = entry
      entry.group = ""
      sums.add(entry)
    }
    return sums.entries
  }

  /// Lines of one width each, a heading first: group, quantity, split, count, MAE, RMSE, maximum, R².
  public var lines: [String] {
    let heading = ["group", "quantity", "set", "count", "MAE", "RMSE", "max", "R²", "unit", ""]
    let rows = (entries + totals).map { entry in
      [
        entry.group.isEmpty ? "(all)" : entry.group, entry.quantity.rawValue,
        entry.split == .train ? "train" : "held-out", String(entry.count),
        Self.text(entry.meanAbsolute), Self.text(entry.rootMeanSquare), Self.text(entry.maximum),
        entry.determination.map(Self.text) ?? "-", entry.quantity.unit,
        entry.notFinite > 0 ? "\(entry.notFinite) not finite" : "",
      ]
    }
    let table = [heading] + rows
    let widths = heading.indices.map { column in table.map { $0[column].count }.max()! }
    return table.map { row in
      row.indices.map { column in
        let space = String(repeating: " ", count: widths[column] - row[column].count)
        return (3...7).contains(column) ? space + row[column] : row[column] + space
      }.joined(separator: "  ")
    }
  }

  /// Three decimals, without the locale.
  static func text(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return value.isNaN ? "nan" : "\(value)" }
    let thousandths = Int((abs(value) * 1000).rounded(.toNearestOrEven))
    let digits = String(thousandths % 1000)
    let sign = value < 0 && thousandths > 0 ? "-" : ""
    let zeros = String(repeating: "0", count: 3 - digits.count)
    return "\(sign)\(thousandths / 1000).\(zeros)\(digits)"
  }
}
