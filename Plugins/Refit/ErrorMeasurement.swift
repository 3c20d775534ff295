import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit

/// Predicts configurations with a fit and compares with their labels; beside it with fits that saw less.
struct ErrorMeasurement: Sendable {
  struct Result {
    var lines: [FitSummary.ErrorLine] = []
    var elements: [FitSummary.ErrorLine] = []
    var compositions: [FitSummary.ErrorLine] = []
    var sources: [FitSummary.LeftOut] = []
    var groups: [FitSummary.LeftOut] = []
    var curve: [FitSummary.LearningPoint] = []
    var parity: [FitSummary.ParityPoint] = []
    var notes: [String] = []
  }

  /// Sources whose configurations are in memory at a time.
  private static let sourcesAtOnce = 16
  /// One of so many held-out atoms that errors are measured with is on the learning curve, where not all can be.
  private static let curveShare = 4
  /// Points of one kind in the parity plots.
  private static let paritySample = 1500
  /// Lines of the table by composition.
  private static let mostCompositions = 60

  let problem: FitProblem
  /// The fit whose errors they are: one that never saw what is held out.
  let model: Fit
  /// The fit to everything.
  let whole: Fit
  let leftOut: LeftOutFits
  let curve: [LearningFit]
  let options: FitOptions

  /// What a model says of a configuration.
  private struct Prediction: Sendable {
    var energy: Double?
    var forces: [Vector3]?
    /// eV/Å³, nine components.
    var stress: [Double]?
  }

  /// Who predicts a frame.
  private struct Panel {
    var models: [LinearModel]
    /// Index of the fit to everything, 0 where it is the first.
    var whole = 0
    var withoutSource: Int?
    var withoutGroup: Int?
    /// Index of the learning curve's first fit.
    var curve: Int?
  }

  func measure(_ configurations: [SourceArtifact], _ context: StageContext) throws -> Result {
    let potential = try problem.potential(model).potential
    let shares = shares()
    var books = Books(curve: curve.count, parity: ParitySample(limit: Self.paritySample))
    var wanted: [(source: Source, frames: [FeatureIndex.Frame], artifact: Artifact)] = []
    for (source, index) in problem.indices {
      let frames = index.frames.filter { frame in
        let share = isHeldOut(source, frame) ? shares.heldOut : shares.training
        return share == 1 || lot(source, frame) < share
      }
      if !frames.isEmpty, let artifact = configurations.artifact(of: source.digest) {
        wanted.append((source, frames, artifact))
      }
    }
    for start in stride(from: 0, to: wanted.count, by: Self.sourcesAtOnce) {
      let batch = Array(wanted[start..<min(start + Self.sourcesAtOnce, wanted.count)])
      let read = try concurrentMap(batch.count, threads: context.threads) {
        try Self.read(context.bytes(batch[$0].artifact, "configurations.extxyz"), batch[$0].source.name)
      }
      let places = batch.indices.flatMap { k in
        batch[k].frames.map { frame in
          let source = batch[k].source
          return (source: k, frame: frame, panel: panel(source, frame, onCurve: isOnCurve(source, frame, shares)))
        }
      }
      let predictions = try concurrentMap(places.count, threads: context.threads) { k in
        try context.checkCancellation()
        let place = places[k]
        return try self.predictions(place.panel.models, potential, read[place.source][place.frame.frame])
      }
      for (place, prediction) in zip(places, predictions) {
        let source = batch[place.source].source
        books.add(
          read[place.source][place.frame.frame], prediction, place.panel, place.frame, source.digest,
          heldOut: isHeldOut(source, place.frame))
      }
      context.progress(Double(start + batch.count) / Double(wanted.count), "errors")
    }
    var result = books.result(curve)
    result.parity = books.parity.points
    result.notes = leftOut.notes
    for (what, share) in [("Training", shares.training), ("Held-out", shares.heldOut)] where share < 1 {
      result.notes.append(
        "\(what) errors are those of a sample of about \(options.errorAtoms) atoms, \(percent(share)) of all.")
    }
    if shares.curve < 1, !curve.isEmpty {
      result.notes.append(
        "The learning curve is drawn through about \(options.errorAtoms / Self.curveShare) held-out atoms.")
    }
    if books.compositions > Self.mostCompositions {
      result.notes.append("Energies by composition: the \(Self.mostCompositions) with the most values.")
    }
    if problem.splitsRuns, !problem.heldOut.isEmpty {
      result.notes.append(
        "Held-out frames are stretches of runs whose other steps were learned from, because there are fewer than five "
          + "runs: their errors are smaller than those of a run that was never seen. Drop more runs, or name a test.")
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
  private func shares() -> (training: Double, heldOut: Double, curve: Double) {
    var (training, heldOut) = (0, 0)
    for (source, index) in problem.indices {
      for frame in index.frames {
        if isHeldOut(source, frame) { heldOut += frame.atoms } else { training += frame.atoms }
      }
    }
    func share(_ atoms: Int) -> Double { min(1, Double(options.errorAtoms) / Double(max(1, atoms))) }
    return (share(training), share(heldOut), share(Self.curveShare * heldOut))
  }

  /// Whether a held-out frame is one of those that the learning curve is drawn through: a few, since each of its
  /// models predicts them.
  private func isOnCurve(
    _ source: Source, _ frame: FeatureIndex.Frame, _ shares: (training: Double, heldOut: Double, curve: Double)
  ) -> Bool {
    isHeldOut(source, frame) && (shares.curve == 1 || lot(source, frame) < shares.curve)
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

  private func panel(_ source: Source, _ frame: FeatureIndex.Frame, onCurve: Bool) -> Panel {
    var panel = Panel(models: [model.linearModel])
    func add(_ model: LinearModel) -> Int {
      panel.models.append(model)
      return panel.models.count - 1
    }
    let (own, group) = (leftOut.sources[source.digest], leftOut.groups[frame.group])
    if (own ?? group) != nil, !problem.heldOut.isEmpty { panel.whole = add(whole.linearModel) }
    panel.withoutSource = own.map(add)
    panel.withoutGroup = group.map(add)
    if onCurve, !curve.isEmpty {
      panel.curve = panel.models.count
      for fit in curve { _ = add(fit.model) }
    }
    return panel
  }

  private func predictions(
    _ models: [LinearModel], _ potential: Potential, _ configuration: Configuration
  ) throws -> [Prediction] {
    if models.count == 1 {
      let predicted = try problem.evaluator.evaluate(potential, configuration)
      return [
        Prediction(energy: predicted.energy, forces: predicted.forces, stress: predicted.stress.map { components($0) })
      ]
    }
    let predicted = try problem.evaluator.evaluateEnsemble(
      Matrix(models.map(\.coefficients), columns: problem.layout.basis), configuration,
      embeddings: potential.embeddings)
    let elements = try configuration.species.map { try basisIndex($0) }
    return models.indices.map { m in
      Prediction(
        energy: elements.reduce(predicted.energies[m]) { $0 + models[m].referenceEnergies[$1] },
        forces: predicted.forces[m],
        stress: configuration.cell.map { cell in
          components((1 / cell.volume) * predicted.strainDerivatives[m])
        })
    }
  }

  private func basisIndex(_ element: Element) throws -> Int {
    guard let index = problem.evaluator.basis.index(of: element) else {
      throw StageError("there is no function of \(element).")
    }
    return index
  }

}

private func components(_ m: Matrix3) -> [Double] { [m.x, m.y, m.z].flatMap { components($0) } }
private func components(_ v: Vector3) -> [Double] { [v.x, v.y, v.z] }

extension ErrorMeasurement {
  /// Everything that is counted, frame by frame in digest order.
  private struct Books {
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
