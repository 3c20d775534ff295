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
  static let mostCompositions = 60

  let problem: FitProblem
  /// The fit whose errors they are: one that never saw what is held out.
  let model: Fit
  /// The fit to everything.
  let whole: Fit
  let leftOut: LeftOutFits
  let curve: [LearningFit]
  let options: FitOptions

  /// What a model says of a configuration.
  struct Prediction: Sendable {
    var energy: Double?
    var forces: [Vector3]?
    /// eV/Å³, nine components.
    var stress: [Double]?
  }

  /// Who predicts a frame.
  struct Panel {
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
