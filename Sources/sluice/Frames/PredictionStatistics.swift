import ACE
import Configurations
import Report
import StageKit

/// Differences between predictions and the labels of the same frames: meV per atom, meV/Å per component.
struct PredictionErrors: Sendable, Encodable {
  var energyFrames: Int
  var energyMAE: Double?
  var energyRMSE: Double?
  var forceComponents: Int
  var forceMAE: Double?
  var forceRMSE: Double?

  private enum CodingKeys: String, CodingKey {
    case energyFrames = "energy_frames"
    case energyMAE = "energy_mae_mev_per_atom"
    case energyRMSE = "energy_rmse_mev_per_atom"
    case forceComponents = "force_components"
    case forceMAE = "force_mae_mev_per_angstrom"
    case forceRMSE = "force_rmse_mev_per_angstrom"
  }
}

/// What is counted while frames are predicted; sums are made frame by frame, then batch by batch in order.
struct PredictionStatistics: Sendable {
  private struct Sums: Sendable {
    var count = 0
    var absolute = 0.0
    var square = 0.0

    mutating func add(_ difference: Double) {
      count += 1
      absolute += abs(difference)
      square += difference * difference
    }

    mutating func add(_ other: Sums) {
      count += other.count
      absolute += other.absolute
      square += other.square
    }

    /// Thousandths.
    var mean: Double? { count > 0 ? 1000 * absolute / Double(count) : nil }
    var root: Double? { count > 0 ? 1000 * (square / Double(count)).squareRoot() : nil }
  }

  private var energy = Sums()
  private var forces = Sums()
  private var uncertainties: [ErrorBars.Quantity: UncertaintyCounts] = [:]
  private(set) var atoms = 0
  /// Processor time.
  var seconds = 0.0

  mutating func add(_ evaluation: Evaluation, _ errors: PredictedErrors?, _ configuration: Configuration) {
    atoms += configuration.count
    if let errors { add(evaluation, errors, configuration) }
    // What another force field said is no reference.
    guard !configuration.labels.machineLearned else { return }
    if let label = configuration.labels.energy, label.isFinite {
      energy.add((evaluation.energy - label) / Double(configuration.count))
    }
    guard let labels = configuration.labels.forces else { return }
    for (force, label) in zip(evaluation.forces, labels) where dot(label, label).isFinite {
      for k in 0..<3 { forces.add(force[k] - label[k]) }
    }
  }

  private mutating func add(_ evaluation: Evaluation, _ errors: PredictedErrors, _ configuration: Configuration) {
    let labels = configuration.labels.machineLearned ? Labels() : configuration.labels
    func judge(_ quantity: ErrorBars.Quantity, _ bar: Double, _ errors: [Double]) {
      uncertainties[quantity, default: .init()].add(bar)
      for error in errors where error.isFinite { uncertainties[quantity]!.add(error, within: bar) }
    }
    if let bar = errors.energy {
      judge(.energy, bar, labels.energy.map { [(evaluation.energy - $0) / Double(configuration.count)] } ?? [])
    }
    for (atom, bar) in (errors.forces ?? []).enumerated() {
      let error = labels.forces.map { evaluation.forces[atom] - $0[atom] }
      judge(.force, bar, error.map { [$0.x, $0.y, $0.z] } ?? [])
    }
    if let bar = errors.stress, let own = evaluation.stress {
      let error = labels.stress.map { own + (-1) * $0 }
      judge(.stress, bar, error.map { [$0.x, $0.y, $0.z].flatMap { [$0.x, $0.y, $0.z] } } ?? [])
    }
  }

  /// What was said of errors; nil without an ensemble.
  func uncertainties(_ bars: ErrorBars?) -> [UncertaintySummary]? {
    bars.map { bars in
      ErrorBars.Quantity.allCases.map { UncertaintySummary($0, bars, uncertainties[$0] ?? .init()) }
    }
  }

  mutating func add(_ other: PredictionStatistics) {
    uncertainties.merge(other.uncertainties) { own, other in
      var sum = own
      sum.add(other)
      return sum
    }
    energy.add(other.energy)
    forces.add(other.forces)
    atoms += other.atoms
    seconds += other.seconds
  }

  var microsecondsPerAtom: Double? { atoms > 0 ? 1e6 * seconds / Double(atoms) : nil }

  /// nil where no frame had a label.
  var errors: PredictionErrors? {
    guard energy.count + forces.count > 0 else { return nil }
    return PredictionErrors(
      energyFrames: energy.count, energyMAE: energy.mean, energyRMSE: energy.root,
      forceComponents: forces.count, forceMAE: forces.mean, forceRMSE: forces.root)
  }

  func lines(seconds wall: Double, _ bars: ErrorBars?) -> [String] {
    var lines: [String] = []
    if let time = microsecondsPerAtom {
      lines.append("\(shown(time)) µs of processor time per atom; \(shown(wall)) s in all")
    }
    if let mean = energy.mean, let root = energy.root {
      lines.append("energy  MAE \(shown(mean)), RMSE \(shown(root)) meV/atom of \(energy.count) labelled frames")
    }
    if let mean = forces.mean, let root = forces.root {
      lines.append("forces  MAE \(shown(mean)), RMSE \(shown(root)) meV/Å of \(forces.count) components")
    }
    for said in uncertainties(bars) ?? [] {
      guard said.calibrated else {
        lines.append("\(said.name): not written, \(said.reason ?? "")")
        continue
      }
      guard let mean = said.rootMeanSquare, let largest = said.largest else { continue }
      var line = "\(said.name): RMS \(shown(mean)), at most \(shown(largest)) \(said.unit)"
      if let one = said.labelledWithinOne, let two = said.labelledWithinTwo {
        line += "; \(percent(one)) and \(percent(two)) of \(said.labelled) errors within one and two of them"
      }
      lines.append(line)
    }
    return lines
  }

  private func percent(_ share: Double) -> String { "\(NumberText().fixed(100 * share, 0)) %" }

  private func shown(_ value: Double) -> String { NumberText().significant(value, 3) }
}
