import Configurations
import Platform
import TestSupport
import Testing
import VASP

/// What fuzzing found, each with the smallest input that shows it.
@Suite struct FuzzFindingsTests {
  private func outcar(_ text: String) throws -> [Configuration] {
    let reader = OutcarReader(MemoryByteSource(Array(text.utf8)), name: "OUTCAR")
    var all: [Configuration] = []
    while let next = try reader.next() { all.append(next) }
    return all
  }

  private func vasprun(_ text: String) throws -> [Configuration] {
    let reader = VasprunReader(MemoryByteSource(Array(text.utf8)), name: "vasprun.xml")
    var all: [Configuration] = []
    while let next = try reader.next() { all.append(next) }
    return all
  }

  /// `text` with the first line that holds `word` left out, or there twice.
  private func changed(_ text: String, _ word: String, times: Int) -> String {
    var isDone = false
    return text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line -> [Substring] in
      guard !isDone, line.contains(word) else { return [line] }
      isDone = true
      return Array(repeating: line, count: times)
    }.joined(separator: "\n")
  }

  @Test func countsThatOverflowGiveNoSpecies() throws {
    let huge = "ions per type = \(Int.max) \(Int.max)"
    let text = RunText().outcar().replacing("   ions per type =               1  1", with: "   \(huge)")
    #expect(text.contains(huge))
    #expect(try outcar(text).isEmpty)
  }

  @Test(arguments: [0, 2]) func aTypeMissingOrTwiceGivesNoWrongElements(_ times: Int) throws {
    let run = RunText()
    #expect(try outcar(changed(run.outcar(), "TITEL  = PAW_PBE W", times: times)).isEmpty)
    #expect(try vasprun(changed(run.vasprun, "<c>W</c><c>  1.0</c>", times: times)).isEmpty)
  }

  @Test(arguments: [0, 2]) func aForceRowMissingOrTwiceGivesNoForces(_ times: Int) throws {
    let text = RunText().outcar()
    let whole = try outcar(text)
    #expect(whole.count == 1)
    #expect(try outcar(changed(text, "0.125000     -0.500000", times: times)).isEmpty)
  }

  @Test func numbersThatFellApartAreNone() throws {
    for (old, new) in [("0.062500", "0.06 500"), ("-10.50000000 eV", "-10.5 000000 eV")] {
      let text = RunText().outcar()
      #expect(text.contains(old))
      #expect(try outcar(text.replacing(old, with: new)).isEmpty, "\(new)")
    }
    let tree = RunText().vasprun
    #expect(try vasprun(tree.replacing("-10.50000000 ", with: "-10.5 000000 ")).isEmpty)
    #expect(try vasprun(tree.replacing("0.12500000", with: "0.125e1.00")).isEmpty)
  }

  @Test func aBrokenEnergyBlockDoesNotSwallowTheNextStep() throws {
    let steps = [-1.5, -2.5].map { RunText.Step(energy: $0, iterations: 2) }
    let whole = try outcar(RunText(steps: steps).outcar())
    let kept = try outcar(changed(RunText(steps: steps).outcar(), "energy  without entropy", times: 0))
    #expect(whole.count == 2)
    for c in kept {
      #expect(whole.contains { $0.labels.energy == c.labels.energy && $0.labels.forces == c.labels.forces })
    }
    #expect(kept.contains { $0.labels.energy == -2.5 })
  }
}
