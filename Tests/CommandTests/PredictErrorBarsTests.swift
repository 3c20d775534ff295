import ACE
import Configurations
import Foundation
import LinearAlgebra
import Platform
import StageKit
import TestSupport
import Testing
import TungstenReference

/// Error bars beside deviations: written where a fit vouches for them, and only there.
@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct PredictErrorBarsTests {
  private static let names = ["energy_uncertainty", "force_uncertainty", "stress_uncertainty"]

  private func calibration(_ quantity: String, isCalibrated: Bool = true) -> FitSummary.Calibration {
    .init(
      quantity: quantity, unit: "", values: 500, units: 9, rawRatio: 4, scale: 3, floor: 2,
      checkedRatio: isCalibrated ? 1.1 : 1.9, withinOne: 0.7, withinTwo: 0.94, coverage: [], rankCorrelation: nil,
      largestErrorsAUC: nil, groups: [], isCalibrated: isCalibrated)
  }

  /// A potential, three members and frames; the bytes of the ensemble.
  private func prepared() throws -> (program: Program, potential: Potential, members: Matrix, archive: [UInt8]) {
    let program = try Program()
    let potential = try Samples.potential(referenceEnergy: -9.5)
    try program.write("fit/W.yaml", potential.yaml)
    try program.write("fit/W.yace", potential.yace)
    var random = SeededGenerator(seed: 12)
    let members = Matrix(
      (0..<3).map { _ in potential.coefficients[0].map { $0 * Double.random(in: 0.9...1.1, using: &random) } })
    let archive = NumPyArchive.encode([
      (name: "coefficients.npy", bytes: members.numPyBytes),
      (name: "referenceEnergies.npy", bytes: Matrix([[-9], [-9.5], [-9.25]]).numPyBytes),
    ])
    try program.write("fit/W.ensemble.npz", archive)
    try program.write("frames.xyz", Samples.extendedXYZ(Samples.steps(2)))
    return (program, potential, members, archive)
  }

  private func summary(_ archive: [UInt8], _ calibrations: [FitSummary.Calibration]) -> FitSummary {
    var fit = FitSummary(basis: "", elements: ["W"], functions: [1])
    fit.referenceEnergies = [-9.5]
    fit.ensembleDigest = Digest(of: archive)
    fit.calibration = calibrations
    return fit
  }

  @Test func barsAreThoseOfTheCalibration() throws {
    let (program, potential, members, archive) = try prepared()
    let fit = summary(archive, ["energy", "force", "stress"].map { calibration($0) })
    try program.write("fit/fit.json", CanonicalJSON.encode(fit))
    let outcome = try program("predict", "-p", "fit/W.yaml", "-e", "fit", "frames.xyz", "-o", "out", "--json")
    #expect(outcome.status == 0, "\(outcome.messages)")
    #expect(outcome.messages.contains("force_uncertainty: RMS") && outcome.messages.contains("errors within one"))
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    let frames = try Samples.frames(program.read("out"))
    var (bars, within) = ([Double](), 0)
    for (frame, input) in zip(frames, Samples.steps(2)) {
      let deviation = try EnsembleDeviation(
        evaluator.evaluateEnsemble(members, input), of: input, basis: potential.basis,
        referenceEnergies: Matrix([[-9], [-9.5], [-9.25]]))
      guard case .real(let energy)? = frame.properties["energy_uncertainty"],
        case .perAtomReals(let forces, 1)? = frame.properties["force_uncertainty"],
        case .real(let stress)? = frame.properties["stress_uncertainty"],
        let own = frame.labels.forces, let labels = input.labels.forces
      else {
        Issue.record("no error bars")
        continue
      }
      // Floors of 2 meV/atom, 2 meV/Å and 2 GPa; forces of members are differences in single precision.
      func bar(_ deviation: Double, _ floor: Double) -> Double {
        (9 * deviation * deviation + floor * floor).squareRoot()
      }
      #expect(abs(energy - bar(deviation.energy, 0.002)) < 1e-12)
      #expect(abs(stress - bar(deviation.stressStandardDeviation! / 3, 2 / 160.2176634)) < 1e-5 * stress)
      for atom in forces.indices {
        let expected = bar(deviation.forceStandardDeviations[atom] / 3.0.squareRoot(), 0.002)
        #expect(abs(forces[atom] - expected) < 1e-5 * expected)
        for k in 0..<3 where abs(own[atom][k] - labels[atom][k]) <= forces[atom] { within += 1 }
      }
      bars += forces
      #expect(frame.properties["force_deviation"] != nil)
    }
    let said = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output)) as? [String: Any])
    let all = try #require(said["uncertainties"] as? [[String: Any]])
    #expect(all.map { $0["name"] as? String } == Self.names)
    let force = all[1]
    #expect(force["calibrated"] as? Bool == true && force["unit"] as? String == "eV/Å" && force["runs"] as? Int == 9)
    #expect(force["largest"] as? Double == bars.max())
    #expect(force["labelled"] as? Int == 96 && force["labelled_within_one"] as? Double == Double(within) / 96)
    #expect(all[2]["labelled"] as? Int == 18)
  }

  @Test func aPublishedOutboxHasItsSummaryAboveThePotential() throws {
    let (program, _, _, archive) = try prepared()
    let fit = summary(archive, [calibration("energy"), calibration("force", isCalibrated: false)])
    for (name, bytes) in [
      ("potential/W.ensemble.npz", archive), ("potential/W.yaml", try program.read("fit/W.yaml")),
      ("fit.json", try CanonicalJSON.encode(fit)),
    ] { try program.write("outbox/runs/000001/" + name, bytes) }
    try FileManager.default.createSymbolicLink(
      atPath: program.folder.path + "/outbox/latest", withDestinationPath: "runs/000001")
    var outputs: [[UInt8]] = []
    for path in ["outbox/latest", "outbox/latest/potential", "outbox/latest/potential/W.ensemble.npz"] {
      let outcome = try program(
        "predict", "-p", "outbox/latest/potential/W.yaml", "-e", path, "frames.xyz", "-o", "out")
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(outcome.messages.contains("energy_uncertainty: RMS"))
      // What failed its check is said, and not written.
      #expect(outcome.messages.contains("force_uncertainty: not written, errors of forces are 4.0 times"))
      #expect(outcome.messages.contains("stress_uncertainty: not written, no held-out frame has a label of it"))
      let properties = try Samples.frames(program.read("out"))[0].properties
      #expect(Self.names.map { properties[$0] != nil } == [true, false, false])
      #expect(properties["force_deviation"] != nil)
      outputs.append(try program.read("out"))
    }
    #expect(outputs[0] == outputs[1] && outputs[0] == outputs[2])
  }

  @Test func aSummaryOfAnythingElseIsNotBelieved() throws {
    let (program, _, _, archive) = try prepared()
    let good = summary(archive, ["energy", "force", "stress"].map { calibration($0) })
    var (other, foreign, old, empty) = (good, good, good, good)
    other.ensembleDigest = Digest(of: "another")
    foreign.referenceEnergies = [-9.4]
    old.ensembleDigest = nil
    empty.calibration = []
    let cases: [(bytes: [UInt8]?, words: String)] = [
      (nil, "there is no fit.json beside"), (Array("{".utf8), "damaged"),
      (try CanonicalJSON.encode(other), "another ensemble"), (try CanonicalJSON.encode(foreign), "another potential"),
      (try CanonicalJSON.encode(old), "fit again"), (try CanonicalJSON.encode(empty), "nothing was held out"),
    ]
    for (bytes, words) in cases {
      if let bytes { try program.write("fit/fit.json", bytes) }
      let outcome = try program("predict", "-p", "fit/W.yaml", "-e", "fit", "frames.xyz", "-o", "out", "--json")
      #expect(outcome.status == 0 && outcome.messages.contains(words), "\(words): \(outcome.messages)")
      #expect(outcome.text.contains(words) && !outcome.text.contains("\"calibrated\" : true"))
      let properties = try Samples.frames(program.read("out"))[0].properties
      #expect(Self.names.allSatisfy { properties[$0] == nil } && properties["energy_deviation"] != nil, "\(words)")
    }
    // Members that are files have no summary of their own; bars of an earlier prediction are taken away.
    try program.write("fit/fit.json", CanonicalJSON.encode(good))
    #expect(try program("predict", "-p", "fit/W.yaml", "-e", "fit", "frames.xyz", "-o", "before.xyz").status == 0)
    #expect(try Samples.frames(program.read("before.xyz"))[0].properties["force_uncertainty"] != nil)
    for k in 0..<2 { try program.write("members/\(k).yaml", try program.read("fit/W.yaml")) }
    let outcome = try program("predict", "-p", "fit/W.yaml", "-e", "members", "before.xyz", "-o", "out")
    #expect(outcome.status == 0 && outcome.messages.contains("a folder of potentials"), "\(outcome.messages)")
    let properties = try Samples.frames(program.read("out"))[0].properties
    #expect(Self.names.allSatisfy { properties[$0] == nil })
  }

  /// What a fit writes is believed by the next command, for both of its potential files.
  @Test func aFitVouchesForItsOwnPotential() throws {
    let program = try Program()
    for run in 1...8 {
      try program.write("data/\(run)/vasprun.xml", Samples.run(4, seed: UInt64(run)).vasprun())
    }
    let fitted = try program(
      "fit", "data", "-o", "fit", "--name", "W", "-n", "20", "-c", "4.2", "--order", "3", "--ensemble", "bootstrap:4",
      "--test", "0.6")
    #expect(fitted.status == 0, "\(fitted.messages)")
    let fit = try CanonicalJSON.decode(FitSummary.self, program.read("fit/fit.json"))
    let bars = ErrorBars(fit)
    #expect(fit.calibration.map(\.quantity) == ["energy", "force", "stress"])
    try program.write("frames.xyz", Samples.extendedXYZ(Samples.steps(2, seed: 77)))
    for file in ["fit/W.yaml", "fit/W.yace"] {
      let outcome = try program("predict", "-p", file, "-e", "fit", "frames.xyz", "-o", "out")
      #expect(outcome.status == 0, "\(outcome.messages)")
      let properties = try Samples.frames(program.read("out"))[0].properties
      for (name, quantity) in zip(Self.names, ErrorBars.Quantity.allCases) {
        #expect((properties[name] != nil) == (bars.reason(quantity) == nil), "\(file), \(name)")
      }
    }
  }
}
