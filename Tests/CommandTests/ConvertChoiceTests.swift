import Configurations
import Foundation
import Platform
import Testing
import TungstenReference
import VASP

/// What is read, chosen and said: patterns, rules for steps, what was left out, and what is never replaced.
@Suite(.enabled(if: Program.isBuilt, Program.skipped))
struct ConvertChoiceTests {
  private func sources(_ program: Program, _ name: String = "out") throws -> [String] {
    try Samples.frames(program.read(name)).map(\.provenance.source)
  }

  // MARK: patterns

  @Test(arguments: [
    ("a*/OUTCAR", ["a1/OUTCAR", "a2/OUTCAR"]), ("a?/*", ["a1/OUTCAR", "a2/OUTCAR", "a2/vasprun.xml"]),
    ("**/OUTCAR", ["a1/OUTCAR", "a2/OUTCAR", "b/c/OUTCAR"]), ("b/**", ["b/c/OUTCAR"]),
    ("**/[!O]*.xml", ["a2/vasprun.xml"]), ("a[1-1]*", ["a1/OUTCAR"]), ("*[c]*.xyz", ["[c].xyz"]),
    ("[c].xyz", ["[c].xyz"]), ("./b/*/OUT*", ["./b/c/OUTCAR"]),
  ]) func patternsAreExpanded(pattern: String, expected: [String]) throws {
    let program = try Program()
    for (index, name) in ["a1/OUTCAR", "a2/OUTCAR", "b/c/OUTCAR", ".hidden/OUTCAR"].enumerated() {
      try program.write(name, Samples.run(1, seed: UInt64(index)).outcar())
    }
    try program.write("a2/vasprun.xml", Samples.run(1, seed: 9).vasprun())
    try program.write("[c].xyz", Samples.extendedXYZ(Samples.steps(1, seed: 10)))
    try program.write("a1/notes", "words\n")
    let outcome = try program("convert", pattern, "-o", "out", "--separate")
    #expect(outcome.status == 0, "\(outcome.messages)")
    #expect(try sources(program) == expected)
  }

  @Test func aPatternThatMatchesNothingIsAnError() throws {
    let program = try Program()
    try program.write("OUTCAR", Samples.run(1).outcar())
    let outcome = try program("convert", "x*", "OUTCAR", "-o", "out")
    #expect(outcome.status == 3)
    #expect(outcome.messages.contains("error: x*: no file or folder matches this pattern"))
  }

  @Test func aFileThatIsNamedTwiceCountsOnce() throws {
    let program = try Program()
    try program.write("run/OUTCAR", Samples.run(2).outcar())
    let outcome = try program("convert", "run", "run/OUTCAR", "run/O*", "-o", "out", "--separate")
    #expect(outcome.status == 0)
    #expect(try sources(program) == ["run/OUTCAR", "run/OUTCAR"])
    #expect(outcome.messages.contains("the same file as run/OUTCAR"))
  }

  // MARK: steps

  /// The command keeps what the rule keeps of each run by itself, whatever form the run has, whatever lies beside
  /// it, and for any number of threads.
  @Test(arguments: [
    "first", "first+last", "every:2+last", "energy:0.02", "force:6.5+last", "force-rms:2.2", "distance:0.05",
  ])
  func stepsAreThoseOfTheRule(words: String) throws {
    let program = try Program()
    let rule = try StepSelection(words: words)
    var expected: [String: [Int]] = [:]
    for seed in 1...3 as ClosedRange<UInt64> {
      let run = Samples.run(8, seed: seed)
      for (name, bytes) in [("\(seed)/vasprun.xml", run.vasprun()), ("\(seed)o/OUTCAR", run.outcar())] {
        try program.write("runs/" + name, bytes)
        var selector = StepSelector(rule)
        var kept = try Samples.read(bytes, name: name).filter { selector.take($0) }
        if let last = selector.finish() { kept.append(last) }
        expected["runs/" + name] = kept.map(\.provenance.ionicStep)
      }
    }
    var outputs: Set<[UInt8]> = []
    for threads in ["1", "3"] {
      try #require(
        try program("convert", "runs", "-o", "out", "--steps", words, "--threads", threads, "--separate").status == 0)
      outputs.insert(try program.read("out"))
    }
    #expect(outputs.count == 1)
    let frames = try Samples.frames(program.read("out"))
    #expect(
      Dictionary(grouping: frames, by: \.provenance.source).mapValues { $0.map(\.provenance.ionicStep) } == expected)
    #expect(expected.values.contains { $0.count < 8 })
    // One run alone gives what it gives among others.
    try #require(try program("convert", "runs/2/vasprun.xml", "-o", "alone", "--steps", words).status == 0)
    #expect(
      try Samples.frames(program.read("alone")) == frames.filter { $0.provenance.source == "runs/2/vasprun.xml" })
  }

  @Test func aPairOfFilesIsChosenFromOnce() throws {
    let program = try Program()
    let run = Samples.run(9)
    try program.write("run/vasprun.xml", run.vasprun())
    try program.write("run/OUTCAR", run.outcar())
    try #require(try program("convert", "run", "-o", "pair", "--steps", "energy:0.004").status == 0)
    try #require(try program("convert", "run/vasprun.xml", "-o", "alone", "--steps", "energy:0.004").status == 0)
    #expect(
      try Samples.frames(program.read("pair")).map(\.provenance.ionicStep)
        == Samples.frames(program.read("alone")).map(\.provenance.ionicStep))
  }

  @Test func theTableSaysHowManyStepsThereWere() throws {
    let program = try Program()
    try program.write("OUTCAR", Samples.run(7).outcar())
    let outcome = try program("convert", "OUTCAR", "-o", "out", "--steps", "every:3")
    let row = try #require(outcome.messages.split(separator: "\n").first { $0.hasPrefix("OUTCAR ") })
    #expect(row.split(separator: " ").prefix(5) == ["OUTCAR", "OUTCAR", "7", "3", "48"])
    let json = try program("convert", "OUTCAR", "-o", "out", "--steps", "every:3", "--json")
    #expect(!json.messages.contains("OUTCAR   "), "no table beside JSON")
    let summary = try #require(try JSONSerialization.jsonObject(with: Data(json.output)) as? [String: Any])
    #expect(summary["steps"] as? String == "every:3")
    let sources = try #require(summary["sources"] as? [[String: Any]])
    #expect(sources.map { $0["offered"] as? Int } == [7] && sources.map { $0["frames"] as? Int } == [3])
  }

  @Test func framesThatARuleCannotJudgeAreKeptAndSaid() throws {
    let program = try Program()
    let bare = Samples.steps(3).map { Configuration(species: $0.species, positions: $0.positions, cell: $0.cell) }
    try program.write("XDATCAR", TrajectoryText.xdatcar(bare, title: "W"))
    let outcome = try program("convert", "XDATCAR", "-o", "out", "--steps", "energy:0.1")
    #expect(outcome.status == 0)
    #expect(outcome.messages.contains("3 steps kept without being compared: no finite energy"))
    #expect(try sources(program).count == 3)
    try #require(try program("convert", "XDATCAR", "-o", "out", "--steps", "distance:0.5").status == 0)
    #expect(try sources(program).count == 1)
  }

  // MARK: what is said

  @Test func manyOfAKindAreToldTogether() throws {
    let program = try Program()
    for k in 0..<5 as Range<UInt64> {
      let xml = Samples.run(3, seed: k).vasprun()
      try program.write("runs/\(k)/vasprun.xml", Array(xml[..<(xml.count * 3 / 4)]))
      try program.write("runs/\(k)/notes", "words \(k)\n")
    }
    let outcome = try program("convert", "runs", "-o", "out")
    #expect(outcome.status == 0)
    let lines = outcome.messages.split(separator: "\n")
    #expect(
      lines.contains(
        "warning: 5 sources: broken off; the whole steps before that were kept: runs/0/vasprun.xml, runs/1/vasprun.xml, runs/2/vasprun.xml and 2 more."
      ), "\(outcome.messages)")
    #expect(
      lines.contains("passed over: runs/0/notes, runs/1/notes, runs/2/notes and 2 more: it holds no frames."))
    #expect(lines.contains("5 sources read, 5 files passed over."))
    #expect(!outcome.messages.contains("\u{1B}"), "no terminal, no control characters")
  }

  // MARK: what is never replaced

  @Test func anInputIsNoOutput() throws {
    let program = try Program()
    try program.write("frames.xyz", Samples.extendedXYZ(Samples.steps(3)))
    let before = try program.read("frames.xyz")
    try program.folder.shell("ln -s frames.xyz link && mkdir sub")
    for output in ["frames.xyz", "./frames.xyz", "sub/../frames.xyz", "link"] {
      let outcome = try program("convert", "frames.xyz", "-o", output, "--steps", "last")
      #expect(outcome.status == 2, "\(output)")
      #expect(outcome.messages.contains("is an input"))
    }
    #expect(try program("convert", "link", "-o", "frames.xyz", "--steps", "last").status == 2)
    #expect(try program.read("frames.xyz") == before)
    #expect(try program.names() == ["frames.xyz", "link", "sub"])
    // Another file of frames is replaced.
    for steps in ["all", "last"] {
      #expect(try program("convert", "frames.xyz", "-o", "out", "--steps", steps).status == 0)
    }
    #expect(try sources(program).count == 1)
  }

  @Test func aCalculationIsNoOutput() throws {
    let program = try Program()
    try program.write("vasprun.xml", Samples.run(1).vasprun())
    let others: [(String, [UInt8])] = [
      ("OUTCAR", Samples.run(2, seed: 2).outcar()), ("other.xml", Samples.run(2, seed: 3).vasprun()),
      ("POSCAR", POSCARWriter().bytes(Samples.steps(1)[0], comment: "W")),
    ]
    for (name, bytes) in others {
      try program.write(name, bytes)
      let outcome = try program("convert", "vasprun.xml", "-o", name)
      #expect(outcome.status == 2, "\(name)")
      #expect(outcome.messages.contains("holds a calculation or structures"))
      #expect(try program.read(name) == bytes)
    }
  }
}
