import ACE
import Configurations
import Engine
import Foundation
import LinearAlgebra
import Platform
import TestSupport
import Testing
import VASP

/// A megabyte that costs a careless reader the square of its length: each reader gets each trap.
@Suite(.serialized) struct TrapTests {
  /// BEHAVIOUR's law is 10 s per MB; all take far less than a tenth of it in release.
  private static let seconds = 10.0
  /// What reading one megabyte may add to the peak, MB; configurations and settings of thousands of runs are in it.
  private static let megabytes = 400

  @Test(arguments: Traps.readers.map(\.name)) func noReaderIsTrapped(_ name: String) async throws {
    let scratch = try ScratchFolder()
    let (log, seconds, megabytes) = (scratch.path + "/trap", Self.seconds, Self.megabytes)
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      [name = name as String, log = log as String, seconds = seconds as Double, megabytes = megabytes as Int] in
      // A trap that does not end, or asks for the whole memory, ends this process.
      setLimit(RLIMIT_AS, 8 << 30)
      let reader = Traps.readers.first { $0.name == name }!
      let shows = ProcessInfo.processInfo.environment["SLUICE_TRAPS"] != nil
      var isGood = true
      for trap in Traps.all(for: name) {
        let bytes = trap.bytes()
        try Data(trap.name.utf8).write(to: URL(fileURLWithPath: log))
        resetPeak()
        let before = (processorTime(), peak())
        setLimit(RLIMIT_CPU, Int(before.0 + 3 * seconds) + 1)
        reader.read(bytes)
        let (taken, grown) = (processorTime() - before.0, (peak() - before.1) >> 10)
        if shows { say("\(name) \(trap.name): \(Int(taken * 1000)) ms, \(grown) MB") }
        guard taken > seconds || grown > megabytes else { continue }
        say("\(name), \(trap.name), \(bytes.count) bytes: \(taken) s, \(grown) MB")
        isGood = false
      }
      exit(isGood ? 0 : 1)
    }
    let text = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
    if ProcessInfo.processInfo.environment["SLUICE_TRAPS"] != nil { print(text) }
    guard let result, result.exitStatus != .exitCode(0) else { return }
    let last = (try? String(contentsOfFile: log, encoding: .utf8)) ?? "none"
    Issue.record("\(name): \(result.exitStatus), last trap '\(last)'\n\(text.suffix(2000))")
  }

  @Test func timeIsGivenUpAfterItsLimit() throws {
    let run = RunText(steps: (0..<400).map { RunText.Step(energy: -1 - Double($0)) })
    let (sheet, tree) = (Array(run.outcar().utf8), Array(run.vasprun.utf8))
    let frame = "1\nLattice=\"9 0 0 0 9 0 0 0 9\" Properties=species:S:1:pos:R:3 energy=-1\nW 0 0 0\n"
    let frames = Array(String(repeating: frame, count: 5000).utf8)
    var reader = SourceReader(formats: [Frames.self])
    reader.limits.secondsPerMegabyte = 0
    for bytes in [sheet, tree, frames] {
      #expect(bytes.count > 1 << 18)
      let error = #expect(throws: Diagnostic.self) { try reader.read(MemoryByteSource(bytes), name: "slow") }
      #expect(error?.code == "too-slow" && error?.place.file == "slow" && error?.place.byte != nil)
      #expect(error?.cause.isEmpty == false && error?.remedy.isEmpty == false)
    }
    // One slow member is given up, the others of its archive are asked for (no time at all is too short for
    // them, too).
    let small = RunText(steps: [RunText.Step(energy: -7)])
    for pack in [ArchiveBytes.tar, { ArchiveBytes.zip($0) }] as [([ArchiveBytes.Member]) -> [UInt8]] {
      let sources = try reader.read(
        MemoryByteSource(pack([.init("a/OUTCAR", sheet), .init("b/vasprun.xml", Array(small.vasprun.utf8))])),
        name: "in")
      #expect(sources.count == 2 && sources[0].error?.code == "too-slow" && sources[0].configurations.isEmpty)
      #expect(sources.last?.name.hasSuffix("b/vasprun.xml") == true)
    }
    // And as files of a folder.
    let files = [("a/OUTCAR", sheet), ("b/vasprun.xml", Array(small.vasprun.utf8))]
    let sources = try reader.read(
      folder: "run", files: files.map { name, bytes in RunFile(path: name) { MemoryByteSource(bytes) } })
    #expect(Set(sources.map(\.name)) == ["run/a/OUTCAR", "run/b/vasprun.xml"])
    #expect(sources.first { $0.name == "run/a/OUTCAR" }?.error?.code == "too-slow")
    reader.limits = SourceLimits()
    #expect(try reader.read(MemoryByteSource(sheet), name: "slow")[0].configurations.count == 400)
  }

  private enum Frames: FrameFormat {
    static func recognises(_ head: [UInt8]) -> Bool { head.starts(with: Array("1\nLattice".utf8)) }
    static func read(
      _ source: any ByteSource, name: String, deliver: (Configuration) throws(Diagnostic) -> Void
    ) throws(Diagnostic) {
      var reader = ExtendedXYZReader(source, name: name)
      while let frame = try reader.next() { try deliver(frame) }
    }
  }
}

/// Inputs of one megabyte, and what reads them.
private enum Traps {
  struct Trap: Sendable {
    var name: String
    var bytes: @Sendable () -> [UInt8]
  }

  struct Reader: Sendable {
    var name: String
    var read: @Sendable ([UInt8]) -> Void
  }

  private static let size = 1 << 20

  private static func `repeat`(_ name: String, _ text: String, after head: String = "", end: String = "") -> Trap {
    Trap(name: name) {
      let (head, part) = (Array(head.utf8), Array(text.utf8))
      var bytes = head
      bytes.reserveCapacity(size + part.count)
      while bytes.count < size { bytes += part }
      return bytes + Array(end.utf8)
    }
  }

  private static func numbered(
    _ name: String, after head: String, end: String = "", _ part: @escaping @Sendable (Int) -> String
  ) -> Trap {
    Trap(name: name) {
      var bytes = Array(head.utf8)
      var k = 0
      while bytes.count < size {
        bytes += Array(part(k).utf8)
        k += 1
      }
      return bytes + Array(end.utf8)
    }
  }

  static func all(for reader: String) -> [Trap] { general + (own[reader] ?? own[kind(reader)] ?? []) }

  /// Which format's own traps a reader that takes several gets.
  private static func kind(_ reader: String) -> String {
    ["file": "vasp", "member": "vasp", "folder": "vasp", "vasprun": "xml", "outcar": "sheet"][reader] ?? reader
  }

  private static let prolog = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<modeling>\n"

  private static let general: [Trap] = [
    `repeat`("one long line", "0123456789abcdef"),
    `repeat`("blanks", " "),
    `repeat`("newlines", "\n"),
    `repeat`("opening brackets", "["),
    `repeat`("opening braces", "{a:"),
    `repeat`("quotation marks", "\""),
    `repeat`("backslashes", "\\"),
    `repeat`("signs of equality", "A="),
    `repeat`("digits", "9"),
    `repeat`("zeros", "\0"),
    `repeat`("opening comments", "/*"),
  ]

  private static let own: [String: [Trap]] = [
    "xml": xml, "sheet": sheets, "vasp": xml + sheets,
    "extended-xyz": [
      numbered("keys", after: "1\nLattice=\"1 0 0 0 1 0 0 0 1\" ", end: "\nW 0 0 0\n") { "k\($0)=\($0) " },
      `repeat`("one key", "energy=1 ", after: "1\n", end: "\nW 0 0 0\n"),
      numbered("columns", after: "1\nProperties=species:S:1:pos:R:3", end: "\nW 0 0 0\n") { ":c\($0):R:1" },
      `repeat`("brackets in a value", "[", after: "1\na=", end: "\nW 0 0 0\n"),
      `repeat`("open quotation marks", "a=\"\\\"", after: "1\n"),
      `repeat`("frames", "1\n\nW 0 0 0\n"),
      `repeat`("empty frames", "0\n\n"),
      `repeat`("an array", "1 ", after: "1\na=\"", end: "\"\nW 0 0 0\n"),
    ],
    "structures": [
      `repeat`("kinds", "W ", after: "c\n1\n1 0 0\n0 1 0\n0 0 1\n", end: "\n1\nDirect\n0 0 0\n"),
      `repeat`("counts", "1 ", after: "c\n1\n1 0 0\n0 1 0\n0 0 1\nW\n", end: "\nDirect\n0 0 0\n"),
      `repeat`("lines without atoms", "Direct\n", after: "c\n1\n1 0 0\n0 1 0\n0 0 1\nW\n1\n"),
    ],
    "dump": [
      numbered(
        "columns",
        after: "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\nITEM: ATOMS id ",
        end: "\n1\n"
      ) { "c\($0) " },
      `repeat`("items", "ITEM: TIMESTEP\n0\n"),
    ],
    "pipeline": [
      numbered("keys", after: "{") { "k\($0):1," },
      numbered("stages", after: "{sluice:1,stages:[") { "{use:'s\($0)'}," },
      `repeat`("stages of one name", "{use:'ingest'},", after: "{sluice:1,stages:["),
      `repeat`("escapes", "\\u0041", after: "{a:'", end: "'}"),
      `repeat`("comments", "//\n"),
    ],
    "yaml": [
      numbered("keys", after: "") { "k\($0): 1\n" },
      numbered("deeper and deeper", after: "") { String(repeating: " ", count: $0) + "a:\n" },
      `repeat`("lists in lists", "- "),
      `repeat`("flow lists", "[[],", after: "species: "),
      `repeat`("flow maps", "{a: ", after: "species: "),
      `repeat`("anchors", "a: &a [*a,*a]\n"),
      `repeat`("lines of one string", "\n\n x", after: "a: \"", end: "\""),
      `repeat`(
        "nbody", "{type: Si Si, nr: [1], nl: [0], c: [1]},", after: "species:\n- speciesblock: Si\n  nbody: [", end: "]"
      ),
    ],
    "npz": [
      Trap(name: "overlapping members") {
        let content = ArchiveBytes.Member("a", [UInt8](repeating: 7, count: 1 << 19))
        return ArchiveBytes.zip([content], directory: Array(repeating: content, count: 9000))
      },
      `repeat`("entries", "PK\u{1}\u{2}"),
    ],
    "npy": [
      `repeat`("a shape", "1,", after: "\u{93}NUMPY")
    ],
  ]

  private static let xml: [Trap] = [
    `repeat`("unclosed tags", "<a>", after: prolog),
    `repeat`("unclosed rows", "<v>", after: prolog + "<varray name=\"basis\" >"),
    numbered("attributes", after: prolog + "<a ") { "a\($0)=\"\" " },
    `repeat`("the same attribute", "a=\"\" ", after: prolog + "<a "),
    `repeat`("a long attribute", "x", after: prolog + "<a b=\"", end: "\"/>"),
    `repeat`("a comment", "- ", after: prolog + "<!-- ", end: "-->"),
    `repeat`("comments", "<!---->", after: prolog),
    `repeat`("sections of text", "<![CDATA[]]>", after: prolog),
    `repeat`("an instruction", "? ", after: prolog + "<?a "),
    `repeat`("references", "&amp;", after: prolog + "<i name=\"a\">"),
    `repeat`("an endless reference", "a", after: prolog + "&"),
    `repeat`("numeric references", "&#65;", after: prolog + "<incar><i name=\"SYSTEM\">"),
    `repeat`("an internal subset", "<!ENTITY a \"a\">", after: "<?xml version=\"1.0\"?>\n<!DOCTYPE modeling ["),
    `repeat`("names", "a", after: prolog + "<"),
    numbered("many names", after: prolog) { "<n\($0)/>" },
    numbered("namespaces", after: prolog) { "<a xmlns:n\($0)=\"u\($0)\"/>" },
    numbered("settings", after: prolog + "<incar>") { "<i name=\"T\($0)\">1</i>" },
    `repeat`("declarations", "<?xml", after: "<?xml version=\"1.0\"?>\n<modeling>"),
    `repeat`("openings", "<modeling", after: prolog),
    `repeat`("runs within runs", "<modeling>", after: prolog),
    `repeat`("runs that break", "<?xml version=\"1.0\"?>\n<modeling><a></b>\n"),
    `repeat`("empty runs", "<?xml version=\"1.0\"?><modeling></modeling>\n"),
    `repeat`("half openings", "<?xm<modelin", after: prolog + "</a>"),
    `repeat`("rows", "<v>1 2 3</v>\n", after: prolog + "<calculation><varray name=\"forces\" >\n"),
    `repeat`("rows of no table", "<v>1 2 3</v>", after: prolog + "<calculation>\n"),
    `repeat`("empty steps", "<calculation></calculation>\n", after: prolog),
    Trap(name: "whole runs") {
      let one = Array(RunText().vasprun.utf8)
      return Array(repeatElement(one, count: size / one.count).joined())
    },
    numbered("different runs", after: "") { k in
      RunText(version: "6.\(k).0", steps: [.init(energy: -Double(k) - 1)]).vasprun
    },
  ]

  private static let energyBlock = """
      FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
      free  energy   TOTEN  =       -1.0 eV
      energy  without entropy= 1 energy(sigma->0) = 1

    """

  private static let sheets: [Trap] = [
    `repeat`("headers", " vasp.6.3.2\n"),
    `repeat`("headers in one line", "vasp.6.3.2 in kB ", after: " vasp.6.3.2\n  in kB "),
    numbered("runs of one energy", after: "") { " vasp.6.\($0)\n" + energyBlock },
    `repeat`("an assignment within another", "A=", after: " vasp.6.3.2\n  "),
    numbered("settings", after: " vasp.6.3.2\n") { "  T\($0) = \($0)\n" },
    `repeat`("POTCARs", " POTCAR: a\n", after: " vasp.6.3.2\n NIONS = 5\n ions per type = 1\n"),
    `repeat`("titles", " TITEL = P W\n", after: " vasp.6.3.2\n NIONS = 5\n ions per type = 1\n"),
    `repeat`("counts", "1 ", after: " vasp.6.3.2\n NIONS = 5\n TITEL = P W\n ions per type = "),
    `repeat`("lines of counts", " ions per type = 1\n", after: " vasp.6.3.2\n NIONS = 5\n TITEL = P W\n"),
    `repeat`("tables", " POSITION   TOTAL-FORCE (eV/Angst)\n -----\n", after: " vasp.6.3.2\n"),
    `repeat`("an endless table", " 0 0 0 0 0 0\n", after: " vasp.6.3.2\n POSITION   TOTAL-FORCE (eV/Angst)\n -----\n"),
    `repeat`("iterations", "-- Iteration      1(   1)  -\n", after: " vasp.6.3.2\n"),
    numbered("steps", after: " vasp.6.3.2\n") { "- Iteration \($0)( 1) -\n" + energyBlock },
    `repeat`("half words", "free  energy TOTE", after: " vasp.6.3.2\n FREE ENERGIE OF THE ION-ELECTRON SYSTEM\n"),
    `repeat`("k-points", " 0 0 0 1\n", after: " vasp.6.3.2\n Following reciprocal coordinates:\n"),
    `repeat`("stresses that cannot be read", "  in kB  *****\n", after: " vasp.6.3.2\n"),
    Trap(name: "whole runs") {
      let one = Array(RunText().outcar().utf8)
      return Array(repeatElement(one, count: size / one.count).joined())
    },
  ]

  static let readers: [Reader] = [
    Reader(name: "vasprun") { bytes in
      let reader = VasprunReader(MemoryByteSource(bytes), name: "vasprun.xml")
      do throws(Diagnostic) { while try reader.next() != nil {} } catch {}
    },
    Reader(name: "outcar") { bytes in
      let reader = OutcarReader(MemoryByteSource(bytes), name: "OUTCAR")
      do throws(Diagnostic) { while try reader.next() != nil {} } catch {}
    },
    Reader(name: "file") { bytes in _ = try? SourceReader().read(MemoryByteSource(bytes), name: "drop") },
    Reader(name: "member") { bytes in
      let members = [ArchiveBytes.Member("run/vasprun.xml", bytes)]
      _ = try? SourceReader().read(MemoryByteSource(ArchiveBytes.tar(members)), name: "in.tar")
    },
    Reader(name: "folder") { bytes in
      // Two files that differ, so that the same content is not passed over.
      let names = ["vasprun.xml", "OUTCAR"]
      let files = names.enumerated().map { k, name in
        RunFile(path: name) { MemoryByteSource(bytes + Array(repeating: 0x0A, count: k)) }
      }
      _ = try? SourceReader().read(folder: "run", files: files)
    },
    Reader(name: "extended-xyz") { bytes in
      var reader = ExtendedXYZReader(MemoryByteSource(bytes), name: "a.xyz")
      do throws(Diagnostic) { while try reader.next() != nil {} } catch {}
    },
    Reader(name: "structures") { bytes in
      for name in ["POSCAR", "XDATCAR"] { _ = try? StructureFile(MemoryByteSource(bytes), name: name) }
    },
    Reader(name: "dump") { bytes in _ = try? StructureFile(MemoryByteSource(bytes), name: "a.dump") },
    Reader(name: "pipeline") { bytes in _ = try? PipelineFile(bytes, path: "/project/a.json5", stages: [:]) },
    Reader(name: "yaml") { bytes in _ = try? Potential(yaml: bytes) },
    Reader(name: "yace") { bytes in _ = try? Potential(yace: bytes) },
    Reader(name: "npz") { bytes in _ = try? NumPyArchive.decode(bytes) },
    Reader(name: "npy") { bytes in _ = try? NumPyArray<Double>(decoding: bytes) },
  ]
}

private func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// Of this process, s.
private func processorTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

private func setLimit(_ kind: __rlimit_resource, _ value: Int) {
  var limit = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t.max)
  setrlimit(__rlimit_resource_t(kind.rawValue), &limit)
}

/// Resident memory at its highest since the last reset, KB.
private func peak() -> Int {
  let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
  let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
  return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
}

private func resetPeak() { try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8) }
