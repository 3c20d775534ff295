/// A value of a YAML file with its line. Scalars are kept as text.
struct YAMLNode {
  enum Content {
    case scalar(String)
    case sequence([YAMLNode])
    case mapping([(key: YAMLNode, value: YAMLNode)])
  }

  let content: Content
  /// From 1.
  let line: Int

  func failure(_ field: String, _ cause: String) -> PotentialFileError {
    PotentialFileError(line: line, field: field, cause)
  }

  /// The text of a scalar key such as `nbody`.
  var text: String? {
    if case .scalar(let text) = content { return text }
    return nil
  }

  func entries(_ field: String) throws(PotentialFileError) -> [(key: YAMLNode, value: YAMLNode)] {
    switch content {
    case .mapping(let entries): return entries
    case .scalar(""): return []
    default: throw failure(field, "a mapping is expected here")
    }
  }

  func items(_ field: String) throws(PotentialFileError) -> [YAMLNode] {
    switch content {
    case .sequence(let items): return items
    case .scalar(""): return []
    default: throw failure(field, "a list is expected here")
    }
  }

  /// The value of a key of a mapping; nil where it is absent.
  func optional(_ key: String, in field: String = "") throws(PotentialFileError) -> YAMLNode? {
    try entries(field.isEmpty ? key : field).first { $0.key.text == key }?.value
  }

  func required(_ key: String, in field: String = "") throws(PotentialFileError) -> YAMLNode {
    guard let node = try optional(key, in: field) else { throw failure(key, "is missing") }
    return node
  }

  func string(_ field: String) throws(PotentialFileError) -> String {
    guard let text else { throw failure(field, "text is expected here") }
    return text
  }

  /// A finite number.
  func double(_ field: String) throws(PotentialFileError) -> Double {
    guard let text, let value = Double(text), value.isFinite else {
      throw failure(field, "a finite number is expected, not '\(shown)'")
    }
    return value
  }

  /// An integer, also if written as 3.0.
  func int(_ field: String) throws(PotentialFileError) -> Int {
    if let text, let value = Int(text) { return value }
    if let text, let value = Double(text), let whole = Int(exactly: value) { return whole }
    throw failure(field, "an integer is expected, not '\(shown)'")
  }

  /// An integer that no sane file exceeds, so that arithmetic with it cannot overflow.
  func small(_ field: String) throws(PotentialFileError) -> Int {
    let value = try int(field)
    guard value.magnitude <= 10_000 else { throw failure(field, "\(value) is out of range") }
    return value
  }

  func doubles(_ field: String) throws(PotentialFileError) -> [Double] {
    var values: [Double] = []
    for item in try items(field) { values.append(try item.double(field)) }
    return values
  }

  func ints(_ field: String) throws(PotentialFileError) -> [Int] {
    var values: [Int] = []
    for item in try items(field) { values.append(try item.small(field)) }
    return values
  }

  private var shown: String {
    switch content {
    case .scalar(let text): String(text.prefix(40))
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }
}
