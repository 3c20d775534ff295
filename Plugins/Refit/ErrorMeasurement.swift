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
    let training = problem.indices.reduce(0) { sum, entry in
      sum + entry.index.frames.count { !isHeldOut(entry.source, $0) }
    }
    let share = min(1, Double(options.errorFrames) / Double(max(1, training)))
    var table = ErrorTable()
    var parity = ParitySample(limit: Self.paritySample)
    for (number, (source, index)) in problem.indices.enumerated() {
      let frames = index.frames.filter { isHeldOut(source, $0) || share == 1 || lot(source, $0) < share }
      guard !frames.isEmpty, let artifact = byDigest[source.digest] else { continue }
      let all = try Self.read(context.bytes(artifact, "configurations.extxyz"), source.name)
      let residuals = try concurrentMap(frames.count, threads: context.threads) { k in
        try context.checkCancellation()
        return try self.residuals(potential, all[frames[k].frame])
      }
      for (frame, residual) in zip(frames, residuals) {
        add(residual, frame, heldOut: isHeldOut(source, frame), &table, &parity)
      }
      context.progress(Double(number + 1) / Double(problem.indices.count), "errors")
    }
    var result = Result(lines: lines(table), parity: parity.points)
    if share < 1 { result.notes.append("Training errors are those of a sample of \(options.errorFrames) frames.") }
    if !problem.hasTests {
      result.notes.append("Nothing is held out: there are fewer than five independent runs, or heldOut is 0.")
    }
    return result
  }

  private func isHeldOut(_ source: Source, _ frame: FeatureIndex.Frame) -> Bool {
    problem.isHeldOut(source, frame)
  }

  /// 0..<1, by content.
  private func lot(_ source: Source, _ frame: FeatureIndex.Frame) -> Double {
    Double(Digest(of: "error sample \(source.digest) \(frame.frame)").leadingBits >> 11) * 0x1p-53
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
