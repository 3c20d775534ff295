import ACE
import Configurations
import Platform
import Regression
import StageKit

/// What rows are multiplied by beyond the weights of their group and kind: by energy, as outliers, or not at
/// all where they are to test the fit.
struct Emphasis: Sendable {
  /// Rows that are weighted alike.
  struct Unit: Hashable, Sendable {
    let source: Digest
    let block: Int
    let group: String
    let level: Int
  }

  struct OutlierUnit: Hashable, Sendable {
    let unit: Unit
    let kind: RowKind
  }

  private let tests: TestSelection
  /// Where weights differ by energy.
  private let byEnergy: [Unit: Double]
  /// Sources whose isolated atoms give reference energies and are not fitted.
  private let exact: Set<Digest>
  /// What stands out.
  var outliers: [OutlierUnit: Double] = [:]

  init(
    _ indices: [(source: Source, index: FeatureIndex)], _ options: FitOptions, elements: [String],
    references: ReferenceEnergies
  ) {
    tests = options.tests
    // Energies that are given leave nothing to learn from a lone atom.
    let known = Set(zip(elements, references.fixed).filter { $1 != nil }.map(\.0))
    exact = Set(
      indices.filter { !$0.index.isolatedAtoms.isEmpty && known.isSuperset(of: $0.index.isolatedAtoms.keys) }
        .map(\.source.digest))
    byEnergy =
      options.weighting.energy.map { Self.byEnergy($0, indices, options.tests, elements: elements.count) } ?? [:]
  }

  func multiplier(of key: RowKey, in source: Digest) -> Double {
    if tests.contains(source, group: key.group) { return 0 }
    if key.level == EnergyLevel.isolatedAtom { return exact.contains(source) ? 0 : 1 }
    if outliers.isEmpty && byEnergy.isEmpty { return 1 }
    let unit = Unit(source: source, block: key.block, group: key.group, level: key.level)
    let outlier = outliers.isEmpty ? 1 : outliers[OutlierUnit(unit: unit, kind: key.kind)] ?? 1
    return outlier * (byEnergy[unit] ?? 1)
  }

  /// The weight of the mean energy of each unit's frames above the reference.
  private static func byEnergy(
    _ weights: EnergyWeights, _ indices: [(source: Source, index: FeatureIndex)], _ tests: TestSelection,
    elements: Int
  ) -> [Unit: Double] {
    func isLearned(_ source: Source, _ frame: FeatureIndex.Frame) -> Bool {
      frame.level != EnergyLevel.isolatedAtom && !tests.contains(source.digest, group: frame.group)
    }
    var state = GroundState(elements: elements)
    for (source, index) in indices {
      for frame in index.frames where isLearned(source, frame) {
        if let energy = frame.energyPerAtom { state.add(composition: frame.composition, energyPerAtom: energy) }
      }
    }
    let hull = weights.reference == .hull ? state.hull() : nil
    var sums: [Unit: (energy: Double, count: Int)] = [:]
    for (source, index) in indices {
      for frame in index.frames where isLearned(source, frame) {
        guard let energy = frame.energyPerAtom,
          let reference = hull.map({ $0.energy(of: frame.composition) }) ?? state.lowestEnergy(of: frame.composition)
        else { continue }
        let unit = Unit(source: source.digest, block: frame.block, group: frame.group, level: frame.level)
        let sum = sums[unit, default: (0, 0)]
        sums[unit] = (sum.energy + max(0, energy - reference), sum.count + 1)
      }
    }
    return sums.mapValues { weights.multiplier(above: $0.energy / Double($0.count)) }
  }
}
