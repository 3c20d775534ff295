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
  /// Of the basis alone: projections depend on nothing else.
  let basisDigest: Digest
  /// Of the coefficients of all members.
  let digest: Digest

  init(_ artifact: Artifact, _ context: StageContext) throws {
    potential = try Potential(yaml: context.bytes(artifact, "potential.yaml"))
    evaluator = Evaluator(potential.basis)
    basisDigest = Digest(of: try context.bytes(artifact, "basis.json"))
    if let part = artifact.part("ensemble.npz") {
      let files = try NumPyArchive.decode(context.bytes(part))
      members = try files.first { $0.name == "coefficients.npy" }.map { try Matrix(numPyBytes: $0.bytes) }
      digest = part.digest
    } else {
      members = nil
      digest = basisDigest
    }
  }

  /// Basis functions of an element.
  func functions(_ element: String) -> Int {
    potential.basis.elements.firstIndex { $0.symbol == element }.map {
      potential.basis.columns(ofElement: $0).count
    } ?? 0
  }

  /// For each atom the largest deviation of a member's force from the mean over members, eV/Å
  /// (arXiv:2508.03405: the maximum, not the standard deviation); zeros without an ensemble.
  func forceDeviations(_ configuration: Configuration, _ workspace: Workspace) throws -> [Double] {
    guard let members, members.rows > 1 else { return Array(repeating: 0, count: configuration.count) }
    let forces = try evaluator.evaluateEnsemble(
      members, configuration, embeddings: potential.embeddings, precision: .singleDifferences, workspace: workspace
    ).forces
    return (0..<configuration.count).map { atom in
      let own = forces.map { $0[atom] }
      let mean = own.reduce(Vector3.zero, +) / Double(own.count)
      return own.map { length($0 - mean) }.max() ?? 0
    }
  }
}
