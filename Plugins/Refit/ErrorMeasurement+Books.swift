// Frames with their labels and predictions come in, one after the other; tables of errors go out.

import Configurations
import Platform
import Regression
import StageKit

extension ErrorMeasurement {
  /// Everything that is counted, frame by frame in digest order.
  struct Books {
    var table = ErrorTable()
    private var byElement = ErrorTable()
    private var byComposition = ErrorTable()
    /// Fitted and left out, as the parts that tables know.
    private var sources: [(source: Digest, group: String, configurations: Int, table: ErrorTable)] = []
    private var groups: [String: (configurations: Int, table: ErrorTable)] = [:]
    private var curve: [ErrorTable]
    var parity: ParitySample

    init(curve: Int, parity: ParitySample) {
      self.curve = Array(repeating: ErrorTable(), count: curve)
      self.parity = parity
    }

    var compositions: Int { Set(byComposition.entries.map(\.group)).count }

    mutating func add(
      _ configuration: Configuration, _ predictions: [Prediction], _ panel: Panel, _ frame: FeatureIndex.Frame,
      _ source: Digest, heldOut: Bool
    ) {
      let split = heldOut ? ErrorTable.Split.heldOut : .train
      Self.add(configuration, predictions[0], to: &table, group: frame.group, split)
      addElements(configuration, predictions[0], split)
      if let energy = configuration.labels.energy, let predicted = predictions[0].energy {
        let atoms = Double(configuration.count)
        byComposition.add(
          [(predicted - energy) / atoms], references: [energy / atoms], group: configuration.reducedFormula,
          quantity: .energy, split: split)
        parity.add("energy", energy / atoms, predicted / atoms, heldOut)
      }
      if let forces = configuration.labels.forces, let predicted = predictions[0].forces {
        let pairs = zip(forces.flatMap { components($0) }, predicted.flatMap { components($0) })
        for (reference, own) in pairs { parity.add("force", reference, own, heldOut) }
      }
      if let without = panel.withoutSource {
        if sources.last?.source != source { sources.append((source, frame.group, 0, ErrorTable())) }
        let last = sources.count - 1
        sources[last].configurations += 1
        Self.add(configuration, predictions[panel.whole], to: &sources[last].table, group: "", .train)
        Self.add(configuration, predictions[without], to: &sources[last].table, group: "", .heldOut)
      }
      if let without = panel.withoutGroup {
        var entry = groups[frame.group] ?? (0, ErrorTable())
        entry.configurations += 1
        Self.add(configuration, predictions[panel.whole], to: &entry.table, group: "", .train)
        Self.add(configuration, predictions[without], to: &entry.table, group: "", .heldOut)
        groups[frame.group] = entry
      }
      if let first = panel.curve {
        for point in curve.indices {
          Self.add(configuration, predictions[first + point], to: &curve[point], group: "", .heldOut)
        }
      }
    }

    private static func add(
      _ configuration: Configuration, _ predicted: Prediction, to table: inout ErrorTable, group: String,
      _ split: ErrorTable.Split
    ) {
      let atoms = Double(configuration.count)
      let labels = configuration.labels
      if let energy = labels.energy, let own = predicted.energy {
        table.add(
          [(own - energy) / atoms], references: [energy / atoms], group: group, quantity: .energy, split: split)
      }
      if let forces = labels.forces, let own = predicted.forces {
        let flat = forces.flatMap { components($0) }
        table.add(
          zip(own.flatMap { components($0) }, flat).map { $0 - $1 }, references: flat, group: group, quantity: .force,
          split: split)
        let lengths = forces.map(length)
        table.add(
          zip(own.map(length), lengths).map { $0 - $1 }, references: lengths, group: group, quantity: .forceMagnitude,
          split: split)
      }
      if let stress = labels.stress, let own = predicted.stress {
        let flat = components(stress)
        table.add(
          zip(own, flat).map { $0 - $1 }, references: flat, group: group, quantity: .stress, split: split)
      }
    }

    private mutating func addElements(
      _ configuration: Configuration, _ predicted: Prediction, _ split: ErrorTable.Split
    ) {
      guard let forces = configuration.labels.forces, let own = predicted.forces else { return }
      for element in Set(configuration.species) {
        let atoms = configuration.species.indices.filter { configuration.species[$0] == element }
        let flat = atoms.flatMap { components(forces[$0]) }
        byElement.add(
          zip(atoms.flatMap { components(own[$0]) }, flat).map { $0 - $1 }, references: flat, group: element.symbol,
          quantity: .force, split: split)
      }
    }

    func result(_ fits: [LearningFit]) -> Result {
      var result = Result()
      let names = Set(table.entries.map(\.group))
      result.lines =
        table.totals.map { line($0, "all") } + (names.count > 1 ? table.entries.map { line($0, $0.group) } : [])
      result.elements = byElement.entries.map { line($0, $0.group) }
      var sizes: [String: Int] = [:]
      for entry in byComposition.entries { sizes[entry.group, default: 0] += entry.count }
      let largest = Set(
        sizes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(ErrorMeasurement.mostCompositions).map(\.key))
      result.compositions = byComposition.entries.filter { largest.contains($0.group) }.map { line($0, $0.group) }
      result.sources = sources.map { entry in
        FitSummary.LeftOut(
          source: entry.source, group: entry.group, configurations: entry.configurations,
          fitted: errors(entry.table, .train), leftOut: errors(entry.table, .heldOut))
      }
      .sorted { (severity($1.leftOut, result.lines), $0.source!) < (severity($0.leftOut, result.lines), $1.source!) }
      result.groups = groups.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { group, entry in
        FitSummary.LeftOut(
          source: nil, group: group.isEmpty ? "(no group)" : group, configurations: entry.configurations,
          fitted: errors(entry.table, .train), leftOut: errors(entry.table, .heldOut))
      }
      result.curve = zip(fits, curve).compactMap { fit, table in
        guard !table.entries.isEmpty else { return nil }
        return FitSummary.LearningPoint(
          units: fit.units, configurations: fit.configurations, heldOut: errors(table, .heldOut))
      }
      return result
    }

    /// The larger of energy and force error, each over what is usual in training.
    private func severity(_ errors: FitSummary.Errors, _ lines: [FitSummary.ErrorLine]) -> Double {
      func usual(_ quantity: String) -> Double {
        lines.first { $0.group == "all" && $0.quantity == quantity && !$0.heldOut }?.rootMeanSquare ?? 0
      }
      let shares = [(errors.energy, usual("energy")), (errors.force, usual("force"))].compactMap { error, usual in
        error.map { usual > 0 ? $0 / usual : 0 }
      }
      return shares.max() ?? 0
    }

    private func errors(_ table: ErrorTable, _ split: ErrorTable.Split) -> FitSummary.Errors {
      func error(_ quantity: ErrorTable.Quantity) -> Double? {
        table.entry(group: "", quantity: quantity, split: split)?.rootMeanSquare
      }
      return FitSummary.Errors(energy: error(.energy), force: error(.force), stress: error(.stress))
    }

    private func line(_ entry: ErrorTable.Entry, _ group: String) -> FitSummary.ErrorLine {
      FitSummary.ErrorLine(
        group: group.isEmpty ? "(no group)" : group, quantity: entry.quantity.rawValue, unit: entry.quantity.unit,
        heldOut: entry.split == .heldOut, count: entry.count, meanAbsolute: entry.meanAbsolute,
        rootMeanSquare: entry.rootMeanSquare, largest: entry.maximum, determination: entry.determination)
    }
  }
}

/// Row by row.
func components(_ m: Matrix3) -> [Double] { [m.x, m.y, m.z].flatMap { components($0) } }
func components(_ v: Vector3) -> [Double] { [v.x, v.y, v.z] }

extension Configuration {
  /// The formula of the smallest unit: "Al2Ti6" is "AlTi3".
  fileprivate var reducedFormula: String {
    var counts: [String: Int] = [:]
    for element in species { counts[element.symbol, default: 0] += 1 }
    func divisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : divisor(b, a % b) }
    let common = max(1, counts.values.reduce(0, divisor))
    return counts.sorted { $0.key < $1.key }.map { symbol, count in
      count == common ? symbol : "\(symbol)\(count / common)"
    }.joined()
  }
}
