import Configurations
import Platform
import TestSupport
import Testing

private let tungsten = Element(symbol: "W")!

private func structure(_ text: String, name: String = "f", elements: [Int: Element] = [:])
  throws(Diagnostic) -> StructureFile
{
  try StructureFile(bytes(text), name: name, elements: elements)
}

private func problem(_ text: String, name: String = "f") -> Diagnostic? {
  do {
    return try structure(text, name: name).problem
  } catch {
    return error
  }
}

@Suite struct POSCARTests {
  @Test func directWithSelectiveDynamicsHashesAndVelocities() throws {
    let text = """
      a comment
      2.0
      1.5 0 0
      0 2 0
      0 0 2.5
      W_pv/1a2b3c Re/77
      1 2
      Selective dynamics
      Direct
      0 0 0 T F T
      0.5 0.5 0.5 F F F W
      -0.25 0 1.5 .TRUE. .false. T

      0.1 0.2 0.3
      0.1 0.2 0.3

      """
    let file = try structure(text, name: "CONTCAR")
    #expect(file.format == .poscar)
    let c = file.configurations[0]
    #expect(c.species.map(\.symbol) == ["W", "Re", "Re"])
    #expect(c.cell == Cell(vectors: Matrix3([3, 0, 0], [0, 4, 0], [0, 0, 5])))
    #expect(c.positions == [[0, 0, 0], [1.5, 2, 2.5], [-0.75, 0, 7.5]])
    #expect(
      c.properties["move_mask"]
        == .perAtomLogicals(
          [true, false, true, false, false, false, true, false, true], columns: 3))
  }

  @Test func cartesianWithVolumeAndWithThreeFactors() throws {
    func text(_ scale: String) -> String {
      "c\n\(scale)\n1 0 0\n0 1 0\n0 0 2\nW\n1\nCartesian\n0.5 0.5 0.5\n"
    }
    let volume = try #require(try structure(text("-16")).configurations.first)
    #expect(abs(volume.cell!.volume - 16) < 1e-13)
    #expect(abs(volume.positions[0].x - 1) < 1e-14)
    let three = try #require(try structure(text("2 3 4")).configurations.first)
    #expect(three.cell?.vectors == Matrix3([2, 0, 0], [0, 3, 0], [0, 0, 8]))
    #expect(three.positions[0] == [1, 1.5, 2])
  }

  @Test func oldLayoutNeedsElements() throws {
    let body = "\n1\n1 0 0\n0 1 0\n0 0 1\n1 2\nDirect\n0 0 0\n.5 .5 .5\n.25 0 0\n"
    #expect(
      try structure("W Re" + body).configurations[0].species.map(\.symbol) == ["W", "Re", "Re"])
    let diagnostic = try #require(problem("some alloy" + body))
    #expect(diagnostic.code == "unknown-species")
    #expect(diagnostic.place.line == 6)
    #expect(!diagnostic.remedy.isEmpty)
  }

  @Test(arguments: [
    "c\n0\n1 0 0\n0 1 0\n0 0 1\nW\n1\nDirect\n0 0 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 1 0\nW\n1\nDirect\n0 0 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 0 1\nW Re\n1\nDirect\n0 0 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 0 1\nQq\n1\nDirect\n0 0 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 0 1\nW\n1000000000000\nDirect\n0 0 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 0 1\nW\n900000000\nDirect\n0 0 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 0 1\nW\n-1\nDirect\n0 0 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 0 1\nW\n1\n0 0 0\n0 0 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 0 1\nW\n1\nDirect\n0 nan 0\n",
    "c\n1\n1 0 0\n0 1 0\n0 0 1\nW\n1\nSelective\nDirect\n0 0 0 T\n",
    "c\n-1 -2 -3\n1 0 0\n0 1 0\n0 0 1\nW\n1\nDirect\n0 0 0\n",
  ])
  func badFilesAreDiagnostics(_ text: String) {
    #expect(problem(text)?.severity == .error)
  }

  @Test func roundTripGroupsElementsAndKeepsBits() throws {
    var generator = SeededGenerator(seed: 21)
    for _ in 0..<20 {
      let c = richConfiguration(&generator, atoms: 9)
      let text = String(decoding: POSCARWriter().bytes(c, comment: "rank 1\nx"), as: UTF8.self)
      #expect(text.hasPrefix("rank 1 x\n1.0\n"))
      let back = try #require(try structure(text).configurations.first)
      let order = POSCARWriter.order(of: c)
      #expect(back.species.map(\.symbol) == c.species.map(\.symbol).sorted())
      #expect(back.positions == order.map { c.positions[$0] })
      #expect(back.cell?.vectors == c.cell?.vectors)
      #expect(back.properties["move_mask"] != nil)
    }
  }

  @Test func aClusterIsPutIntoABox() throws {
    let c = Configuration(
      species: [tungsten, tungsten], positions: [[-1, 0, 0], [1.5, 0, 0]], cell: nil)
    let text = String(decoding: POSCARWriter(vacuum: 5).bytes(c, comment: ""), as: UTF8.self)
    let back = try #require(try structure(text).configurations.first)
    #expect(back.cell?.vectors == Matrix3([12.5, 0, 0], [0, 10, 0], [0, 0, 10]))
    #expect(back.positions == [[5, 5, 5], [7.5, 5, 5]])
  }
}

@Suite struct XDATCARTests {
  private let header = "W\n 1.0\n 2 0 0\n 0 2 0\n 0 0 2\n W Re\n 1 1\n"

  @Test func fixedCell() throws {
    let text =
      header + "Direct configuration=     1\n 0 0 0\n .5 .5 .5\n"
      + "Direct configuration=     2\n 0 0 .25\n .5 .5 .5\n"
    let file = try structure(text, name: "x")
    #expect(file.format == .xdatcar)
    #expect(file.configurations.map { $0.positions[0] } == [[0, 0, 0], [0, 0, 0.5]])
    #expect(file.configurations.map(\.provenance.ionicStep) == [0, 1])
    #expect(file.configurations[1].species.map(\.symbol) == ["W", "Re"])
  }

  @Test func variableCellEvenWithAnEmptyComment() throws {
    for comment in ["W", ""] {
      let second = header.replacing(
        "W\n 1.0\n 2 0 0", with: "\(comment)\n 1.0\n 4 0 0", maxReplacements: 1)
      let text =
        header + "Direct configuration=     1\n 0 0 0\n .5 .5 .5\n"
        + second + "Direct configuration=     2\n .5 0 .25\n .5 .5 .5\n"
      let frames = try structure(text).configurations
      #expect(frames.map { $0.cell!.vectors.x.x } == [2, 4])
      #expect(frames[1].positions[0] == [2, 0, 0.5])
    }
  }

  @Test func olderSeparators() throws {
    for separator in ["Konfig=       1\n", "\n"] {
      let text = header + separator + " 0 0 0\n .5 .5 .5\n" + separator + " .25 0 0\n .5 .5 .5\n\n"
      let file = try structure(text, name: "XDATCAR")
      #expect(file.configurations.map { $0.positions[0].x } == [0, 0.5])
      #expect(file.problem == nil)
    }
  }

  @Test func vasp4HasNoCell() {
    let text =
      "  2  2  100\n 0.1E+02 0.3E-09 0.3E-09 0.3E-09 0.1E-14\n 300\n CAR\n W\n\n 0 0 0\n .5 .5 .5\n"
    #expect(problem(text, name: "XDATCAR")?.code == "unsupported")
  }

  @Test func wholeFramesBeforeTheBreakAreKept() throws {
    let text =
      header
      + "Direct configuration=     1\n 0 0 0\n .5 .5 .5\nDirect configuration=     2\n 0 0 0\n"
    let file = try structure(text)
    #expect(file.configurations.count == 1)
    #expect(file.problem?.code == "truncated")
  }
}

@Suite struct LAMMPSDumpTests {
  private func dump(_ box: String, _ atoms: String, timestep: Int = 0, count: Int = 2) -> String {
    "ITEM: TIMESTEP\n\(timestep)\nITEM: NUMBER OF ATOMS\n\(count)\nITEM: BOX BOUNDS \(box)\nITEM: ATOMS \(atoms)"
  }

  @Test func orthogonalBoxSortedById() throws {
    let text =
      dump(
        "pp ff ss\n-1 3\n0 5\n0 6",
        "id element x y z c_pe word\n2 Re 1 1 1 -8.5 a\n1 W 0 0 0 -9 b\n")
      + dump("pp ff ss\n-1 3\n0 5\n0 6", "id element x y z\n1 W 2 0 0\n2 Re 1 1 1\n", timestep: 10)
    let file = try structure(text, name: "x")
    #expect(file.format == .lammpsDump)
    let c = file.configurations[0]
    #expect(c.species.map(\.symbol) == ["W", "Re"])
    #expect(c.positions == [[0, 0, 0], [1, 1, 1]])
    #expect(c.cell == Cell(vectors: Matrix3([4, 0, 0], [0, 5, 0], [0, 0, 6]), periodic: .x))
    #expect(
      c.properties == ["timestep": .integer(0), "c_pe": .perAtomReals([-9, -8.5], columns: 1)])
    #expect(file.configurations[1].properties["timestep"] == .integer(10))
    #expect(file.configurations[1].provenance.ionicStep == 1)
  }

  /// The bounds printed for a tilted box are those of the enclosing one.
  @Test func tiltedAndGeneralBoxesAreTheSameCell() throws {
    let vectors = Matrix3([4, 0, 0], [1, 5, 0], [-2, 0.5, 6])
    let tilted = dump(
      "xy xz yz pp pp pp\n\(0.5 - 2) \(4.5 + 1) 1\n1 \(6 + 0.5) -2\n0 6 0.5",
      "id type xs ys zs\n1 1 0 0 0\n2 2 .5 .5 .5\n")
    let general = dump(
      "abc origin pp pp pp\n4 0 0 0.5\n1 5 0 1\n-2 0.5 6 0",
      "id type xsu ysu zsu\n1 1 0 0 0\n2 2 .5 .5 .5\n")
    let elements = [1: tungsten, 2: Element(symbol: "Re")!]
    for text in [tilted, general] {
      let c = try #require(try structure(text, elements: elements).configurations.first)
      #expect(c.cell?.vectors == vectors)
      #expect(c.positions[0] == [0.5, 1, 0])
      #expect(c.positions[1] == [0.5, 1, 0] + 0.5 * (vectors.x + vectors.y + vectors.z))
      #expect(c.species[1].symbol == "Re")
    }
  }

  @Test func unwrappedCoordinates() throws {
    let c = try structure(dump("pp pp pp\n0 4\n0 4\n0 4", "element xu yu zu\nW 9 0 0\nW -7 0 0\n"))
    #expect(c.configurations[0].positions == [[9, 0, 0], [-7, 0, 0]])
  }

  @Test func typesNeedElements() throws {
    let text = dump("pp pp pp\n0 4\n0 4\n0 4", "id type x y z\n1 1 0 0 0\n2 1 1 1 1\n")
    let diagnostic = try #require(problem(text))
    #expect(diagnostic.code == "unknown-species")
    #expect(!diagnostic.remedy.isEmpty)
    #expect(try structure(text, elements: [1: tungsten]).configurations[0].count == 2)
  }

  @Test func badDumpsAreDiagnostics() {
    let box = "pp pp pp\n0 4\n0 4\n0 4"
    for text in [
      dump(box, "id element x y z\n1 W 0 0 0\n1 W 1 1 1\n"),
      dump(box, "id element x y z\n1 W 0 0 0\n2 W 1 1\n"),
      dump(box, "id element x y z\n1 W 0 0 0\n2 W 1 1 nan\n"),
      dump(box, "id element x y\n1 W 0 0\n"),
      dump(box, "id element x y z\n1 W 0 0 0\n", count: 1_000_000_000_000),
      dump("pp pp pp\n0 4\n0 4\n4 4", "id element x y z\n1 W 0 0 0\n2 W 1 1 1\n"),
      dump("pp pp pp\n0 4\n0 4", "id element x y z\n1 W 0 0 0\n2 W 1 1 1\n"),
      "ITEM: TIMESTEP\n1\nITEM: ATOMS element x y z\nW 0 0 0\n",
      "ITEM: UNITS\nlj\n" + dump(box, "element x y z\nW 0 0 0\nW 1 1 1\n"),
    ] {
      #expect(problem(text)?.severity == .error, "\(text)")
    }
  }
}

@Suite struct StructureFileTests {
  @Test func recognisesByContentWhateverTheName() throws {
    let poscar = "54\n1\n3 0 0\n0 3 0\n0 0 3\nW\n1\nDirect\n0 0 0\n"
    #expect(try structure(poscar, name: "x.xyz").format == .poscar)
    #expect(try structure(frame("a=1"), name: "POSCAR").format == .extendedXYZ)
    #expect(
      try structure(frame("1.0", ["74 1 0 0", "74 1 1 1", "74 2 0 0"]), name: "a").format
        == .extendedXYZ)
    #expect(problem("<?xml version=\"1.0\"?>\n", name: "x")?.code == "unknown-format")
    #expect(problem("", name: "POSCAR")?.code == "unknown-format")
    #expect(
      problem("rubbish\n", name: "POSCAR")?.code == "malformed"
        || problem("rubbish\n", name: "POSCAR")?.code == "truncated")
  }

  /// What begins like a structure file but is none: a density of states, a dynamical matrix, a job's number.
  @Test func tablesAreNoStructures() throws {
    let table = "E dos integral\n" + (0..<9).map { "\($0).5 0.25 1.5\n" }.joined()
    let dynamical = "4 4 4\n8\n0 0 0\n0 0 1\n0 0 2\n0.5 0.5 0.5\n"
    let turbomole = "$coord\n" + (0..<8).map { "\($0).0 2.5 1.25 si\n" }.joined() + "$end\n"
    for text in [table, dynamical, turbomole, "1453868053\n", "1453868053\nstarted\nrunning on 4 cores\n"] {
      #expect(problem(text, name: "x.dat")?.code == "unknown-format", "\(text)")
    }
    // The name still tells where the content breaks off.
    #expect(problem("W\n1\n3 0 0\n0 3 0\n0 0 3\n", name: "POSCAR")?.code == "truncated")
    #expect(try structure("W\n1\n3 0 0\n0 3 0\n0 0 3\n1 ! one\nDirect\n0 0 0\n", name: "x.vasp").format == .poscar)
  }

  @Test func provenanceIsTheFileAndTheFrame() throws {
    var generator = SeededGenerator(seed: 31)
    let text = (0..<3).map { _ in
      String(
        decoding: ExtendedXYZWriter().frame(richConfiguration(&generator, atoms: 2)), as: UTF8.self)
    }.joined()
    let frames = try structure(text, name: "pool/a.xyz").configurations
    #expect(frames.map(\.provenance.source) == Array(repeating: "pool/a.xyz", count: 3))
    #expect(frames.map(\.provenance.ionicStep) == [0, 1, 2])
    #expect(frames[0].properties["source"] != nil)
  }
}

@Suite struct ConfigurationDigestTests {
  @Test func contentDigestSeesEveryBit() {
    var generator = SeededGenerator(seed: 41)
    let c = richConfiguration(&generator, atoms: 3)
    var other = c
    other.provenance.source = "elsewhere"
    other.properties = [:]
    other.labels.energy = 0
    #expect(other.contentDigest() == c.contentDigest())
    #expect(other.contentDigest(includingLabels: true) != c.contentDigest(includingLabels: true))
    other.positions[1].y = other.positions[1].y.nextUp
    #expect(other.contentDigest() != c.contentDigest())
    other = c
    other.positions.swapAt(0, 1)
    #expect(other.contentDigest() != c.contentDigest())
    other = c
    other.cell?.periodic = []
    other.cell = other.cell!.periodic == c.cell!.periodic ? nil : other.cell
    #expect(other.contentDigest() != c.contentDigest())
  }

  @Test func structureDigestIgnoresOrderAndImages() {
    var generator = SeededGenerator(seed: 42)
    for trial in 0..<50 {
      var c = richConfiguration(&generator, atoms: 6)
      c.cell?.periodic = .all
      let vectors = c.cell!.vectors
      // Away from the borders of the grid, so that rounding in the wrap cannot matter.
      for k in c.positions.indices {
        let fractional = c.positions[k] * vectors.inverse!
        var snapped = Vector3.zero
        for axis in 0..<3 {
          let steps = (length(vectors[axis]) / 1e-3).rounded()
          snapped[axis] = (fractional[axis] * steps).rounded() / steps
        }
        c.positions[k] = snapped * vectors
      }
      var other = c
      for k in other.positions.indices {
        let shift = Vector3(
          Double(Int.random(in: -2...2, using: &generator)),
          Double(Int.random(in: -2...2, using: &generator)),
          Double(Int.random(in: -2...2, using: &generator)))
        other.positions[k] += shift * vectors + 1e-5 * anyVector(&generator)
      }
      let order = Array(c.species.indices).shuffled(using: &generator)
      other.species = order.map { other.species[$0] }
      other.positions = order.map { other.positions[$0] }
      #expect(other.structureDigest() == c.structureDigest(), "trial \(trial)")
      #expect(other.contentDigest() != c.contentDigest())
      other.positions[0].x += 0.01
      #expect(other.structureDigest() != c.structureDigest())
    }
  }

  @Test func directionsThatDoNotRepeatAreNotWrapped() {
    let cell = Cell(vectors: Matrix3([3, 0, 0], [0, 3, 0], [0, 0, 3]), periodic: [.x, .y])
    let a = Configuration(species: [tungsten], positions: [[0.5, 0.5, 0.5]], cell: cell)
    var b = a
    b.positions[0].x += 3
    #expect(a.structureDigest() == b.structureDigest())
    b.positions[0].z += 3
    #expect(a.structureDigest() != b.structureDigest())
  }

  /// Names decide only where content does not tell.
  @Test func aNameAloneHints() {
    let names =
      [
        "": nil, "a.xyz": .extendedXYZ, "b/a.EXTXYZ": .extendedXYZ, "xyz": .extendedXYZ, "a.xyz.": .extendedXYZ,
        "a.xyz/b": nil, "a.xyz/": .extendedXYZ, "XDATCAR.old": .xdatcar, "run/Contcar_3": .poscar, "a.vasp": .poscar,
        "a.dump": .lammpsDump, "md.lammpstrj": .lammpsDump, "OUTCAR": nil, "ä.xyz": .extendedXYZ, "...": nil,
      ] as [String: StructureReader.Format?]
    for (name, format) in names {
      #expect(StructureReader.hint(name) == format, "'\(name)'")
      #expect(StructureReader.recognise([UInt8(ascii: "#")], name: name) == format, "'\(name)'")
    }
  }
}
