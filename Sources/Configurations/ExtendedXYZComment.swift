// The comment line of an extended XYZ frame comes in, its keys and values go out.

/// One `key=value` of a comment line, with the value still as bytes of that line.
struct ExtendedXYZEntry {
  enum Form {
    /// A key without a value, which means true.
    case flag
    /// A word without quotes.
    case bare
    /// Between double quotes; `escaped` where a backslash occurs in it.
    case quoted(escaped: Bool)
    /// Between braces: the old style of arrays.
    case braced
    /// Between brackets: the new style of arrays, perhaps nested.
    case bracketed
  }

  var key: String
  var form: Form
  /// The bytes of the value without its quotes or outer brackets.
  var range: Range<Int>
}

/// Splits a comment line into entries.
struct ExtendedXYZComment {
  typealias Bytes = UnsafeBufferPointer<UInt8>

  struct Malformed: Error {
    var column: Int
    var cause: String
  }

  private let bytes: Bytes
  private var i = 0

  static func entries(of bytes: Bytes) throws(Malformed) -> [ExtendedXYZEntry] {
    var parser = ExtendedXYZComment(bytes: bytes)
    var entries: [ExtendedXYZEntry] = []
    entries.reserveCapacity(8)
    while try parser.parseEntry(into: &entries) {}
    return entries
  }

  private init(bytes: Bytes) { self.bytes = bytes }

  private mutating func parseEntry(into entries: inout [ExtendedXYZEntry]) throws(Malformed) -> Bool {
    skipBlanks()
    guard i < bytes.count else { return false }
    let key: String
    if bytes[i] == UInt8(ascii: "\"") {
      let (range, escaped) = try quotedRange()
      key = Self.unescaped(bytes, range, escaped)
    } else {
      let first = i
      while i < bytes.count, !isBlank(bytes[i]), bytes[i] != UInt8(ascii: "=") { i += 1 }
      key = String(decoding: bytes[first..<i], as: UTF8.self)
    }
    let afterKey = i
    skipBlanks()
    guard i < bytes.count, bytes[i] == UInt8(ascii: "=") else {
      i = afterKey
      entries.append(ExtendedXYZEntry(key: key, form: .flag, range: i..<i))
      return true
    }
    if key.isEmpty { throw Malformed(column: i + 1, cause: "'=' without a key before it") }
    i += 1
    skipBlanks()
    let (form, range) = try parseValue()
    entries.append(ExtendedXYZEntry(key: key, form: form, range: range))
    return true
  }

  private mutating func parseValue() throws(Malformed) -> (ExtendedXYZEntry.Form, Range<Int>) {
    guard i < bytes.count else { return (.bare, i..<i) }
    switch bytes[i] {
    case UInt8(ascii: "\""):
      let (range, escaped) = try quotedRange()
      return (.quoted(escaped: escaped), range)
    case UInt8(ascii: "{"): return (.braced, try bracketRange(UInt8(ascii: "{"), UInt8(ascii: "}")))
    case UInt8(ascii: "["):
      return (.bracketed, try bracketRange(UInt8(ascii: "["), UInt8(ascii: "]")))
    default:
      let first = i
      while i < bytes.count, !isBlank(bytes[i]) { i += 1 }
      return (.bare, first..<i)
    }
  }

  private mutating func quotedRange() throws(Malformed) -> (Range<Int>, escaped: Bool) {
    let open = i
    var escaped = false
    i += 1
    while i < bytes.count, bytes[i] != UInt8(ascii: "\"") {
      if bytes[i] == UInt8(ascii: "\\") {
        escaped = true
        i += 1
      }
      i += 1
    }
    guard i < bytes.count else {
      throw Malformed(column: open + 1, cause: "a quotation mark is opened and never closed")
    }
    i += 1
    return (open + 1..<i - 1, escaped)
  }

  private mutating func bracketRange(_ open: UInt8, _ close: UInt8) throws(Malformed) -> Range<Int> {
    let first = i
    var depth = 0
    while i < bytes.count {
      let byte = bytes[i]
      if byte == UInt8(ascii: "\"") {
        _ = try quotedRange()
        continue
      }
      if byte == open { depth += 1 }
      if byte == close { depth -= 1 }
      i += 1
      if depth == 0 { return first + 1..<i - 1 }
    }
    throw Malformed(column: first + 1, cause: "a bracket is opened and never closed")
  }

  private mutating func skipBlanks() { while i < bytes.count, isBlank(bytes[i]) { i += 1 } }

  private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

  /// The text of a value: `\n` is a line feed, any other escaped character stands for itself.
  static func unescaped(_ bytes: Bytes, _ range: Range<Int>, _ escaped: Bool) -> String {
    guard escaped else { return String(decoding: bytes[range], as: UTF8.self) }
    var text: [UInt8] = []
    var i = range.lowerBound
    while i < range.upperBound {
      if bytes[i] == UInt8(ascii: "\\"), i + 1 < range.upperBound {
        i += 1
        text.append(bytes[i] == UInt8(ascii: "n") ? 0x0A : bytes[i])
      } else {
        text.append(bytes[i])
      }
      i += 1
    }
    return String(decoding: text, as: UTF8.self)
  }
}

// What the values mean.
extension ExtendedXYZEntry {
  typealias Bytes = UnsafeBufferPointer<UInt8>

  func text(_ bytes: Bytes) -> String {
    if case .quoted(let escaped) = form {
      return ExtendedXYZComment.unescaped(bytes, range, escaped)
    }
    if case .flag = form { return "T" }
    return String(decoding: bytes[range], as: UTF8.self)
  }

  /// The value as numbers in the order written, nested brackets flattened; nil where anything in it
  /// is not a number.
  func numbers(_ bytes: Bytes) -> [Double]? {
    guard let base = bytes.baseAddress else { return nil }
    if case .flag = form { return nil }
    var values: [Double] = []
    var i = range.lowerBound
    while true {
      while i < range.upperBound, isSeparator(bytes[i]) { i += 1 }
      if i == range.upperBound { return values }
      guard let value = DecimalNumber.scan(base, &i, range.upperBound),
        i == range.upperBound || isSeparator(bytes[i])
      else { return nil }
      values.append(value)
    }
  }

  func number(_ bytes: Bytes) -> Double? {
    guard let values = numbers(bytes), values.count == 1 else { return nil }
    return values[0]
  }

  func integer(_ bytes: Bytes) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    var i = range.lowerBound
    guard let value = DecimalNumber.scanInteger(base, &i, range.upperBound), i == range.upperBound
    else { return nil }
    return value
  }

  /// The value as logicals ("T F T", [True, False]); nil where anything in it is not one.
  func logicals(_ bytes: Bytes) -> [Bool]? {
    if case .flag = form { return [true] }
    var values: [Bool] = []
    for word in bytes[range].split(whereSeparator: isSeparator) {
      guard let value = Self.logical(UnsafeBufferPointer(rebasing: word)) else { return nil }
      values.append(value)
    }
    return values
  }

  static func logical(_ word: Bytes) -> Bool? {
    switch word.count {
    case 1:
      switch word[0] {
      case UInt8(ascii: "T"), UInt8(ascii: "1"): return true
      case UInt8(ascii: "F"), UInt8(ascii: "0"): return false
      default: return nil
      }
    case 4, 5:
      switch String(decoding: word, as: UTF8.self) {
      case "True", "true", "TRUE": return true
      case "False", "false", "FALSE": return false
      default: return nil
      }
    default: return nil
    }
  }

  private func isSeparator(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x20, 0x09, 0x0D, UInt8(ascii: ","): return true
    case UInt8(ascii: "["), UInt8(ascii: "]"):
      if case .bracketed = form { return true }
      return false
    default: return false
    }
  }

  /// The value as a property of its most natural type. A quoted single word is text, even where it
  /// looks like a number, and so is anything with an escape in it; so texts survive a round trip.
  func property(_ bytes: Bytes) -> PropertyValue {
    switch form {
    case .flag: return .logical(true)
    case .bare:
      if let integer = integer(bytes) { return .integer(integer) }
      if let number = number(bytes) { return .real(number) }
      if let logicals = logicals(bytes), logicals.count == 1 { return .logical(logicals[0]) }
      return .text(text(bytes))
    case .quoted(let escaped):
      if !escaped, let numbers = numbers(bytes), numbers.count > 1 { return .reals(numbers) }
      return .text(text(bytes))
    case .braced, .bracketed:
      if let numbers = numbers(bytes) { return .reals(numbers) }
      return .text(text(bytes))
    }
  }
}
