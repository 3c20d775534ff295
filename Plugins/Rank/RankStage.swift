// Environments, clusters, a potential with its ensemble, and candidates come in; the candidates in
// order of novelty go out.

import ACE
import Configurations
import Environments
import LinearAlgebra
import Novelty
import Platform
import StageKit

/// Grades every candidate against the active sets and orders them so that the list is diverse.
public struct RankStage: FoldStage {
  public static let description = StageDescription(
    name: "rank", version: 5,
    summary: "Ranks candidates by extrapolation grades (global and local) and ensemble deviation, diversely.",
    takes: [
      StageInput(.features), StageInput(.clustering), StageInput(.potential), StageInput(.candidates),
    ],
    gives: [.whole(.ranking), .whole(.activeSets)])

  let options: RankOptions

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    options = try RankOptions(&parameters)
  }

  public func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let environments = try EnvironmentRows(inputs.collection(.features), context)
    let references = try References(environments, inputs.whole(.clustering), options, context)
    let model = try EnsembleModel(inputs.whole(.potential), context)
    let pool = CandidatePool(model: model, references: references, options: options, context: context)
    let graded = try pool.graded(inputs.collection(.candidates))
    let list = try RankedList(
      graded, references: references, errorBars: model.errorBars, options: options, context: context)

    var ranking = ArtifactDraft(.ranking)
    ranking.add("ranking.json", try CanonicalJSON.encode(list.ranking))
    ranking.add("structures.extxyz", list.structures)
    ranking.add("map.json", try CanonicalJSON.encode(try list.map(environments)))
    ranking.add("grades.json", try CanonicalJSON.encode(list.grades))
    var sets = ArtifactDraft(.activeSets)
    try references.add(to: &sets)
    var result = FoldResult(wholes: [ranking, sets])
    if graded.isEmpty {
      result.diagnostics.append(
        Diagnostic(
          .warning, code: "no-candidates", cause: "the pools hold no candidate structure.",
          remedy: "Put structures into a pool of the candidates stage."))
    }
    for element in references.elements where references.of(element)!.sets.global.rank < model.functions(element) {
      let reference = references.of(element)!
      result.diagnostics.append(
        Diagnostic(
          .note, code: "rank-deficient",
          cause: "the environments of \(element) span \(reference.sets.global.rank) of "
            + "\(model.functions(element)) directions; what leaves that span has no finite grade and counts as outside."
        ))
    }
    return result
  }
}

/// What orders the list.
enum RankScore: String, CaseIterable {
  case novelty
  case localDOptimality = "local-d-optimality"
  case dOptimality = "d-optimality"
  case densityRatio = "density-ratio"
  case ensemble

  /// A local grade above this extrapolates: MaxVol stops at 1.01, and copies scatter a little above 1.
  static let extrapolation = 1.1

  /// First what extrapolates, by its local grade; then what interpolates, by how far it lies from the
  /// training environments: below 1 whatever the ratio.
  static func novelty(localGrade: Double, densityRatio: Double) -> Double {
    if localGrade > extrapolation { return localGrade }
    let square = densityRatio * densityRatio
    return square.isFinite ? square / (1 + square) : 1
  }

  var needsDensity: Bool { self == .novelty || self == .densityRatio }

  var words: String {
    switch self {
    case .novelty: "novelty"
    case .localDOptimality: "local grade"
    case .dOptimality: "global grade"
    case .ensemble: "force deviation"
    case .densityRatio: "density ratio"
    }
  }

  /// Above this a structure counts as new. Grades have a natural bound; density ratios of held-out
  /// structures of a known kind scatter around 1, which is a novelty of 0.5; 1.5 is one of 0.7.
  var threshold: Double {
    switch self {
    case .novelty: 0.7
    case .localDOptimality, .dOptimality: Self.extrapolation
    case .densityRatio: 1.5
    case .ensemble: 0
    }
  }

  var explanation: String {
    switch self {
    case .novelty:
      "First structures that extrapolate, by the largest local grade of their atoms (above 1.1); then the others, by how far their most distant atom lies from the training environments: r²/(1 + r²) of the density ratio r."
    case .localDOptimality:
      "Largest local extrapolation grade of the structure's atoms: for each atom the smallest grade over the clusters. Above 1 no kind of place in the training data explains it."
    case .dOptimality:
      "Largest extrapolation grade of the structure's atoms against one active set of all training data."
    case .ensemble:
      "Largest deviation of an ensemble member's force on an atom from the mean, eV/Å."
    case .densityRatio:
      "Largest local density ratio of the structure's atoms: distance to the nearest training environments over the distances that are usual among them."
    }
  }
}

/// How to rank, as a pipeline file says it.
struct RankOptions: Sendable {
  let score: RankScore
  let rule: LocalGradeRule
  let top: Int
  let worstAtoms: Int
  let smallestGrade: Double
  let closest: Double
  let smallestGainShare: Double

  init(_ parameters: inout ParameterDecoder) throws(ParameterError) {
    score = RankScore(
      rawValue: try parameters.choice(
        "score", of: RankScore.allCases.map(\.rawValue), default: RankScore.novelty.rawValue,
        "What orders the list; the other measures stand beside it."))!
    rule = LocalGradeRule(
      rawValue: try parameters.choice(
        "localRule", of: LocalGradeRule.allCases.map(\.rawValue), default: LocalGradeRule.minimum.rawValue,
        "Which cluster speaks for an atom: the one with the smallest grade, its own, or its own where the global set neglects it."
      ))!
    top = try parameters.integer("top", default: 50, in: 1...1_000_000, "Length of the list.")
    worstAtoms = try parameters.integer(
      "worstAtoms", default: 8, in: 1...10_000,
      "Atoms of a structure, the most novel ones, whose environments decide how diverse the list is.")
    smallestGrade = try parameters.number(
      "minGrade", default: 0, in: .notNegative, "Leave out structures with a smaller grade: they are known.")
    closest = try parameters.number(
      "closest", default: 0.75, in: .between(0, 1),
      "List structures apart, as probably broken, in which atoms come closer than this share of what the training data hold."
    )
    smallestGainShare = try parameters.number(
      "minGainShare", default: 0.05, in: .between(0, 1),
      "Skip structures of whose gain the ones above have left a smaller share: near-duplicates.")
  }
}
