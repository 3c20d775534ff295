// Factors of many functions come in; the ones that the data need most go out, as a basis.

import ACE
import Configurations
import Regression
import StageKit
import TrainingRows

/// Chooses basis functions by the data, for `sluice fit --choose-from`: what it gives is meant to be kept, since the
/// functions of a project must not change with every run. It sees what the fit sees whose errors are measured, so that
/// held-out errors of a fit with these functions are honest.
public struct ChooseStage: FoldStage {
  public static let description = StageDescription(
    name: "choose", version: 1, summary: "Chooses the basis functions that the data need most, of many.",
    takes: [StageInput(.features)], gives: [.whole(.basis)])

  private let functions: Int
  private let options: FitOptions

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    functions = try parameters.integer(
      "functions", default: 500, in: 1...20_000, "How many functions per element stay, in the mean over elements.")
    options = try FitOptions(&parameters)
  }

  public func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let problem = try FitProblem(inputs.collection(.features), context, options)
    let published = try problem.fit()
    let fit = problem.heldOut.isEmpty ? published.fit : try problem.fit(.training, prior: published.prior)
    let basis = problem.evaluator.basis
    let candidates = basis.columnFunctions
    // Pairs are few, cost little, and are what keeps atoms apart where there are no data.
    let choice = FunctionChoice(of: fit, keeping: functions * basis.elements.count) { candidates[$0].rank == 1 }
    let specification = problem.specification.choosing(choice.kept, of: basis)
    var draft = ArtifactDraft(.basis)
    draft.add("basis.json", try BasisFile.encode(specification))
    var result = FoldResult(wholes: [draft])
    let growth = (choice.relativeIncrease * 1000).rounded() / 10
    result.diagnostics.append(
      Diagnostic(
        .note, code: "functions-chosen",
        cause: "\(choice.kept.count) of \(candidates.count) functions were chosen by the data; without the others the "
          + "weighted squares of residuals are \(growth) % larger"))
    return result
  }
}
