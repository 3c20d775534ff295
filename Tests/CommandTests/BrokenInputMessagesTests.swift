import Foundation
import TestSupport
import Testing

/// What a user is told about broken inputs: where (file, member, line or byte, step), why, and what to do.
@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct BrokenInputMessagesTests {
  private struct Broken: Sendable {
    var name: String
    var bytes: [UInt8]
    /// Parts of the message: place, cause, remedy.
    var place: String
    var cause: String
    var remedy: String
    var status: Int32 = 1
  }

  private static let text = RunText(
    steps: [-10.5, -11.5, -12.5].map { RunText.Step(energy: $0, withoutEntropy: $0 + 0.25, sigmaZero: $0 + 0.125) })
  private static let sheet = text.outcar()
  private static let tree = text.vasprun

  /// `text` with the `which`-th `old` replaced.
  private static func changed(_ text: String, _ old: String, _ new: String, which: Int = 0) -> [UInt8] {
    var text = text
    let found = text.ranges(of: old)
    precondition(which < found.count, "the fixture has no '\(old)'")
    text.replaceSubrange(found[which], with: new)
    return Array(text.utf8)
  }

  private static func cut(_ text: String, before word: String, which: Int = 0) -> [UInt8] {
    Array(text[..<text.ranges(of: word)[which].lowerBound].utf8)
  }

  private static func damagedGzip() -> [UInt8] {
    var packed = ArchiveBytes.gzip(Array(sheet.utf8))
    packed[packed.count - 8] ^= 1
    return packed
  }

  private static let frame = "1\nLattice=\"3 0 0 0 3 0 0 0 3\" Properties=species:S:1:pos:R:3 energy=-1\nW 0 0 0\n"

  private static let inputs: [Broken] = [
    Broken(
      name: "empty/vasprun.xml",
      bytes: [],
      place: "empty/vasprun.xml:", cause: "it is empty",
      remedy: "Copy it again"),
    Broken(
      name: "letter.txt",
      bytes: Array("Dear colleague,\n".utf8),
      place: "letter.txt:", cause: "no format that is read",
      remedy: "Drop vasprun.xml, OUTCAR"),
    Broken(
      name: "cut/vasprun.xml",
      bytes: cut(tree, before: "</calculation>", which: 1),
      place: "cut/vasprun.xml:165: step 1:", cause: "ends before </modeling>; 1 complete step was kept",
      remedy: "once the run has ended", status: 0),
    Broken(
      name: "cut/OUTCAR",
      bytes: cut(sheet, before: "TOTAL-FORCE", which: 2),
      place: "cut/OUTCAR:105: step 2:", cause: "the step it breaks off in was dropped",
      remedy: "once the run has ended", status: 0),
    Broken(
      name: "prolog/vasprun.xml",
      bytes: cut(tree, before: "<modeling>"),
      place: "prolog/vasprun.xml:", cause: "no format that is read",
      remedy: "Drop vasprun.xml, OUTCAR"),
    Broken(
      name: "header/OUTCAR",
      bytes: cut(sheet, before: "Iteration"),
      place: "header/OUTCAR:13:", cause: "ends before the timing block",
      remedy: "once the run has ended", status: 0),
    Broken(
      name: "tags/vasprun.xml",
      bytes: changed(tree, "</structure>", "</structur>", which: 2),
      place: "tags/vasprun.xml:147: step 1:", cause: "the XML is broken here",
      remedy: "Copy the file again", status: 0),
    Broken(
      name: "stars/OUTCAR",
      bytes: changed(sheet, "      0.125000", "**************", which: 1),
      place: "stars/OUTCAR:79: step 1:", cause: "overflowed their columns (****)",
      remedy: "rerun that step", status: 0),
    Broken(
      name: "nan/vasprun.xml",
      bytes: changed(tree, "      0.12500000", "             NaN", which: 1),
      place: "nan/vasprun.xml:115: step 1:", cause: "its forces are NaN",
      remedy: "rerun that step", status: 0),
    Broken(
      name: "energy/OUTCAR",
      bytes: changed(sheet, "-11.50000000 eV", "NaN eV"),
      place: "energy/OUTCAR:79: step 1:", cause: "its energy is not a finite number",
      remedy: "rerun that step", status: 0),
    Broken(
      name: "stress/vasprun.xml",
      bytes: changed(tree, "<varray name=\"stress\" >\n", "<varray name=\"stress\" >\n<v> 1 2 </v>\n", which: 1),
      place: "stress/vasprun.xml:157: step 1:", cause: "it has more than 3 rows",
      remedy: "copy it again", status: 0),
    Broken(
      name: "stress/OUTCAR",
      bytes: changed(sheet, "in kB      10.00000", "in kB  ***********", which: 1),
      place: "stress/OUTCAR:66: step 1:", cause: "its line is not six numbers",
      remedy: "copy it again", status: 0),
    Broken(
      name: "joined/vasprun.xml",
      bytes: changed(tree, "0.12500000", "0.12<atoms>5</atoms>500000", which: 1),
      place: "joined/vasprun.xml:64: step 0:", cause: "or are damaged",
      remedy: "Copy the file again", status: 0),
    Broken(
      name: "species/OUTCAR",
      bytes: changed(sheet, "PAW_PBE W_sv", "PAW_PBE Qq_sv"),
      place: "species/OUTCAR:45: step 0:", cause: "which elements the atoms are",
      remedy: "Copy the file again from its origin", status: 0),
    Broken(
      name: "counts/OUTCAR",
      bytes: changed(sheet, "ions per type =               1  1", "ions per type =               1  2"),
      place: "counts/OUTCAR:45: step 0:", cause: "numbers of atoms are missing or do not agree",
      remedy: "Copy the file again from its origin", status: 0),
    Broken(
      name: "bomb/vasprun.xml",
      bytes: changed(tree, "<modeling>", "<!DOCTYPE m [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><modeling>&b;"),
      place: "bomb/vasprun.xml:2:", cause: "document type declaration",
      remedy: "do not trust the file"),
    Broken(
      name: "deep/vasprun.xml",
      bytes: changed(tree, "<modeling>\n", "<modeling>\n" + String(repeating: "<a>", count: 100)),
      place: "deep/vasprun.xml:3:", cause: "nested deeper than 64",
      remedy: "do not trust the file"),
    Broken(
      name: "damaged/OUTCAR.gz",
      bytes: damagedGzip(),
      place: "damaged/OUTCAR.gz:", cause: "damaged (wrong check sum)",
      remedy: "Copy the file again from its origin"),
    Broken(
      name: "half/OUTCAR.gz",
      bytes: ArchiveBytes.gzip(Array(sheet.utf8)).dropLast(900),
      place: "half/OUTCAR.gz:101: step 2:", cause: "gzip data end before they are complete",
      remedy: "Copy the file again if its origin is longer", status: 0),
    Broken(
      name: "climbing.tar",
      bytes: ArchiveBytes.tar([.init("../OUTCAR", Array(sheet.utf8))]),
      place: "climbing.tar/../OUTCAR:", cause: "climbs out with '..'",
      remedy: "Pack it again with plain relative names"),
    Broken(
      name: "member.tar",
      bytes: ArchiveBytes.tar([
        .init("a/OUTCAR", changed(sheet, "      0.125000", "**************")),
        .init("b/vasprun.xml", Array("<?xml version=\"1.0\"?><!DOCTYPE m><modeling>".utf8)),
      ]),
      place: "member.tar/b/vasprun.xml:1:", cause: "document type declaration",
      remedy: "do not trust the file", status: 3),
    Broken(
      name: "disagreeing.zip",
      bytes: ArchiveBytes.zip(
        [.init("OUTCAR", Array(sheet.utf8)), .init("b", [1])], directory: [.init("OUTCAR", Array(sheet.utf8))]),
      place: "disagreeing.zip:", cause: "counts 1, but 2 are there",
      remedy: "Pack it again"),
    Broken(
      name: "short.xyz",
      bytes: Array((frame + "3\n\nW 0 0 0\n").utf8),
      place: "short.xyz:6: step 1:", cause: "ends after 1 of 3 atoms",
      remedy: "1 complete frame was kept", status: 0),
    Broken(
      name: "lattice.xyz",
      bytes: Array((frame + frame.replacing("3 0 0 0 3 0", with: "3 0 0 0 x 0")).utf8),
      place: "lattice.xyz:5: step 1:", cause: "Lattice is not nine numbers",
      remedy: "Correct the file here"),
    Broken(
      name: "word.xyz",
      bytes: Array((frame + frame.replacing("W 0 0 0", with: "W 0 0 0,5")).utf8),
      place: "word.xyz:6: step 1:", cause: "the position needs 3 numbers",
      remedy: "Correct the file here"),
    Broken(
      name: "two/POSCAR",
      bytes: Array("c\n1.0\n3 0 0\n0 3 0\n0 0 3\nW\n2\nDirect\n0 0 0\n".utf8),
      place: "two/POSCAR:9:", cause: "ends after 1 of 2 atoms",
      remedy: "Correct the file here"),
  ]

  private static let pipelines: [Broken] = [
    Broken(
      name: "a.json5",
      bytes: Array("{ sluice: 1,\n  project: 'a'\n  elements: ['W'] }\n".utf8),
      place: "a.json5:3:3:", cause: "but found 'e'",
      remedy: "expected ',' or '}'", status: 2),
    Broken(
      name: "b.json5",
      bytes: Array(
        "{ sluice: 1, project: 'a', elements: ['W'], inbox: 'i', outbox: 'o',\n  stages: [ { use: 'ingest', step: 'all' } ] }\n"
          .utf8),
      place: "b.json5:2:30:", cause: "unknown key 'step'",
      remedy: "did you mean 'steps'", status: 2),
    Broken(
      name: "c.json5",
      bytes: Array(
        "{ sluice: 1, project: 'a', elements: ['W'], inbox: 'i', outbox: 'o',\n  stages: [ { use: 'ingets' } ] }\n".utf8
      ),
      place: "c.json5:2:20:", cause: "no stage is called 'ingets'",
      remedy: "did you mean 'ingest'", status: 2),
    Broken(
      name: "d.json5",
      bytes: Array(
        "{ sluice: 1, project: 'a', elements: ['W'], inbox: 'i', outbox: 'o',\n  stages: [ { use: 'ingest' }, { use: 'screen', maxForce: -1 } ] }\n"
          .utf8),
      place: "d.json5:2:59:", cause: "not -1",
      remedy: "must be > 0 (eV/Å)", status: 2),
    Broken(
      name: "e.json5",
      bytes: Array(
        "{ sluice: 1, project: 'a', elements: ['Wx'], inbox: 'i', outbox: 'o', stages: [ { use: 'ingest' } ] }\n".utf8),
      place: "e.json5:1:39:", cause: "not a chemical symbol",
      remedy: "did you mean 'W'", status: 2),
    Broken(
      name: "missing.json5",
      bytes: [],
      place: "missing.json5:", cause: "there is no such file",
      remedy: "name the pipeline file", status: 2),
  ]

  @Test(arguments: inputs.indices) func convertSaysWhereWhyAndWhatToDo(_ k: Int) throws {
    let broken = Self.inputs[k]
    let program = try Program()
    try program.write(broken.name, broken.bytes)
    let outcome = try program("convert", broken.name, "-o", "out.extxyz")
    check(broken, outcome)
  }

  @Test(arguments: pipelines.indices) func checkSaysWhereWhyAndWhatToDo(_ k: Int) throws {
    let broken = Self.pipelines[k]
    let program = try Program()
    if !broken.bytes.isEmpty { try program.write(broken.name, broken.bytes) }
    check(broken, try program("check", broken.name))
  }

  private func check(_ broken: Broken, _ outcome: Program.Outcome) {
    let said = outcome.messages + outcome.text
    if ProcessInfo.processInfo.environment["SLUICE_MESSAGES"] != nil {
      print("== \(broken.name) (\(outcome.status))\n\(said)")
    }
    #expect(outcome.status == broken.status, "\(broken.name): \(said)")
    #expect(said.contains(broken.place), "\(broken.name): no place in\n\(said)")
    #expect(said.contains(broken.cause), "\(broken.name): no cause in\n\(said)")
    #expect(said.contains(broken.remedy), "\(broken.name): no remedy in\n\(said)")
    // No program talk.
    for word in ["Optional(", "nil", "Error(", "Fatal", "errno"] { #expect(!said.contains(word), "\(broken.name)") }
  }
}
