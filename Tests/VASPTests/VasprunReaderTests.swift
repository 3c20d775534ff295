import Configurations
import Platform
import TestSupport
import Testing
import VASP

struct VasprunReaderTests {
  private func read(_ text: String, chunk: Int = .max) throws -> (
    configurations: [Configuration], reader: VasprunReader
  ) {
    try read(Array(text.utf8), chunk: chunk)
  }

  private func read(_ bytes: [UInt8], chunk: Int = .max) throws -> (
    configurations: [Configuration], reader: VasprunReader
  ) {
    let reader = VasprunReader(MemoryByteSource(bytes, chunk: chunk), name: "run")
    var all: [Configuration] = []
    while let next = try reader.next() { all.append(next) }
    return (all, reader)
  }

  @Test func everyLabelInOurUnits() throws {
    let (all, reader) = try read(RunText().vasprun)
    let c = try #require(all.first)
    #expect(all.count == 1 && reader.isComplete && reader.diagnostics.isEmpty)
    #expect(c.species == [Element(symbol: "W")!, Element(symbol: "O")!])
    #expect(c.cell?.vectors == Matrix3([4, 0, 0], [0, 5, 0], [0.5, 0, 6]))
    #expect(c.positions == [[0, 0, 0], [1.375, 2.5, 4.5]])
    #expect(c.labels.energy == -10.5)
    #expect(c.labels.energyWithoutEntropy == -10.25)
    #expect(c.labels.energySigmaZero == -10.375)
    #expect(c.labels.forces == [[0.125, -0.5, 0.0625], [-0.125, 0.5, -0.0625]])
    #expect(c.labels.electronicallyConverged == true)
    #expect(c.labels.machineLearned == false)
    #expect(c.provenance == Provenance(source: "run", ionicStep: 0))
    // XX YY ZZ XY YZ ZX in kB, compression positive, becomes tension in eV/Å^3.
    let stress = try #require(c.labels.stress)
    let kilobar: [(Int, Int, Double)] = [
      (0, 0, 10), (1, 1, 20), (2, 2, 30), (0, 1, 1), (1, 2, 2), (2, 0, 3),
    ]
    for (row, column, value) in kilobar {
      #expect(abs(stress[row, column] + value / 1602.1766208) < 1e-15)
      #expect(stress[row, column] == stress[column, row])
    }
  }

  @Test(arguments: ["4.6.35", "5.2.2", "5.4.4.18Apr17-6-g9f103f2a35", "6.0.8", "6.1.0", "6.5.1"])
  func energiesOfEveryVersion(version: String) throws {
    let c = try read(RunText(version: version).vasprun).configurations[0]
    #expect(c.labels.energy == -10.5)
    #expect(c.labels.energyWithoutEntropy == -10.25)
    #expect(c.labels.energySigmaZero == -10.375)
  }

  @Test func aMissingVersionIsToldFromTheNumbers() throws {
    for version in ["5.4.4", "6.4.0"] {
      let text = RunText(version: version).vasprun.replacing("\"version\"", with: "\"other\"")
      let c = try read(text).configurations[0]
      #expect(c.labels.energyWithoutEntropy == -10.25 && c.labels.energySigmaZero == -10.375)
    }
  }

  /// With PSTRESS vasprun.xml gives enthalpies; forces and stress are no derivatives of those.
  @Test(arguments: ["5.4.4", "6.3.2"])
  func pressureTimesVolumeIsNoEnergy(version: String) throws {
    var text = RunText(version: version)
    let whole = try read(text.vasprun).configurations[0].labels
    // 120 Å^3 at 267.02955500 kB: 20 eV.
    text.parameters = [("PSTRESS", "float", "   267.02955500")]
    for keyPath in [\RunText.Step.energy, \.withoutEntropy, \.sigmaZero] { text.steps[0][keyPath: keyPath] += 20 }
    let labels = try read(text.vasprun).configurations[0].labels
    #expect(abs(labels.energy! - whole.energy!) < 1e-7)
    #expect(abs(labels.energyWithoutEntropy! - whole.energyWithoutEntropy!) < 1e-7)
    #expect(abs(labels.energySigmaZero! - whole.energySigmaZero!) < 1e-7)
    #expect(labels.stress == whole.stress && labels.forces == whole.forces)
    // Steps without a lattice have no energy that could be told from the enthalpy.
    let (none, _) = try read(text.vasprun.replacing("name=\"basis\"", with: "name=\"none\""))
    #expect(none.isEmpty)
  }

  /// vasprun.xml of VASP 5 does not quote IVDW.
  @Test func silenceOnDispersionIsNoStatement() throws {
    #expect(try read(RunText(version: "5.4.4").vasprun).reader.settings.dispersion == nil)
    #expect(try read(RunText(version: "6.3.2").vasprun).reader.settings.dispersion == "none")
    let asked = RunText(version: "5.4.4", parameters: [("LUSE_VDW", "logical", "T")])
    #expect(try read(asked.vasprun).reader.settings.dispersion == "vdW-DF (LUSE_VDW)")
  }

  @Test func elementsComeFromThePotcarTitle() throws {
    let text = RunText(
      symbols: ["r", "X"], titles: ["PAW_PBE Zr_sv 04Jan2005", "PAW_PBE Xe 07Sep2000"])
    let c = try read(text.vasprun).configurations[0]
    #expect(c.species.map(\.symbol) == ["Zr", "Xe"])
  }

  @Test func unconvergedStepsSaySo() throws {
    var text = RunText(maximumIterations: 3)
    #expect(try read(text.vasprun).configurations[0].labels.electronicallyConverged == false)
    text.steps[0].iterations = 2
    #expect(try read(text.vasprun).configurations[0].labels.electronicallyConverged == true)
    // The loops of a linear-response run are counted, too.
    text.steps[0].iterations = 7
    for response in [("IBRION", "int", "8"), ("LCHIMAG", "logical", "T")] {
      text.parameters = [response]
      #expect(try read(text.vasprun).configurations[0].labels.electronicallyConverged == nil)
    }
  }

  @Test func machineLearnedStepsAreMarked() throws {
    let (all, _) = try read(
      RunText(steps: [RunText.Step(), RunText.Step()], learned: true).vasprun)
    #expect(all.map(\.labels.machineLearned) == [true, false, true, false])
    #expect(all.map(\.provenance.ionicStep) == [0, 1, 2, 3])
    #expect(all[0].labels.stress == nil, "what is not given is not zero")
  }

  @Test func missingStressAndSelectiveDynamics() throws {
    var text = RunText(selective: true)
    text.steps[0].stress = nil
    let c = try read(text.vasprun).configurations[0]
    #expect(c.labels.stress == nil)
    #expect(
      c.properties["move_mask"]
        == .perAtomLogicals([true, false, true, true, true, true], columns: 3))
  }

  @Test func settingsInWords() throws {
    var text = RunText()
    text.parameters = [
      ("ISPIN", "int", "2"), ("LNONCOLLINEAR", "logical", "F"), ("LSORBIT", "logical", "F"),
      ("GGA", "string", "PS"), ("IVDW", "int", "12"), ("LDAU", "logical", "F"),
    ]
    let settings = try read(text.vasprun).reader.settings
    #expect(settings.functional == "PBEsol")
    #expect(settings.planeWaveCutoff == 520)
    let asked = text.vasprun.replacing(
      "  <i type=\"string\" name=\"ALGO\">", with: "  <i name=\"ENCUT\"> 600.0</i>\n  <i type=\"string\" name=\"ALGO\">"
    )
    #expect(try read(asked).reader.settings.planeWaveCutoff == 520, "what was used")
    #expect(settings.pseudopotentials == ["PAW_PBE W_sv 06Sep2000", "PAW_PBE O 08Apr2002"])
    #expect(settings.kPoints == "Gamma 2 3 4")
    #expect(
      settings.spinPolarised == true && settings.nonCollinear == false
        && settings.spinOrbit == false)
    #expect(settings.hubbardU == [])
    #expect(settings.dispersion == "IVDW 12")
    #expect(settings.smearing == "ISMEAR 0, SIGMA 0.05 eV")
    #expect(settings.version == "6.3.2")
    #expect(settings.other["NELM"] == "60", "the first of two")
    #expect(settings.other["PREC"] == "Accurate")
    for (parameters, functional) in [
      ([("LHFCALC", "logical", "T"), ("HFSCREEN", "float", "0.2")], "HSE06"),
      ([("LHFCALC", "logical", "T"), ("HFSCREEN", "float", "0.0")], "PBE0"),
      ([("METAGGA", "string", "R2SCAN")], "r2SCAN"), ([("GGA", "string", "--")], "PBE"),
      ([], "PBE"),
    ] {
      text.parameters = parameters
      #expect(try read(text.vasprun).reader.settings.functional == functional)
    }
  }

  /// No cut gives a step that the whole file does not give, whatever the size of the pieces.
  @Test func everyTruncationGivesAPrefix() throws {
    let bytes = Array(
      RunText(steps: [RunText.Step(), RunText.Step(energy: -9)], learned: true).vasprun.utf8)
    let whole = try read(bytes).configurations
    #expect(whole.count == 4)
    for chunk in [1, 7, 100] { #expect(try read(bytes, chunk: chunk).configurations == whole) }
    for cut in 0..<bytes.count - 1 {
      let (kept, reader) = try read(Array(bytes[..<cut]), chunk: 333)
      let isPrefix = kept == Array(whole.prefix(kept.count))
      #expect(isPrefix, "cut at \(cut)")
      #expect(reader.isComplete == (cut == bytes.count - 1), "cut at \(cut)")
      #expect(!reader.diagnostics.isEmpty, "cut at \(cut)")
    }
  }

  @Test func numbersThatAreNoneAreNoLabel() throws {
    for (from, to) in [
      ("0.12500000", "**********"), ("      0.12500000 ", "             NaN"),
      ("  -10.50000000 </i>", "********</i>"),
      ("0.25000000 ", "0.25x00000 "),
    ] {
      let text = RunText().vasprun
      let broken = text.replacing(from, with: to)
      #expect(text != broken)
      let (all, reader) = try read(broken)
      #expect(all.isEmpty && reader.diagnostics.map(\.severity) == [.warning], "\(to)")
      #expect(reader.diagnostics.first?.place.ionicStep == 0)
    }
    let stress = RunText().vasprun.replacing("10.00000000", with: "***********")
    #expect(try read(stress).configurations.map(\.labels.stress) == [nil])
  }

  @Test func illegalBytesAndByteOrderMarksSurvive() throws {
    var bytes: [UInt8] = [0xEF, 0xBB, 0xBF, 0x0A]
    bytes += Array(RunText().vasprun.replacing("Fast", with: "F@st").utf8).flatMap {
      $0 == 0x40 ? [0xE4, 0x00, 0x07, 0xFF] as [UInt8] : [$0]
    }
    for chunk in [1, 2, 5, .max] {
      let (all, reader) = try read(bytes, chunk: chunk)
      #expect(all.count == 1 && reader.isComplete)
      #expect(reader.diagnostics.map(\.code) == ["illegal-bytes"])
    }
  }

  @Test func malformedFilesKeepTheStepsBefore() throws {
    let text = RunText(steps: [RunText.Step(), RunText.Step()]).vasprun
    let second = text.ranges(of: "<calculation>")[1].lowerBound
    let (all, reader) = try read(text[..<second] + "</varray>" + text[second...])
    #expect(all.count == 1 && !reader.isComplete)
    #expect(reader.diagnostics.map(\.code) == ["malformed-xml"])
    #expect(reader.diagnostics[0].place.line != nil)
  }

  @Test func documentTypesEntitiesAndDepthAreRefused() {
    let bomb =
      "<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;&b;&b;\">]><modeling>&c;</modeling>"
    let external = "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><modeling></modeling>"
    let deep = String(repeating: "<modeling>", count: 1_000_000)
    let deepSkipped = "<modeling>" + String(repeating: "<x>", count: 1_000_000)
    for (text, code) in [
      (bomb, "xml-doctype"), (external, "xml-doctype"), (deep, "xml-depth"),
      (deepSkipped, "xml-depth"),
    ] {
      let error = #expect(throws: Diagnostic.self) { try read(text) }
      #expect(error?.code == code)
    }
  }

  @Test func entitiesWithoutDeclarationsEndTheFile() throws {
    let text = RunText().vasprun.replacing("Fast", with: "&lol;")
    let (all, reader) = (try? read(text)) ?? ([], VasprunReader(MemoryByteSource([]), name: ""))
    #expect(all.isEmpty && !reader.isComplete)
    let predefined = RunText().vasprun.replacing("Fast", with: "&lt;&#65;")
    #expect(try read(predefined).reader.settings.other["ALGO"] == "<A")
  }

  @Test func otherTextIsNoVasprun() throws {
    for text in ["", "hello", "<html></html>", "<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>"] {
      let (all, reader) = try read(text)
      #expect(all.isEmpty && !reader.isComplete)
      #expect(reader.diagnostics.contains { $0.severity == .error }, "\(text)")
    }
  }
}
