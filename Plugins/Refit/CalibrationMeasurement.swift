// A fit, its ensemble and frames that neither saw come in; how deviations and errors agree goes out.

import ACE
import Configurations
import LinearAlgebra
import Novelty
import Platform
import Regression
import StageKit

/// Holds the ensemble of the fit that never saw the held-out frames against its errors there.
struct CalibrationMeasurement: Sendable {
  /// About how many atoms of held-out frames are looked at: all members predict them.
  private static let atoms = 2000
  private static let sourcesAtOnce = 16

  let problem: FitProblem
  /// The fit whose errors are measured.
  let model: Fit
  /// Its ensemble; of the same rows.
  let ensemble: Ensemble

  private struct Chosen: Sendable {
    var source: Source
    var artifact: Artifact
    var frame: FeatureIndex.Frame
    var unit: Int
  }

  /// Error and standard deviation of each value: energies per atom (eV), components of forces (eV/Å) and of
  /// stresses (eV/Å³).
  private struct Values: Sendable {
    var energies: [DeviationCalibration.Value] = []
    var forces: [DeviationCalibration.Value] = []
    var stresses: [DeviationCalibration.Value] = []
  }

  func measure(_ configurations: [SourceArtifact], _ context: StageContext) throws -> [FitSummary.Calibration] {
    let chosen = chosen(configurations)
    let potential = try problem.potential(model).potential
    var all = Values()
    for batch in Self.batches(chosen) {
      var read: [Digest: [Configuration]] = [:]
      for entry in batch where read[entry.source.digest] == nil {
        var reader = ExtendedXYZReader(
          MemoryByteSource(try context.bytes(entry.artifact, "configurations.extxyz")), name: entry.source.name)
        read[entry.source.digest] = try reader.readAll()
      }
      let parts = try concurrentMap(batch.count, threads: context.threads) { [read] k in
        try context.checkCancellation()
        return try values(read[batch[k].source.digest]![batch[k].frame.frame], potential, batch[k])
      }
      for part in parts {
        all.energies += part.energies
        all.forces += part.forces
        all.stresses += part.stresses
      }
    }
    let kinds = [
      ("energy", "meV/atom", 1000, all.energies), ("force", "meV/Å", 1000, all.forces),
      ("stress", "GPa", 160.2176634, all.stresses),
    ]
    return kinds.compactMap { name, unit, factor, values in
      DeviationCalibration(values).map { .init($0, name, unit: unit, factor: factor) }
    }
  }

  /// Held-out frames in an order that content decides, until there are enough atoms; then by source.
  private func chosen(_ configurations: [SourceArtifact]) -> [Chosen] {
    let byDigest = Dictionary(uniqueKeysWithValues: configurations.map { ($0.source.digest, $0.artifact) })
    var places: [(lot: Digest, chosen: Chosen)] = []
    for (source, index) in problem.indices {
      guard let artifact = byDigest[source.digest] else { continue }
      for frame in index.frames where problem.isHeldOut(source, frame) && frame.level != EnergyLevel.isolatedAtom {
        // Stretches of one run are one unit.
        let unit = FitProblem.lot("calibration unit", source.digest, frame.run.map { -1 - $0 } ?? frame.block)
        places.append(
          (
            FitProblem.lot("calibration", source.digest, frame.frame),
            Chosen(source: source, artifact: artifact, frame: frame, unit: Int(unit.leadingBits >> 1))
          ))
      }
    }
    places.sort { $0.lot < $1.lot }
    var (kept, atoms) = ([Chosen](), 0)
    for place in places where atoms < Self.atoms {
      kept.append(place.chosen)
      atoms += place.chosen.frame.atoms
    }
    return kept.sorted { ($0.source.digest, $0.frame.frame) < ($1.source.digest, $1.frame.frame) }
  }

  private static func batches(_ chosen: [Chosen]) -> [[Chosen]] {
    var batches: [[Chosen]] = []
    var sources: Set<Digest> = []
    for entry in chosen {
      if batches.isEmpty || sources.count == sourcesAtOnce && !sources.contains(entry.source.digest) {
        batches.append([])
        sources = []
      }
      sources.insert(entry.source.digest)
      batches[batches.count - 1].append(entry)
    }
    return batches
  }

  private func values(
    _ configuration: Configuration, _ potential: Potential, _ chosen: Chosen
  ) throws -> Values {
    let (said, members, _) = try problem.evaluator.evaluate(
      potential, members: ensemble.coefficients, configuration)
    let deviation = try EnsembleDeviation(
      members, of: configuration, basis: problem.evaluator.basis, referenceEnergies: ensemble.referenceEnergies)
    func value(_ error: Double, _ deviation: Double) -> DeviationCalibration.Value {
      .init(error: error, deviation: deviation, unit: chosen.unit, group: chosen.frame.group)
    }
    var values = Values()
    if let energy = configuration.labels.energy {
      values.energies.append(value((said.energy - energy) / Double(configuration.count), deviation.energy))
    }
    if let forces = configuration.labels.forces {
      for (atom, (force, spread)) in zip(forces, deviation.forceComponentDeviations).enumerated() {
        let error = said.forces[atom] - force
        for k in 0..<3 { values.forces.append(value(error[k], spread)) }
      }
    }
    if let stress = configuration.labels.stress, let own = said.stress, let spread = deviation.stressComponentDeviation
    {
      let error = own + (-1) * stress
      for row in [error.x, error.y, error.z] { for k in 0..<3 { values.stresses.append(value(row[k], spread)) } }
    }
    return values
  }
}

extension FitSummary.Calibration {
  /// - Parameter factor: from the values' unit to `unit`.
  fileprivate init(_ own: DeviationCalibration, _ quantity: String, unit: String, factor: Double) {
    self.init(
      quantity: quantity, unit: unit, values: own.values, units: own.units, rawRatio: own.rawRatio, scale: own.scale,
      floor: own.floor * factor, checkedRatio: own.checkedRatio, withinOne: own.withinOne, withinTwo: own.withinTwo,
      coverage: own.coverage.map { .init(bars: $0.bars, expected: $0.expected, observed: $0.observed) },
      rankCorrelation: own.rankCorrelation, largestErrorsAUC: own.largestErrorsAUC,
      groups: own.groups.map { .init(name: $0.name, values: $0.values, ratio: $0.ratio) },
      isCalibrated: own.isCalibrated)
  }
}
