/// What `sluice stages` prints of a parameter, and what a JSON schema needs.
public struct ParameterDescription: Sendable, Equatable {
  public let name: String
  /// "number", "integer", "true or false", "text", "one of a | b", "list of text", "object".
  public let type: String
  /// As a pipeline file would write it; nil where it must be given.
  public let defaultValue: String?
  /// "Å", "eV/Å", "s"; empty for none.
  public let unit: String
  public let help: String
  /// Of an object parameter.
  public let members: [ParameterDescription]
}

/// Reads the parameters of one stage strictly: wrong types, impossible values, unknown and duplicate
/// keys are errors with their place. The same calls describe the parameters (`describing`), so that
/// what is documented is what is read.
public struct ParameterDecoder: Sendable {
  let members: [ParameterValue.Member]
  let place: TextPlace
  let isDescribing: Bool
  let path: String
  /// Keys that somebody else reads: never refused, but worth suggesting.
  private let ignored: Set<String>
  public internal(set) var descriptions: [ParameterDescription] = []
  private(set) var resolved: [(key: String, value: String)] = []

  /// A decoder over an object; `ignoring` are the keys that the pipeline itself reads (`use`, `from`, `id`).
  public init(_ value: ParameterValue, ignoring: Set<String> = [], path: String = "")
    throws(ParameterError)
  {
    guard case .object(let all) = value.content else {
      throw ParameterError("expected an object { … }", at: value.place)
    }
    self.init(
      members: all.filter { !ignoring.contains($0.key) }, place: value.place, describing: false,
      path: path, ignored: ignoring)
    var seen: Set<String> = []
    for member in all where !seen.insert(member.key).inserted {
      throw ParameterError("'\(path)\(member.key)' is given twice", at: member.keyPlace)
    }
  }

  init(
    members: [ParameterValue.Member], place: TextPlace, describing: Bool, path: String,
    ignored: Set<String> = []
  ) {
    self.members = members
    self.ignored = ignored
    self.place = place
    self.isDescribing = describing
    self.path = path
  }

  /// A decoder that gives defaults and only records what is asked for.
  public static func describing() -> ParameterDecoder {
    ParameterDecoder(members: [], place: TextPlace(line: 0, column: 0), describing: true, path: "")
  }

  // MARK: Kinds of parameters

  public mutating func number(
    _ name: String, default fallback: Double?, in range: NumberRange = .any, unit: String = "",
    _ help: String
  ) throws(ParameterError) -> Double {
    describe(name, "number" + range.words, fallback.map(Self.text), unit, help)
    guard let member = find(name) else {
      return try missing(name, fallback, placeholder: range.example) { Self.canonical($0) }
    }
    guard case .number(let value) = member.value.content, value.isFinite else {
      throw wrong(member, "a number")
    }
    guard range.contains(value) else {
      throw ParameterError(
        "\(path)\(name) must be \(range.text)\(unit.isEmpty ? "" : " (\(unit))"), not \(Self.text(value))",
        at: member.value.place)
    }
    record(name, Self.canonical(value))
    return value
  }

  public mutating func integer(
    _ name: String, default fallback: Int?, in range: ClosedRange<Int>, _ help: String
  ) throws(ParameterError) -> Int {
    describe(
      name,
      "integer \(range.lowerBound)…\(range.upperBound == .max ? "" : String(range.upperBound))",
      fallback.map(String.init), "", help)
    guard let member = find(name) else {
      return try missing(name, fallback, placeholder: range.lowerBound) { String($0) }
    }
    guard case .number(let value) = member.value.content, let whole = Int(exactly: value) else {
      throw wrong(member, "a whole number")
    }
    guard range.contains(whole) else {
      throw ParameterError(
        "\(path)\(name) must be at least \(range.lowerBound)"
          + (range.upperBound == .max ? "" : " and at most \(range.upperBound)") + ", not \(whole)",
        at: member.value.place)
    }
    record(name, String(whole))
    return whole
  }

  public mutating func logical(_ name: String, default fallback: Bool?, _ help: String)
    throws(ParameterError) -> Bool
  {
    describe(name, "true or false", fallback.map(String.init), "", help)
    guard let member = find(name) else {
      return try missing(name, fallback, placeholder: false) { String($0) }
    }
    guard case .logical(let value) = member.value.content else {
      throw wrong(member, "true or false")
    }
    record(name, String(value))
    return value
  }

  public mutating func text(_ name: String, default fallback: String?, _ help: String)
    throws(ParameterError) -> String
  {
    describe(name, "text", fallback.map { "'\($0)'" }, "", help)
    guard let member = find(name) else {
      return try missing(name, fallback, placeholder: "") { Self.quoted($0) }
    }
    guard case .text(let value) = member.value.content else {
      throw wrong(member, "text in quotes")
    }
    record(name, Self.quoted(value))
    return value
  }

  public mutating func choice(
    _ name: String, of choices: [String], default fallback: String?, _ help: String
  )
    throws(ParameterError) -> String
  {
    describe(
      name, "one of " + choices.joined(separator: " | "), fallback.map { "'\($0)'" }, "", help)
    guard let member = find(name) else {
      return try missing(name, fallback, placeholder: choices[0]) { Self.quoted($0) }
    }
    guard case .text(let value) = member.value.content, choices.contains(value) else {
      throw wrong(member, "one of " + choices.map { "'\($0)'" }.joined(separator: ", "))
    }
    record(name, Self.quoted(value))
    return value
  }

  /// A whole number or the word `auto` (nil).
  public mutating func integerOrAuto(_ name: String, in range: ClosedRange<Int>, _ help: String)
    throws(ParameterError) -> Int?
  {
    if let member = find(name), case .text("auto") = member.value.content {
      describe(name, "integer or 'auto'", "'auto'", "", help)
      record(name, "'auto'")
      return nil
    }
    if find(name) == nil {
      describe(name, "integer or 'auto'", "'auto'", "", help)
      record(name, "'auto'")
      return nil
    }
    return try integer(name, default: nil, in: range, help)
  }

  /// A number or the word `auto` (nil), which is the default.
  public mutating func numberOrAuto(_ name: String, in range: NumberRange = .any, unit: String = "", _ help: String)
    throws(ParameterError) -> Double?
  {
    let type = "number\(range.words) or 'auto'"
    guard let member = find(name) else {
      describe(name, type, "'auto'", unit, help)
      record(name, "'auto'")
      return nil
    }
    if case .text(let text) = member.value.content {
      guard text == "auto" else { throw wrong(member, "a number or 'auto'") }
      describe(name, type, "'auto'", unit, help)
      record(name, "'auto'")
      return nil
    }
    return try number(name, default: nil, in: range, unit: unit, help)
  }

  // MARK: Finishing

  /// Refuses keys that nothing asked for, with the nearest known one.
  public func finish() throws(ParameterError) {
    let known = descriptions.map(\.name)
    for member in members where !known.contains(member.key) {
      throw ParameterError(
        "unknown key '\(path)\(member.key)'"
          + didYouMean(member.key, among: known + ignored.sorted()),
        at: member.keyPlace)
    }
  }

  /// Whether the user wrote this key, whatever its value.
  public func isGiven(_ name: String) -> Bool { find(name) != nil }

  /// A stage may refuse a combination of values, at the place of one of them.
  public func refuse(_ name: String, _ message: String) -> ParameterError {
    ParameterError("\(path)\(name) \(message)", at: find(name)?.value.place ?? place)
  }

  // MARK: Inside

  func find(_ name: String) -> ParameterValue.Member? { members.first { $0.key == name } }

  mutating func describe(
    _ name: String, _ type: String, _ fallback: String?, _ unit: String, _ help: String
  ) {
    precondition(!descriptions.contains { $0.name == name }, "parameter '\(name)' is read once")
    descriptions.append(
      ParameterDescription(
        name: name, type: type, defaultValue: fallback, unit: unit, help: help, members: []))
  }

  mutating func record(_ name: String, _ canonical: String) {
    resolved.append((name, canonical))
  }

  mutating func missing<Value>(
    _ name: String, _ fallback: Value?, placeholder: Value, _ canonical: (Value) -> String
  ) throws(ParameterError) -> Value {
    guard let value = fallback ?? (isDescribing ? placeholder : nil) else {
      throw ParameterError("'\(path)\(name)' must be given", at: place)
    }
    record(name, canonical(value))
    return value
  }

  func wrong(_ member: ParameterValue.Member, _ expected: String) -> ParameterError {
    ParameterError("\(path)\(member.key) must be \(expected)", at: member.value.place)
  }

}
