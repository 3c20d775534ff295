import Configurations
import Foundation
import Platform
import TestSupport
import Testing
import VASP

struct OutcarReaderTests {
  private func read(_ text: String, chunk: Int = .max) throws -> (
    configurations: [Configuration], reader: OutcarReader
  ) {
    let reader = OutcarReader(MemoryByteSource(Array(text.utf8), chunk: chunk), name: "run")
    var all: [Configuration] = []
    while let next = try reader.next() { all.append(next) }
    return (all, reader)
  }

  private let three: [RunText.Step] = [-10.5, -11.5, -12.5].enumerated().map { k, energy in
    RunText.Step(
      forces: [[Double(k) + 0.5, 0, 0], [-Double(k) - 0.5, 0, 0]],
      stress: [Double(k), 0, 0, 0, 0, 0],
      energy: energy, withoutEntropy: energy + 0.25, sigmaZero: energy + 0.125)
  }

  @Test(arguments: [false, true])
  func everyLabelInOurUnits(energyFirst: Bool) throws {
    let (all, reader) = try read(RunText().outcar(energyFirst: energyFirst))
    let c = try #require(all.first)
    #expect(all.count == 1 && reader.isComplete && reader.diagnostics.isEmpty)
    #expect(c.species.map(\.symbol) == ["W", "O"])
    #expect(c.cell?.vectors == Matrix3([4, 0, 0], [0, 5, 0], [0.5, 0, 6]))
    #expect(c.positions == [[0, 0, 0], [1.375, 2.5, 4.5]])
    #expect(c.labels.energy == -10.5)
    #expect(c.labels.energyWithoutEntropy == -10.25)
    #expect(c.labels.energySigmaZero == -10.375)
    #expect(c.labels.forces == [[0.125, -0.5, 0.0625], [-0.125, 0.5, -0.0625]])
    #expect(c.labels.electronicallyConverged == true)
    #expect(c.properties["magmoms"] == .perAtomReals([1.25, 2.25], columns: 1))
    let stress = try #require(c.labels.stress)
    let kilobar: [(Int, Int, Double)] = [
      (0, 0, 10), (1, 1, 20), (2, 2, 30), (0, 1, 1), (1, 2, 2), (2, 0, 3),
    ]
    for (row, column, value) in kilobar {
      #expect(abs(stress[row, column] + value / 1602.1766208) < 1e-15)
    }
  }

  /// VASP 4.6 and 5.2.2 print the energy before the forces; both belong to the same step.
  @Test(arguments: [false, true])
  func energiesAndForcesOfOneStepStayTogether(energyFirst: Bool) throws {
    let text = RunText(steps: three).outcar(energyFirst: energyFirst)
    let (all, _) = try read(text)
    #expect(all.map(\.labels.energy) == [-10.5, -11.5, -12.5])
    #expect(all.map { $0.labels.forces?[0].x } == [0.5, 1.5, 2.5])
    #expect(
      all.map { $0.labels.stress.map { ($0.x.x * -1602.1766208).rounded() + 0 } } == [0, 1, 2])
    #expect(all.map(\.provenance.ionicStep) == [0, 1, 2])
    for chunk in [1, 10, 1000] { #expect(try read(text, chunk: chunk).configurations == all) }
  }

  @Test(arguments: [false, true])
  func everyTruncationGivesAPrefix(energyFirst: Bool) throws {
    let text = RunText(steps: three).outcar(energyFirst: energyFirst)
    let whole = try read(text).configurations
    for cut in stride(from: 0, to: text.utf8.count - 1, by: 3) {
      let (kept, reader) = try read(String(text.prefix(cut)))
      let isPrefix = isPrefix(kept, of: whole)
      #expect(isPrefix, "cut at \(cut)")
      #expect(!reader.isComplete && !reader.diagnostics.isEmpty, "cut at \(cut)")
    }
  }

  @Test func convergence() throws {
    #expect(
      try read(RunText(maximumIterations: 3).outcar()).configurations[0].labels
        .electronicallyConverged == false)
    let said = RunText().outcar().replacing(
      "EDIFF is reached", with: "EDIFF was not reached (unconverged)")
    #expect(try read(said).configurations[0].labels.electronicallyConverged == false)
    let stopped = RunText().outcar().replacing(
      "because EDIFF is reached", with: "because hard stop was set")
    #expect(try read(stopped).configurations[0].labels.electronicallyConverged == false)
    let response = RunText(maximumIterations: 3, parameters: [("LEPSILON", "", "T")]).outcar()
    #expect(try read(response).configurations[0].labels.electronicallyConverged == nil)
  }

  /// With NWRITE = 0 only some steps have forces; the others hold no positions, so nothing.
  @Test func energiesWithoutForcesKeepTheirPlace() throws {
    var text = RunText(steps: three).outcar()
    let tables = text.ranges(of: " POSITION")
    text.replaceSubrange(tables[1], with: " PASITION")
    let (all, reader) = try read(text)
    #expect(all.map(\.provenance.ionicStep) == [0, 2])
    #expect(all.map(\.labels.energy) == [-10.5, -12.5])
    #expect(reader.diagnostics.map(\.code) == ["no-positions"])
  }

  @Test func columnsThatRunTogetherOrOverflow() throws {
    let glued = RunText().outcar().replacing(
      "     0.125000     -0.500000", with: " -1234567.125000-9876543.500000")
    #expect(
      try read(glued).configurations[0].labels.forces?[0] == [-1_234_567.125, -9_876_543.5, 0.0625])
    for mark in ["**************", "           NaN"] {
      let (all, reader) = try read(RunText().outcar().replacing("      0.125000", with: mark))
      #expect(all.isEmpty && reader.diagnostics.map(\.code) == ["not-finite"], "\(mark)")
    }
    let stars = RunText().outcar().replacing("  in kB      10.00000", with: "  in kB  ************")
    #expect(try read(stars).configurations.map(\.labels.stress) == [nil])
  }

  @Test func tablesWithAndWithoutDispersion() throws {
    let text = RunText().outcar().replacing(
      "TOTAL-FORCE (eV/Angst)\n", with: "TOTAL-FORCE (eV/Angst),      FORCE-w/o vdW (eV/Angst)\n"
    ).replacing("0.062500\n", with: "0.062500     9.000000      9.000000           NaN\n")
    #expect(try read(text).configurations[0].labels.forces == RunText.Step().forces)
  }

  @Test func tablesThatBreakOff() throws {
    let text = RunText(steps: three).outcar()
    let rows = text.components(separatedBy: " POSITION  ")
    // Within the last table: in its heading, its rule, a row, between rows.
    let last = rows[0] + rows[1...2].map { " POSITION  " + $0 }.joined() + " POSITION  "
    for count in [20, 70, 100, 160, 240] {
      let (all, reader) = try read(last + rows[3].prefix(count))
      #expect(all.map(\.labels.energy) == [-10.5, -11.5])
      #expect(reader.diagnostics.map(\.code) == ["truncated"] && !reader.isComplete, "\(count)")
      #expect(reader.diagnostics[0].cause.hasSuffix("the step it breaks off in was dropped."), "\(count)")
    }
    // A line that is no row ends a table, and may begin the next: many times over.
    let heading = " POSITION                                       TOTAL-FORCE (eV/Angst)\n -----\n"
    let row = "  0.0 0.0 0.0  1.0 2.0 3.0\n"
    let broken = RunText().outcar().replacing(
      " magnetization (x)", with: String(repeating: heading + row, count: 50_000) + "\n magnetization (x)")
    #expect(try read(broken).configurations.map(\.labels) == read(RunText().outcar()).configurations.map(\.labels))
  }

  @Test func machineLearnedBlocksAreMarked() throws {
    let block = """
        ML FORCE on cell =-STRESS in cart. coord. units (eV/cell)
        in kB       5.00000     5.00000     5.00000     0.00000     0.00000     0.00000
            direct lattice vectors                 reciprocal lattice vectors
           4.0 0.0 0.0   0.25 0.0 0.0
           0.0 5.0 0.0   0.0 0.2 0.0
           0.5 0.0 6.0   0.0 0.0 0.2

        POSITION                                       TOTAL-FORCE (eV/Angst) (ML)
        ------------------
           0.0 0.0 0.0   7.0 7.0 7.0
           1.0 1.0 1.0   7.0 7.0 7.0
        ------------------
        ML FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
        -----
        free  energy ML TOTEN  =       -77.00000000 eV

        ML energy  without entropy=      -77.00000000  ML energy(sigma->0) =      -77.00000000

      """
    let text = RunText(steps: three).outcar().replacing(
      " General timing", with: block + " General timing")
    let (all, _) = try read(text)
    #expect(all.map(\.labels.machineLearned) == [false, false, false, true])
    #expect(all.map(\.labels.energy) == [-10.5, -11.5, -12.5, -77])
    #expect(all[3].labels.forces?[0] == [7, 7, 7])
    #expect(abs(all[3].labels.stress!.x.x + 5 / 1602.1766208) < 1e-15)
    #expect(all[2].labels.stress != all[3].labels.stress)
  }

  @Test func noncollinearMoments() throws {
    var table = ""
    for axis in ["x", "y", "z"] {
      table += "\n magnetization (\(axis))\n \n# of ion       s       p       d       tot\n-----\n"
      for ion in 1...2 {
        table += "    \(ion)   0.1  0.2  0.3  \(axis == "x" ? 1 : axis == "y" ? 2 : 3).\(ion)\n"
      }
      table += "-----\n"
    }
    let text = RunText().outcar()
    let from = text.firstRange(of: "\n magnetization (x)")!.lowerBound
    let to = text.firstRange(of: "  FORCE on cell")!.lowerBound
    let moments = try read(text[..<from] + table + text[to...]).configurations[0].properties[
      "magmoms"]
    #expect(moments == .perAtomReals([1.1, 2.1, 3.1, 1.2, 2.2, 3.2], columns: 3))
  }

  @Test func twoRunsInOneFileEachHaveTheirHeader() throws {
    let other = RunText(
      steps: [RunText.Step(energy: -1)], symbols: ["Zr", "N"],
      titles: ["PAW_PBE Zr 01Jan2001", "PAW_PBE N 01Jan2001"])
    let (all, reader) = try read(RunText().outcar(finished: false) + other.outcar())
    #expect(all.map(\.formula) == ["OW", "NZr"])
    #expect(reader.diagnostics.map(\.code) == ["several-runs"])
    #expect(reader.isComplete)
    #expect(reader.settings.pseudopotentials?.first == "PAW_PBE Zr 01Jan2001")
  }

  @Test func settingsInWords() throws {
    let quoted = "   ENMAX  =  223.057; ENMIN  =  167.293 eV\n   GGA    =     -.5221    -.5561 eV\n"
    let text = RunText().outcar().replacing("   NELM ", with: quoted + "   NELM ").replacing(
      "   GGA     =    PE    GGA type\n",
      with: """
           GGA     =    RP    GGA type
           LNONCOLLINEAR =      T non collinear calculations
           LSORBIT =      T    spin-orbit coupling
           IVDW         = 11
         LDA+U is selected, type is set to LDAUTYPE =  2
           angular momentum for each species LDAUL =     2   -1
           U (eV)           for each species LDAUU =   4.0  0.0
           J (eV)           for each species LDAUJ =   1.0  0.0

        """)
    let settings = try read(text).reader.settings
    #expect(settings.functional == "RPBE")
    #expect(settings.version == "6.3.2")
    #expect(settings.planeWaveCutoff == 520)
    #expect(
      settings.spinPolarised == false && settings.nonCollinear == true && settings.spinOrbit == true)
    #expect(settings.hubbardU == ["W_sv U 4.0 J 1.0 l 2", "O U 0.0 J 0.0 l -1"])
    #expect(settings.dispersion == "IVDW 11")
    #expect(settings.smearing == "ISMEAR 0, SIGMA 0.05 eV")
    #expect(settings.kPoints == "8 points")
    #expect(settings.pseudopotentials == ["PAW_PBE W_sv 06Sep2000", "PAW_PBE O 08Apr2002"])
  }

  /// The columns of the lattice hold less than 100 Å: slabs with much vacuum run together.
  @Test func latticeRowsThatRunTogether() throws {
    func lattice(_ third: String) throws -> Matrix3? {
      var text = RunText().outcar()
      let start = text.firstRange(of: "reciprocal lattice vectors\n")!.upperBound
      let end = text.firstRange(of: "\n POSITION")!.lowerBound
      let rows = ["     4.000000000", "     0.000000000"].map {
        $0 + "  5.000000000 12.250000000     0.250000000  0.0  0.0\n"
      }
      text.replaceSubrange(start..<end, with: rows.joined() + third + "\n")
      return try read(text).configurations.first?.cell?.vectors
    }
    func expected(_ x: Double, _ y: Double, _ z: Double) -> Matrix3 {
      Matrix3([4, 5, 12.25], [0, 5, 12.25], [x, y, z])
    }
    let reciprocal = "     0.000000000  0.000000000  0.008809209"
    #expect(try lattice("     0.000000000  0.000000000113.517567000" + reciprocal) == expected(0, 0, 113.517567))
    #expect(
      try lattice("   100.500000000-10.250000000200.125000000" + reciprocal + " \r") == expected(100.5, -10.25, 200.125)
    )
    // A letter too few, or one number too many: nobody knows where one number ends.
    for damaged in [
      "     0.000000000  0.00000000113.517567000" + reciprocal,
      "     0.000000000  0.000000000113.51756700" + reciprocal,
      "    0.000000000  0.000000000113.517567000" + reciprocal,
      "     0.000000000  0.000000000113.517567000" + reciprocal + " 1.0",
    ] {
      #expect(try lattice(damaged) == nil, "\(damaged)")
    }
  }

  /// A job that was started twice in one folder.
  @Test func stepsOfTwoJobsAmongEachOtherAreSaid() throws {
    var text = RunText(steps: (0..<6).map { RunText.Step(energy: -10 - Double($0)) }).outcar()
    #expect(try read(text).reader.diagnostics.isEmpty)
    text = text.replacing("Iteration     6(", with: "Iteration     2(")
    let (all, reader) = try read(text)
    #expect(all.count == 6 && reader.diagnostics.map(\.code) == ["interleaved"])
    #expect(reader.diagnostics.first?.cause.contains("step 2 comes behind step 5") == true)
  }

  /// VASP 5 names the correction where it computes it first, behind the header.
  @Test func dispersionBehindTheHeader() throws {
    let text = RunText(version: "5.4.4").outcar()
    #expect(try read(text).reader.settings.dispersion == "none")
    let late = text.replacing(
      "  FORCE on cell", with: "  IVDW         = 12\n  VDW_S6       =    1.0000\n  FORCE on cell")
    #expect(try read(late).reader.settings.dispersion == "IVDW 12")
  }

  @Test func moreThanTenSpecies() throws {
    let names = ["H", "Li", "Be", "B", "C", "N", "O", "F", "Na", "Mg", "Al"]
    var text = RunText(symbols: names, titles: names.map { "PAW_PBE \($0) 01Jan2001" })
    text.steps[0].positions = (0..<11).map { [Double($0) / 16, 0, 0] }
    text.steps[0].forces = Array(repeating: .zero, count: 11)
    // VASP prints ten counts and no more.
    let cut = text.outcar().replacing(
      String(repeating: "  1", count: 11) + "\n", with: String(repeating: "  1", count: 10) + "\n")
    #expect(try read(cut).configurations[0].species.map(\.symbol) == names)
    let nine = text.outcar().replacing(
      String(repeating: "  1", count: 11) + "\n", with: String(repeating: "  1", count: 9) + "\n")
    let (all, reader) = try read(nine)
    #expect(all.isEmpty && reader.diagnostics.map(\.code) == ["species-unknown"])
  }

  @Test func otherTextIsNoOutcar() throws {
    for text in ["", "hello\n", String(repeating: "x", count: 3_000_000)] {
      let (all, reader) = try read(text)
      #expect(all.isEmpty && reader.diagnostics.map(\.code) == ["not-outcar"])
    }
  }
}
