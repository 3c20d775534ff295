import ACE
import Configurations
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct ExportTests {
  /// Two elements, functions with several couplings, reference energies.
  private func potential() throws -> Potential {
    let basis = try Basis(
      BasisSpecification(
        elements: ["Cu", "Zr"].map { Element(symbol: $0)! }, cutoff: 4.5, order: 4, functionsPerElement: 120))
    var random = SeededGenerator(seed: 3)
    return try Potential(
      basis: basis, columns: (0..<basis.columnCount).map { _ in .random(in: -1...1, using: &random) },
      referenceEnergies: [-3.5, -8.125], metadata: ["origin": "a test"])
  }

  @Test func conversionsThereAndBack() throws {
    let program = try Program()
    let potential = try potential()
    try program.write("a.yaml", potential.yaml)
    let there = try program("export", "a.yaml", "-o", "a.yace")
    #expect(there.status == 0 && there.messages.contains("metadata") && there.messages.contains("E0"))
    #expect(try program.read("a.yace") == potential.yace)
    let back = try program("export", "a.yace", "-o", "b.yaml")
    #expect(back.status == 0 && back.messages.contains("solved for"))
    let again = try Potential(yaml: program.read("b.yaml"))
    #expect(again.basis == potential.basis && again.referenceEnergies == potential.referenceEnergies)
    #expect(zip(again.coefficients.joined(), potential.coefficients.joined()).allSatisfy { abs($0 - $1) < 1e-13 })
    // The same format is written again, bit for bit.
    for name in ["a.yaml", "a.yace"] {
      let copy = "copy-" + name
      #expect(try program("export", name, "-o", copy, "-q").messages.isEmpty)
      #expect(try program.read(copy) == program.read(name))
    }
    let toOutput = try program("export", "a.yaml", "-o", "-", "--format", "yace")
    #expect(try toOutput.output == program.read("a.yace"))
  }

  @Test func whatHasNoOtherFormIsRefused() throws {
    let program = try Program()
    var file = CTildeFile(try potential())
    let index = file.functions[0].firstIndex { $0.ls == [1, 1] }!
    file.functions[0][index].coefficients[0] += 1
    try program.write("turned.yace", file.encoded)
    let turned = try program("export", "turned.yace", "-o", "out.yaml")
    #expect(turned.status == 1)
    #expect(turned.messages.contains("turned.yace") && turned.messages.contains("not a rotation invariant"))
    #expect(turned.messages.contains("keep the .yace"))
    var other = CTildeFile(try potential())
    other.bonds[0][1].cutoff = 4.25
    try program.write("uneven.yace", other.encoded)
    let uneven = try program("export", "uneven.yace", "-o", "out.yaml")
    #expect(uneven.status == 1 && uneven.messages.contains("Cu-Zr and Zr-Cu differ"))
    #expect(!program.exists("out.yaml"))
    // Either can be written again as it is.
    #expect(try program("export", "turned.yace", "-o", "same.yace").status == 0)
    #expect(try program.read("same.yace") == file.encoded)
  }

  @Test func anActiveSetComesFromData() throws {
    let program = try Program()
    let potential = try Samples.potential()
    try program.write("p.yaml", potential.yaml)
    let frames = Samples.steps(12)
    try program.write("frames.xyz", Samples.extendedXYZ(frames))
    var files: [[UInt8]] = []
    for threads in ["1", "3"] {
      let outcome = try program(
        "export", "p.yaml", "--data", "frames.xyz", "-o", "p.asi", "--threads", threads)
      #expect(outcome.status == 0 && outcome.messages.contains("192 environments"), "\(outcome.messages)")
      files.append(try program.read("p.asi"))
    }
    #expect(files[0] == files[1])
    let inverses = try ActiveSetFile(decoding: files[0]).inverses(for: potential.basis)
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    let grades = try frames.flatMap { try evaluator.grades(of: $0, inverses: inverses) }
    // MaxVol's tolerance, and rounding of an inverse with a condition of about 1e8.
    #expect(grades.allSatisfy { $0 <= 1.01 + 1e-6 } && grades.contains { abs($0 - 1) < 1e-6 })
    var far = frames[0]
    far.positions[0] += [0.8, 0.5, 0]
    #expect(try evaluator.grades(of: far, inverses: inverses).max()! > 1.5)
  }

  @Test(arguments: [
    (["export", "p.yaml", "-o", "p.asi"], 2, "give --data"), (["export", "p.yaml", "-o", "p.txt"], 2, "--format"),
    (["export", "p.yaml", "-o", "-"], 2, "--format"), (["export", "p.yaml"], 2, "--output is missing"),
    (["export", "p.asi", "-o", "p.yaml"], 2, "holds no coefficients"),
    (["export", "p.yaml", "-d", "x", "-o", "p.yace"], 2, "--data goes with .asi"),
    (["export", "none.yaml", "-o", "p.yace"], 1, "none.yaml"),
    (["export", "torn.yaml", "-o", "q.yace"], 1, "torn.yaml"),
    (["export", "p.yaml", "-d", "none.xyz", "-o", "p.asi"], 1, "none.xyz"),
  ]) func errorsSayWhatToDo(_ words: [String], _ status: Int32, _ cause: String) throws {
    let program = try Program()
    let bytes = try Samples.potential().yaml
    try program.write("p.yaml", bytes)
    try program.write("torn.yaml", Array(bytes.prefix(bytes.count / 2)))
    let outcome = try program.run(words)
    #expect(outcome.status == status && outcome.messages.contains(cause), "\(words): \(outcome.messages)")
    #expect(try Set(program.names()) == ["p.yaml", "torn.yaml"])
  }
}
