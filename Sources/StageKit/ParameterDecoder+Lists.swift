// Parameters of several values: lists, and values by name.

extension ParameterDecoder {
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
}
