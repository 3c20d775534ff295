import ACE
import Configurations
import Foundation
import LinearAlgebra
import TestSupport
import Testing
import TungstenReference

@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct PredictTests {
  private func prepared(referenceEnergy: Double = 0) throws -> (Program, Potential) {
    let program = try Program()
    let potential = try Samples.potential(referenceEnergy: referenceEnergy)
    try program.write("potential.yaml", potential.yaml)
    try program.write("potential.yace", potential.yace)
    try program.write("potential.asi", Samples.activeSet(potential).encoded)
    return (program, potential)
  }

  @Test func framesHoldWhatTheEvaluatorSays() throws {
    let (program, potential) = try prepared(referenceEnergy: -9.5)
    let run = Samples.run(3)
    try program.write("vasprun.xml", run.vasprun())
    let outcome = try program(
      "predict", "--potential", "potential.yaml", "--active-set", "potential.asi", "--per-atom", "vasprun.xml",
      "-o", "out")
    #expect(outcome.status == 0)
    #expect(outcome.output.isEmpty)
    #expect(outcome.messages.contains("MAE"))
    let frames = try Samples.frames(program.read("out"))
    let inputs = try Samples.read(run.vasprun(), name: "vasprun.xml")
    #expect(frames.map(\.provenance) == inputs.map(\.provenance))
    // Frames that were converted before keep where they came from.
    try #require(try program("convert", "vasprun.xml", "-o", "frames.xyz").status == 0)
    try #require(try program("predict", "-p", "potential.yaml", "frames.xyz", "-o", "from-frames").status == 0)
    let fromFrames = try Samples.frames(program.read("from-frames"))
    #expect(fromFrames.map(\.provenance) == inputs.map(\.provenance))
    #expect(fromFrames.map(\.labels) == frames.map(\.labels))
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    let inverses = Samples.activeSet(potential).inverses(for: potential.basis)
    for (frame, input) in zip(frames, inputs) {
      let expected = try evaluator.evaluate(potential, input)
      #expect(frame.positions == input.positions && frame.cell == input.cell)
      #expect(frame.labels.energy == expected.energy)
      #expect(frame.labels.forces == expected.forces)
      #expect(frame.labels.stress == expected.stress)
      #expect(frame.labels.machineLearned)
      #expect(frame.properties["energies"] == .perAtomReals(expected.energies, columns: 1))
      let grades = try evaluator.grades(of: input, inverses: inverses)
      #expect(frame.properties["gamma"] == .perAtomReals(grades, columns: 1))
    }
  }

  @Test func anEnsembleAddsItsDeviations() throws {
    let (program, potential) = try prepared()
    let basis = potential.basis
    var random = SeededGenerator(seed: 12)
    let members = (0..<3).map { _ in
      potential.coefficients[0].map { $0 * Double.random(in: 0.9...1.1, using: &random) }
    }
    let energies: [Double] = [-9, -9.5, -9.25]
    for (k, columns) in members.enumerated() {
      let member = try Potential(basis: basis, columns: columns, referenceEnergies: [energies[k]])
      try program.write("members/\(k).yaml", member.yaml)
    }
    try program.write(
      "a.ensemble.npz",
      NumPyArchive.encode([
        (name: "coefficients.npy", bytes: Matrix(members).numPyBytes),
        (name: "referenceEnergies.npy", bytes: Matrix(energies.map { [$0] }).numPyBytes),
      ]))
    let frames = Samples.steps(2)
    try program.write("frames.xyz", Samples.extendedXYZ(frames))
    #expect(
      try program("predict", "-p", "potential.yaml", "--ensemble", "members", "frames.xyz", "-o", "out").status == 0)
    #expect(
      try program("predict", "-p", "potential.yaml", "--ensemble", "a.ensemble.npz", "frames.xyz", "-o", "same").status
        == 0)
    #expect(try program.read("out") == program.read("same"))
    let evaluator = Evaluator(basis, radial: .tabulated)
    for (frame, input) in zip(try Samples.frames(program.read("out")), frames) {
      let said = try (0..<3).map { k in
        try evaluator.evaluate(
          Potential(basis: basis, columns: members[k], referenceEnergies: [energies[k]]), input)
      }
      let perAtom = said.map { $0.energy / 16 }
      let mean = perAtom.reduce(0, +) / 3
      let deviation = (perAtom.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 3).squareRoot()
      guard case .real(let written)? = frame.properties["energy_deviation"],
        case .perAtomReals(let forces, 1)? = frame.properties["force_deviation"],
        case .real(let stress)? = frame.properties["stress_deviation"]
      else {
        Issue.record("no deviations")
        continue
      }
      // The members' energies are summed in another order.
      #expect(abs(written - deviation) < 1e-12)
      for atom in 0..<16 {
        let average = (said[0].forces[atom] + said[1].forces[atom] + said[2].forces[atom]) / 3
        let largest = said.map { length($0.forces[atom] - average) }.max()!
        // Differences of members are formed in single precision.
        #expect(abs(forces[atom] - largest) < 1e-5 * largest)
      }
      let stresses = said.map { $0.stress! }
      let average = (1.0 / 3) * (stresses[0] + stresses[1] + stresses[2])
      let largest = stresses.map { frobenius($0 + (-1) * average) }.max()!
      #expect(largest > 0 && abs(stress - largest) < 1e-5 * largest)
    }
    // What is no ensemble of this potential is refused before anything is written.
    let foreign = try Potential(
      basis: Basis(BasisSpecification(elements: basis.elements, cutoff: 4, order: 1, functionsPerElement: 4)),
      columns: [1, 2, 3, 4])
    try program.write("members/9.yaml", foreign.yaml)
    try program.write("one/0.yaml", potential.yaml)
    try program.write("torn.npz", Array(try program.read("a.ensemble.npz").prefix(300)))
    for (path, cause) in [
      ("members", "9.yaml"), ("one", "two members"), ("torn.npz", "torn.npz"), ("nothing", "nothing"),
    ] {
      let outcome = try program("predict", "-p", "potential.yaml", "--ensemble", path, "frames.xyz", "-o", "bad")
      #expect(outcome.status == 1 && outcome.messages.contains(cause), "\(outcome.messages)")
    }
    #expect(!program.exists("bad"))
  }

  @Test func bothFilesOfAPotentialAgreeAndReferenceEnergiesAreAdded() throws {
    let (program, potential) = try prepared(referenceEnergy: -9.5)
    let bare = try Samples.potential()
    let structure = Samples.steps(1)[0]
    try program.write("frame.xyz", Samples.extendedXYZ([structure]))
    let expected = try Evaluator(bare.basis, radial: .tabulated).evaluate(bare, structure).energy - 9.5 * 16
    for file in ["potential.yaml", "potential.yace"] {
      #expect(try program("predict", "-p", file, "frame.xyz", "-o", "out").status == 0)
      let frame = try #require(try Samples.frames(program.read("out")).first)
      // Sums of 16 atoms in another order, and couplings that were solved for.
      #expect(abs((frame.labels.energy ?? .nan) - expected) < 1e-10)
    }
    #expect(potential.referenceEnergies == [-9.5])
  }

  @Test func threadsDoNotChangeTheOutput() throws {
    let (program, _) = try prepared()
    for k in 0..<9 {
      try program.write("pool/\(k).xyz", Samples.extendedXYZ(Samples.steps(k == 4 ? 90 : 2, seed: UInt64(k))))
    }
    var outputs: [[UInt8]] = []
    for threads in ["1", "2", "7"] {
      let outcome = try program("predict", "-p", "potential.yaml", "pool", "-o", "-", "--threads", threads)
      #expect(outcome.status == 0)
      outputs.append(outcome.output)
    }
    #expect(outputs[0] == outputs[1] && outputs[0] == outputs[2])
    let frames = try Samples.frames(outputs[0])
    #expect(frames.count == 106)
    #expect(frames.filter { $0.provenance.source == "pool/4.xyz" }.map(\.provenance.ionicStep) == Array(0..<90))
  }

  @Test func unlabelledStructuresAndFreeClustersArePredictedToo() throws {
    let (program, _) = try prepared()
    var random = RandomNumbers(seed: 3)
    let cluster = TungstenStructures.cluster(count: 9, amplitude: 0.05, &random)
    try program.write("cluster.xyz", Samples.extendedXYZ([cluster]))
    try program.write("POSCAR", POSCARWriter().bytes(TungstenStructures.bulk((2, 2, 2)), comment: "W"))
    let outcome = try program("predict", "-p", "potential.yaml", "cluster.xyz", "POSCAR", "-o", "out", "--keys", "mace")
    #expect(outcome.status == 0)
    #expect(!outcome.messages.contains("MAE"))
    let frames = try Samples.frames(program.read("out"))
    #expect(frames.map(\.count) == [9, 16])
    #expect(frames[0].cell == nil && frames[0].labels.stress == nil)
    #expect(frames[1].labels.stress != nil)
    #expect(String(decoding: try program.read("out"), as: UTF8.self).contains("REF_stress="))
  }

  @Test func aFrameThatCannotBeEvaluatedIsNamed() throws {
    let (program, _) = try prepared()
    var frames = Samples.steps(3)
    frames[1].species[5] = Element(symbol: "Re")!
    frames[2].positions[1] = frames[2].positions[0] + [1e-5, 0, 0]
    try program.write("frames.xyz", Samples.extendedXYZ(frames))
    let outcome = try program("predict", "-p", "potential.yaml", "frames.xyz", "-o", "out")
    #expect(outcome.status == 3)
    #expect(outcome.messages.contains("frames.xyz: step 1: atom 5 (from 0) is Re; the potential holds W."))
    #expect(outcome.messages.contains("frames.xyz: step 2: atoms 0 and 1 (from 0) are"))
    #expect(try Samples.frames(program.read("out")).count == 1)
  }

  @Test func staleColumnsAreNotTakenForPredictions() throws {
    let (program, _) = try prepared()
    var frame = Samples.steps(1)[0]
    frame.properties["gamma"] = .perAtomReals(Array(repeating: 99, count: frame.count), columns: 1)
    try program.write("old.xyz", Samples.extendedXYZ([frame]))
    #expect(try program("predict", "-p", "potential.yaml", "old.xyz", "-o", "out").status == 0)
    #expect(try Samples.frames(program.read("out"))[0].properties["gamma"] == nil)
  }

  @Test func badPotentialsAndActiveSetsEndBeforeAnythingIsWritten() throws {
    let (program, potential) = try prepared()
    try program.write("frame.xyz", Samples.extendedXYZ(Samples.steps(1)))
    try program.write("torn.yaml", Array(potential.yaml.prefix(potential.yaml.count / 2)))
    try program.write("torn.asi", Array(Samples.activeSet(potential).encoded.prefix(100)))
    for words in [
      ["-p", "torn.yaml"], ["-p", "missing.yaml"], ["-p", "potential.yaml", "-a", "torn.asi"],
      ["-p", "potential.yaml", "-a", "missing.asi"],
    ] {
      let outcome = try program.run(["predict", "frame.xyz", "-o", "out"] + words)
      #expect(outcome.status == 1, "\(words)")
      #expect(outcome.messages.contains(words.last!), "\(outcome.messages)")
    }
    #expect(!program.exists("out"))
  }

  @Test func theSummaryIsJSONByItself() throws {
    let (program, potential) = try prepared()
    let frames = Samples.steps(2)
    try program.write("frames.xyz", Samples.extendedXYZ(frames))
    let outcome = try program("predict", "-p", "potential.yaml", "frames.xyz", "-o", "out", "--json")
    #expect(outcome.status == 0)
    let summary = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output)) as? [String: Any])
    #expect(summary["schema"] as? String == "sluice-predict")
    #expect(summary["version"] as? Int == 1)
    #expect(summary["frames"] as? Int == 2)
    let errors = try #require(summary["errors"] as? [String: Any])
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    let differences = try frames.map { try evaluator.evaluate(potential, $0).energy - $0.labels.energy! }
    let mean = 1000 * differences.reduce(0) { $0 + abs($1) } / 32
    // The same sum in another order.
    let said = try #require(errors["energy_mae_mev_per_atom"] as? Double)
    #expect(abs(said - mean) <= 1e-12 * mean)
    #expect(errors["force_components"] as? Int == 96)
  }
}

/// √Σ m_ij².
private func frobenius(_ m: Matrix3) -> Double { (dot(m.x, m.x) + dot(m.y, m.y) + dot(m.z, m.z)).squareRoot() }
