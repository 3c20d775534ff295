import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit

/// Predicts configurations with a fit and compares with their labels.
struct ErrorMeasurement: Sendable {
  struct Result {
    var lines: [FitSummary.ErrorLine] = []
    var parity: [FitSummary.ParityPoint] = []
    var notes: [String] = []
  }

  /// Sources whose configurations are in memory at a time.
  private static let sourcesAtOnce = 16
  /// Points of one kind in the parity plots.
  private static let paritySample = 1500

  let problem: FitProblem
  let model: Fit
  let options: FitOptions

  private struct Residuals: Sendable {
    var energy: (reference: Double, predicted: Double)?
    var forces: (reference: [Double], predicted: [Double])?
    /// eV/Å³.
    var stress: [Double] = []
  }

  func measure(_ configurations: [SourceArtifact], _ context: StageContext) throws -> Result {
    let potential = try problem.potential(model).potential
    let byDigest = Dictionary(uniqueKeysWithValues: configurations.map { ($0.source.digest, $0.artifact) })
    let shares = shares()
    var table = ErrorTable()
    var parity = ParitySample(limit: Self.paritySample)
    var wanted: [(source: Source, frames: [FeatureIndex.Frame], artifact: Artifact)] = []
    for (source, index) in problem.indices {
      let frames = index.frames.filter { frame in
        let share = isHeldOut(source, frame) ? shares.heldOut : shares.training
        return share == 1 || lot(source, frame) < share
      }
      if !frames.isEmpty, let artifact = byDigest[source.digest] { wanted.append((source, frames, artifact)) }
    }
    for start in stride(from: 0, to: wanted.count, by: Self.sourcesAtOnce) {
      let batch = Array(wanted[start..<min(start + Self.sourcesAtOnce, wanted.count)])
      let read = try concurrentMap(batch.count, threads: context.threads) {
        try Self.read(context.bytes(batch[$0].artifact, "configurations.extxyz"), batch[$0].source.name)
      }
      let places = batch.indices.flatMap { k in batch[k].frames.map { (source: k, frame: $0) } }
      let residuals = try concurrentMap(places.count, threads: context.threads) { k in
        try context.checkCancellation()
        return try self.residuals(potential, read[places[k].source][places[k].frame.frame])
      }
      for (place, residual) in zip(places, residuals) {
        let isHeldOut = isHeldOut(batch[place.source].source, place.frame)
        add(residual, place.frame, heldOut: isHeldOut, &table, &parity)
      }
      context.progress(Double(start + batch.count) / Double(wanted.count), "errors")
    }
    var result = Result(lines: lines(table), parity: parity.points)
    for (what, share) in [("Training", shares.training), ("Held-out", shares.heldOut)] where share < 1 {
      result.notes.append(
        "\(what) errors are those of a sample of about \(options.errorAtoms) atoms, \(percent(share)) of all.")
    }
    if !problem.hasTests {
      result.notes.append("Nothing is held out: there are fewer than five independent runs, or heldOut is 0.")
    }
    return result
  }

  private func isHeldOut(_ source: Source, _ frame: FeatureIndex.Frame) -> Bool {
    problem.isHeldOut(source, frame)
  }

  /// Which share of the frames is looked at. Predicting all of them would take longer the more there are.
  private func shares() -> (training: Double, heldOut: Double) {
    var (training, heldOut) = (0, 0)
    for (source, index) in problem.indices {
      for frame in index.frames {
        if isHeldOut(source, frame) { heldOut += frame.atoms } else { training += frame.atoms }
      }
    }
    func share(_ atoms: Int) -> Double { min(1, Double(options.errorAtoms) / Double(max(1, atoms))) }
    return (share(training), share(heldOut))
  }

  private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }

  /// 0..<1, by content.
  private func lot(_ source: Source, _ frame: FeatureIndex.Frame) -> Double {
    var builder = DigestBuilder()
    builder.add("error sample")
    builder.add(source.digest)
    builder.add(frame.frame)
    return Double(builder.finish().leadingBits >> 11) * 0x1p-53
  }

  private static func read(_ bytes: [UInt8], _ name: String) throws -> [Configuration] {
    var reader = ExtendedXYZReader(MemoryByteSource(bytes), name: name)
    return try reader.readAll()
  }

  private func residuals(_ potential: Potential, _ configuration: Configuration) throws -> Residuals {
    let predicted = try problem.evaluator.evaluate(potential, configuration)
    var residuals = Residuals()
    let atoms = Double(configuration.count)
    if let energy = configuration.labels.energy { residuals.energy = (energy / atoms, predicted.energy / atoms) }
    if let forces = configuration.labels.forces {
      residuals.forces = (forces.flatMap(Self.components), predicted.forces.flatMap(Self.components))
    }
    if let stress = configuration.labels.stress, let own = predicted.stress {
      for k in 0..<3 {
        residuals.stress += zip(Self.components(own[k]), Self.components(stress[k])).map { $0 - $1 }
      }
    }
    return residuals
  }

  private func add(
    _ residuals: Residuals, _ frame: FeatureIndex.Frame, heldOut: Bool, _ table: inout ErrorTable,
    _ parity: inout ParitySample
  ) {
    let split = heldOut ? ErrorTable.Split.heldOut : .train
    if let (reference, predicted) = residuals.energy {
      table.add([predicted - reference], group: frame.group, quantity: .energy, split: split)
      parity.add("energy", reference, predicted, heldOut)
    }
    if let (reference, predicted) = residuals.forces {
      table.add(zip(predicted, reference).map { $0 - $1 }, group: frame.group, quantity: .force, split: split)
      for (a, b) in zip(reference, predicted) { parity.add("force", a, b, heldOut) }
    }
    table.add(residuals.stress, group: frame.group, quantity: .stress, split: split)
  }

  private func lines(_ table: ErrorTable) -> [FitSummary.ErrorLine] {
    let groups = Set(table.entries.map(\.group))
    let entries = table.totals.map { ("all", $0) } + (groups.count > 1 ? table.entries.map { ($0.group, $0) } : [])
    return entries.map { group, entry in
      FitSummary.ErrorLine(
        group: group.isEmpty ? "(no group)" : group, quantity: entry.quantity.rawValue, unit: entry.quantity.unit,
        heldOut: entry.split == .heldOut, count: entry.count, meanAbsolute: entry.meanAbsolute,
        rootMeanSquare: entry.rootMeanSquare, largest: entry.maximum)
    }
  }

  private static func components(_ v: Vector3) -> [Double] { [v.x, v.y, v.z] }
}

/// Keeps every n-th point, with n doubling whenever there are too many: bounded, and the same for the
/// same sequence.
private struct ParitySample {
  let limit: Int
  private var strides: [String: Int] = [:]
  private var counts: [String: Int] = [:]
  private var kept: [String: [(number: Int, point: FitSummary.ParityPoint)]] = [:]

  init(limit: Int) { self.limit = limit }

  mutating func add(_ quantity: String, _ reference: Double, _ predicted: Double, _ heldOut: Bool) {
    let number = counts[quantity, default: 0]
    counts[quantity] = number + 1
    var stride = strides[quantity, default: 1]
    guard number % stride == 0 else { return }
    kept[quantity, default: []].append(
      (
        number,
        FitSummary.ParityPoint(quantity: quantity, reference: reference, predicted: predicted, heldOut: heldOut)
      ))
    if kept[quantity]!.count > limit {
      stride *= 2
      strides[quantity] = stride
      kept[quantity]!.removeAll { $0.number % stride != 0 }
    }
  }

  var points: [FitSummary.ParityPoint] { kept.keys.sorted().flatMap { kept[$0]!.map(\.point) } }
}
