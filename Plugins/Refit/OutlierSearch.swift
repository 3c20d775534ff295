import Configurations
import Platform
import Regression
import StageKit

/// Rows of one kind of a block that stand out.
struct Outlier: Sendable {
  let unit: Emphasis.OutlierUnit
  /// In units of the rows; energies per atom.
  let error: Double
  let limit: Double
  let multiplier: Double
  /// Ionic steps (frames of a collection) that it consists of.
  var steps: [Int] = []

  private var unitName: String {
    switch unit.kind {
    case .energy: "meV/atom"
    case .force: "meV/Å"
    case .stress: "meV/√atom"
    }
  }

  var summary: FitSummary.Outlier {
    FitSummary.Outlier(
      source: unit.unit.source, name: unit.unit.source.short, steps: steps, group: unit.unit.group,
      quantity: unit.kind.rawValue, error: 1000 * error, limit: 1000 * limit, unit: unitName, multiplier: multiplier)
  }

  /// The engine knows sources' names; here the place is the digest's first digits.
  var diagnostic: Diagnostic {
    func text(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
    let shown = steps.prefix(5).map(String.init).joined(separator: ", ")
    let more = steps.count > 5 ? " and \(steps.count - 5) more" : ""
    return Diagnostic(
      .warning, code: "outlier", place: .init(file: unit.unit.source.short),
      cause: "\(unit.kind.rawValue) errors of \(text(1000 * error)) \(unitName) (root mean square of "
        + "\(steps.count == 1 ? "step" : "steps") \(shown)\(more)), where \(text(1000 * limit)) is the most that is "
        + "not unusual; these labels count \(text(1 / multiplier)) times less.",
      remedy: "Look at this calculation: other settings, a state that did not converge, a broken geometry?")
  }
}

/// Errors of all units come in; which of them stand out goes out.
struct OutlierSearch {
  struct Unit: Sendable {
    let source: Digest
    let error: LeafError
  }

  /// In the order of sources, blocks and kinds.
  private(set) var outliers: [Outlier] = []
  private(set) var multipliers: [Emphasis.OutlierUnit: Double] = [:]
  private(set) var notes: [String] = []

  /// Errors are compared within a group where it has enough units, otherwise with all.
  init(_ rule: OutlierRule, _ leaves: [Unit]) throws {
    for kind in RowKind.allCases {
      let units = Self.units(leaves.filter { $0.error.key.kind == kind && $0.error.key.level >= 0 }, kind)
      guard !units.isEmpty else { continue }
      guard let general = rule.limit(units.map(\.error)) else {
        notes.append("Outliers of \(kind.rawValue) rows: only \(units.count) independent blocks, too few to tell.")
        continue
      }
      let groups = Dictionary(grouping: units) { $0.unit.unit.group }
      for item in units {
        let limit = rule.limit(groups[item.unit.unit.group]!.map(\.error)) ?? general
        let multiplier = rule.multiplier(error: item.error, limit: limit)
        guard multiplier < 1 else { continue }
        multipliers[item.unit] = multiplier
        outliers.append(Outlier(unit: item.unit, error: item.error, limit: limit, multiplier: multiplier))
      }
    }
  }

  /// Leaves that differ in the number of atoms alone are one unit; energies are taken per atom.
  private static func units(_ leaves: [Unit], _ kind: RowKind) -> [(unit: Emphasis.OutlierUnit, error: Double)] {
    var sums: [Emphasis.OutlierUnit: (squares: Double, rows: Int)] = [:]
    var order: [Emphasis.OutlierUnit] = []
    for leaf in leaves {
      let key = leaf.error.key
      let name = Emphasis.OutlierUnit(
        unit: .init(source: leaf.source, block: key.block, group: key.group, level: key.level), kind: kind)
      if sums[name] == nil { order.append(name) }
      let sum = sums[name, default: (0, 0)]
      let squares =
        kind == .energy ? leaf.error.perAtomSquares ?? leaf.error.residualSquares : leaf.error.residualSquares
      sums[name] = (sum.squares + squares, sum.rows + leaf.error.rows)
    }
    return order.map { ($0, (sums[$0]!.squares / Double(sums[$0]!.rows)).squareRoot()) }
  }
}
