import Configurations
import Platform
import TestSupport
import Testing
import VASP

/// A format of our own: "LENGTH n" and n lines, each an edge of a cubic cell of one tungsten atom.
private enum CubeFormat: FrameFormat {
  static func recognises(_ head: [UInt8]) -> Bool { head.starts(with: Array("LENGTH".utf8)) }

  static func read(
    _ source: any ByteSource, name: String, deliver: (Configuration) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    let bytes: [UInt8]
    do { bytes = try source.readAll() } catch { throw error as! Diagnostic }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst()
    for (k, line) in lines.enumerated() {
      guard let edge = Double(line) else {
        throw Diagnostic(
          .error, code: "not-a-number", place: .init(file: name, line: k + 2), cause: "no.")
      }
      try deliver(
        Configuration(
          species: [Element(symbol: "W")!], positions: [.zero],
          cell: Cell(vectors: edge * .identity),
          provenance: Provenance(source: name, ionicStep: k)))
    }
  }
}

struct SourceReaderTests {
  private typealias Member = ArchiveBytes.Member

  private let steps = [-10.5, -11.5, -12.5].map {
    RunText.Step(energy: $0, withoutEntropy: $0 + 0.25, sigmaZero: $0 + 0.125)
  }

  private func read(
    _ bytes: [UInt8], _ reader: SourceReader = SourceReader(formats: [CubeFormat.self])
  ) throws -> [ReadSource] {
    try reader.read(MemoryByteSource(bytes), name: "in")
  }

  private func folder(
    _ files: [(String, String)], _ reader: SourceReader = SourceReader(formats: [CubeFormat.self])
  ) throws -> [ReadSource] {
    try reader.read(
      folder: "run",
      files: files.map { name, text in RunFile(path: name) { MemoryByteSource(Array(text.utf8)) } })
  }

  @Test func loneFilesOfEveryKind() throws {
    let kinds: [(String, SourceFormat)] = [
      (RunText().vasprun, .vasprun), (RunText().outcar(), .outcar), ("LENGTH 2\n3\n4\n", .frames),
      ("W\n1.0\n3 0 0\n0 3 0\n0 0 3\nW\n1\nDirect\n0 0 0\n", .poscar),
      ("mesh\n0\nGamma\n4 4 4\n0 0 0\n", .kpoints), ("ENCUT = 500\nISMEAR = 0\n", .incar),
      ("  PAW_PBE W 08Apr2002\n 6.0\n parameters from PSCTR are:\n   VRHFIN =W: 5d\n", .potcar),
      ("       N       E                     dE\nDAV:   1    0.1E+02\n", .oszicar), ("?", .unknown),
      ("", .unknown),
      // VASP on the terminal, and a program that reads OUTCAR.
      (" vasp.5.4.4 18Apr17 (build)\n\n POSCAR found type information on POSCAR  W O\n", .unknown),
      ("import re\nif 'FREE ENERGIE OF THE ION-ELECTRON' in line:\n  m = 'TOTAL-FORCE (eV/Angst)'\n", .unknown),
      // Heads of POTCARs without their tables.
      ("   VRHFIN =W: 5d\n   TITEL  = PAW_PBE W 08Apr2002\n POTCAR:   PAW_PBE W 08Apr2002\n", .potcar),
    ]
    for (text, format) in kinds {
      let source = try #require(try read(Array(text.utf8)).first)
      #expect(source.format == format)
      #expect(source.digest == Digest(of: text))
      #expect(source.configurations.isEmpty != format.holdsConfigurations, "\(format)")
      #expect((source.error != nil) == (format == .unknown))
      #expect(source.name == "in" && source.files == ["in"])
    }
  }

  /// One run told by two files is one source with the labels of vasprun.xml and the moments of OUTCAR.
  @Test func twoFilesOfOneRunAreOneSource() throws {
    let text = RunText(steps: steps)
    let files = [
      ("OUTCAR", text.outcar()), ("vasprun.xml", text.vasprun), ("INCAR", "ENCUT = 500\n"),
    ]
    let sources = try folder(files)
    #expect(sources.count == 1)
    let run = sources[0]
    #expect(run.format == .run && run.isComplete && run.error == nil)
    #expect(run.name == "run/vasprun.xml" && run.files == ["run/vasprun.xml", "run/OUTCAR"])
    #expect(run.configurations.count == 3)
    #expect(run.configurations.allSatisfy { $0.properties["magmoms"] != nil })
    #expect(run.configurations.allSatisfy { $0.provenance.source == "run/vasprun.xml" })
    // The digest knows neither names nor order.
    let renamed = try folder([("a-vasprun.xml", text.vasprun), ("b-OUTCAR", text.outcar())])
    #expect(renamed.map(\.digest) == [run.digest])
    let packed = try read(
      ArchiveBytes.tar([
        Member("r/OUTCAR.gz", ArchiveBytes.gzip(Array(text.outcar().utf8))),
        Member("r/vasprun.xml", Array(text.vasprun.utf8)),
      ]))
    #expect(packed.map(\.digest) == [run.digest])
    #expect(packed[0].configurations.map(\.labels) == run.configurations.map(\.labels))
    #expect(packed[0].name == "in/r/vasprun.xml")
  }

  @Test func outcarFillsWhatWasCutOff() throws {
    let text = RunText(steps: steps)
    let second = text.vasprun.ranges(of: "<calculation>")[1].lowerBound
    let sources = try folder([
      ("vasprun.xml", String(text.vasprun[..<second])), ("OUTCAR", text.outcar()),
    ])
    #expect(sources.count == 1 && sources[0].isComplete)
    #expect(sources[0].configurations.map(\.labels.energy) == [-10.5, -11.5, -12.5])
    #expect(sources[0].configurations.map(\.provenance.ionicStep) == [0, 1, 2])
    let none = text.vasprun.ranges(of: "<calculation>")[0].lowerBound
    let empty = try folder([
      ("vasprun.xml", String(text.vasprun[..<none])), ("OUTCAR", text.outcar()),
    ])
    #expect(empty.count == 1 && empty[0].configurations.count == 3)
  }

  @Test func outcarKnowsOfUnconvergedLoops() throws {
    let text = RunText(steps: steps)
    let stopped = text.outcar().replacing("because EDIFF is reached", with: "EDIFF was not reached")
    let sources = try folder([("vasprun.xml", text.vasprun), ("OUTCAR", stopped)])
    #expect(sources[0].format == .run)
    #expect(
      sources[0].configurations.map(\.labels.electronicallyConverged) == [false, false, false])
  }

  @Test func manyBadStepsAreCounted() throws {
    let text = RunText(steps: Array(repeating: RunText.Step(), count: 25))
    let broken = Array(text.outcar().replacing("      0.125000", with: "           NaN").utf8)
    for sources in [try read(broken), try read(ArchiveBytes.tar([Member("OUTCAR", broken)]))] {
      #expect(sources[0].diagnostics.map(\.code) == Array(repeating: "not-finite", count: 11))
      #expect(sources[0].diagnostics.last?.cause.hasPrefix("15 more") == true)
    }
  }

  @Test func differentRunsStayApart() throws {
    let first = RunText(steps: steps)
    var second = first
    for k in second.steps.indices { second.steps[k].energy -= 1e-3 }
    let sources = try folder([
      ("vasprun.xml.relax1", first.vasprun), ("OUTCAR.relax1", first.outcar()),
      ("vasprun.xml.relax2", second.vasprun), ("OUTCAR.relax2", second.outcar()),
    ])
    #expect(
      sources.map(\.files) == [
        ["run/vasprun.xml.relax1", "run/OUTCAR.relax1"],
        ["run/vasprun.xml.relax2", "run/OUTCAR.relax2"],
      ])
    let apart = try folder([("vasprun.xml", first.vasprun), ("OUTCAR", second.outcar())])
    #expect(apart.map(\.format) == [.outcar, .vasprun])
    #expect(apart[1].diagnostics.map(\.code) == ["different-runs"])
    // Directories do not mix.
    let far = try folder([("a/vasprun.xml", first.vasprun), ("b/OUTCAR", first.outcar())])
    #expect(far.map(\.format) == [.vasprun, .outcar])
  }

  @Test func theSameContentIsReadOnce() throws {
    let text = RunText(steps: steps).outcar()
    let sources = try read(
      ArchiveBytes.tar([
        Member("a/OUTCAR", Array(text.utf8)), Member("b/OUTCAR", Array(text.utf8)),
        Member("c/OUTCAR.gz", ArchiveBytes.gzip(Array(text.utf8))),
      ]))
    #expect(sources.map(\.name) == ["in/a/OUTCAR"])
    #expect(sources[0].diagnostics.map(\.code) == ["same-content", "same-content"])
  }

  @Test func selectionOfSteps() throws {
    let text = RunText(steps: steps)
    for (selection, wanted) in [
      (StepSelection.all, [0, 1, 2]), (.last, [2]), (.every(2), [0, 2]),
    ] {
      let reader = SourceReader(steps: selection)
      for sources in [
        try read(Array(text.vasprun.utf8), reader), try read(Array(text.outcar().utf8), reader),
        try folder([("vasprun.xml", text.vasprun), ("OUTCAR", text.outcar())], reader),
      ] {
        #expect(sources.count == 1)
        #expect(sources[0].configurations.map(\.provenance.ionicStep) == wanted)
      }
    }
    // The last usable one, where the last is no label.
    let broken = text.outcar().replacing("-12.50000000 eV", with: "************ eV")
    let kept = try folder([("OUTCAR", broken)], SourceReader(steps: .last))
    #expect(kept[0].configurations.map(\.provenance.ionicStep) == [1])
  }

  @Test func streamingGivesTheSame() throws {
    let text = RunText(steps: steps)
    for bytes in [
      Array(text.vasprun.utf8), Array(text.outcar().utf8), Array("LENGTH 2\n3\n4\n".utf8),
      ArchiveBytes.tar([
        Member("a/OUTCAR", Array(text.outcar().utf8)),
        Member("a/vasprun.xml", Array(text.vasprun.utf8)),
      ]),
    ] {
      let whole = try read(bytes)
      var streamed: [Configuration] = []
      let sources = try SourceReader(formats: [CubeFormat.self]).read(
        MemoryByteSource(bytes), name: "in"
      ) {
        (configuration) throws(Diagnostic) in streamed.append(configuration)
      }
      #expect(streamed == whole.flatMap(\.configurations) && !streamed.isEmpty)
      #expect(sources.map(\.digest) == whole.map(\.digest))
      #expect(sources.allSatisfy { $0.configurations.isEmpty })
    }
  }

  @Test func oneBadFileSparesTheOthers() throws {
    let text = RunText(steps: steps)
    var damaged = ArchiveBytes.gzip(Array(text.outcar().utf8))
    damaged[damaged.count - 8] ^= 1
    let sources = try read(
      ArchiveBytes.tar([
        Member("a/OUTCAR.gz", damaged),
        Member("b/vasprun.xml", Array("<?xml?><!DOCTYPE m><modeling>".utf8)),
        Member("c/OUTCAR", Array(text.outcar().utf8)),
        Member("d/x", Array("LENGTH 1\nnine\n".utf8)),
      ]))
    #expect(sources.map(\.name) == ["in/a/OUTCAR.gz", "in/b/vasprun.xml", "in/c/OUTCAR", "in/d/x"])
    #expect(sources.map { $0.error == nil } == [false, false, true, false])
    #expect(sources.map(\.configurations.count) == [0, 0, 3, 0])
    let inFolder = try SourceReader().read(
      folder: "run",
      files: [
        RunFile(path: "bad.tar") { MemoryByteSource(ArchiveBytes.tar([Member("../x", [1])])) },
        RunFile(path: "gone") { throw Diagnostic(.error, code: "gone", cause: "it vanished.") },
        RunFile(path: "OUTCAR") { MemoryByteSource(Array(text.outcar().utf8)) },
      ])
    #expect(inFolder.filter { $0.error == nil }.map(\.name) == ["run/OUTCAR"])
    #expect(Set(inFolder.compactMap { $0.error?.code }) == ["archive-path", "gone"])
  }

  /// A lone damaged file is refused; a truncated one gives its whole steps and says that it is not whole.
  @Test func compressedFilesThatBreak() throws {
    let content = Array(RunText(steps: steps).outcar().utf8)
    let packed = ArchiveBytes.gzip(content)
    var damaged = packed
    damaged[200] ^= 1
    #expect(throws: Diagnostic.self) { try read(damaged) }
    let cut = try read(Array(packed[..<(packed.count - 4)]))
    #expect(cut[0].configurations.count == 3 && !cut[0].isComplete)
    #expect(cut[0].diagnostics.contains { $0.code == "truncated" })
    let half = try read(Array(packed[..<(packed.count / 2)]))
    #expect(half[0].configurations.count < 3 && !half[0].isComplete)
  }

  /// Runs whose files are far apart in an archive still meet, also when they are streamed.
  @Test func filesOfARunMeetAcrossOtherDirectories() throws {
    let text = RunText(steps: steps)
    let archive = ArchiveBytes.tar([
      Member("a/vasprun.xml", Array(text.vasprun.utf8)),
      Member("a/sub/OUTCAR", Array(RunText().outcar().utf8)),
      Member("a/OUTCAR", Array(text.outcar().utf8)),
    ])
    let sources = try read(archive)
    #expect(sources.map(\.name) == ["in/a/sub/OUTCAR", "in/a/vasprun.xml"])
    #expect(sources.map(\.format) == [.outcar, .run])
  }

  @Test func whatTheConsumerThrowsEndsTheReading() {
    let stop = Diagnostic(.warning, code: "stop", cause: "enough.")
    let text = RunText(steps: steps)
    for bytes in [
      Array(text.vasprun.utf8), Array("LENGTH 2\n3\n".utf8),
      ArchiveBytes.tar([Member("OUTCAR", Array(text.outcar().utf8))]),
    ] {
      var seen = 0
      let error = #expect(throws: Diagnostic.self) {
        try SourceReader(formats: [CubeFormat.self]).read(MemoryByteSource(bytes), name: "in") {
          (_) throws(Diagnostic) in
          seen += 1
          throw stop
        }
      }
      #expect(error == stop && seen == 1)
    }
  }

  @Test func whatIsNotWholeYet() throws {
    let text = RunText(steps: steps)
    func missing(_ bytes: [UInt8]) throws -> String? {
      try SourceReader().incompleteness(of: MemoryByteSource(bytes), name: "in")
    }
    for whole in [text.vasprun, text.outcar()].map({ Array($0.utf8) }) {
      let half = Array(whole[..<(whole.count / 2)])
      let packed = ArchiveBytes.gzip(whole)
      let archive = ArchiveBytes.tar([Member("a", whole), Member("b", whole)])
      for bytes in [whole, packed, archive, ArchiveBytes.zip([Member("a", packed)])] {
        #expect(try missing(bytes) == nil)
      }
      for bytes in [
        half, ArchiveBytes.gzip(half), Array(packed.dropLast(3)),
        Array(archive[..<(archive.count / 2)]),
        ArchiveBytes.tar([Member("a", half), Member("b", whole)]),
        Array(ArchiveBytes.zip([Member("a", whole)]).dropLast(40)),
      ] {
        #expect(try missing(bytes) != nil)
      }
    }
  }
}
