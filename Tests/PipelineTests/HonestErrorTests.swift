import Configurations
import Foundation
import LinearAlgebra
import Platform
import StageKit
import TestSupport
import Testing

/// What `fit.json` says of data that a fit never saw, and every kind of ensemble, through whole pipelines.
@Suite struct HonestErrorTests {
  /// - Parameter runs: besides the few that every project has.
  private func fit(_ refit: String, runs: Int = 0) throws -> (summary: FitSummary, project: Project) {
    var pipeline = TinyPipeline()
    pipeline.refit = refit
    let project = try Project.withRuns(pipeline)
    for run in 0..<runs {
      try project.write(pipeline.inbox + "/more\(run).xml", Samples.run(UInt64(40 + run)).vasprun())
    }
    let result = try project.pass()
    #expect(result.outcome.exitStatus == 0)
    let bytes = try project.files.readFile(project.path("outbox/latest/fit.json"))
    return (try CanonicalJSON.decode(FitSummary.self, bytes), project)
  }

  @Test(arguments: ["pops", "posterior", "bootstrap"]) func ensemblesArePublished(_ method: String) throws {
    let (summary, project) = try fit(
      "heldOut: 0.5, ensemble: { method: '\(method)', members: 5, rows: 300 }", runs: 6)
    #expect(summary.ensembleMethod == method && summary.ensembleMembers == 5)
    let parts = try NumPyArchive.decode(
      project.files.readFile(project.path("outbox/latest/potential/tiny.ensemble.npz")))
    let members = try Matrix(numPyBytes: try #require(parts.first { $0.name == "coefficients.npy" }).bytes)
    #expect(members.rows == 5 && members.storage.allSatisfy(\.isFinite))
    #expect(members.row(0) != members.row(1))
    // What deviations are worth, on frames that the members of the measured fit never saw.
    #expect(summary.heldOutBlocks > 0)
    let energies = try #require(summary.calibration.first { $0.quantity == "energy" })
    let forces = try #require(summary.calibration.first { $0.quantity == "force" })
    #expect(forces.values % 48 == 0 && forces.values == 48 * energies.values && forces.rawRatio > 0)
    #expect(summary.calibration.allSatisfy { !$0.isCalibrated || $0.units >= 4 })
    #expect(summary.notes.contains { $0.contains("errors of forces are") })
    let archive = try project.files.readFile(project.path("outbox/latest/potential/tiny.ensemble.npz"))
    #expect(summary.ensembleDigest == Digest(of: archive))
    try expectErrorBars(summary, project)
    // Every listed structure says how far members are apart.
    let list = try project.text("outbox/latest/candidates.extxyz")
    #expect(list.contains("force_deviation") && list.contains("energy_deviation"))
  }

  /// The list and the report say what the calibration allows: no error of what extrapolates, or was not calibrated.
  private func expectErrorBars(_ summary: FitSummary, _ project: Project) throws {
    let bars = ErrorBars(summary)
    let list = try JSONSerialization.jsonObject(
      with: Data(project.files.readFile(project.path("outbox/latest/candidates.json"))))
    let entries = try #require((list as? [String: Any])?["candidates"] as? [[String: Any]])
    #expect(!entries.isEmpty)
    for entry in entries {
      let grade = entry["gamma_local"] as? Double ?? .infinity
      let deviation = try #require(entry["ensemble_energy_deviation"] as? Double)
      let expected = grade > 1.1 ? nil : bars.uncertainty(.energy, deviation: deviation)
      #expect(entry["energy_uncertainty"] as? Double == expected)
      let mayHaveForce = grade <= 1.1 && bars.reason(.force) == nil
      #expect((entry["force_uncertainty"] as? Double != nil) == mayHaveForce)
    }
    #expect(try project.text("outbox/latest/report.html").contains("calibration-table"))
  }

  @Test func sourcesLeftOutAndElementsHaveTheirErrors() throws {
    let fixed = "heldOut: 0, prior: 'ridge', regularisation: 'fixed', lambda: 1e-3"
    let (whole, project) = try fit(fixed)
    #expect(whole.leftOutSources.count == whole.sources && whole.sources > 1)
    #expect(whole.leftOutSources.allSatisfy { $0.source != nil && $0.leftOut.force != nil })
    for entry in whole.leftOutSources {
      let fitted = try #require(entry.fitted.force)
      #expect(try #require(entry.leftOut.force) > 0.5 * fitted)
    }
    #expect(whole.elementErrors.map(\.group) == ["W"])
    let all = try #require(whole.errors.first { $0.group == "all" && $0.quantity == "force" })
    // One element: its table is the whole.
    #expect(whole.elementErrors[0].rootMeanSquare == all.rootMeanSquare)
    #expect(whole.elementErrors[0].count == all.count && all.determination != nil)
    #expect(whole.compositionErrors.map(\.group) == ["W"])
    #expect(try project.text("outbox/latest/report.html").contains("Sources the fit never saw"))
  }

  @Test func automaticRelevanceIsAPrior() throws {
    let (summary, _) = try fit("prior: 'automatic-relevance', ensemble: { method: 'none' }")
    #expect(summary.regularisationMethod.hasPrefix("automatic-relevance"))
    #expect(summary.effectiveRank <= summary.functions[0] - summary.prunedFunctions.count)
    #expect(summary.effectiveDegreesOfFreedom > 1)
  }
}
