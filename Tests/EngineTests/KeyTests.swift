import Engine
import Platform
import StageKit
import Testing

@Suite struct KeyTests {
  static func key(
    name: String = "fit", version: Int = 1, parameters: [(String, String)] = [("a", "1")],
    project: String = "p", elements: [String] = ["C", "W"],
    inputs: [(String, String)] = [("input x", "y")]
  ) -> ActionKey {
    StageKey(
      description: StageDescription(
        name: name, version: version, summary: "s", takes: [], gives: []),
      parameters: parameters.map { StageParameter(name: $0.0, canonical: $0.1) },
      project: project, elements: elements
    ).key(inputs.map { KeyComponent($0.0, $0.1) })
  }

  @Test func everyPartMakesADifference() {
    let keys = [
      Self.key(), Self.key(name: "fitt"), Self.key(version: 2), Self.key(parameters: [("a", "2")]),
      Self.key(parameters: [("b", "1")]), Self.key(parameters: []),
      Self.key(parameters: [("a", "1"), ("b", "1")]), Self.key(project: "q"),
      Self.key(elements: ["C"]), Self.key(inputs: [("input x", "z")]),
      Self.key(inputs: [("input z", "y")]), Self.key(inputs: []),
    ]
    #expect(Set(keys.map(\.digest)).count == keys.count)
    #expect(Self.key().digest == Self.key().digest)
  }

  /// Moving text from one component into the next gives another key.
  @Test func componentsDoNotRunTogether() {
    let a = Self.key(parameters: [("a", "1b")], inputs: [])
    let b = Self.key(parameters: [("a", "1"), ("b", "")], inputs: [])
    let c = Self.key(parameters: [("a", "1")], inputs: [("parameter b", "")])
    #expect(Set([a.digest, b.digest, c.digest]).count == 3)
  }

  /// Keys are on disk for years: this one must never change by accident.
  @Test func theFormatIsFixed() {
    #expect(
      Self.key().components.map(\.name)
        == ["stage", "version", "project", "elements", "parameter a", "input x"])
    var builder = DigestBuilder()
    builder.add("sluice action 1")
    builder.add(5)
    for text in [
      "stage", "fit", "version", "1", "project", "p", "elements", "C W", "parameter a", "1",
    ] { builder.add(text) }
    builder.add(1)
    builder.add("input x")
    builder.add("y")
    #expect(Self.key().digest == builder.finish())
  }
}
