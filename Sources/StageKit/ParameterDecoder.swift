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
  private let members: [ParameterValue.Member]
  private let place: TextPlace
  private let isDescribing: Bool
  private let path: String
  /// Keys that somebody else reads: never refused, but worth suggesting.
  private let ignored: Set<String>
  public private(set) var descriptions: [ParameterDescription] = []
  private var resolved: [(key: String, value: String)] = []

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

  private init(
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

  /// Words of a small language, such as 'every:10'. `parse` refuses what means nothing; the value's description
  /// is its one canonical spelling. With `takesObject`, `{ ENCUT: 520 }` may stand for 'ENCUT=520'.
  public mutating func words<Value: CustomStringConvertible>(
    _ name: String, form: String, default fallback: Value, _ help: String,
    takesObject: Bool = false, _ parse: (String) throws(ParameterWordError) -> Value
  ) throws(ParameterError) -> Value {
    describe(name, form, Self.quoted("\(fallback)"), "", help)
    guard let member = find(name) else {
      record(name, Self.quoted("\(fallback)"))
      return fallback
    }
    let text: String
    switch member.value.content {
    case .text(let words): text = words
    case .object(let entries) where takesObject && !entries.isEmpty:
      var pairs: [String] = []
      for entry in entries { pairs.append("\(entry.key)=\(try scalar(entry.value))") }
      text = pairs.joined(separator: ", ")
    default: throw wrong(member, takesObject ? form : "text in quotes: \(form)")
    }
    let value: Value
    do throws(ParameterWordError) { value = try parse(text) } catch {
      throw ParameterError("\(path)\(name): \(error)", at: member.value.place)
    }
    record(name, Self.quoted("\(value)"))
    return value
  }

  public mutating func texts(_ name: String, default fallback: [String]?, _ help: String)
    throws(ParameterError) -> [String]
  {
    let show = { (list: [String]) in "[" + list.map(Self.quoted).joined(separator: ",") + "]" }
    describe(name, "list of text", fallback.map(show), "", help)
    guard let member = find(name) else {
      return try missing(name, fallback, placeholder: []) { show($0) }
    }
    guard case .list(let items) = member.value.content else {
      throw wrong(member, "a list of text")
    }
    var values: [String] = []
    for item in items {
      guard case .text(let value) = item.content else {
        throw ParameterError("\(path)\(name) must be a list of text", at: item.place)
      }
      values.append(value)
    }
    record(name, show(values))
    return values
  }

  public mutating func numbers(
    _ name: String, default fallback: [Double]?, in range: NumberRange = .any, unit: String = "",
    _ help: String
  )
    throws(ParameterError) -> [Double]
  {
    let show = { (list: [Double]) in "[" + list.map(Self.text).joined(separator: ", ") + "]" }
    let canonical = { (list: [Double]) in
      "[" + list.map(Self.canonical).joined(separator: ",") + "]"
    }
    describe(name, "list of numbers" + range.words, fallback.map(show), unit, help)
    guard let member = find(name) else {
      return try missing(name, fallback, placeholder: [], canonical)
    }
    guard case .list(let items) = member.value.content else {
      throw wrong(member, "a list of numbers")
    }
    var values: [Double] = []
    for item in items {
      guard case .number(let value) = item.content, range.contains(value) else {
        throw ParameterError(
          "\(path)\(name) must be a list of numbers, each \(range.text)", at: item.place)
      }
      values.append(value)
    }
    record(name, canonical(values))
    return values
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

  /// Numbers by name, such as reference energies by element; nil where the key is absent.
  public mutating func numbersByName(_ name: String, unit: String = "", _ help: String)
    throws(ParameterError) -> [String: Double]?
  {
    describe(name, "object of numbers", "none", unit, help)
    guard let member = find(name) else {
      record(name, "null")
      return nil
    }
    guard case .object(let entries) = member.value.content else {
      throw wrong(member, "an object of numbers")
    }
    var values: [String: Double] = [:]
    for entry in entries {
      guard case .number(let value) = entry.value.content, value.isFinite else {
        throw ParameterError("\(path)\(name).\(entry.key) must be a number", at: entry.value.place)
      }
      guard values.updateValue(value, forKey: entry.key) == nil else {
        throw ParameterError("'\(path)\(name).\(entry.key)' is given twice", at: entry.keyPlace)
      }
    }
    record(
      name,
      "{"
        + values.sorted { $0.key < $1.key }.map {
          Self.quoted($0.key) + ":" + Self.canonical($0.value)
        }
        .joined(separator: ",") + "}")
    return values
  }

  /// Texts by name, such as files by element; empty where the key is absent.
  public mutating func textsByName(_ name: String, _ help: String) throws(ParameterError) -> [String: String] {
    describe(name, "object of text", "{}", "", help)
    guard let member = find(name) else {
      record(name, "{}")
      return [:]
    }
    guard case .object(let entries) = member.value.content else { throw wrong(member, "an object of text") }
    var values: [String: String] = [:]
    for entry in entries {
      guard case .text(let value) = entry.value.content else {
        throw ParameterError("\(path)\(name).\(entry.key) must be text", at: entry.value.place)
      }
      guard values.updateValue(value, forKey: entry.key) == nil else {
        throw ParameterError("'\(path)\(name).\(entry.key)' is given twice", at: entry.keyPlace)
      }
    }
    let texts = values.sorted { $0.key < $1.key }.map { Self.quoted($0.key) + ":" + Self.quoted($0.value) }
    record(name, "{" + texts.joined(separator: ",") + "}")
    return values
  }

  /// An object parameter, read by `body` with the same strictness; absent means all its defaults.
  public mutating func object<Result>(
    _ name: String, _ help: String,
    _ body: (inout ParameterDecoder) throws(ParameterError) -> Result
  ) throws(ParameterError) -> Result {
    let member = find(name)
    var inner = ParameterDecoder(
      members: [], place: member?.value.place ?? place, describing: isDescribing,
      path: "\(path)\(name).")
    if let member { inner = try ParameterDecoder(member.value, path: "\(path)\(name).") }
    let result = try body(&inner)
    try inner.finish()
    descriptions.append(
      ParameterDescription(
        name: name, type: "object", defaultValue: "{}", unit: "", help: help,
        members: inner.descriptions))
    record(name, inner.canonicalParameters)
    return result
  }

  /// Objects by name, such as weights by group.
  public mutating func objectsByName<Result>(
    _ name: String, _ help: String,
    _ body: (inout ParameterDecoder) throws(ParameterError) -> Result
  ) throws(ParameterError) -> [String: Result] {
    var described = ParameterDecoder.describing()
    _ = try body(&described)
    descriptions.append(
      ParameterDescription(
        name: name, type: "objects by name", defaultValue: "{}", unit: "", help: help,
        members: described.descriptions))
    guard let member = find(name) else {
      record(name, "{}")
      return [:]
    }
    guard case .object(let entries) = member.value.content else { throw wrong(member, "an object") }
    var results: [String: Result] = [:]
    var parts: [(String, String)] = []
    for entry in entries {
      var inner = try ParameterDecoder(entry.value, path: "\(path)\(name).\(entry.key).")
      guard results.updateValue(try body(&inner), forKey: entry.key) == nil else {
        throw ParameterError("'\(path)\(name).\(entry.key)' is given twice", at: entry.keyPlace)
      }
      try inner.finish()
      parts.append((entry.key, inner.canonicalParameters))
    }
    record(
      name,
      "{"
        + parts.sorted { $0.0 < $1.0 }.map { Self.quoted($0.0) + ":" + $0.1 }.joined(separator: ",")
        + "}")
    return results
  }

  /// One of several words, or objects by name: the objects are empty where a word was given, and the
  /// word is the default where objects were.
  public mutating func choiceOrObjectsByName<Result>(
    _ name: String, of choices: [String], default fallback: String, _ help: String,
    _ body: (inout ParameterDecoder) throws(ParameterError) -> Result
  ) throws(ParameterError) -> (choice: String, objects: [String: Result]) {
    guard let member = find(name), case .object = member.value.content else {
      let word = try choice(name, of: choices, default: fallback, help)
      var described = ParameterDecoder.describing()
      _ = try body(&described)
      let words = choices.joined(separator: " | ")
      descriptions[descriptions.count - 1] = ParameterDescription(
        name: name, type: "one of \(words), or objects by name", defaultValue: "'\(fallback)'", unit: "", help: help,
        members: described.descriptions)
      return (word, [:])
    }
    return (fallback, try objectsByName(name, help, body))
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

  /// All resolved parameters, defaults included, in one canonical text (numbers by their bit patterns):
  /// what enters a stage's key.
  public var canonicalParameters: String {
    "{"
      + resolved.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)):\($0.value)" }.joined(
        separator: ",") + "}"
  }

  /// Each resolved parameter as name and canonical value, for `explain`.
  public var resolvedParameters: [(key: String, value: String)] {
    resolved.sorted { $0.key < $1.key }
  }

  /// A canonical value as a pipeline file would write it: bit patterns become numbers again.
  public static func readable(_ canonical: String) -> String {
    var readable = ""
    var rest = canonical[...]
    while let first = rest.first {
      if first == "'" {
        // Text is copied as it stands, up to the quote that is not escaped.
        var isEscaped = false
        let end = rest.dropFirst().firstIndex { character in
          defer { isEscaped = character == "\\" && !isEscaped }
          return character == "'" && !isEscaped
        }
        let last = end.map(rest.index(after:)) ?? rest.endIndex
        readable += rest[..<last]
        rest = rest[last...]
      } else if first == "d" {
        let digits = rest.dropFirst().prefix { $0.isHexDigit }
        readable += UInt64(digits, radix: 16).map { text(Double(bitPattern: $0)) } ?? "d"
        rest = rest.dropFirst(digits.count + 1)
      } else {
        readable.append(first)
        if first == "," || first == ":" { readable.append(" ") }
        rest = rest.dropFirst()
      }
    }
    return readable
  }

  // MARK: Inside

  private func find(_ name: String) -> ParameterValue.Member? { members.first { $0.key == name } }

  private mutating func describe(
    _ name: String, _ type: String, _ fallback: String?, _ unit: String, _ help: String
  ) {
    precondition(!descriptions.contains { $0.name == name }, "parameter '\(name)' is read once")
    descriptions.append(
      ParameterDescription(
        name: name, type: type, defaultValue: fallback, unit: unit, help: help, members: []))
  }

  private mutating func record(_ name: String, _ canonical: String) {
    resolved.append((name, canonical))
  }

  private mutating func missing<Value>(
    _ name: String, _ fallback: Value?, placeholder: Value, _ canonical: (Value) -> String
  ) throws(ParameterError) -> Value {
    guard let value = fallback ?? (isDescribing ? placeholder : nil) else {
      throw ParameterError("'\(path)\(name)' must be given", at: place)
    }
    record(name, canonical(value))
    return value
  }

  private func wrong(_ member: ParameterValue.Member, _ expected: String) -> ParameterError {
    ParameterError("\(path)\(member.key) must be \(expected)", at: member.value.place)
  }

  private func scalar(_ value: ParameterValue) throws(ParameterError) -> String {
    switch value.content {
    case .text(let text): return text
    case .number(let number): return Self.text(number)
    case .logical(let flag): return flag ? "T" : "F"
    case .null, .list, .object: throw ParameterError("a number, true, false or text is expected", at: value.place)
    }
  }

  private static func text(_ value: Double) -> String {
    Int(exactly: value).map { abs($0) < 1 << 53 ? String($0) : "\(value)" } ?? "\(value)"
  }

  /// Unambiguous whatever the printing: the bit pattern. -0 counts as 0.
  private static func canonical(_ value: Double) -> String {
    "d" + String((value == 0 ? 0 : value).bitPattern, radix: 16)
  }

  private static func quoted(_ text: String) -> String {
    "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
  }
}

/// Text of a parameter that means nothing.
public struct ParameterWordError: Error, Sendable, CustomStringConvertible {
  public let description: String

  /// `word`: what stands where one of `known` should.
  public init(_ message: String, word: String? = nil, known: [String] = []) {
    description = message + (word.map { didYouMean($0, among: known) } ?? "")
  }
}

/// The numbers a parameter may take.
public struct NumberRange: Sendable, Equatable {
  let lower: Double
  let upper: Double
  let isOpenBelow: Bool

  public static let any = NumberRange(lower: -.infinity, upper: .infinity, isOpenBelow: false)
  public static let positive = NumberRange(lower: 0, upper: .infinity, isOpenBelow: true)
  public static let notNegative = NumberRange(lower: 0, upper: .infinity, isOpenBelow: false)
  public static func between(_ lower: Double, _ upper: Double) -> NumberRange {
    NumberRange(lower: lower, upper: upper, isOpenBelow: false)
  }
  public static func above(_ lower: Double) -> NumberRange {
    NumberRange(lower: lower, upper: .infinity, isOpenBelow: true)
  }

  func contains(_ value: Double) -> Bool {
    (isOpenBelow ? value > lower : value >= lower) && value <= upper && !value.isNaN
  }

  var text: String {
    if lower == -.infinity { return "a number" }
    let below = isOpenBelow ? "> \(lower.short)" : ">= \(lower.short)"
    return upper == .infinity ? below : "\(below) and <= \(upper.short)"
  }

  var words: String { lower == -.infinity ? "" : " " + text }
  var example: Double { lower == -.infinity ? 0 : upper == .infinity ? lower + 1 : upper }
}

extension Double {
  fileprivate var short: String { Int(exactly: self).map(String.init) ?? "\(self)" }
}

/// " Did you mean 'cutoff'?" for the nearest of the known words, or nothing where none is near.
public func didYouMean(_ word: String, among known: [String]) -> String {
  let near = known.map { ($0, editDistance(word.lowercased(), $0.lowercased())) }.min {
    $0.1 < $1.1
  }
  guard let near, near.1 <= max(2, word.count / 3) else {
    return known.isEmpty ? "" : "; known: " + known.sorted().joined(separator: ", ")
  }
  return "; did you mean '\(near.0)'?"
}

private func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  var previous = Array(0...b.count)
  for i in 0..<a.count {
    var current = [i + 1]
    for j in 0..<b.count {
      current.append(min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1)))
    }
    previous = current
  }
  return previous[b.count]
}
