import Configurations
import Platform
import TestSupport
import Testing
import VASP

/// Rows taken out of the text must change nothing: a reader for which libxml2 parses everything is the
/// oracle.
struct PlainRowsTests {
  private struct Result: Equatable {
    /// In words: NaN is not equal to itself.
    var steps: [String] = []
    var run = RunDescription()
    var said: [String] = []
    var isComplete = false
  }

  private func read(_ bytes: [UInt8], chunk: Int = .max, takesRows: Bool) -> Result {
    let reader = VasprunReader(MemoryByteSource(bytes, chunk: chunk), name: "run", takesRows: takesRows)
    var result = Result()
    do {
      while let step = try reader.nextStep() { result.steps.append("\(step)") }
    } catch {
      result.said.append(error.code)
    }
    result.run = reader.run
    result.said += reader.diagnostics.map { "\($0)" }
    result.isComplete = reader.isComplete
    return result
  }

  private func check(_ text: String, chunk: Int = 700, _ what: String = "") {
    let bytes = Array(text.utf8)
    let same = read(bytes, chunk: chunk, takesRows: true) == read(bytes, chunk: chunk, takesRows: false)
    #expect(same, "\(what), chunk \(chunk)")
  }

  @Test func piecesOfAnyLength() {
    var run = RunText(parameters: [("IBRION", "int", "0")])
    run.steps = Array(repeating: RunText.Step(), count: 3)
    run.selective = true
    for chunk in Array(1...40) + [97, 700, 4096, .max] { check(run.vasprun, chunk: chunk) }
    run.learned = true
    for chunk in [1, 13, 700] { check(run.vasprun, chunk: chunk, "machine-learned") }
    #expect(read(Array(run.vasprun.utf8), chunk: 700, takesRows: true).steps.count == 6)
  }

  @Test func tablesOfManyRowsInEveryPiece() {
    var run = RunText(symbols: Array(repeating: "W", count: 600), titles: ["PAW_PBE W_sv 06Sep2000"])
    var generator = SeededGenerator(seed: 5)
    func rows() -> [Vector3] {
      (0..<600).map { _ in Vector3(plain(&generator), plain(&generator), plain(&generator)) }
    }
    run.steps = (0..<3).map { _ in
      var step = RunText.Step()
      (step.positions, step.forces) = (rows(), rows())
      return step
    }
    let text = run.vasprun
    for chunk in [1000, 1 << 16, 1 << 17, .max] { check(text, chunk: chunk) }
  }

  private func plain(_ generator: inout SeededGenerator) -> Double {
    Double(Int.random(in: -99_999_999...99_999_999, using: &generator)) / 1e8
  }

  /// What stands where a plain row could, and is none, or is one in an odd place.
  @Test func rowsThatAreNotPlain() {
    var run = RunText()
    run.steps = [RunText.Step(), RunText.Step()]
    let text = run.vasprun
    let row = "   <v>       0.12500000      -0.50000000       0.06250000 </v>\n"
    #expect(text.contains(row))
    for other in [
      "   <v>       0.12500000      -0.50000000 </v>\n",
      "   <v>       0.12500000      -0.50000000       0.06250000       1.0 </v>\n",
      "   <v>       0.12500000      -0.50000000       0.06250000 </v> </varray>\n",
      "   <v>       0.12500000      -0.50000000       ********** </v>\n",
      "   <v>       0.12500000      -0.50000000              NaN </v>\n",
      "   <v>       0.12500000      -0.50000000           1e9999 </v>\n",
      "   <v>       0.12500000-0.50000000+0.06250000</v>\n",
      "   <v>       1.25D-01      -0.5E+00       0.06250000 </v>\r\n",
      "   <v type=\"x\">       0.12500000      -0.50000000       0.06250000 </v>\n",
      "   <v>       0.125&#48;      -0.50000000       0.06250000 </v>\n",
      "   <v>       0.12500000      -0.50000000  \n     0.06250000 </v>\n",
      "   <v>       0.12500000      -0.50000000       0.06250000 <v>\n",
      "   <v>       0.12500000      -0.50000000       0.06250000 </c>\n",
      "   <!-- \(row) -->\n", "   <![CDATA[\n\(row)]]>\n", "   <?rows 0?>\n", "   <?rows 7?>\n", "\n\n\(row)\n",
      "   <r> 1 2 & 3 </r>\n", "   <r> 1 ]]> 3 </r>\n", "   <r> 1 2 3 </r>\n\(row)", "   <r> 1 2\n 3 </r>\n\(row)",
      "<scstep>\n\(row)</scstep>\n", "<scstep>\n<i name=\"a\"> 1 </i>\n<i name=\"b> 1 </i>\n</scstep>\n",
      "<!--\n<scstep>\n-->\n<i name=\"a\"> 1 </i>\n", "<x>\n<varray name=\"forces\" >\n\(row)</varray>\n</x>\n",
      "<varray name=\"rec_basis\" >\n\(row)\(row)</varray>\n\(row)", "", row + row,
      "   <i name=\"SIGMA\">\n<r> 1 </r>\n 2 </i>\n", "\u{1}\u{80}\n",
    ] {
      check(text.replacing(row, with: other), other)
      check(text.replacing(row, with: other, maxReplacements: 1), chunk: 64, other)
    }
  }

  @Test func cutsAndMutations() {
    var run = RunText()
    run.steps = [RunText.Step(), RunText.Step()]
    let whole = Array(run.vasprun.utf8)
    for cut in stride(from: 0, to: whole.count, by: 17) {
      let bytes = Array(whole[..<cut])
      var taken = read(bytes, chunk: 512, takesRows: true)
      var expected = read(bytes, chunk: 512, takesRows: false)
      // libxml2 counts the last newline of a file or not, as its text comes.
      taken.said = taken.said.map { String($0.drop { $0 != " " }) }
      expected.said = expected.said.map { String($0.drop { $0 != " " }) }
      #expect(taken == expected, "cut at \(cut)")
    }
    var generator = SeededGenerator(seed: 11)
    let tokens = [
      "<", ">", "</v>", "<v>", "\n", "&", "\"", "<r>", "</r>", "*", "-", "<varray name=\"forces\" >\n", "<scstep>\n",
    ]
    for round in 0..<300 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let at = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[at] = UInt8.random(in: 9...127, using: &generator)
        case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...200, using: &generator)))
        default: bytes.insert(contentsOf: Array(tokens.randomElement(using: &generator)!.utf8), at: at)
        }
      }
      let (taken, expected) = (read(bytes, chunk: 700, takesRows: true), read(bytes, chunk: 700, takesRows: false))
      #expect(taken.steps == expected.steps && taken.run == expected.run, "round \(round)")
      #expect(
        taken.isComplete == expected.isComplete && taken.said.count == expected.said.count,
        "round \(round): \(taken.said) and \(expected.said)")
    }
  }

  @Test(.enabled(if: SharedData.isAvailable, "skipped: no shared data"))
  func realFiles() throws {
    var tried = 0
    for file in try Manifest.load().files where file.kind.contains("vasprun") || file.path.contains("vasprun") {
      guard let bytes = try? corpusBytes("vasp/" + file.path), bytes.count < 1_000_000 else { continue }
      let same = read(bytes, takesRows: true) == read(bytes, takesRows: false)
      #expect(same, "\(file.path): \(read(bytes, takesRows: true).said) and \(read(bytes, takesRows: false).said)")
      tried += 1
    }
    #expect(tried > 50)
  }
}
