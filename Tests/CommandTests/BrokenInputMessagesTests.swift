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
    Broken(name: "empty/vasprun.xml", bytes: [], place: "", cause: "", remedy: ""),
    Broken(name: "letter.txt", bytes: Array("Dear colleague,\n".utf8), place: "", cause: "", remedy: ""),
    Broken(name: "cut/vasprun.xml", bytes: cut(tree, before: "</calculation>", which: 1), place: "", cause: "", remedy: ""),
    Broken(name: "cut/OUTCAR", bytes: cut(sheet, before: "TOTAL-FORCE", which: 2), place: "", cause: "", remedy: ""),
    Broken(name: "prolog/vasprun.xml", bytes: cut(tree, before: "<modeling>"), place: "", cause: "", remedy: ""),
    Broken(name: "header/OUTCAR", bytes: cut(sheet, before: "Iteration"), place: "", cause: "", remedy: ""),
    Broken(name: "tags/vasprun.xml", bytes: changed(tree, "</structure>", "</structur>", which: 2), place: "", cause: "", remedy: ""),
    Broken(name: "stars/OUTCAR", bytes: changed(sheet, "      0.125000", "**************", which: 1), place: "", cause: "", remedy: ""),
    Broken(name: "nan/vasprun.xml", bytes: changed(tree, "      0.12500000", "             NaN", which: 1), place: "", cause: "", remedy: ""),
    Broken(name: "energy/OUTCAR", bytes: changed(sheet, "-11.50000000 eV", "NaN eV"), place: "", cause: "", remedy: ""),
    Broken(name: "stress/vasprun.xml", bytes: changed(tree, "<varray name=\"stress\" >\n", "<varray name=\"stress\" >\n<v> 1 2 </v>\n", which: 1), place: "", cause: "", remedy: "", status: 0),
    Broken(name: "stress/OUTCAR", bytes: changed(sheet, "in kB      10.00000", "in kB  ***********", which: 1), place: "", cause: "", remedy: "", status: 0),
    Broken(name: "joined/vasprun.xml", bytes: changed(tree, "0.12500000", "0.12<atoms>5</atoms>500000", which: 1), place: "", cause: "", remedy: ""),
    Broken(name: "species/OUTCAR", bytes: changed(sheet, "PAW_PBE W_sv", "PAW_PBE Qq_sv"), place: "", cause: "", remedy: ""),
    Broken(name: "counts/OUTCAR", bytes: changed(sheet, "ions per type =               1  1", "ions per type =               1  2"), place: "", cause: "", remedy: ""),
    Broken(name: "bomb/vasprun.xml", bytes: changed(tree, "<modeling>", "<!DOCTYPE m [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><modeling>&b;"), place: "", cause: "", remedy: ""),
    Broken(name: "deep/vasprun.xml", bytes: changed(tree, "<modeling>\n", "<modeling>\n" + String(repeating: "<a>", count: 100)), place: "", cause: "", remedy: ""),
    Broken(name: "damaged/OUTCAR.gz", bytes: damagedGzip(), place: "", cause: "", remedy: ""),
    Broken(name: "half/OUTCAR.gz", bytes: ArchiveBytes.gzip(Array(sheet.utf8)).dropLast(900), place: "", cause: "", remedy: ""),
    Broken(name: "climbing.tar", bytes: ArchiveBytes.tar([.init("../OUTCAR", Array(sheet.utf8))]), place: "", cause: "", remedy: ""),
    Broken(name: "member.tar", bytes: ArchiveBytes.tar([.init("a/OUTCAR", changed(sheet, "      0.125000", "**************")), .init("b/vasprun.xml", Array("<?xml version=\"1.0\"?><!DOCTYPE m><modeling>".utf8))]), place: "", cause: "", remedy: ""),
    Broken(name: "disagreeing.zip", bytes: ArchiveBytes.zip([.init("OUTCAR", Array(sheet.utf8)), .init("b", [1])], directory: [.init("OUTCAR", Array(sheet.utf8))]), place: "", cause: "", remedy: ""),
    Broken(name: "short.xyz", bytes: Array((frame + "3\n\nW 0 0 0\n").utf8), place: "", cause: "", remedy: ""),
    Broken(name: "lattice.xyz", bytes: Array((frame + frame.replacing("3 0 0 0 3 0", with: "3 0 0 0 x 0")).utf8), place: "", cause: "", remedy: ""),
    Broken(name: "word.xyz", bytes: Array((frame + frame.replacing("W 0 0 0", with: "W 0 0 0,5")).utf8), place: "", cause: "", remedy: ""),
    Broken(name: "two/POSCAR", bytes: Array("c\n1.0\n3 0 0\n0 3 0\n0 0 3\nW\n2\nDirect\n0 0 0\n".utf8), place: "", cause: "", remedy: ""),
  ]

  private static let pipelines: [Broken] = [
    Broken(name: "a.json5", bytes: Array("{ sluice: 1,\n  project: 'a'\n  elements: ['W'] }\n".utf8), place: "", cause: "", remedy: "", status: 2),
    Broken(name: "b.json5", bytes: Array("{ sluice: 1, project: 'a', elements: ['W'], inbox: 'i', outbox: 'o',\n  stages: [ { use: 'ingest', step: 'all' } ] }\n".utf8), place: "", cause: "", remedy: "", status: 2),
    Broken(name: "c.json5", bytes: Array("{ sluice: 1, project: 'a', elements: ['W'], inbox: 'i', outbox: 'o',\n  stages: [ { use: 'ingets' } ] }\n".utf8), place: "", cause: "", remedy: "", status: 2),
    Broken(name: "d.json5", bytes: Array("{ sluice: 1, project: 'a', elements: ['W'], inbox: 'i', outbox: 'o',\n  stages: [ { use: 'ingest' }, { use: 'screen', maxForce: -1 } ] }\n".utf8), place: "", cause: "", remedy: "", status: 2),
    Broken(name: "e.json5", bytes: Array("{ sluice: 1, project: 'a', elements: ['Wx'], inbox: 'i', outbox: 'o', stages: [ { use: 'ingest' } ] }\n".utf8), place: "", cause: "", remedy: "", status: 2),
    Broken(name: "missing.json5", bytes: [], place: "", cause: "", remedy: "", status: 2),
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
