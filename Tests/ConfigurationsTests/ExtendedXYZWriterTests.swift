import Configurations
import Platform
import TestSupport
import Testing

@Suite struct ExtendedXYZWriterTests {
  @Test func roundTripIsExact() throws {
    var generator = SeededGenerator(seed: 11)
    for trial in 0..<200 {
      let c = richConfiguration(&generator, atoms: 1 + trial % 4)
      let written = ExtendedXYZWriter().frame(c)
      var reader = ExtendedXYZReader(MemoryByteSource(written), name: "elsewhere")
      let back = try #require(try reader.next())
      #expect(back == c, "trial \(trial): \(String(decoding: written, as: UTF8.self))")
      #expect(back.contentDigest(includingLabels: true) == c.contentDigest(includingLabels: true))
      #expect(ExtendedXYZWriter().frame(back) == written)
      #expect(try reader.next() == nil)
    }
  }

  /// Numbers of few decimals take a short way, whose text must be that of any other double.
  @Test func numbersAreSpelledAsTheirDescription() {
    var generator = SeededGenerator(seed: 12)
    var values: [Double] = [
      0, -0.0, 1, -1, 1e-4, 0.00010001, 0.00009999, 9e-5, 0.1, 123456.5, 8_999_999.99999999, 9e6, 9_000_000.00000001,
      1e15,
      1e16, 1e-300, 0.30000000000000004, 0.3, 1.00000001, 1.000000010000001, 99999.99999999, 0.00000001, 5e-324,
    ]
    for _ in 0..<10_000 {
      let decimals = Int.random(in: 0...10, using: &generator)
      let scaled = Double(
        Int64.random(in: -9_999_999_999_999...9_999_999_999_999, using: &generator)
          >> Int64.random(in: 0...40, using: &generator))
      let value = scaled / [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10][decimals]
      values += [value, value.nextUp, value * 3.1652]
    }
    let tungsten = Element(symbol: "W")!
    for start in stride(from: 0, to: values.count - 2, by: 3) {
      let position = Vector3(values[start], values[start + 1], values[start + 2])
      let frame = ExtendedXYZWriter().frame(Configuration(species: [tungsten], positions: [position], cell: nil))
      let row = String(decoding: frame, as: UTF8.self).split(separator: "\n").last!
      let expected = "W \(position.x.description) \(position.y.description) \(position.z.description)"
      if row != expected { Issue.record("\(row) is not \(expected)") }
    }
  }

  @Test func theLayoutIsTheDocumentedOne() {
    let c = Configuration(
      species: [Element(symbol: "W")!], positions: [[0, 0.5, -1e-7]],
      cell: Cell(vectors: Matrix3([2, 0, 0], [0, 3, 0], [0, 0, 4]), periodic: [.x, .y]),
      labels: Labels(
        energy: -1.5, energySigmaZero: -1.25, forces: [[1, 2, 3]],
        stress: Matrix3([1, 0, 0], [0, 2, 0], [0, 0, 3]), electronicallyConverged: true),
      provenance: Provenance(source: "a b/OUTCAR", ionicStep: 3, group: "bulk"),
      properties: ["zeta": .integer(1), "energy": .text("x")])
    #expect(
      String(decoding: ExtendedXYZWriter().frame(c), as: UTF8.self) == """
        1
        Lattice="2.0 0.0 0.0 0.0 3.0 0.0 0.0 0.0 4.0" Properties=species:S:1:pos:R:3:forces:R:3 \
        pbc="T T F" energy=-1.5 free_energy=-1.5 energy_sigma0=-1.25 \
        stress="1.0 0.0 0.0 0.0 2.0 0.0 0.0 0.0 3.0" converged=T config_type=bulk \
        source="a b/OUTCAR" ionic_step=3 info_energy=x zeta=1
        W 0.0 0.5 -1e-07 1.0 2.0 3.0

        """)
  }

  @Test(arguments: [
    ExtendedXYZWriter.Convention.ase, .mace, .quip,
    .custom(energy: "my_e", forces: "my_f", stress: "my_s"),
  ])
  func conventions(_ convention: ExtendedXYZWriter.Convention) throws {
    var generator = SeededGenerator(seed: 12)
    var c = richConfiguration(&generator, atoms: 3)
    // -volume * stress is not exact in general; with a volume that is a power of two it is.
    c.cell = Cell(vectors: Matrix3([2, 0, 0], [0, 4, 0], [0, 0, 8]))
    let text = String(decoding: ExtendedXYZWriter(convention).frame(c), as: UTF8.self)
    var keys = LabelKeys()
    switch convention {
    case .ase: #expect(text.contains(" free_energy=") && text.contains(":forces:R:3"))
    case .mace:
      #expect(text.contains(" REF_energy=") && text.contains(":REF_forces:R:3"))
      #expect(text.contains(" REF_stress=") && !text.contains(" energy="))
    case .quip: #expect(text.contains(":force:R:3") && text.contains(" virial="))
    case .custom(let energy, let forces, let stress):
      keys = LabelKeys(energy: energy, forces: forces, stress: stress)
    }
    #expect(try read(text, keys: keys) == [c])
  }

  @Test func clustersAndFramesWithoutLabels() throws {
    let c = Configuration(
      species: [Element(symbol: "H")!], positions: [[1, 2, 3]], cell: nil,
      provenance: Provenance(source: "x"))
    let text = String(decoding: ExtendedXYZWriter().frame(c), as: UTF8.self)
    #expect(!text.contains("Lattice") && text.contains("pbc=\"F F F\""))
    #expect(try read(text) == [c])
  }

  /// Properties whose names mean something else get others, once and for all.
  @Test func reservedNamesAreChangedOnce() throws {
    var c = Configuration(species: [Element(symbol: "H")!], positions: [.zero], cell: nil)
    c.properties = [
      "source": .text("a"), "info_source": .text("b"), "energy": .real(1), "zz": .integer(1),
      "pos": .perAtomReals([1], columns: 1), "a b": .perAtomIntegers([1], columns: 1),
    ]
    let once = try #require(
      try read(String(decoding: ExtendedXYZWriter().frame(c), as: UTF8.self)).first)
    #expect(
      once.properties == [
        "info_info_source": .text("a"), "info_source": .text("b"), "info_energy": .real(1),
        "zz": .integer(1), "info_pos": .perAtomReals([1], columns: 1),
        "info_a_b": .perAtomIntegers([1], columns: 1),
      ])
    #expect(once.labels.energy == nil)
    let written = ExtendedXYZWriter().frame(once)
    let twice = try #require(try read(String(decoding: written, as: UTF8.self)).first)
    #expect(twice == once)
    #expect(ExtendedXYZWriter().frame(twice) == written)
  }

  @Test func nonFiniteLabelsSurvive() throws {
    var c = Configuration(species: [Element(symbol: "H")!], positions: [.zero], cell: nil)
    c.labels.energy = .infinity
    c.labels.forces = [[.nan, -.infinity, .infinity]]
    let back = try #require(
      try read(String(decoding: ExtendedXYZWriter().frame(c), as: UTF8.self)).first)
    #expect(back.labels.energy == .infinity)
    #expect(back.labels.forces?[0].x.isNaN == true)
    #expect(back.labels.forces?[0].y == -.infinity)
  }
}
