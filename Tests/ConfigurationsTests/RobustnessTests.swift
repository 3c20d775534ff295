import Configurations
import Platform
import TestSupport
import Testing

/// Whatever the bytes: frames, or a diagnostic, never a crash and never a changed frame.
@Suite struct StructureFileRobustnessTests {
  static let files: [(name: String, text: String)] = {
    var generator = SeededGenerator(seed: 51)
    let rich = (1...3).map {
      String(
        decoding: ExtendedXYZWriter().frame(richConfiguration(&generator, atoms: $0)), as: UTF8.self
      )
    }
    return [
      ("a.xyz", rich.joined()),
      (
        "POSCAR",
        "c\n2.0\n1.5 0 0\n0 2 0\n0 0 2.5\nW Re\n1 2\nSelective\nDirect\n0 0 0 T T T\n.5 .5 .5 F F F\n.1 .2 .3 T T T\n"
      ),
      (
        "XDATCAR",
        "c\n1\n2 0 0\n0 2 0\n0 0 2\nW\n2\nDirect configuration= 1\n0 0 0\n.5 .5 .5\nDirect configuration= 2\n0 0 .1\n.5 .5 .5\n"
      ),
      (
        "d.dump",
        (0..<2).map {
          "ITEM: TIMESTEP\n\($0)\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS xy xz yz pp pp pp\n0 4 .5\n0 4 0\n0 4 -1\nITEM: ATOMS id element x y z q\n2 W 1 1 1 -.5\n1 Re 0 0 0 .25\n"
        }.joined()
      ),
    ]
  }()

  @Test(arguments: files.indices) func everyPrefix(_ index: Int) throws {
    let (name, text) = Self.files[index]
    let whole = try StructureFile(bytes(text), name: name).configurations
    let all = Array(text.utf8)
    var shorter = 0
    for cut in 0..<all.count {
      guard
        let file = try? StructureFile(MemoryByteSource(Array(all[..<cut])), name: name)
      else { continue }
      shorter += 1
      // The frames before the one that was cut are untouched. The cut one may only survive where
      // the cut fell inside its last number, which nothing in these formats can tell.
      let certain = file.configurations.dropLast()
      if Array(certain) != Array(whole.prefix(certain.count))
        || file.configurations.count > whole.count
      {
        Issue.record("cut at \(cut)")
      }
    }
    #expect(shorter > 0)
  }

  @Test(arguments: files.indices) func mutations(_ index: Int) {
    let (name, text) = Self.files[index]
    let original = Array(text.utf8)
    var generator = SeededGenerator(seed: 52 + UInt64(index))
    let tokens = [
      "\"", "{", "[", "=", "-", "9999999999", "nan", "1e999", "\n", "\r\n", "\0", ":R:3", " ", "ÿ",
      "-1", "ITEM:",
    ]
    let clock = ContinuousClock()
    let start = clock.now
    var runs = 0
    while runs < 20_000, runs % 64 != 0 || clock.now - start < .milliseconds(700) {
      var mutant = original
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let at = Int.random(in: 0..<mutant.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: mutant[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: mutant.insert(contentsOf: tokens.randomElement(using: &generator)!.utf8, at: at)
        case 2:
          mutant.removeSubrange(
            at..<min(mutant.count, at + Int.random(in: 1...9, using: &generator)))
        default:
          mutant.replaceSubrange(
            at..<min(mutant.count, at + 3), with: tokens.randomElement(using: &generator)!.utf8)
        }
        if mutant.isEmpty { break }
      }
      runs += 1
      do {
        let file = try StructureFile(MemoryByteSource(mutant), name: name)
        for c in file.configurations {
          let isWhole =
            c.positions.count == c.count && c.labels.forces.map { $0.count == c.count } ?? true
          let isFinite = c.positions.allSatisfy { $0.x.isFinite && $0.y.isFinite && $0.z.isFinite }
          if !isWhole || !isFinite || c.count == 0 { Issue.record("run \(runs) of file \(name)") }
          // What was read can be written and digested.
          _ = ExtendedXYZWriter().frame(c)
          _ = c.structureDigest()
        }
      } catch {
        if error.severity != .error || error.cause.isEmpty { Issue.record("run \(runs): \(error)") }
      }
    }
    #expect(runs >= 64)
  }
}
