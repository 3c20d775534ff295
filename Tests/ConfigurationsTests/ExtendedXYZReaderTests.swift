import Configurations
import Platform
import TestSupport
import Testing

@Suite struct ExtendedXYZReaderTests {
  @Test func aFrameWithEverything() throws {
    let text = """
      2
      Lattice="3 0 0 0 4 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3:Z:I:1:fixed:L:1 energy=-5.25 \
      stress="1 2 3 4 5 6 7 8 9" pbc="T F T" config_type=slab name="a b" temperature=300.5 n=4 done
      W 0 0.5 1e0 0.1 -0.2 3 74 T
      Re 1 2 3 -1 -2 -3 75 F

      """
    let c = try #require(try read(text).first)
    #expect(c.species.map(\.symbol) == ["W", "Re"])
    #expect(c.positions == [[0, 0.5, 1], [1, 2, 3]])
    #expect(c.cell?.vectors == Matrix3([3, 0, 0], [0, 4, 0], [0, 0, 5]))
    #expect(c.cell?.periodic == [.x, .z])
    #expect(c.labels.energy == -5.25)
    #expect(c.labels.forces == [[0.1, -0.2, 3], [-1, -2, -3]])
    #expect(c.labels.stress == Matrix3([1, 2, 3], [4, 5, 6], [7, 8, 9]))
    #expect(c.provenance == Provenance(source: "t.xyz", ionicStep: 0, group: "slab"))
    #expect(
      c.properties == [
        "name": .text("a b"), "temperature": .real(300.5), "n": .integer(4), "done": .logical(true),
        "Z": .perAtomIntegers([74, 75], columns: 1),
        "fixed": .perAtomLogicals([true, false], columns: 1),
      ])
  }

  /// Every way to write the same lattice.
  @Test(arguments: [
    "\"2 0 0 0 3 0 0 0 4\"", "{2 0 0 0 3 0 0 0 4}", "[2,0,0,0,3,0,0,0,4]",
    "[[2, 0, 0], [0, 3, 0], [0, 0, 4]]", "\" 2.0  0 0 0 3.0e0 0 0 0 4 \"", "{2 3 4}", "\"2 3 4\"",
  ])
  func latticeStyles(_ value: String) throws {
    let c = try #require(try read(frame("Lattice=\(value) Properties=species:S:1:pos:R:3")).first)
    #expect(c.cell == Cell(vectors: Matrix3([2, 0, 0], [0, 3, 0], [0, 0, 4])))
  }

  @Test func valuesOfAllForms() throws {
    let c = try #require(
      try read(
        frame(
          #"a=1 b=-2.5e3 c=word d="two words" e="es\"c\\aped\n" f={1 2 3} g=[1.5,2] h=T i=False j="5" "#
            + #"k="1 2" flag "key with blank"=7 m = 3 l={a b}"#)
      ).first)
    #expect(
      c.properties == [
        "a": .integer(1), "b": .real(-2500), "c": .text("word"), "d": .text("two words"),
        "e": .text("es\"c\\aped\n"), "f": .reals([1, 2, 3]), "g": .reals([1.5, 2]),
        "h": .logical(true), "i": .logical(false), "j": .text("5"), "k": .reals([1, 2]),
        "flag": .logical(true), "key with blank": .integer(7), "m": .integer(3), "l": .text("a b"),
      ])
  }

  static let periodicities: [(String, Periodicity)] = [
    ("", .all), ("pbc=\"F F F\"", []), ("pbc=[True, False, True]", [.x, .z]), ("pbc=T", .all),
    ("pbc={0 1 0}", .y),
  ]

  @Test(arguments: periodicities)
  func periodicity(_ comment: String, _ expected: Periodicity) throws {
    #expect(
      try read(frame("Lattice=\"1 0 0 0 1 0 0 0 1\" " + comment)).first?.cell?.periodic == expected)
  }

  @Test func withoutLatticeThereIsNoCell() throws {
    #expect(try read(frame("x=1")).first?.cell == nil)
    #expect(try read(frame("Lattice=\"0 0 0 0 0 0 0 0 0\" pbc=\"F F F\"")).first?.cell == nil)
    #expect(failure(frame("pbc=\"T T T\""))?.code == "malformed")
  }

  @Test func plainXYZ() throws {
    let frames = try read("1\n\nH 0 0 1\n1\nE = -3.2, step \"2\nH 0 0 2\n")
    #expect(frames.map { $0.positions[0].z } == [1, 2])
    #expect(frames.map(\.provenance.ionicStep) == [0, 1])
  }

  @Test func columnsInAnyOrderTabsCarriageReturnsAndNoLastNewline() throws {
    let text =
      "2\r\nProperties=force:R:3:id:I:1:pos:R:3:species:S:1\r\n1 2 3\t7\t4 5 6\tW\r\n  -1 -2 -3 8 0 0 0 Ta  "
    let c = try #require(try read(text).first)
    #expect(c.species.map(\.symbol) == ["W", "Ta"])
    #expect(c.labels.forces == [[1, 2, 3], [-1, -2, -3]])
    #expect(c.positions[0] == [4, 5, 6])
    #expect(c.properties["id"] == .perAtomIntegers([7, 8], columns: 1))
  }

  @Test func atomicNumbersInsteadOfSymbols() throws {
    let c = try read(frame("Properties=Z:I:1:pos:R:3", ["74 0 0 0", "1 1 1 1"]))
    #expect(c.first?.species.map(\.symbol) == ["W", "H"])
    let both = try #require(
      try read(frame("Properties=Z:I:1:species:S:1:pos:R:3:numbers:I:1", ["74 W 0 0 0 7"])).first)
    #expect(both.species.map(\.symbol) == ["W"])
    #expect(both.properties["species"] == .perAtomText(["W"], columns: 1))
    #expect(both.properties["numbers"] == .perAtomIntegers([7], columns: 1))
  }

  @Test(arguments: [
    "energy", "free_energy", "REF_energy", "Energy", "dft_energy", "energy_dft", "ref_energy",
  ])
  func energyKeys(_ key: String) throws {
    #expect(try read(frame("\(key)=-1.5")).first?.labels.energy == -1.5)
  }

  @Test func freeEnergyWinsAndTheOtherIsSigmaZero() throws {
    let labels = try #require(try read(frame("energy=-1 free_energy=-1.5")).first).labels
    #expect(labels.energy == -1.5)
    #expect(labels.energySigmaZero == -1)
    let same = try #require(try read(frame("free_energy=-1 energy=-1")).first).labels
    #expect(same.energySigmaZero == nil)
  }

  @Test func energiesThatDifferAreAnError() throws {
    let diagnostic = try #require(failure("1\n\nH 0 0 0\n" + frame("REF_energy=-1 energy=-2")))
    #expect(diagnostic.code == "ambiguous-label")
    #expect(diagnostic.place.line == 5)
    #expect(diagnostic.place.ionicStep == 1)
    #expect(failure(frame("REF_energy=-1 dft_energy=-1")) == nil)
    #expect(failure(frame("energy=-1 free_energy=-2 REF_energy=-3"))?.code == "ambiguous-label")
  }

  @Test func aNamedKeyIsTheOnlyOne() throws {
    let text = frame("energy=-1 REF_energy=-2 my_energy=-3")
    let c = try #require(try read(text, keys: LabelKeys(energy: "my_energy")).first)
    #expect(c.labels.energy == -3)
    #expect(c.properties == ["energy": .integer(-1), "REF_energy": .integer(-2)])
  }

  @Test(arguments: ["forces", "force", "REF_forces", "dft_forces", "Forces"])
  func forceKeys(_ name: String) throws {
    let c = try read(frame("Properties=species:S:1:pos:R:3:\(name):R:3", ["W 0 0 0 1 2 3"]))
    #expect(c.first?.labels.forces == [[1, 2, 3]])
  }

  @Test func twoForceColumns() throws {
    let comment = "Properties=species:S:1:pos:R:3:forces:R:3:REF_forces:R:3"
    #expect(try read(frame(comment, ["W 0 0 0 1 2 3 1 2 3"])).first?.labels.forces == [[1, 2, 3]])
    #expect(failure(frame(comment, ["W 0 0 0 1 2 3 1 2 4"]))?.code == "ambiguous-label")
    let named = try read(
      frame(comment, ["W 0 0 0 1 2 3 1 2 4"]), keys: LabelKeys(forces: "REF_forces"))
    #expect(named.first?.labels.forces == [[1, 2, 4]])
    #expect(named.first?.properties["forces"] == .perAtomReals([1, 2, 3], columns: 3))
  }

  @Test func stressInVoigtOrderAndVirial() throws {
    let cell = "Lattice=\"2 0 0 0 2 0 0 0 2\""
    let stress = Matrix3([1, 6, 5], [6, 2, 4], [5, 4, 3])
    #expect(try read(frame("\(cell) stress=\"1 2 3 4 5 6\"")).first?.labels.stress == stress)
    for key in ["virial", "virials", "REF_virials"] {
      let c = try read(frame("\(cell) \(key)=\"-8 -48 -40 -48 -16 -32 -40 -32 -24\""))
      #expect(c.first?.labels.stress == stress, "\(key)")
    }
    let both = frame("\(cell) stress=\"1 2 3 4 5 6\" virial=\"-8 -16 -24 -32 -40 -48\"")
    #expect(try read(both).first?.labels.stress == stress)
    let wrongSign = frame("\(cell) stress=\"1 2 3 4 5 6\" virial=\"8 16 24 32 40 48\"")
    #expect(failure(wrongSign)?.code == "ambiguous-label")
    let bad = frame("\(cell) stress=\"1 2 3 4\"")
    #expect(failure(bad)?.code == "malformed")
  }

  @Test func nonFiniteForcesAreKeptAndPositionsRefused() throws {
    let comment = "Properties=species:S:1:pos:R:3:forces:R:3 energy=nan"
    let c = try #require(try read(frame(comment, ["W 0 0 0 NaN inf -inf"])).first)
    #expect(c.labels.forces?[0].x.isNaN == true)
    #expect(c.labels.forces?[0].y == .infinity)
    #expect(c.labels.energy?.isNaN == true)
    let diagnostic = try #require(failure(frame(comment, ["W 0 nan 0 0 0 0"])))
    #expect(diagnostic.code == "not-finite")
    #expect(diagnostic.place.line == 3)
  }

  @Test(arguments: [
    ("1\nProperties=species:S:1:pos:R:2\nW 0 0\n", 2),
    ("1\nProperties=species:S:1:pos:X:3\nW 0 0 0\n", 2),
    ("1\nProperties=species:S:1:pos:R:3:a:R:0\nW 0 0 0\n", 2),
    ("1\nProperties=species:S:1:pos:R:3:a:R:99999999999999999999\nW 0 0 0\n", 2),
    ("1\nProperties=species:S:1:pos:R:3:species:S:1\nW 0 0 0 W\n", 2),
    ("1\nProperties=pos:R:3\n0 0 0\n", 2),
    ("1\nLattice=\"1 2 3\n0 0 0\n", 2),
    ("1\nLattice=\"1 0 0 0 1 0 0 0\"\nW 0 0 0\n", 2),
    ("1\nLattice=\"1 0 0 0 1 0 0 0 0\"\nW 0 0 0\n", 2),
    ("1\nLattice=\"nan 0 0 0 1 0 0 0 1\"\nW 0 0 0\n", 2),
    ("1\nLattice=\"1 0 0 0 1 0 0 0 1\" energy=-1 energy=-1\nW 0 0 0\n", 2),
    ("1\nenergy=minus\nW 0 0 0\n", 2),
    ("one\n\nW 0 0 0\n", 1),
    ("0\n\n", 1),
    ("-3\n\n", 1),
    ("99999999999999999999\n\n", 1),
    ("1000000000000\n\nW 0 0 0\n", 3),
    ("2\n\nW 0 0 0\nW 0 0\n", 4),
    ("2\n\nW 0 0 0\nW 0 0 0 0\n", 4),
    ("2\n\nW 0 0 0\nQq 0 0 0\n", 4),
    ("2\n\nW 0 0 0\nW 0 0 1x\n", 4),
    ("2\n\nW 0 0 0\n\n", 4),
  ])
  func hostileInputIsADiagnosticWithItsLine(_ text: String, _ line: Int) throws {
    #expect(try #require(failure(text)).place.line == line)
  }

  @Test func framesBeforeAnErrorAreGoodAndNothingFollowsIt() throws {
    var reader = ExtendedXYZReader(
      bytes(frame("a=1") + frame("b=2", ["W 0 0"]) + frame("c=3")), name: "t")
    #expect(try reader.next()?.properties == ["a": .integer(1)])
    #expect(throws: Diagnostic.self) { try reader.next() }
    #expect(try reader.next() == nil)
  }

  /// However the bytes arrive, the frames are the same.
  @Test(arguments: [1, 2, 3, 7, 64]) func chunksDoNotMatter(_ chunk: Int) throws {
    var generator = SeededGenerator(seed: 5)
    let frames = (1...3).map { richConfiguration(&generator, atoms: $0) }
    let bytes = frames.flatMap { ExtendedXYZWriter().frame($0) }
    var reader = ExtendedXYZReader(MemoryByteSource(bytes, chunk: chunk), name: "t")
    #expect(try reader.readAll() == frames)
  }

  @Test func endlessLinesAndFailingSourcesAreDiagnostics() throws {
    var lines = LineReader(
      MemoryByteSource([UInt8](repeating: 0x41, count: 600_000)), name: "t", longestLine: 1 << 18)
    do {
      _ = try lines.advance()
      Issue.record("a line of 600,000 bytes was read")
    } catch {
      #expect(error.code == "line-too-long" && error.place.line == 1)
    }
    var reader = ExtendedXYZReader(FailingSource(after: Array(frame("a=1").utf8)), name: "t")
    #expect(try reader.next()?.count == 1)
    do {
      _ = try reader.next()
      Issue.record("a failing source was read")
    } catch {
      #expect(error.code == "unreadable" && error.place == .init(file: "t", line: 4))
    }
  }

  @Test func foreignSourceStaysAProperty() throws {
    let c = try #require(try read(frame("source=Szlachta2014 ionic=3")).first)
    #expect(c.provenance.source == "t.xyz")
    #expect(c.properties["source"] == .text("Szlachta2014"))
  }

  @Test(.enabled(if: SharedData.isAvailable, "skipped: no shared data"))
  func goldenFiles() throws {
    for (name, elements) in [("CuZr", ["Cu", "Zr"]), ("W_100", ["W"]), ("Si_tiny", ["Si"])] {
      let source = MemoryByteSource(try SharedData.bytes("golden/\(name).extxyz"))
      var reader = ExtendedXYZReader(source, name: name)
      let frames = try reader.readAll()
      #expect(frames.count == 4)
      for frame in frames {
        #expect(Set(frame.species.map(\.symbol)).isSubset(of: elements))
        #expect(frame.labels.forces?.count == frame.count)
        #expect(frame.properties["gamma"] != nil)
        // Forces of an isolated set of atoms add up to nothing.
        let sum = frame.labels.forces!.reduce(Vector3.zero, +)
        #expect(length(sum) < 1e-6)
      }
    }
  }
}
