import Configurations
import Engine
import StageKit
import Testing

@Suite struct PipelineFileTests {
  /// A whole file, with replaceable lines; `‸` marks where an error must point.
  static func text(_ lines: [String: String] = [:], more: String = "") -> String {
    let keys = ["sluice", "project", "elements", "inbox", "outbox", "stages"]
    let usual = [
      "sluice": "1", "project": "'tungsten'", "elements": "['W']", "inbox": "'../in'",
      "outbox": "'../out'", "stages": "[{ use: 'numbers' }, { use: 'square' }]",
    ]
    var text = "{\n"
    for key in keys {
      guard let value = lines[key] ?? usual[key], value != "-" else { continue }
      text += " \(key): \(value),\n"
    }
    return text + more + "}\n"
  }

  static func read(_ text: String, path: String = "pipelines/w.json5") throws(ParameterError)
    -> PipelineFile
  {
    try PipelineFile(Array(text.utf8), path: path, stages: Toy.registry)
  }

  @Test func aWholeFileIsRead() throws {
    let file = try Self.read(
      Self.text(
        [
          "elements": "['W', 'Re', 'C']",
          "stages":
            "[{use:'numbers',scale:2},{use:'square',id:'sq',from:{'toy-numbers':'numbers'}}]",
        ], more: " settle: 0.5, threads: 2, keep: { runs: 7 }, truncatedAfter: 60\n"))
    #expect(file.project == "tungsten")
    #expect(file.elements.map(\.symbol) == ["C", "Re", "W"])
    #expect(file.inbox == "pipelines/../in")
    #expect(file.outbox == "pipelines/../out")
    #expect(file.settle == 0.5)
    #expect(file.truncatedAfter == 60)
    #expect(file.threads == 2)
    #expect(file.keepRuns == 7)
    #expect(file.stages.map(\.use) == ["numbers", "square"])
    #expect(file.stages.map(\.id) == ["numbers", "sq"])
    #expect(file.stages[0].parameters.map(\.readable) == ["[]", "2"])
    #expect(file.stages[1].from.map(\.stage) == ["numbers"])
  }

  @Test func restHasDefaults() throws {
    let file = try Self.read(Self.text())
    #expect(file.settle == 10)
    #expect(file.truncatedAfter == 3600)
    #expect(file.threads == 0)
    #expect(file.keepRuns == 0)
  }

  @Test(arguments: [
    ("p/w.json5", "../in", "p/../in"), ("w.json5", "in", "in"), ("w.json5", "./in/", "in"),
    ("/a/w.json5", "in", "/a/in"), ("/w.json5", "in", "/in"), ("p/w.json5", "/in", "/in"),
  ]) func pathsStartAtTheFile(_ path: String, _ inbox: String, _ expected: String) throws {
    #expect(try Self.read(Self.text(["inbox": "'\(inbox)'"]), path: path).inbox == expected)
  }

  @Test(arguments: [
    ("sluice", "‸2", "sluice must be 1"), ("sluice", "‸'1'", "sluice must be a number"),
    ("project", "‸'a/b'", "plain file name"), ("project", "‸'..'", "plain file name"),
    ("project", "‸''", "plain file name"), ("project", "‸'-x'", "plain file name"),
    ("project", "‸'wörk'", "plain file name"),
    ("elements", "['W', ‸'w']", "'w' is not a chemical symbol; did you mean 'W'?"),
    ("elements", "['W', ‸'W']", "given twice"), ("elements", "‸[]", "at least one element"),
    ("elements", "‸'W'", "elements must be a list of text"),
    ("inbox", "‸''", "must name a folder"), ("inbox", "‸'~/in'", "only a shell understands"),
    ("inbox", "‸'a\\nb'", "control characters"),
    ("outbox", "‸'../in'", "lies in the inbox"), ("outbox", "‸'../in/out'", "lies in the inbox"),
    ("stages", "‸{}", "stages must be a list"), ("stages", "‸[]", "at least one"),
    ("stages", "[‸'numbers']", "expected an object"),
    ("stages", "[‸{ scale: 1 }]", "a stage must say which it is"),
    ("stages", "[{ use: ‸1 }]", "use must be text in quotes"),
    ("stages", "[{ use: ‸'nubmers' }]", "no stage is called 'nubmers'; did you mean 'numbers'?"),
    ("stages", "[{ use: 'numbers', ‸scal: 1 }]", "unknown key 'scal'; did you mean 'scale'?"),
    ("stages", "[{ use: 'numbers', scale: ‸0 }]", "scale must be at least 1"),
    ("stages", "[{ use: 'numbers', scale: 1, ‸scale: 2 }]", "'scale' is given twice"),
    ("stages", "[{ use: 'numbers', ‸use: 'square' }]", "'use' is given twice"),
    ("stages", "[{ use: 'numbers', id: ‸'a b' }]", "id must be a plain name"),
    ("stages", "[{ use: 'numbers' }, { use: ‸'numbers' }]", "two stages are called 'numbers'"),
    ("stages", "[{ use: 'square', from: ‸'numbers' }]", "from must be an object"),
    ("stages", "[{ use: 'square', from: { a: ‸1 } }]", "from.a must be a stage's id"),
    ("stages", "[{ use: 'square', from: { a: 'x', ‸a: 'y' } }]", "'from.a' is given twice"),
    ("stages", "[{ use: 'square', ‸form: {} }]", "unknown key 'form'; did you mean 'from'?"),
  ]) func mistakesArePointedAt(_ key: String, _ marked: String, _ words: String) {
    let text = Self.text([key: marked])
    let error = #expect(throws: ParameterError.self) {
      try Self.read(text.replacing("‸", with: ""))
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let line = lines.firstIndex { $0.contains("‸") }!
    let column = lines[line].unicodeScalars.prefix { $0 != "‸" }.count + 1
    #expect(error?.message.contains(words) == true, "\(marked): \(error?.message ?? "")")
    #expect(error?.place == TextPlace(line: line + 1, column: column), "\(marked): \(error!)")
    #expect(error?.file == "pipelines/w.json5")
  }

  @Test(arguments: ["sluice", "project", "elements", "inbox", "outbox", "stages"])
  func needsItsKeys(_ key: String) {
    let error = #expect(throws: ParameterError.self) { try Self.read(Self.text([key: "-"])) }
    #expect(error?.message.contains("'\(key)' must be given") == true)
    #expect(error?.place == TextPlace(line: 1, column: 1))
  }

  @Test func unknownKeysArePointedAt() {
    let error = #expect(throws: ParameterError.self) {
      try Self.read(Self.text(more: "  stage: 1\n"))
    }
    #expect(
      error?.description
        == "pipelines/w.json5:8:3: unknown key 'stage'; did you mean 'stages'?")
  }

  @Test func errorsOfAStageNameIt() {
    let error = #expect(throws: ParameterError.self) {
      try Self.read(Self.text(["stages": "[{ use: 'numbers', scale: 0 }]"]))
    }
    #expect(
      error?.description
        == "pipelines/w.json5:7:36: stage 'numbers': scale must be at least 1 and at most 1000, not 0"
    )
  }

  @Test func aMissingFileIsNamed() {
    let error = #expect(throws: ParameterError.self) {
      try PipelineFile.load("/nowhere/w.json5", stages: Toy.registry)
    }
    #expect(error?.description.hasPrefix("/nowhere/w.json5:1:1: there is no such file") == true)
  }

  /// Every prefix of a file is an error with a place, or the file itself.
  @Test func everyPrefixIsRefusedWithAPlace() throws {
    let bytes = Array(Self.text().utf8)
    let whole = bytes.count - 1  // without the line end
    for count in 0..<whole {
      let error = #expect(throws: ParameterError.self, "\(count) bytes") {
        try PipelineFile(Array(bytes[..<count]), path: "w.json5", stages: Toy.registry)
      }
      #expect((error?.place.line ?? 0) >= 1 && (error?.place.column ?? 0) >= 1)
    }
  }
}
