// Parameters that are objects with parameters of their own.

extension ParameterDecoder {
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
}
