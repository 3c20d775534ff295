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

/// Findings in vasprun.xml whose two sides would join to one number, and stresses that get lost.
@Suite struct InterruptedNumberTests {
  private func read(_ text: String) throws -> (kept: [Configuration], said: [Diagnostic]) {
    // Rows taken out of the text ahead and rows left to libxml2 are one.
    var answers: [([Configuration], [Diagnostic])] = []
    for takesRows in [true, false] {
      let reader = VasprunReader(MemoryByteSource(Array(text.utf8)), name: "vasprun.xml", takesRows: takesRows)
      var kept: [Configuration] = []
      while let next = try reader.next() { kept.append(next) }
      answers.append((kept, reader.diagnostics))
    }
    #expect(answers[0].0 == answers[1].0 && answers[0].1 == answers[1].1)
    return answers[0]
  }

  @Test(arguments: ["<atoms>3</atoms>", "<v>3</v>", "<i>3</i>", "<a/>", "<!-- 3 -->", "<?a 3?>", "<?rows 0?>"])
  func whatStandsInsideANumberSpoilsItsStep(_ inner: String) throws {
    let steps = [-1.5, -2.5, -3.5].map { RunText.Step(energy: $0) }
    let text = RunText(steps: steps).vasprun
    #expect(try read(text).kept.map(\.labels.energy) == [-1.5, -2.5, -3.5])
    // A force, a position, a lattice vector and the energy of the middle step, in the order of the file.
    let middle = text.ranges(of: "<calculation>")[1].upperBound
    for number in ["0.12500000", "0.25000000", "4.00000000", "-2.50000000"] {
      let found = try #require(text[middle...].firstRange(of: number))
      let at = text.index(found.lowerBound, offsetBy: number.hasPrefix("-") ? 3 : 2)
      var broken = text
      broken.insert(contentsOf: inner, at: at)
      let (kept, said) = try read(broken)
      #expect(kept.map(\.labels.energy) == [-1.5, -3.5], "\(inner) in \(number)")
      #expect(!said.isEmpty && said.allSatisfy { $0.place.line != nil && $0.place.ionicStep == 1 }, "\(said)")
    }
    // In a symbol or a title it leaves the species unknown.
    for word in ["<c>W</c>", "PAW_PBE W"] {
      let found = try #require(text.firstRange(of: word))
      var broken = text
      broken.insert(contentsOf: inner, at: text.index(found.lowerBound, offsetBy: word.hasPrefix("<") ? 3 : 4))
      let kept = try read(broken).kept
      #expect(kept.allSatisfy { $0.species.map(\.symbol) == ["W", "O"] }, "\(inner) in \(word)")
    }
  }

  @Test func aStressThatCannotBeUsedIsSaid() throws {
    let steps = [-1.5, -2.5, -3.5].map { RunText.Step(energy: $0) }
    let text = RunText(steps: steps).vasprun
    let table = try #require(text.ranges(of: "<varray name=\"stress\" >\n").dropFirst().first)
    let rowEnd = try #require(text[table.upperBound...].firstIndex(of: "\n"))
    let row = String(text[table.upperBound...rowEnd])
    for broken in [
      "", row + row, row.replacing("10.00000000", with: "1*.00000000"), row.replacing("10.00000000", with: ""),
    ] {
      var changed = text
      changed.replaceSubrange(table.upperBound...rowEnd, with: broken)
      let (kept, said) = try read(changed)
      #expect(kept.map { $0.labels.stress == nil } == [false, true, false])
      #expect(said.map(\.code) == ["stress-unreadable"])
      #expect(said.first?.place.ionicStep == 1 && said.first?.place.line != nil)
    }
    let sheet = RunText(steps: steps).outcar()
    let line = sheet.ranges(of: "in kB  ")[1].upperBound
    var changed = sheet
    changed.insert(contentsOf: "*****", at: line)
    let reader = OutcarReader(MemoryByteSource(Array(changed.utf8)), name: "OUTCAR")
    var kept: [Configuration] = []
    while let next = try reader.next() { kept.append(next) }
    #expect(kept.map { $0.labels.stress == nil } == [false, true, false])
    #expect(reader.diagnostics.map(\.code) == ["stress-unreadable"])
    #expect(reader.diagnostics.first?.place.ionicStep == 1 && reader.diagnostics.first?.place.line != nil)
  }

  /// Thousands of broken stresses or runs are counted, not listed.
  @Test func manyRemarksAreFew() throws {
    let steps = (1...50).map { RunText.Step(energy: -Double($0)) }
    let sheet = RunText(steps: steps).outcar().replacing("in kB  ", with: "in kB  ****")
    let reader = OutcarReader(MemoryByteSource(Array(sheet.utf8)), name: "OUTCAR")
    var count = 0
    while try reader.next() != nil { count += 1 }
    #expect(count == 50 && reader.diagnostics.count == 11)
    let runs = (1...50).map { RunText(steps: [.init(energy: -Double($0))]) }
    for text in [runs.map { $0.outcar() }.joined(), runs.map(\.vasprun).joined()] {
      let sources = try SourceReader().read(MemoryByteSource(Array(text.utf8)), name: "runs")
      #expect(sources.flatMap(\.configurations).count == 50)
      #expect(sources.flatMap(\.diagnostics).filter { $0.code == "several-runs" }.count == 11)
    }
  }
}
