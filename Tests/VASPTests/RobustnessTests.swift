import Configurations
import Platform
import TestSupport
import Testing
import VASP

/// Whether a cut file gives the first steps of the whole one. The step it breaks off behind may lack
/// its magnetic moments, which VASP prints again at the end, but has no others.
func isPrefix(_ kept: [Configuration], of whole: [Configuration]) -> Bool {
  guard kept.count <= whole.count else { return false }
  return zip(kept, whole).enumerated().allSatisfy { k, pair in
    var full = pair.1
    if k == kept.count - 1, pair.0.properties["magmoms"] == nil { full.properties["magmoms"] = nil }
    return pair.0 == full
  }
}

/// Truncation and mutation of real files.
@Suite(.enabled(if: SharedData.isAvailable, "skipped: no shared data"), .serialized)
struct RobustnessTests {
  /// Real files of every kind of run, small ones, so that 500 cuts of each are quick.
  private static let files = [
    "g016-vasp-interactive/OUTCAR.istart0.xz", "g025-dpdata/vasprun.Ge.vdw.xml",
    "g025-dpdata/OUTCAR.Ge.vdw.xz",
    "g035-qmpy/vasprun.xml.xz", "g036-aiida-vasp/vasprun.xml.xz",
    "g038-vasp-interactive/vasprun.xml",
    "g045-dpdata/6362_OUTCAR.xz", "g053-custodian/vasprun.xml.xz",
    "g079-dpdata/OUTCAR.h2o.md.10.xz",
    "g079-dpdata/vasprun.h2o.md.10.xml.xz", "g015-dpdata/OUTCAR.ch4.ml.xz",
    "g078-dpdata/OUTCAR.ch4.unconverged.xz",
    "g084-dpdata/OUTCAR.xz", "g102-aiida-vasp/vasprun.xml.xz", "g152-atomate/OUTCAR.gz",
    "g117-pymatgen-core/OUTCAR_merged_numbers2.xz",
    "g143-pymatgen-core/OUTCAR.NiO_SOC.gz", "g144-ase/OUTCAR_example_1.xz",
    "g187-pypolymlp/vasprun-end-Ti.xml",
    "g041-GPUMD/OUTCAR.xz",
  ]

  /// Every cut in release; a tenth of them where the compiler does not optimise.
  private static var everyCut: Int {
    #if DEBUG
      10
    #else
      1
    #endif
  }

  private func read(_ bytes: [UInt8], _ format: SourceFormat) -> [Configuration] {
    var all: [Configuration] = []
    if format == .vasprun {
      let reader = VasprunReader(MemoryByteSource(bytes), name: "x")
      while let next = try? reader.next() { all.append(next) }
    } else {
      let reader = OutcarReader(MemoryByteSource(bytes), name: "x")
      while let next = try? reader.next() { all.append(next) }
    }
    return all
  }

  @Test func cutsOfRealFilesGivePrefixes() throws {
    let inputs = try Self.files.map { try corpusBytes("vasp/runs/" + $0) }
    let whole = inputs.map { read($0, SourceFormat(head: Array($0.prefix(1 << 16)))) }
    #expect(whole.filter { !$0.isEmpty }.count >= 19)
    var tried = 0
    for (name, (bytes, all)) in zip(Self.files, zip(inputs, whole)) {
      let format = SourceFormat(head: Array(bytes.prefix(1 << 16)))
      for k in stride(from: 0, to: 500, by: Self.everyCut) {
        let cut = bytes.count * k / 500 + k % 7
        let kept = read(Array(bytes[..<min(cut, bytes.count)]), format)
        #expect(isPrefix(kept, of: all), "\(name) cut at \(cut)")
        tried += 1
      }
    }
    #expect(tried == 20 * 500 / Self.everyCut)
  }

  @Test func mutationsNeverCrash() throws {
    var generator = SeededGenerator(seed: 7)
    let seeds = try Self.files.map { try corpusBytes("vasp/runs/" + $0) }.filter {
      $0.count < 200_000
    }
    let tokens = [
      "****", "NaN", "-", "</v>", "<v>", "</calculation>", "<calculation>", "&", "<!DOCTYPE",
      "1e999", "TOTAL-FORCE (eV/Angst)",
      "Iteration", "NIONS = 99999999999999999999", "ions per type = 9 9 9", "TOTEN  =", "\u{0}",
      "\n", "9223372036854775808",
    ].map { Array($0.utf8) }
    var tried = 0
    while tried < 2000 / Self.everyCut {
      var bytes = seeds[tried % seeds.count]
      for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
        let at = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        case 2:
          bytes.removeSubrange(
            at..<min(bytes.count, at + Int.random(in: 1...300, using: &generator)))
        case 3: bytes.insert(contentsOf: tokens.randomElement(using: &generator)!, at: at)
        default:
          let from = Int.random(in: 0..<bytes.count, using: &generator)
          bytes.insert(contentsOf: Array(bytes[from..<min(bytes.count, from + 2000)]), at: at)
        }
      }
      let sources = try? SourceReader().read(MemoryByteSource(bytes), name: "x")
      for configuration in sources?.flatMap(\.configurations) ?? [] {
        // What comes out is finite, whatever went in.
        #expect(configuration.labels.energy?.isFinite == true)
        #expect(
          configuration.labels.forces?.allSatisfy {
            $0.x.isFinite && $0.y.isFinite && $0.z.isFinite
          } != false)
        #expect(configuration.cell.map { $0.volume > 0 } == true)
      }
      tried += 1
    }
  }
}
