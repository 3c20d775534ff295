// Factors of all sources come in; the potential, its ensemble and its errors go out.

import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit

/// Solves the weighted least-squares problem of all sources from their merged factors.
public struct RefitStage: FoldStage {
  public static let description = StageDescription(
    name: "refit", version: 7,
    summary: "Fits the potential and its ensemble by merging factors; measures train and held-out errors.",
    takes: [StageInput(.features), StageInput(.configurations)], gives: [.whole(.potential)])

  let options: FitOptions

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    options = try FitOptions(&parameters)
  }

  public func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let problem = try FitProblem(inputs.collection(.features), context, options)
    let (model, prior) = try problem.fit()
    // Held-out errors are those of a fit that never saw the held-out blocks; the potential then
    // learns from everything.
    let others = try concurrentMap(2, threads: context.threads) { part in
      guard part == 0 else { return OtherFits(leftOut: try problem.leavingOut(model)) }
      let test = problem.heldOut.isEmpty ? model : try problem.fit(.training, prior: prior)
      return OtherFits(test: test, curve: try problem.learningCurve(prior: prior, whole: test))
    }
    let test = others[0].test ?? model
    let configurations = inputs.collection(.configurations)
    let ensemble = try problem.ensemble(of: model, .all, configurations)
    let errors = try ErrorMeasurement(
      problem: problem, model: test, whole: model, leftOut: others[1].leftOut, curve: others[0].curve, options: options
    ).measure(configurations, context)
    let agreement = try problem.stresses?.summary(problem, configurations)
    let calibration = try calibration(problem, test, ensemble, configurations, context)
    let (potential, shortRange) = try problem.potential(
      model, metadata: ["made_by": "sluice", "project": context.project])
    try problem.cleanCache()

    var draft = ArtifactDraft(.potential)
    draft.add("potential.yaml", potential.yaml)
    let archive = ensemble.map {
      NumPyArchive.encode([
        ("coefficients.npy", $0.coefficients.numPyBytes), ("referenceEnergies.npy", $0.referenceEnergies.numPyBytes),
      ])
    }
    if let archive { draft.add("ensemble.npz", archive) }
    draft.add(
      Self.coefficientsName,
      NumPyArchive.encode([
        ("coefficients.npy", Matrix([model.coefficients]).numPyBytes),
        ("referenceEnergies.npy", Matrix([model.referenceEnergies]).numPyBytes),
      ]))
    draft.add("basis.json", problem.basisJSON)
    var summary = summary(problem, model, prior, ensemble, errors, calibration, shortRange, agreement)
    summary.ensembleDigest = archive.map { Digest(of: $0) }
    draft.add("fit.json", try CanonicalJSON.encode(summary))
    var result = FoldResult(wholes: [draft])
    for note in model.notes + problem.outlierNotes + (ensemble?.notes ?? []) {
      result.diagnostics.append(Diagnostic(.note, code: "fit", cause: note))
    }
    result.diagnostics += [agreement?.diagnostic].compactMap { $0 } + shortRange + problem.outliers.map(\.diagnostic)
    return result
  }

  /// Deviations of the ensemble of the fit that never saw what is held out, against its errors there.
  private func calibration(
    _ problem: FitProblem, _ test: Fit, _ ensemble: Ensemble?, _ configurations: [SourceArtifact],
    _ context: StageContext
  ) throws -> [FitSummary.Calibration] {
    guard let ensemble, problem.hasTests else { return [] }
    let own = problem.heldOut.isEmpty ? ensemble : try problem.ensemble(of: test, .training, configurations)
    guard let own, own.count > 1 else { return [] }
    return try CalibrationMeasurement(problem: problem, model: test, ensemble: own).measure(configurations, context)
  }

  /// Fits that saw less, which are independent of each other.
  private struct OtherFits {
    var test: Fit?
    var curve: [LearningFit] = []
    var leftOut = LeftOutFits()
  }

  private func summary(
    _ problem: FitProblem, _ model: Fit, _ prior: String, _ ensemble: Ensemble?, _ errors: ErrorMeasurement.Result,
    _ calibration: [FitSummary.Calibration], _ shortRange: [Diagnostic],
    _ agreement: FitSummary.StressAgreement?
  ) -> FitSummary {
    let basis = problem.evaluator.basis
    let specification = problem.specification
    let elements = basis.elements.map(\.symbol)
    var summary = FitSummary(
      basis:
        "linear ACE, \(specification.radial.name), cutoff \(specification.cutoff) Å, ranks 1–\(specification.order)",
      elements: elements, functions: elements.indices.map { basis.columns(ofElement: $0).count })
    summary.sources = problem.indices.count
    summary.configurations = problem.indices.reduce(0) { $0 + $1.index.frames.count }
    summary.rows = model.rows
    summary.regularisation = model.lambda
    summary.regularisationMethod = "\(prior), by \(options.regularisationWords)"
    summary.conditionNumber = model.conditionNumber
    summary.effectiveRank = model.effectiveRank
    summary.effectiveDegreesOfFreedom = model.effectiveDegreesOfFreedom
    summary.referenceEnergies = model.referenceEnergies
    summary.referenceEnergyMethod = problem.referenceWords
    summary.ensembleMembers = ensemble?.count ?? 0
    summary.ensembleMethod = ensemble == nil ? "none" : options.ensembleMethod
    summary.heldOutBlocks = problem.heldOut.count
    summary.blocks = problem.blocks.count
    summary.weights = options.weighting.words(problem.weights)
    summary.weightValues = [
      "energy": problem.weights.energy, "forces": problem.weights.forces, "stress": problem.weights.stress,
    ]
    summary.stressAgreement = agreement
    summary.logEvidence = model.logEvidence
    summary.prunedFunctions = model.prunedFunctions
    summary.errors = errors.lines
    summary.elementErrors = errors.elements
    summary.compositionErrors = errors.compositions
    summary.leftOutSources = errors.sources
    summary.leftOutGroups = errors.groups
    summary.learningCurve = errors.curve
    summary.calibration = calibration
    summary.outliers = problem.outliers.map(\.summary)
    summary.notes =
      model.notes + [agreement?.diagnostic].compactMap { $0.map { "\($0.cause) \($0.remedy)" } }
      + problem.outlierNotes + (ensemble?.notes ?? []) + errors.notes
      + calibration.map { "Ensemble, on held-out frames: \($0.words)." } + shortRange.map(\.cause)
    summary.parity = errors.parity
    return summary
  }
}
