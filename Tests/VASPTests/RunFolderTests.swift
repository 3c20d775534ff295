import Configurations
import Platform
import TestSupport
import Testing
import VASP

/// A run folder is one thing: what its files tell is merged, checked and carried along.
struct RunFolderTests {
  private typealias Member = ArchiveBytes.Member

  /// Molecular dynamics of `energies.count` steps, each a small move from the one before.
  private func dynamics(_ energies: [Double], from first: Int = 0) -> RunText {
    var text = RunText(
      steps: energies.enumerated().map { k, energy in
        var step = RunText.Step(energy: energy, withoutEntropy: energy + 0.25, sigmaZero: energy + 0.125)
        step.positions[1].x += 0.01 * Double(first + k)
        return step
      })
    text.parameters = [("IBRION", "int", "0"), ("NSW", "int", "50"), ("LASPH", "logical", "F")]
    return text
  }

  private let energies = [-10.5, -11.5, -12.5, -13.5, -14.5, -15.5]

  private func folder(_ files: [(String, String)], steps: StepSelection = .all) throws -> [ReadSource] {
    try SourceReader(steps: steps).read(
      folder: "run",
      files: files.map { name, text in RunFile(path: name) { MemoryByteSource(Array(text.utf8)) } })
  }

  private func oszicar(_ energies: [Double], moment: String = "  mag=     3.5000") -> String {
    var text = "       N       E                     dE             d eps       ncg     rms          rms(c)\n"
    for (k, energy) in energies.enumerated() {
      text += "DAV:   1     0.990000000000E+02    0.99000E+02   -0.10000E+03    64   0.500E+02\n"
      text +=
        "      \(k + 1) T=   300. E= \(energy + 1) F= \(energy) E0= \(energy + 0.125)  EK= 0.1E+01 SP= 0.0 SK= 0.0\(moment)\n"
    }
    return text
  }

  private func structure(_ text: RunText, step: Int, flags: String? = nil) -> String {
    let step = text.steps[step]
    let rows = [step.cell.x, step.cell.y, step.cell.z].map { "\($0.x) \($0.y) \($0.z)\n" }.joined()
    return "W O\n1.0\n\(rows)W O\n1 1\n" + (flags == nil ? "" : "Selective dynamics\n") + "Direct\n"
      + step.positions.map { "\($0.x) \($0.y) \($0.z) \(flags ?? "")\n" }.joined()
  }

  private func codes(_ source: ReadSource) -> [String] { source.diagnostics.map(\.code) }

  // MARK: carried properties

  @Test func everyConfigurationCarriesItsRun() throws {
    let text = dynamics(energies)
    let moment = " number of electron      12.0000000 magnetization       3.5000000\n"
    let sheet = text.outcar().replacing("\n magnetization (x)", with: moment + "\n magnetization (x)")
    let tree = try folder([("vasprun.xml", text.vasprun)])[0]
    let other = try folder([("OUTCAR", sheet)])[0]
    let both = try folder([("OUTCAR", sheet), ("vasprun.xml", text.vasprun)])[0]
    for source in [tree, other, both] {
      for configuration in source.configurations {
        let properties = configuration.properties
        #expect(properties["calculation_type"] == .text("md"))
        #expect(properties["vasp_version"] == .text("6.3.2") || properties["vasp_version"] == .text("6.3.2 01Jan20"))
        #expect(properties["potcar"] == .text("PAW_PBE W_sv 06Sep2000, PAW_PBE O 08Apr2002"))
        #expect(properties["electronic_steps"] == .integer(3))
        #expect(properties["settings_id"] != nil)
        #expect(configuration.labels.electronicallyConverged == true)
      }
    }
    #expect(tree.configurations[0].properties["kpoints"] == .text("Gamma 2 3 4"))
    #expect(other.configurations.allSatisfy { $0.properties["magmom"] == .real(3.5) })
    #expect(both.configurations.allSatisfy { $0.properties["magmom"] == .real(3.5) })
    #expect(both.configurations[0].properties["kpoints"] == .text("Gamma 2 3 4"))
    #expect(tree.configurations[0].properties["incar_id"] == both.configurations[0].properties["incar_id"])
    #expect(tree.configurations[0].properties["incar_id"] != nil)
    // A loner that streams carries the same.
    for (source, text) in [(tree, text.vasprun), (other, sheet)] {
      let alone = try SourceReader().read(MemoryByteSource(Array(text.utf8)), name: "x")
      #expect(alone[0].configurations.map(\.properties) == source.configurations.map(\.properties))
      #expect(alone[0].digest == source.digest)
    }
  }

  @Test(
    arguments: [
      (["IBRION": "-1", "NSW": "0"], CalculationKind.isStatic), (["IBRION": "2", "NSW": "1"], .isStatic),
      (["IBRION": "2", "NSW": "99"], .relaxation), (["IBRION": "1", "NSW": "5"], .relaxation),
      (["IBRION": "0", "NSW": "1000"], .molecularDynamics), (["NSW": "1000"], .molecularDynamics),
      (["IBRION": "6", "NSW": "1"], .phonon), (["IBRION": "8", "NSW": "1"], .linearResponse),
      (["IBRION": "-1", "NSW": "0", "LEPSILON": "T"], .linearResponse),
      (["IBRION": "3", "NSW": "99", "IMAGES": "5"], .nudgedElasticBand), (["IBRION": "11", "NSW": "9"], .interactive),
      (["IBRION": "-1"], .isStatic), (["ENCUT": "500"], nil),
    ] as [([String: String], CalculationKind?)])
  func theKindIsWhatWasAskedFor(_ tags: [String: String], _ kind: CalculationKind?) {
    var table = SettingsTable()
    table.used = tags
    #expect(table.kind == kind)
  }

  /// Both files of a run name the same settings, although they print them differently.
  @Test func theFingerprintKnowsNoFile() throws {
    var text = dynamics(energies)
    text.parameters += [("PREC", "string", "accura"), ("LDAU", "logical", "F"), ("LHFCALC", "logical", "F")]
    let sheet = text.outcar().replacing("ENCUT  =  520.0 eV", with: "ENCUT  =  359.7 eV")
    let tree = text.vasprun.replacing("520.00000000", with: "359.73990000")
    let a = try #require(try folder([("vasprun.xml", tree)])[0].settings)
    let b = try #require(try folder([("OUTCAR", sheet)])[0].settings)
    #expect(a.differences(from: b) == [])
    #expect(a.values.first { $0.name == "ENCUT" }?.value == "359.7")
    var other = b
    other.planeWaveCutoff = 400
    #expect(a.differences(from: other) == ["ENCUT 359.7 vs 400"])
    #expect(other.fingerprint != b.fingerprint && b.fingerprint.count == 16)
  }

  // MARK: OSZICAR

  @Test func oszicarConfirmsAndFills() throws {
    let text = dynamics(energies)
    let alone = try folder([("vasprun.xml", text.vasprun)])[0]
    let confirmed = try folder([("vasprun.xml", text.vasprun), ("OSZICAR", oszicar(energies, moment: ""))])[0]
    // A file that adds nothing leaves the source what it was.
    #expect(confirmed.digest == alone.digest && confirmed.configurations == alone.configurations)
    #expect(confirmed.diagnostics.isEmpty && confirmed.files == ["run/vasprun.xml"])
    let filled = try folder([("vasprun.xml", text.vasprun), ("OSZICAR", oszicar(energies))])[0]
    #expect(filled.configurations.allSatisfy { $0.properties["magmom"] == .real(3.5) })
    #expect(filled.digest != alone.digest && filled.files == ["run/vasprun.xml", "run/OSZICAR"])
  }

  @Test func aContradictedStepIsLeftOut() throws {
    let text = dynamics(energies)
    var wrong = energies
    wrong[2] += 0.01
    let one = try folder([("OUTCAR", text.outcar()), ("OSZICAR", oszicar(wrong, moment: ""))])[0]
    #expect(one.configurations.map(\.labels.energy) == [-10.5, -11.5, -13.5, -14.5, -15.5])
    let said = try #require(one.diagnostics.first { $0.code == "contradiction" })
    #expect(said.severity == .warning && said.place.file == "run/OUTCAR" && said.place.line != nil)
    #expect(said.place.ionicStep == 2 && !said.remedy.isEmpty)
    for part in ["-12.5 eV here", "-12.49 eV in run/OSZICAR:7"] { #expect(said.cause.contains(part), "\(said)") }
    // Two of three agree.
    let two = try folder([
      ("OUTCAR", text.outcar()), ("vasprun.xml", text.vasprun), ("OSZICAR", oszicar(wrong, moment: "")),
    ])[0]
    #expect(two.configurations.map(\.labels.energy) == energies && codes(two) == ["contradiction"])
  }

  @Test func vasprunAndOutcarMayNotContradictEachOther() throws {
    let text = dynamics(energies)
    var damaged = text
    damaged.steps[4].energy = -14.6
    for (name, own) in [("-14.5", text.vasprun), ("-14.6", damaged.vasprun)] {
      let sheet = name == "-14.5" ? damaged.outcar() : text.outcar()
      let run = try folder([("OUTCAR", sheet), ("vasprun.xml", own)])
      #expect(run.count == 1)
      #expect(run[0].configurations.map(\.labels.energy) == [-10.5, -11.5, -12.5, -13.5, -15.5])
      let said = try #require(run[0].diagnostics.first { $0.code == "contradiction" })
      #expect(said.cause.contains("-14.5") && said.cause.contains("-14.6") && said.cause.contains("run/OUTCAR:"))
    }
    // OSZICAR sides with vasprun.xml: the step stays, and it is still said.
    let settled = try folder([
      ("OUTCAR", damaged.outcar()), ("vasprun.xml", text.vasprun), ("OSZICAR", oszicar(energies, moment: "")),
    ])[0]
    #expect(settled.configurations.map(\.labels.energy) == energies && codes(settled) == ["contradiction"])
    // A digit of a force.
    var force = text
    force.steps[1].forces[0].y = -0.7
    let forces = try folder([("OUTCAR", force.outcar()), ("vasprun.xml", text.vasprun)])[0]
    #expect(forces.configurations.count == 5)
    #expect(forces.diagnostics.contains { $0.cause.contains("the force on atom 1 is -0.5 here and -0.7") })
  }

  @Test func anotherRunsOszicarAndAWrongCountAreSaid() throws {
    let text = dynamics(energies)
    let foreign = try folder([("OUTCAR", text.outcar()), ("OSZICAR", oszicar(energies.map { $0 - 1 }))])[0]
    #expect(foreign.configurations.count == 6 && codes(foreign) == ["companion-differs"])
    #expect(foreign.diagnostics[0].cause.contains("F= -11.5 eV here, -10.5 eV there"))
    let longer = try folder([("OUTCAR", text.outcar()), ("OSZICAR", oszicar(energies + [-16.5]))])[0]
    #expect(longer.configurations.count == 6 && codes(longer) == ["steps-differ"])
    #expect(longer.diagnostics[0].cause.contains("7 ionic steps") && longer.diagnostics[0].place.line == 15)
    // What was appended over restarts: the piece that is of this run counts.
    let appended = try folder([
      ("OUTCAR", text.outcar()), ("OSZICAR", oszicar([-1, -2]) + oszicar(energies, moment: "")),
    ])[0]
    #expect(codes(appended) == [])
  }

  /// OSZICAR's F= is the enthalpy where PSTRESS is set, OUTCAR's and our energy is not.
  @Test func pressureInOszicarIsNoContradiction() throws {
    var text = dynamics(energies)
    let enthalpies = energies.map { $0 + 20 }
    let work = "\n  enthalpy is  TOTEN    =         0.0 eV   P V=       20.00000000\n"
    let sheet = text.outcar().split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.contains("energy(sigma->0)") ? $0 + work : String($0) }.joined(separator: "\n")
    text.parameters.append(("PSTRESS", "float", "267.02955500"))
    for k in text.steps.indices {
      for keyPath in [\RunText.Step.energy, \.withoutEntropy, \.sigmaZero] { text.steps[k][keyPath: keyPath] += 20 }
    }
    for files in [["OUTCAR"], ["vasprun.xml"], ["OUTCAR", "vasprun.xml"]] {
      let run = try folder(
        files.map { ($0, $0 == "OUTCAR" ? sheet : text.vasprun) } + [("OSZICAR", oszicar(enthalpies, moment: ""))])
      #expect(run.count == 1 && run[0].diagnostics.isEmpty, "\(run.flatMap(\.diagnostics))")
      #expect(run[0].configurations.count == 6)
      for (configuration, energy) in zip(run[0].configurations, energies) {
        #expect(abs(configuration.labels.energy! - energy) < 1e-7)
      }
    }
  }

  /// OSZICAR's energies of a band's images contain the springs.
  @Test func springsInOszicarAreNoContradiction() throws {
    let text = dynamics(energies)
    let sheet = text.outcar().replacing("   TITEL", with: " CHAIN: Running the NEB\n   TITEL")
    let run = try folder([("OUTCAR", sheet), ("OSZICAR", oszicar(energies.map { $0 - 1e-4 }, moment: ""))])[0]
    #expect(run.diagnostics.isEmpty && run.configurations.count == 6)
    #expect(run.configurations[0].properties["calculation_type"] == .text("neb"))
  }

  // MARK: other small files

  @Test func structuresBesideTheRun() throws {
    let text = dynamics(energies)
    let flags = "T F T"
    for name in ["POSCAR", "CONTCAR.gz"] {
      let step = name == "POSCAR" ? 0 : 5
      let run = try folder([("OUTCAR", text.outcar()), (name, structure(text, step: step, flags: flags))])[0]
      #expect(run.diagnostics.isEmpty, "\(run.diagnostics)")
      #expect(
        run.configurations.allSatisfy {
          $0.properties["move_mask"] == .perAtomLogicals([true, false, true, true, false, true], columns: 3)
        })
    }
    let swapped = structure(text, step: 5).replacing("W O\n1 1", with: "O W\n1 1")
    let other = try folder([("OUTCAR", text.outcar()), ("CONTCAR", swapped)])[0]
    #expect(codes(other) == ["companion-differs"] && other.diagnostics[0].severity == .warning)
    var far = text
    far.steps[5].positions[0].x = 0.4
    let away = try folder([("OUTCAR", text.outcar()), ("CONTCAR", structure(far, step: 5))])[0]
    #expect(codes(away) == ["companion-differs"] && away.diagnostics[0].cause.contains("1.6 Å"), "\(away.diagnostics)")
    let edited = try folder([("OUTCAR", text.outcar()), ("POSCAR", structure(far, step: 5))])[0]
    #expect(edited.diagnostics.map(\.severity) == [.note])
  }

  @Test func inputsFillAndAreChecked() throws {
    let text = dynamics(energies)
    let incar = "SYSTEM = x # y\nENCUT = 520 ; ISPIN = 2\nMETAGGA = \\\n R2SCAN\nLASPH = .FALSE.\n"
    let sheet = text.outcar().replacing("6.3.2", with: "5.4.4")
      .replacing("LASPH = F    set", with: "LASPH = T    set\n   METAGGA=      F    non-selfconsistent MetaGGA calc.")
    let alone = try folder([("OUTCAR", sheet)])[0]
    #expect(alone.settings?.functional == nil, "VASP 5 does not say")
    let filled = try folder([
      ("OUTCAR", sheet), ("INCAR", incar.replacing(".FALSE.", with: "T")), ("KPOINTS", "k\n0\nMonk\n4 4 3\n0 0 0\n"),
    ])[0]
    #expect(filled.settings?.functional == "r2SCAN" && filled.settings?.kPoints == "Monkhorst-Pack 4 4 3")
    #expect(filled.diagnostics.isEmpty, "\(filled.diagnostics)")
    #expect(filled.configurations[0].properties["incar_id"] != nil && filled.digest != alone.digest)
    let differs = try folder([
      ("vasprun.xml", text.vasprun), ("INCAR", "\nENCUT = 400 eV\nENCUT = 300\nLASPH = .TRUE."),
      ("KPOINTS", "k\n0\nGamma\n2 2 2\n"),
      ("POTCAR", "  PAW_PBE W 08Apr2002\n 6.0\n parameters from PSCTR are:\n   TITEL  = PAW_PBE W 08Apr2002\n"),
    ])[0]
    #expect(codes(differs) == Array(repeating: "companion-differs", count: 4))
    #expect(differs.diagnostics[0].place == .init(file: "run/INCAR", line: 2))
    #expect(differs.diagnostics[0].cause.contains("ENCUT 520 vs 400"), "the first of two, without its unit")
    #expect(differs.diagnostics[1].place == .init(file: "run/INCAR", line: 4))
    #expect(differs.diagnostics[1].cause.contains("LASPH F vs T"))
    #expect(differs.diagnostics[2].cause.contains("Gamma 2 3 4 vs Gamma 2 2 2"))
    #expect(differs.diagnostics[3].cause.contains("PAW_PBE W 08Apr2002"))
    #expect(differs.settings?.planeWaveCutoff == 520 && differs.configurations.count == 6)
  }

  /// What INCARs of users look like: VASP takes the first word, puts ISPIN back, and has defaults.
  @Test func incarsAsUsersWriteThem() throws {
    var text = dynamics(energies)
    text.parameters += [
      ("LSORBIT", "logical", "T"), ("LNONCOLLINEAR", "logical", "T"), ("ISPIN", "int", "1"), ("GGA", "string", "PS"),
      ("LDAU", "logical", "T"), ("LDAUL", "", "2 2"), ("LDAUU", "", "3.2 0.0"), ("LDAUJ", "", "0.0 0.0"),
    ]
    let incar = """
      GGA    =  PS         (PBEsol exchange-correlation)
      ISPIN  =  2          (spin)
      LSORBIT = .TRUE.     (SOC)
      LDAU = .TRUE.
      LDAUU = 3.25 0.0
      """
    let run = try folder([("vasprun.xml", text.vasprun), ("INCAR", incar)])[0]
    #expect(run.diagnostics.isEmpty, "\(run.diagnostics)")
    #expect(run.settings?.functional == "PBEsol")
  }

  /// A plain INCAR, POSCAR, ... is that of a plain run and its restarts, not of every run that lies beside it.
  @Test func plainInputsAreNotThoseOfNamedRuns() throws {
    let text = dynamics(energies)
    let other = RunText(steps: [RunText.Step(energy: -3)])
    let inputs = [("INCAR", "ENCUT = 300\n"), ("POSCAR", "Mo\n1.0\n3 0 0\n0 3 0\n0 0 3\nMo\n1\nDirect\n0 0 0\n")]
    let named = try folder([("OUTCAR.Al", text.outcar()), ("OUTCAR.scan", other.outcar())] + inputs)
    #expect(named.count == 2 && named.allSatisfy { $0.diagnostics.isEmpty }, "\(named.flatMap(\.diagnostics))")
    for name in ["OUTCAR", "OUTCAR.2"] {
      let run = try folder([(name, text.outcar()), ("OUTCAR.scan", other.outcar())] + inputs)
      #expect(run.flatMap(\.diagnostics).filter { $0.code == "companion-differs" }.count == 2, "\(name)")
    }
  }

  @Test func aBrokenVasprunIsMadeGood() throws {
    let text = dynamics(energies)
    let cut = text.vasprun.ranges(of: "<calculation>")[3].lowerBound
    for broken in [String(text.vasprun[..<cut]), text.vasprun[..<cut] + "</varray>" + text.vasprun[cut...]] {
      let run = try folder([("vasprun.xml", broken), ("OUTCAR", text.outcar())])[0]
      #expect(run.configurations.map(\.labels.energy) == energies && run.isComplete)
      #expect(run.configurations.map(\.provenance.ionicStep) == Array(0..<6))
      #expect(run.diagnostics.map(\.severity) == [.note] && codes(run) == ["completed"])
      #expect(run.diagnostics[0].cause.contains("gave 3 steps"))
    }
  }
}
