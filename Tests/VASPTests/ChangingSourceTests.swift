import Configurations
import Platform
import TestSupport
import Testing
import VASP

/// Files that change, or cannot be read, while they are read.
@Suite struct ChangingSourceTests {
  /// Bytes in pieces, then what `ending` does at every further read.
  private final class Unsteady: ByteSource {
    private var rest: ArraySlice<UInt8>
    private let ending: () throws -> [UInt8]
    private var reads = 0

    init(_ bytes: [UInt8], _ ending: @escaping () throws -> [UInt8]) {
      rest = bytes[...]
      self.ending = ending
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
      if rest.isEmpty {
        reads += 1
        // The end, once; then the file goes on.
        if reads % 2 == 1 {
          let more = try ending()
          rest = more[...]
          return 0
        }
      }
      let count = min(rest.count, buffer.count, 1000)
      buffer.copyBytes(from: rest.prefix(count))
      rest = rest.dropFirst(count)
      return count
    }
  }

  private static let steps = [-1.5, -2.5, -3.5].map { RunText.Step(energy: $0) }
  private static let texts = [RunText(steps: steps).outcar(), RunText(steps: steps).vasprun]

  /// What comes behind an end that was read is another version's: not one byte of it is taken.
  @Test func aFileThatGrowsEndsWhereItEnded() throws {
    for text in Self.texts {
      let bytes = Array(text.utf8)
      let whole = try SourceReader().read(MemoryByteSource(bytes), name: "x")[0].configurations
      for cut in stride(from: 0, to: bytes.count, by: bytes.count / 29) {
        let grown = Unsteady(Array(bytes[..<cut])) { Array(bytes[cut...]) }
        let steady = try SourceReader().read(MemoryByteSource(Array(bytes[..<cut])), name: "x")
        let sources = try SourceReader().read(grown, name: "x")
        #expect(sources.map(\.digest) == steady.map(\.digest), "cut at \(cut)")
        #expect(sources.map(\.configurations) == steady.map(\.configurations), "cut at \(cut)")
        #expect(isPrefix(sources[0].configurations, of: whole), "cut at \(cut)")
      }
    }
  }

  /// The same in archives and compressions, which end before their format does.
  @Test func aGrowingArchiveIsATruncatedOne() throws {
    let bytes = Array(Self.texts[0].utf8)
    let packed = [
      ArchiveBytes.gzip(bytes), ArchiveBytes.tar([.init("OUTCAR", bytes)]), ArchiveBytes.zip([.init("OUTCAR", bytes)]),
    ]
    for archive in packed {
      for cut in [600, archive.count / 2, archive.count - 5] {
        let grown = Unsteady(Array(archive[..<cut])) { Array(archive[cut...]) }
        for source in (try? SourceReader().read(grown, name: "x")) ?? [] {
          #expect(!source.isComplete || source.configurations.count == 3, "cut at \(cut)")
          let energies = source.configurations.map(\.labels.energy)
          #expect(energies == Array([-1.5, -2.5, -3.5].prefix(energies.count)), "cut at \(cut)")
        }
      }
    }
  }

  @Test func aDiskThatFailsIsSaidAndGivesNothing() throws {
    for text in Self.texts {
      let bytes = Array(text.utf8)
      for cut in [0, 100, bytes.count / 2, bytes.count - 1] {
        let failing = Unsteady(Array(bytes[..<cut])) { throw FileSystemError(.read, "x", errorNumber: 5) }
        let error = #expect(throws: Diagnostic.self) { try SourceReader().read(failing, name: "x") }
        #expect(error?.severity == .error && error?.place.file == "x" && error?.cause.isEmpty == false, "\(cut)")
      }
    }
  }

  /// Tests may run as root, whom no permission stops: the twin of a file system refuses instead.
  @Test func anUnreadableFileSparesTheOthers() throws {
    let denied = FileSystemError(.open, "run/vasprun.xml", errorNumber: 13)
    let sources = try SourceReader().read(
      folder: "run",
      files: [
        RunFile(path: "vasprun.xml") { throw denied },
        RunFile(path: "OUTCAR") { MemoryByteSource(Array(Self.texts[0].utf8)) },
        RunFile(path: "z/vasprun.xml") {
          Unsteady(Array(Self.texts[1].utf8.prefix(3000))) {
            throw FileSystemError(.read, "z/vasprun.xml", errorNumber: 5)
          }
        },
      ])
    #expect(sources.map(\.name) == ["run/OUTCAR", "run/vasprun.xml", "run/z/vasprun.xml"])
    #expect(sources.map(\.configurations.count) == [3, 0, 0])
    let error = try #require(sources[1].error)
    #expect(error.place.file == "run/vasprun.xml" && error.cause.contains("ermission") && !error.remedy.isEmpty)
    #expect(sources[2].error?.code == "unreadable")
  }

  @Test func zeroLengthFilesOfEveryName() throws {
    for name in ["vasprun.xml", "OUTCAR", "OUTCAR.gz", "a.tar", "a.zip", "a.xyz"] {
      let sources = try SourceReader().read(MemoryByteSource([]), name: name)
      #expect(sources.count == 1 && sources[0].configurations.isEmpty && sources[0].error?.remedy.isEmpty == false)
      let beside = try SourceReader().read(
        folder: "run",
        files: [
          RunFile(path: name) { MemoryByteSource([]) },
          RunFile(path: "run.OUTCAR") { MemoryByteSource(Array(Self.texts[0].utf8)) },
        ])
      #expect(beside.flatMap(\.configurations).count == 3, "\(name)")
    }
  }
}
