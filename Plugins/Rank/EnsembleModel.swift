import ACE
import Configurations
import LinearAlgebra
import Platform
import StageKit

/// The fitted potential and its ensemble, ready to look at candidates.
struct EnsembleModel: Sendable {
  let potential: Potential
  let evaluator: Evaluator
  /// Coefficients, shape [members][columns]; nil without an ensemble.
  let members: Matrix?
  /// eV/atom, shape [members][elements].
  private let referenceEnergies: Matrix
  /// Of the basis alone: projections depend on nothing else.
  let basisDigest: Digest
  /// Of the coefficients of all members.
  let digest: Digest
  /// What deviations say of errors.
  let errorBars: ErrorBars

  init(_ artifact: Artifact, _ context: StageContext) throws {
    potential = try Potential(yaml: context.bytes(artifact, "potential.yaml"))
    evaluator = Evaluator(potential.basis)
    errorBars =
      try artifact.part("fit.json").map { part in
        ErrorBars(try CanonicalJSON.decode(FitSummary.self, context.bytes(part)))
      } ?? .unavailable("the fit wrote no summary")
    basisDigest = Digest(of: try context.bytes(artifact, "basis.json"))
    if let part = artifact.part("ensemble.npz") {
      let files = try NumPyArchive.decode(context.bytes(part))
      members = try files.first { $0.name == "coefficients.npy" }.map { try Matrix(numPyBytes: $0.bytes) }
      referenceEnergies =
        try files.first { $0.name == "referenceEnergies.npy" }.map { try Matrix(numPyBytes: $0.bytes) }
        ?? Matrix(rows: members?.rows ?? 0, columns: potential.basis.elements.count)
      digest = part.digest
    } else {
      members = nil
      referenceEnergies = Matrix(rows: 0, columns: 0)
      digest = basisDigest
    }
  }

  /// Basis functions of an element.
  func functions(_ element: String) -> Int {
    potential.basis.elements.firstIndex { $0.symbol == element }.map {
      potential.basis.columns(ofElement: $0).count
    } ?? 0
  }

  /// How far the members are apart; nil without an ensemble.
  func deviation(_ configuration: Configuration, _ workspace: Workspace) throws -> EnsembleDeviation? {
    guard let members, members.rows > 1 else { return nil }
    let evaluation = try evaluator.evaluateEnsemble(
      members, configuration, embeddings: potential.embeddings, precision: .singleDifferences, workspace: workspace)
    return try EnsembleDeviation(
      evaluation, of: configuration, basis: potential.basis, referenceEnergies: referenceEnergies)
  }
}
