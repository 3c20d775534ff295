import StageKit
import Testing

/// Each kind of wrong parameter, with its place and words; and what right ones come to.
@Suite struct ParameterDecoderTests {
  private static func at(_ line: Int, _ column: Int) -> TextPlace {
    TextPlace(line: line, column: column)
  }

  /// An object whose n-th member has its key at (n, 1) and its value at (n, 10).
  private static func object(_ members: [(String, ParameterValue.Content)]) -> ParameterValue {
    ParameterValue(
      .object(
        members.enumerated().map { index, member in
          ParameterValue.Member(
            key: member.0, keyPlace: at(index + 1, 1),
            value: ParameterValue(member.1, at: at(index + 1, 10)))
        }), at: at(9, 9))
  }

  private struct Everything: Equatable {
    var cutoff = 0.0
    var order = 0
    var spin = false
    var label = ""
    var method = ""
    var pools: [String] = []
    var radii: [Double] = []
    var clusters: Int?
    var energies: [String: Double]?
    var weight = 0.0
    var groups: [String: Double] = [:]
  }

  private static func read(_ d: inout ParameterDecoder) throws(ParameterError) -> Everything {
    var all = Everything()
    all.cutoff = try d.number("cutoff", default: 5, in: .positive, unit: "Å", "Radius.")
    all.order = try d.integer("order", default: 3, in: 1...6, "Body order.")
    all.spin = try d.logical("spin", default: false, "Spin.")
    all.label = try d.text("label", default: "none", "Label.")
    all.method = try d.choice("method", of: ["fast", "exact"], default: "fast", "Method.")
    all.pools = try d.texts("pools", default: ["p"], "Pools.")
    all.radii = try d.numbers("radii", default: [1, 2.5], in: .notNegative, unit: "Å", "Radii.")
    all.clusters = try d.integerOrAuto("clusters", in: 1...100, "Clusters.")
    all.energies = try d.numbersByName("energies", unit: "eV", "Energies.")
    all.weight = try d.object("weights", "Weights.") {
      (w: inout ParameterDecoder) throws(ParameterError) in
      try w.number("energy", default: 30, in: .between(0, 100), "Weight.")
    }
    all.groups = try d.objectsByName("groups", "Groups.") {
      (g: inout ParameterDecoder) throws(ParameterError) in
      try g.number("weight", default: 1, "Weight.")
    }
    return all
  }

  private static func decode(_ members: [(String, ParameterValue.Content)]) throws(ParameterError)
    -> (Everything, ParameterDecoder)
  {
    var decoder = try ParameterDecoder(object(members), ignoring: ["use"])
    let all = try read(&decoder)
    try decoder.finish()
    return (all, decoder)
  }

  @Test func defaultsAreResolved() throws {
    let (all, decoder) = try Self.decode([("use", .text("x"))])
    #expect(
      all
        == Everything(
          cutoff: 5, order: 3, label: "none", method: "fast", pools: ["p"], radii: [1, 2.5],
          weight: 30))
    #expect(decoder.resolvedParameters.count == 11)
    #expect(!decoder.canonicalParameters.contains("use"))
  }

  @Test func givenValuesAreRead() throws {
    let inner = Self.object([("energy", .number(50))])
    let (all, _) = try Self.decode([
      ("cutoff", .number(6.5)), ("order", .number(4)), ("spin", .logical(true)),
      ("label", .text("a")), ("method", .text("exact")),
      ("pools", .list([ParameterValue(.text("q"))])), ("radii", .list([])),
      ("clusters", .number(7)), ("energies", Self.object([("W", .number(-1))]).content),
      ("weights", inner.content),
      ("groups", .object([.init(key: "g", keyPlace: Self.at(1, 1), value: Self.object([]))])),
    ])
    #expect(
      all
        == Everything(
          cutoff: 6.5, order: 4, spin: true, label: "a", method: "exact", pools: ["q"], radii: [],
          clusters: 7, energies: ["W": -1], weight: 50, groups: ["g": 1]))
  }

  @Test(arguments: [
    ("cutoff", ParameterValue.Content.text("5"), "cutoff must be a number"),
    ("cutoff", .number(0), "cutoff must be > 0 (Å), not 0"),
    ("cutoff", .number(.infinity), "cutoff must be a number"),
    ("cutoff", .number(.nan), "cutoff must be a number"),
    ("cutoff", .null, "cutoff must be a number"),
    ("order", .number(2.5), "order must be a whole number"),
    ("order", .number(7), "order must be at least 1 and at most 6, not 7"),
    ("order", .number(1e300), "order must be a whole number"),
    ("spin", .number(1), "spin must be true or false"),
    ("label", .number(1), "label must be text in quotes"),
    ("method", .text("slow"), "method must be one of 'fast', 'exact'"),
    ("pools", .text("p"), "pools must be a list of text"),
    ("radii", .number(1), "radii must be a list of numbers"),
    ("clusters", .text("many"), "clusters must be a whole number"),
    ("clusters", .number(0), "clusters must be at least 1"),
    ("energies", .number(1), "energies must be an object of numbers"),
    ("weights", .number(1), "expected an object"),
    ("groups", .number(1), "groups must be an object"),
  ]) func wrongValuesAreRefusedWhereTheyStand(
    _ name: String, _ value: ParameterValue.Content, _ words: String
  ) {
    let error = #expect(throws: ParameterError.self) {
      try Self.decode([("use", .text("x")), (name, value)])
    }
    #expect(error?.message.contains(words) == true, "\(name): \(error?.message ?? "")")
    #expect(error?.place == Self.at(2, 10), "\(name)")
  }

  @Test func wrongItemsAndMembersAreRefusedWhereTheyStand() {
    let inside = Self.at(5, 7)
    let item = { (content: ParameterValue.Content) in
      ParameterValue.Content.list([ParameterValue(content, at: inside)])
    }
    let member = { (key: String, content: ParameterValue.Content) in
      ParameterValue.Content.object([
        .init(key: key, keyPlace: Self.at(5, 2), value: ParameterValue(content, at: inside))
      ])
    }
    let cases: [(String, ParameterValue.Content, String, TextPlace)] = [
      ("pools", item(.number(1)), "pools must be a list of text", inside),
      ("radii", item(.number(-1)), "each >= 0", inside),
      ("energies", member("W", .text("x")), "energies.W must be a number", inside),
      ("weights", member("energy", .number(101)), "weights.energy must be >= 0 and <= 100", inside),
      (
        "weights", member("enrgy", .number(1)),
        "unknown key 'weights.enrgy'; did you mean 'energy'?", Self.at(5, 2)
      ),
      (
        "groups", member("bulk", Self.object([("weigth", .number(1))]).content),
        "unknown key 'groups.bulk.weigth'; did you mean 'weight'?", Self.at(1, 1)
      ),
    ]
    for (name, content, words, place) in cases {
      let error = #expect(throws: ParameterError.self) { try Self.decode([(name, content)]) }
      #expect(error?.message.contains(words) == true, "\(name): \(error?.message ?? "")")
      #expect(error?.place == place, "\(name): \(error?.message ?? "")")
    }
  }

  @Test func unknownKeysAreRefusedWithTheNearestKnownOne() {
    let error = #expect(throws: ParameterError.self) {
      try Self.decode([("order", .number(1)), ("cutof", .number(5))])
    }
    #expect(error?.message == "unknown key 'cutof'; did you mean 'cutoff'?")
    #expect(error?.place == Self.at(2, 1))
    // Keys that the pipeline reads itself are suggested too.
    let use = #expect(throws: ParameterError.self) { try Self.decode([("usse", .text("x"))]) }
    #expect(use?.message == "unknown key 'usse'; did you mean 'use'?")
    let far = #expect(throws: ParameterError.self) { try Self.decode([("zzzzzzzzz", .null)]) }
    #expect(far?.message.contains("known: clusters, cutoff, energies") == true)
  }

  @Test func duplicateKeysAreRefusedAtTheSecond() {
    for name in ["cutoff", "use", "nonsense"] {
      let error = #expect(throws: ParameterError.self) {
        try Self.decode([(name, .number(5)), (name, .number(6))])
      }
      #expect(error?.message == "'\(name)' is given twice")
      #expect(error?.place == Self.at(2, 1))
    }
    let inner = ParameterValue.Content.object([
      .init(key: "energy", keyPlace: Self.at(3, 1), value: .init(.number(1))),
      .init(key: "energy", keyPlace: Self.at(4, 1), value: .init(.number(1))),
    ])
    for (name, message) in [
      ("weights", "'weights.energy' is given twice"),
      ("energies", "'energies.energy' is given twice"),
    ] {
      let error = #expect(throws: ParameterError.self) { try Self.decode([(name, inner)]) }
      #expect(error?.message == message)
      #expect(error?.place == Self.at(4, 1))
    }
  }

  @Test func missingKeysAreRefusedAtTheObject() throws {
    var decoder = try ParameterDecoder(Self.object([]))
    let error = #expect(throws: ParameterError.self) {
      try decoder.text("command", default: nil, "What to run.")
    }
    #expect(error?.message == "'command' must be given")
    #expect(error?.place == Self.at(9, 9))
  }

  @Test func onlyObjectsAreDecoded() {
    let error = #expect(throws: ParameterError.self) {
      try ParameterDecoder(ParameterValue(.list([]), at: Self.at(3, 4)))
    }
    #expect(error?.place == Self.at(3, 4))
  }

  @Test func refusalsStandAtTheValue() throws {
    let decoder = try ParameterDecoder(Self.object([("a", .number(1)), ("b", .number(2))]))
    #expect(decoder.refuse("b", "is too large").place == Self.at(2, 10))
    #expect(decoder.refuse("c", "is needed").place == Self.at(9, 9))
    #expect(decoder.refuse("b", "is too large").message == "b is too large")
  }

  @Test func errorsPrintFilePlaceAndStage() {
    let error = ParameterError(
      "cutoff must be > 0 (Å)", at: Self.at(5, 17), stage: "featurize", file: "copper.json5")
    #expect(
      error.description == "copper.json5:5:17: stage 'featurize': cutoff must be > 0 (Å)")
  }

  @Test func describingGivesEveryParameter() throws {
    var decoder = ParameterDecoder.describing()
    _ = try Self.read(&decoder)
    #expect(
      decoder.descriptions.map(\.name) == [
        "cutoff", "order", "spin", "label", "method", "pools", "radii", "clusters", "energies",
        "weights", "groups",
      ])
    #expect(decoder.descriptions[0].unit == "Å")
    #expect(decoder.descriptions[0].defaultValue == "5")
    #expect(decoder.descriptions[9].members.map(\.name) == ["energy"])
  }

  // MARK: Canonical text

  private static func canonical(_ members: [(String, ParameterValue.Content)]) throws -> String {
    try decode(members).1.canonicalParameters
  }

  @Test func canonicalTextDependsOnValuesOnly() throws {
    let given = try Self.canonical([
      ("order", .number(3)), ("cutoff", .number(5)), ("clusters", .text("auto")),
    ])
    #expect(try Self.canonical([]) == given, "giving the defaults, in any order, changes nothing")
    #expect(try Self.canonical([("cutoff", .number(5.000000000000001))]) != given)
    #expect(try Self.canonical([("clusters", .number(5))]) != given)
    #expect(try Self.canonical([("label", .text("non'e"))]) != given)
    #expect(
      try Self.canonical([("radii", .list([ParameterValue(.number(-0.0))]))])
        == Self.canonical([("radii", .list([ParameterValue(.number(0))]))]))
  }

  @Test func canonicalValuesCanBeReadAgain() throws {
    let (_, decoder) = try Self.decode([
      ("cutoff", .number(5.5)), ("label", .text("d40 it's \\ d")), ("radii", .list([])),
      ("energies", Self.object([("W", .number(-4.56))]).content),
    ])
    let readable = Dictionary(
      uniqueKeysWithValues: decoder.resolvedParameters.map {
        ($0.key, ParameterDecoder.readable($0.value))
      })
    #expect(readable["cutoff"] == "5.5")
    #expect(readable["order"] == "3")
    #expect(readable["spin"] == "false")
    #expect(readable["label"] == #"'d40 it\'s \\ d'"#)
    #expect(readable["radii"] == "[]")
    #expect(readable["energies"] == "{'W': -4.56}")
    #expect(readable["weights"] == "{'energy': 30}")
    #expect(readable["clusters"] == "'auto'")
  }

  // MARK: Suggestions

  @Test(arguments: [
    ("cutof", "; did you mean 'cutoff'?"), ("CUTOFF", "; did you mean 'cutoff'?"),
    ("oder", "; did you mean 'order'?"), ("ordre", "; did you mean 'order'?"),
    ("temperature", "; known: cutoff, order"),
  ]) func suggestions(_ word: String, _ expected: String) {
    #expect(didYouMean(word, among: ["order", "cutoff"]) == expected)
  }

  @Test func nothingIsSuggestedWhereNothingIsKnown() {
    #expect(didYouMean("a", among: []) == "")
    #expect(didYouMean("", among: ["ab"]) == "; did you mean 'ab'?")
  }
}
