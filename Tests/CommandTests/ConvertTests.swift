import Configurations
import Foundation
import Platform
import Testing
import TungstenReference

@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct ConvertTests {
  @Test func framesReadBackBitForBit() throws {
    let program = try Program()
    let run = Samples.run(4)
    try program.write("a/vasprun.xml", run.vasprun())
    try program.write("b/OUTCAR", run.outcar())
    let outcome = try program("convert", "b/OUTCAR", "a", "-o", "all.extxyz")
    #expect(outcome.status == 0)
    #expect(outcome.output.isEmpty)
    #expect(outcome.messages.contains("8 frames, 128 atoms: all.extxyz"))
    let expected =
      try Samples.read(run.outcar(), name: "b/OUTCAR") + Samples.read(run.vasprun(), name: "a/vasprun.xml")
    let frames = try Samples.frames(try program.read("all.extxyz"))
    #expect(frames == expected)
    #expect(frames.map(\.provenance.ionicStep) == [0, 1, 2, 3, 0, 1, 2, 3])
    #expect(try program.names() == ["a", "all.extxyz", "b"])
  }

  @Test func standardOutputHoldsTheSameBytesAndNothingElse() throws {
    let program = try Program()
    try program.write("vasprun.xml", Samples.run(3).vasprun())
    try #require(try program("convert", "vasprun.xml", "-o", "file.extxyz").status == 0)
    let outcome = try program("convert", "vasprun.xml", "-o", "-")
    #expect(outcome.status == 0)
    #expect(try outcome.output == program.read("file.extxyz"))
    #expect(outcome.messages.contains("3 frames"))
    #expect(try program("convert", "vasprun.xml", "-o", "-", "--quiet").messages.isEmpty)
  }

  @Test func threadsDoNotChangeTheOutput() throws {
    let program = try Program()
    for k in 0..<12 { try program.write("runs/\(k)/vasprun.xml", Samples.run(1 + k % 3, seed: UInt64(k)).vasprun()) }
    var outputs: [[UInt8]] = []
    for threads in ["1", "2", "7"] {
      #expect(try program("convert", "runs", "-o", "out", "--threads", threads).status == 0)
      outputs.append(try program.read("out"))
    }
    #expect(outputs[0] == outputs[1] && outputs[0] == outputs[2])
    let sources = try Samples.frames(outputs[0]).map(\.provenance.source)
    #expect(Set(sources).count == 12)
    #expect(sources == sources.sorted())
  }

  @Test func filesOfOneRunAreOneSourceUnlessSeparate() throws {
    let program = try Program()
    let run = Samples.run(2)
    try program.write("run/vasprun.xml", run.vasprun())
    try program.write("run/OUTCAR", run.outcar())
    try program.write("run/CONTCAR", POSCARWriter().bytes(run.steps[1], comment: "W"))
    try program.write("run/INCAR", "ENCUT = 350\n")
    let paired = try program("convert", "run", "-o", "paired")
    #expect(paired.status == 0)
    #expect(
      try Samples.frames(program.read("paired")).map(\.provenance.source) == ["run/vasprun.xml", "run/vasprun.xml"])
    #expect(paired.messages.contains("passed over: run/CONTCAR: a structure beside the run"))
    // It was read beside the run.
    #expect(!paired.messages.contains("run/INCAR"))
    try #require(try program("convert", "run/OUTCAR", "run/vasprun.xml", "-o", "named").status == 0)
    #expect(try program.read("named") == program.read("paired"))
    try #require(try program("convert", "run", "--separate", "-o", "apart").status == 0)
    let apart = try Samples.frames(program.read("apart")).map(\.provenance.source)
    #expect(apart == ["run/OUTCAR", "run/OUTCAR", "run/vasprun.xml", "run/vasprun.xml"])
  }

  @Test func archivesAreReadMemberByMember() throws {
    let program = try Program()
    let run = Samples.run(2)
    try program.write("one/vasprun.xml", run.vasprun())
    try program.write("one/POSCAR", POSCARWriter().bytes(run.steps[0], comment: "W"))
    try program.write("two/OUTCAR", Samples.run(1, seed: 2).outcar())
    try program.folder.shell("tar czf runs.tar.gz one two && gzip -k two/OUTCAR")
    func sources(_ options: String...) throws -> [String] {
      #expect(try program.run(["convert", "runs.tar.gz", "two/OUTCAR.gz", "-o", "out"] + options).status == 0)
      return try Samples.frames(program.read("out")).map(\.provenance.source)
    }
    let member = "runs.tar.gz/one/vasprun.xml"
    #expect(try sources("--separate") == [member, member, "runs.tar.gz/two/OUTCAR", "two/OUTCAR.gz"])
    // The same content counts once, under whatever name and however it is packed.
    #expect(try sources() == [member, member, "runs.tar.gz/two/OUTCAR"])
  }

  @Test func oneBadInputSparesTheOthers() throws {
    let program = try Program()
    try program.write("good.xml", Samples.run(2).vasprun())
    try program.write("bad", "nothing that anyone knows\n")
    let outcome = try program("convert", "bad", "missing", "good.xml", "-o", "out")
    #expect(outcome.status == 3)
    #expect(outcome.messages.contains("error: bad: "))
    #expect(outcome.messages.contains("error: missing: "))
    #expect(try Samples.frames(program.read("out")).count == 2)
    // Nothing at all: what is there stays.
    let before = try program.read("out")
    #expect(try program("convert", "bad", "missing", "-o", "out").status == 1)
    #expect(try program.read("out") == before)
    #expect(try program("convert", "bad", "-o", "new").status == 1)
    #expect(try program.names() == ["bad", "good.xml", "out"])
  }

  @Test func nothingToTellIsNoError() throws {
    let program = try Program()
    try program.write("INCAR", "ENCUT = 350\nISMEAR = 1\n")
    try program.folder.shell("mkdir empty")
    for input in ["INCAR", "empty"] {
      let outcome = try program("convert", input, "-o", "out")
      #expect(outcome.status == 0)
      #expect(outcome.messages.contains("nothing was written"))
    }
    #expect(!program.exists("out"))
  }

  @Test func whatBreaksOffKeepsItsWholeFrames() throws {
    let program = try Program()
    let run = Samples.run(4)
    let xml = run.vasprun()
    try program.write("cut.xml", Array(xml[..<(xml.count * 2 / 3)]))
    let outcome = try program("convert", "cut.xml", "-o", "cut.extxyz")
    #expect(outcome.status == 0)
    #expect(outcome.messages.contains("complete steps were kept"))
    let whole = try Samples.read(xml, name: "cut.xml")
    let kept = try Samples.frames(program.read("cut.extxyz"))
    #expect((1...3).contains(kept.count))
    #expect(kept == Array(whole.prefix(kept.count)))
    // The same for extended XYZ, between lines and within one.
    let text = Samples.extendedXYZ(run.steps)
    let breaks = text.indices.filter { text[$0] == 0x0A }
    for end in [breaks[3 * 18 - 2] + 1, breaks[3 * 18 - 2] + 9] {
      try program.write("cut", Array(text[..<end]))
      let outcome = try program("convert", "cut", "-o", "again")
      #expect(outcome.status == 0)
      #expect(outcome.messages.contains("2 complete frames were kept"), "\(outcome.messages)")
      #expect(try Samples.frames(program.read("again")).map(\.positions) == run.steps.prefix(2).map(\.positions))
    }
    // A bad line in the middle is no breaking off.
    try program.write("bad", Array(text[..<breaks[30]]) + Array("?\n".utf8) + Array(text[breaks[30]...]))
    #expect(try program("convert", "bad", "-o", "never").status == 1)
  }

  @Test func stepsAreChosen() throws {
    let program = try Program()
    let run = Samples.run(7)
    try program.write("vasprun.xml", run.vasprun())
    try program.write("OUTCAR", run.outcar())
    try program.write("frames.xyz", Samples.extendedXYZ(run.steps))
    for (steps, expected) in [("all", Array(0..<7)), ("last", [6]), ("every:3", [0, 3, 6])] {
      for input in [["vasprun.xml"], ["OUTCAR"], ["vasprun.xml", "OUTCAR"], ["frames.xyz"]] {
        try #require(try program.run(["convert", "-o", "out", "--steps", steps] + input).status == 0)
        #expect(
          try Samples.frames(program.read("out")).map(\.provenance.ionicStep) == expected, "\(input) \(steps)")
      }
    }
  }

  @Test func structuresWithoutLabelsAreFramesWithoutLabels() throws {
    let program = try Program()
    let bare = Samples.steps(3).map { Configuration(species: $0.species, positions: $0.positions, cell: $0.cell) }
    try program.write("pool/POSCAR", POSCARWriter().bytes(bare[0], comment: "W"))
    try program.write("pool/XDATCAR", TrajectoryText.xdatcar(bare, title: "W"))
    let dump = TrajectoryText.lammpsDump(bare)
    try program.write("pool/dump", dump)
    try #require(try program("convert", "pool", "-o", "out").status == 0)
    let frames = try Samples.frames(program.read("out"))
    #expect(
      frames.map(\.provenance.source) == ["pool/POSCAR"] + Array(repeating: "pool/XDATCAR", count: 3)
        + Array(repeating: "pool/dump", count: 3))
    #expect(frames.allSatisfy { $0.labels == Labels() })
    #expect(frames[0].positions == bare[0].positions)
    #expect(frames.suffix(3).map(\.positions) == bare.map(\.positions))
    // Without a column of elements, types need a name.
    let text = String(decoding: dump, as: UTF8.self).replacingOccurrences(of: "type element", with: "type")
    try program.write("types", text.replacingOccurrences(of: " 1 W ", with: " 1 "))
    let unnamed = try program("convert", "types", "-o", "typed")
    #expect(unnamed.status == 1)
    #expect(unnamed.messages.contains("--types"))
    #expect(try program("convert", "types", "-o", "typed", "--types", "W").status == 0)
    #expect(try Samples.frames(program.read("typed")).map(\.positions) == bare.map(\.positions))
  }

  @Test func otherFormatsHoldTheSame() throws {
    let program = try Program()
    let run = Samples.run(3)
    try program.write("vasprun.xml", run.vasprun())
    let expected = try Samples.read(run.vasprun(), name: "vasprun.xml")
    #expect(try program("convert", "vasprun.xml", "-o", "folder", "--format", "poscar").status == 0)
    for (k, frame) in expected.enumerated() {
      let name = "folder/POSCAR-00000\(k + 1).vasp"
      var reader = POSCARReader(MemoryByteSource(try program.read(name)), name: name)
      let read = try #require(try reader.next())
      #expect(read.positions == frame.positions && read.cell == frame.cell)
    }
    let again = try program("convert", "vasprun.xml", "-o", "folder", "--format", "poscar")
    #expect(again.status == 2)
    #expect(again.messages.contains("not empty"))

    #expect(try program("convert", "vasprun.xml", "-o", "frames.json", "--format", "json").status == 0)
    let json = try JSONSerialization.jsonObject(with: Data(try program.read("frames.json")))
    let objects = try #require(json as? [[String: Any]])
    #expect(objects.map { $0["energy"] as? Double } == expected.map(\.labels.energy))
    #expect(objects.map { $0["ionic_step"] as? Int } == [0, 1, 2])
    #expect(objects[1]["source"] as? String == "vasprun.xml")
    #expect(objects[1]["symbols"] as? [String] == expected[1].species.map(\.symbol))
    #expect(objects[1]["forces"] as? [[Double]] == expected[1].labels.forces.map { $0.map { [$0.x, $0.y, $0.z] } })
    #expect(objects[1]["pbc"] as? [Bool] == [true, true, true])

    #expect(try program("convert", "vasprun.xml", "-o", "mace", "--keys", "mace").status == 0)
    let mace = String(decoding: try program.read("mace"), as: UTF8.self)
    #expect(mace.contains("REF_forces:R:3") && mace.contains(" REF_energy=") && !mace.contains(" energy="))
    #expect(try Samples.frames(program.read("mace")).map(\.labels.forces) == expected.map(\.labels.forces))
  }

  @Test func theSummaryIsJSONByItself() throws {
    let program = try Program()
    try program.write("run/vasprun.xml", Samples.run(2).vasprun())
    try program.write("run/notes.md", "words\n")
    let outcome = try program("convert", "run", "missing", "-o", "out", "--json")
    #expect(outcome.status == 3)
    let summary = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output)) as? [String: Any])
    #expect(summary["schema"] as? String == "sluice-convert")
    #expect(summary["version"] as? Int == 1)
    #expect(summary["frames"] as? Int == 2)
    #expect(summary["atoms"] as? Int == 32)
    #expect(summary["exit"] as? Int == 3)
    let sources = try #require(summary["sources"] as? [[String: Any]])
    #expect(sources.map { $0["source"] as? String } == ["run/vasprun.xml", "missing"])
    #expect(sources.map { $0["outcome"] as? String } == ["read", "failed"])
    #expect(sources[0]["complete"] as? Bool == true)
    #expect((sources[0]["settings"] as? [String: Any])?["planeWaveCutoff"] as? Double == 350)
    let passedOver = try #require(summary["passed_over"] as? [[String: Any]])
    #expect(passedOver.map { $0["name"] as? String } == ["run/notes.md"])
  }

  @Test func framesThatHaveASourceKeepItBesideTheNewOne() throws {
    let program = try Program()
    try program.write("vasprun.xml", Samples.run(1).vasprun())
    try #require(try program("convert", "vasprun.xml", "-o", "one.xyz").status == 0)
    try #require(try program("convert", "one.xyz", "-o", "two.xyz").status == 0)
    let frame = try #require(try Samples.frames(program.read("two.xyz")).first)
    #expect(frame.provenance.source == "one.xyz")
    #expect(frame.properties["info_source"] == .text("vasprun.xml"))
    #expect(frame.properties["info_ionic_step"] == .integer(0))
  }

  @Test func stepsOfAForceFieldAreNoFrames() throws {
    let program = try Program()
    var text = String(decoding: Samples.run(3).outcar(), as: UTF8.self)
    // The last step as VASP's own force field prints it.
    let marks = ["TOTAL-FORCE (eV/Angst)", "free  energy   TOTEN"]
    for mark in marks { try #require(text.contains(mark), "\(mark)") }
    let plain = try #require(try Samples.read(Array(text.utf8), name: "OUTCAR").last)
    for (mark, learned) in [
      ("TOTAL-FORCE (eV/Angst)", "TOTAL-FORCE (eV/Angst) (ML)"),
      ("free  energy   TOTEN", "free  energy ML TOTEN"),
      ("FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)", "ML FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)"),
    ] {
      guard let last = text.range(of: mark, options: .backwards) else { continue }
      text.replaceSubrange(last, with: learned)
    }
    let steps = try Samples.read(Array(text.utf8), name: "OUTCAR")
    try #require(steps.last?.labels.machineLearned == true && steps.last?.positions == plain.positions)
    try program.write("OUTCAR", text)
    let outcome = try program("convert", "OUTCAR", "-o", "out")
    #expect(outcome.status == 0)
    #expect(outcome.messages.contains("1 machine-learned step was left out"))
    #expect(try Samples.frames(program.read("out")) == steps.filter { !$0.labels.machineLearned })
    #expect(try program("convert", "OUTCAR", "-o", "out", "--machine-learned").status == 0)
    #expect(try Samples.frames(program.read("out")) == steps)
    #expect(try program("convert", "OUTCAR", "-o", "out", "--steps", "last").status == 0)
    #expect(try Samples.frames(program.read("out")) == [steps.last { !$0.labels.machineLearned }])
  }

  @Test func theOutputIsNoInput() throws {
    let program = try Program()
    try program.write("run/vasprun.xml", Samples.run(2).vasprun())
    for _ in 0..<2 { #expect(try program("convert", ".", "-o", "all.extxyz").status == 0) }
    #expect(try Samples.frames(program.read("all.extxyz")).count == 2)
  }
}
