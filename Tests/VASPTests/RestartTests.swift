import Configurations
import Foundation
import Platform
import TestSupport
import Testing
import VASP

/// Restarted and appended runs keep every step once, in order.
struct RestartTests {
  private typealias Member = ArchiveBytes.Member

  private func run(_ steps: Range<Int>, kind: String = "0", asked: Int = 50, encut: String = "520.0") -> Text {
    var text = RunText(
      steps: steps.map { k in
        let energy = -10.5 - Double(k)
        var step = RunText.Step(energy: energy, withoutEntropy: energy + 0.25, sigmaZero: energy + 0.125)
        step.positions[1].x += 0.01 * Double(k)
        return step
      })
    text.parameters = [("IBRION", "int", kind), ("NSW", "int", "\(asked)")]
    return Text(
      vasprun: text.vasprun.replacing("520.00000000", with: encut + "0000000"),
      outcar: text.outcar().replacing("ENCUT  =  520.0", with: "ENCUT  =  " + encut))
  }

  private struct Text {
    var vasprun: String
    var outcar: String
  }

  private func folder(_ files: [(String, String)], steps: StepSelection = .all) throws -> [ReadSource] {
    try SourceReader(steps: steps).read(
      folder: "run",
      files: files.map { name, text in RunFile(path: name) { MemoryByteSource(Array(text.utf8)) } })
  }

  private func numbers(_ source: ReadSource) -> [Int] {
    source.configurations.map { Int(-10.5 - $0.labels.energy!) }
  }

  @Test func restartsOfEveryNameAreOneCalculation() throws {
    let (a, b, c) = (run(0..<3), run(3..<5), run(5..<8))
    for names in [
      ["OUTCAR.1", "OUTCAR.2", "OUTCAR"], ["OUTCAR.2", "OUTCAR.1", "OUTCAR"], ["OUTCAR", "OUTCAR-1", "OUTCAR-2"],
      ["OUTCAR_old", "OUTCAR_1", "OUTCAR_2"], ["OUTCAR.run1", "OUTCAR.run2", "OUTCAR.run10"],
      ["OUTCAR.1.gz", "OUTCAR.2", "OUTCAR.3"], ["run1/OUTCAR", "run2/OUTCAR", "run10/OUTCAR"],
    ] {
      let files = Array(zip(names, [a.outcar, b.outcar, c.outcar]))
      let sources = try folder(files)
      #expect(sources.count == 1, "\(names)")
      #expect(numbers(sources[0]) == Array(0..<8), "\(names)")
      #expect(sources[0].configurations.map(\.provenance.ionicStep) == Array(0..<8))
      #expect(sources[0].files == names.map { "run/" + $0 } && sources[0].isComplete)
      let parts = sources[0].configurations.map { $0.properties["run_part"] }
      #expect(parts == [nil, nil, nil, .integer(1), .integer(1), .integer(2), .integer(2), .integer(2)])
      #expect(try folder(files.reversed())[0].digest == sources[0].digest)
      #expect(numbers(try folder(files, steps: .last)[0]) == [7])
      #expect(numbers(try folder(files, steps: .every(3))[0]) == [0, 3, 6])
    }
    let trees = try folder([
      ("vasprun.xml", a.vasprun), ("vasprun.xml.2", b.vasprun), ("vasprun.xml.3", c.vasprun),
      ("OUTCAR.3", c.outcar), ("OUTCAR", a.outcar),
    ])
    #expect(trees.count == 1 && numbers(trees[0]) == Array(0..<8))
  }

  @Test func whatTwoRunsShareCountsOnce() throws {
    let (a, b) = (run(0..<4), run(2..<7))
    for (first, second) in [(a.outcar, b.outcar), (a.vasprun, b.vasprun)] {
      let word = first == a.outcar ? "OUTCAR" : "vasprun.xml"
      let apart = try folder([(word + ".1", first), (word + ".2", second)])
      #expect(apart.count == 1 && numbers(apart[0]) == Array(0..<7))
      #expect(apart[0].diagnostics.contains { $0.code == "restarted-run" && $0.cause.contains("2 steps") })
      // The same, written into one file.
      let one = try folder([(word, first + second)])
      #expect(one.count == 1 && numbers(one[0]) == Array(0..<7))
      let alone = try SourceReader().read(MemoryByteSource(Array((first + second).utf8)), name: "x")
      #expect(alone.count == 1 && alone[0].configurations.map(\.labels) == one[0].configurations.map(\.labels))
      #expect(alone[0].configurations.map(\.properties) == one[0].configurations.map(\.properties))
      #expect(alone[0].digest == one[0].digest && alone[0].isComplete)
    }
  }

  /// Identical steps within one run are that run's own business.
  @Test func repeatsWithinARunStay() throws {
    let still = RunText(steps: Array(repeating: RunText.Step(), count: 4))
    #expect(try folder([("OUTCAR", still.outcar())])[0].configurations.count == 4)
    #expect(try folder([("vasprun.xml", still.vasprun)])[0].configurations.count == 4)
  }

  @Test func whatDoesNotGoOnStaysApart() throws {
    let first = run(0..<3).outcar
    // Far away; other settings; another kind; a name that is no restart's.
    for (name, text) in [
      ("OUTCAR.2", run(60..<63).outcar), ("OUTCAR.2", run(3..<6, encut: "400.0").outcar),
      ("OUTCAR.2", run(3..<6, kind: "2").outcar), ("OUTCAR.Al", run(3..<6).outcar),
    ] {
      let sources = try folder([("OUTCAR.1", first), (name, text)])
      #expect(sources.count == 2 && sources.allSatisfy { $0.configurations.count == 3 }, "\(name)")
    }
    // Relaxations that were finished are gone on with from where they ended, and from nowhere else.
    let (a, b) = (run(0..<3, kind: "2"), run(3..<5, kind: "2"))
    #expect(try folder([("OUTCAR.1", a.outcar), ("OUTCAR.2", b.outcar)]).count == 2)
    let stopped = run(0..<3, kind: "2", asked: 3)
    #expect(try folder([("OUTCAR.1", stopped.outcar), ("OUTCAR.2", b.outcar)]).count == 1)
    let again = run(2..<5, kind: "2", asked: 60).outcar.replacing("-12.50000000 eV", with: "-12.50001000 eV")
    let joined = try folder([("OUTCAR.1", a.outcar), ("OUTCAR.2", again)])
    #expect(joined.count == 1 && joined[0].configurations.count == 6, "a start that was computed anew is a step")
  }

  /// Wherever the first of two appended runs breaks off, its whole steps and all of the second are there.
  @Test(arguments: [false, true])
  func aBrokenRunBeforeAnother(isTree: Bool) throws {
    let first = Array((isTree ? run(0..<3).vasprun : run(0..<3).outcar).utf8)
    let second = Array((isTree ? run(3..<5).vasprun : run(3..<5).outcar).utf8)
    for cut in stride(from: first.count / 3, to: first.count, by: 101) {
      for chunk in cut % 2 == 0 ? [Int.max] : [61] {
        let bytes = first[..<cut] + second
        let sources = try SourceReader().read(MemoryByteSource(Array(bytes), chunk: chunk), name: "x")
        #expect(sources.count == 1)
        let whole = try SourceReader().read(MemoryByteSource(Array(first[..<cut])), name: "x")
        #expect(numbers(sources[0]) == numbers(whole[0]) + [3, 4], "\(isTree) \(cut)")
      }
    }
  }

  @Test func appendedRunsOfOtherSettingsAreSourcesOfTheirOwn() throws {
    let (a, b) = (run(0..<2), run(2..<5, encut: "400.0"))
    for (word, text) in [("OUTCAR", a.outcar + b.outcar), ("vasprun.xml", a.vasprun + b.vasprun)] {
      let inFolder = try folder([(word, text)])
      let alone = try SourceReader().read(MemoryByteSource(Array(text.utf8)), name: "run/" + word)
      for sources in [inFolder, alone] {
        #expect(sources.map(\.name) == ["run/\(word)", "run/\(word)#2"])
        #expect(sources.map(\.configurations.count) == [2, 3])
        #expect(sources.map(\.settings?.planeWaveCutoff) == [520, 400])
        #expect(Set(sources.map(\.digest)).count == 2)
      }
      #expect(inFolder.map(\.digest) == alone.map(\.digest))
      #expect(inFolder.map(\.configurations) == alone.map(\.configurations))
    }
  }

  /// Folder, archive in any order, compression and other names: one content, one source.
  @Test func theSameRunIsTheSameSourceHoweverItIsPacked() throws {
    let (a, b) = (run(0..<3), run(3..<6))
    var files = [
      ("vasprun.xml.1", a.vasprun), ("OUTCAR.1", a.outcar), ("vasprun.xml.2", b.vasprun), ("OUTCAR.2", b.outcar),
      ("KPOINTS", "k\n0\nGamma\n2 3 4\n"), ("INCAR", "ENCUT = 520\nALGO = Fast\nISPIN = 2\n"),
    ]
    let wanted = try folder(files)
    #expect(wanted.count == 1 && numbers(wanted[0]) == Array(0..<6))
    var generator = SeededGenerator(seed: 5)
    for round in 0..<4 {
      files.shuffle(using: &generator)
      let members = files.map { name, text in
        round % 2 == 0
          ? Member("deep/\(name)", Array(text.utf8)) : Member("deep/\(name).gz", ArchiveBytes.gzip(Array(text.utf8)))
      }
      let archive = round < 2 ? ArchiveBytes.tar(members) : ArchiveBytes.gzip(ArchiveBytes.tar(members))
      let sources = try SourceReader().read(MemoryByteSource(archive), name: "x")
      #expect(sources.map(\.digest) == wanted.map(\.digest), "\(round)")
      #expect(sources[0].configurations.map(\.labels) == wanted[0].configurations.map(\.labels))
      #expect(sources[0].configurations.map(\.properties) == wanted[0].configurations.map(\.properties))
    }
  }

  // MARK: k-points

  /// Every mesh is found again in its points, folded by inversion; the oracle is the mesh itself.
  @Test func aMeshIsFoundInItsPoints() {
    for divisions in [[1, 1, 1], [2, 2, 2], [3, 3, 1], [4, 4, 4], [2, 3, 5], [6, 1, 4]] {
      for shift in [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]] {
        var points: [Vector3] = []
        for x in 0..<divisions[0] {
          for y in 0..<divisions[1] {
            for z in 0..<divisions[2] {
              var point = Vector3.zero
              for (k, n) in [x, y, z].enumerated() {
                let value = (Double(n) + shift[k]) / Double(divisions[k])
                point[k] = ((value > 0.5 ? value - 1 : value) * 1e6).rounded() / 1e6
              }
              if point.x >= 0 { points.append(point) }
            }
          }
        }
        let wanted = KPointMesh(divisions: divisions, shift: shift)
        let found = KPointMesh(points: points, total: divisions.reduce(1, *), divisions: divisions)
        #expect(found == wanted, "\(divisions) \(shift)")
        if let guessed = KPointMesh(points: points, total: divisions.reduce(1, *)) {
          #expect(guessed == wanted, "\(divisions) \(shift)")
        }
      }
    }
    #expect(KPointMesh(points: [[0, 0, 0], [0.25, 0, 0], [0.5, 0.25, 0]], total: 0) == nil)
    #expect(KPointMesh(points: [[0.1234, 0, 0]], total: 8) == nil)
    #expect(KPointMesh(divisions: [3, 3, 3], shift: [0, 0, 0]).words == "Gamma 3 3 3")
    #expect(KPointMesh(divisions: [4, 4, 3], shift: [0.5, 0.5, 0]).words == "Monkhorst-Pack 4 4 3")
    #expect(KPointsText("c\n 12\nReciprocal\n0 0 0 1\n")?.words == "12 points")
    #expect(KPointsText("c\n 20\nLine-mode\nrec\n0 0 0\n")?.words == nil)
  }
}
