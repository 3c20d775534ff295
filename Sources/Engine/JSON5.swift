// The bytes of a JSON5 text go in, values with the place of each key and value come out.

import StageKit

/// Reads JSON5 (spec.json5.org). Duplicate keys are kept, in the order of the text, for the decoder
/// to refuse. Places count lines and Unicode scalars from 1.
public enum JSON5 {
  /// How deep lists and objects may nest.
  public static let depthLimit = 64

  public static func parse(_ text: String) throws(ParameterError) -> ParameterValue {
    try parse(Array(text.utf8))
  }

  public static func parse(_ bytes: [UInt8]) throws(ParameterError) -> ParameterValue {
    var reader = JSON5Reader(try JSON5Reader.scalars(bytes))
    return try reader.document()
  }
}

/// A cursor over Unicode scalars that knows its line and column.
private struct JSON5Reader {
  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var line = 1
  private var column = 1

  init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

  static func scalars(_ bytes: [UInt8]) throws(ParameterError) -> [Unicode.Scalar] {
    var scalars: [Unicode.Scalar] = []
    scalars.reserveCapacity(bytes.count)
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let scalar): scalars.append(scalar)
      case .emptyInput: return scalars
      case .error:
        var reader = JSON5Reader(scalars)
        while reader.peek != nil { reader.advance() }
        throw reader.error("the text is not valid UTF-8 here")
      }
    }
  }

  // MARK: Moving

  private var peek: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private func peek(_ offset: Int) -> Unicode.Scalar? {
    position + offset < scalars.count ? scalars[position + offset] : nil
  }

  private var place: TextPlace { TextPlace(line: line, column: column) }

  /// "\r\n" counts as one line end, as editors count.
  private mutating func advance() {
    let scalar = scalars[position]
    position += 1
    if scalar == "\n" || (scalar == "\r" && peek != "\n") {
      line += 1
      column = 1
    } else {
      column += 1
    }
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek == scalar else { return false }
    advance()
    return true
  }

  private func error(_ message: String, at place: TextPlace? = nil) -> ParameterError {
    ParameterError(message, at: place ?? self.place)
  }

  /// "expected a value, but found '}'"
  private func expected(_ what: String) -> ParameterError {
    error("expected \(what), but " + (peek.map { "found \(Self.shown($0))" } ?? "the text ends"))
  }

  private static func shown(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n", "\r": "the end of the line"
    case "'": "\"'\""
    case _ where scalar.value < 32 || (127..<160).contains(scalar.value):
      "the character U+" + hexadecimal(scalar.value)
    default: "'\(scalar)'"
    }
  }

  private static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  // MARK: Grammar

  mutating func document() throws(ParameterError) -> ParameterValue {
    try skipSpace()
    let result = try value(depth: 0)
    try skipSpace()
    if peek != nil { throw expected("nothing after the value") }
    return result
  }

  private mutating func value(depth: Int) throws(ParameterError) -> ParameterValue {
    let start = place
    if depth > JSON5.depthLimit {
      throw error("nested more than \(JSON5.depthLimit) deep")
    }
    switch peek {
    case "{": return ParameterValue(.object(try members(depth)), at: start)
    case "[": return ParameterValue(.list(try items(depth)), at: start)
    case "'", "\"": return ParameterValue(.text(try string()), at: start)
    case let scalar? where "+-.".unicodeScalars.contains(scalar) || Self.isDigit(scalar):
      return ParameterValue(.number(try number()), at: start)
    case let scalar? where Self.startsIdentifier(scalar):
      let (word, end) = self.word()
      let content: ParameterValue.Content
      switch word {
      case "null": content = .null
      case "true": content = .logical(true)
      case "false": content = .logical(false)
      case "Infinity": content = .number(.infinity)
      case "NaN": content = .number(.nan)
      default:
        throw error(
          "expected a value, but found '\(word)'; text must be in quotes", at: start)
      }
      while position < end { advance() }
      return ParameterValue(content, at: start)
    default: throw expected("a value")
    }
  }

  private mutating func members(_ depth: Int) throws(ParameterError) -> [ParameterValue.Member] {
    let start = place
    advance()
    var members: [ParameterValue.Member] = []
    while true {
      try skipSpace()
      if take("}") { return members }
      if peek == nil { throw error("'{' is never closed", at: start) }
      let keyPlace = place
      let key = try key()
      try skipSpace()
      guard take(":") else { throw expected("':' after the key '\(key)'") }
      try skipSpace()
      let value = try value(depth: depth + 1)
      members.append(ParameterValue.Member(key: key, keyPlace: keyPlace, value: value))
      try skipSpace()
      if take(",") { continue }
      guard peek == "}" || peek == nil else { throw expected("',' or '}'") }
    }
  }

  private mutating func items(_ depth: Int) throws(ParameterError) -> [ParameterValue] {
    let start = place
    advance()
    var items: [ParameterValue] = []
    while true {
      try skipSpace()
      if take("]") { return items }
      if peek == nil { throw error("'[' is never closed", at: start) }
      items.append(try value(depth: depth + 1))
      try skipSpace()
      if take(",") { continue }
      guard peek == "]" || peek == nil else { throw expected("',' or ']'") }
    }
  }

  private mutating func key() throws(ParameterError) -> String {
    switch peek {
    case "'", "\"": return try string()
    case let scalar? where Self.startsIdentifier(scalar) || scalar == "\\":
      var key = String.UnicodeScalarView()
      while let scalar = peek {
        let start = place
        if scalar == "\\" {
          advance()
          guard take("u") else { throw error("only \\uXXXX may stand in a key", at: start) }
          let escaped = try unicode(start)
          guard key.isEmpty ? Self.startsIdentifier(escaped) : Self.continuesIdentifier(escaped)
          else { throw error("this character may not stand in a key without quotes", at: start) }
          key.append(escaped)
        } else if Self.continuesIdentifier(scalar) {
          key.append(scalar)
          advance()
        } else {
          break
        }
      }
      return String(key)
    default: throw expected("a key or '}'")
    }
  }

  /// The identifier ahead, without taking it.
  private func word() -> (String, end: Int) {
    var end = position
    var word = String.UnicodeScalarView()
    while end < scalars.count, Self.continuesIdentifier(scalars[end]) {
      word.append(scalars[end])
      end += 1
    }
    return (String(word), end)
  }

  private static func startsIdentifier(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == "$" || scalar == "_" { return true }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
      .letterNumber:
      return true
    default: return false
    }
  }

  private static func continuesIdentifier(_ scalar: Unicode.Scalar) -> Bool {
    if startsIdentifier(scalar) || scalar == "\u{200C}" || scalar == "\u{200D}" { return true }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }

  // MARK: Space and comments

  private mutating func skipSpace() throws(ParameterError) {
    while let scalar = peek {
      switch scalar {
      case "\t", "\n", "\u{0B}", "\u{0C}", "\r", " ", "\u{A0}", "\u{2028}", "\u{2029}", "\u{FEFF}":
        advance()
      case "/" where peek(1) == "/":
        while let next = peek, !Self.endsLine(next) { advance() }
      case "/" where peek(1) == "*":
        let start = place
        advance()
        advance()
        while !(peek == "*" && peek(1) == "/") {
          if peek == nil { throw error("'/*' is never closed", at: start) }
          advance()
        }
        advance()
        advance()
      case _ where scalar.properties.generalCategory == .spaceSeparator: advance()
      default: return
      }
    }
  }

  private static func endsLine(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "\n" || scalar == "\r" || scalar == "\u{2028}" || scalar == "\u{2029}"
  }

  // MARK: Text

  private mutating func string() throws(ParameterError) -> String {
    let start = place
    let quote = scalars[position]
    advance()
    var text = String.UnicodeScalarView()
    while let scalar = peek {
      if scalar == quote {
        advance()
        return String(text)
      }
      if scalar == "\n" || scalar == "\r" {
        throw error("text is not closed on its line; \(quote) was opened here", at: start)
      }
      if scalar == "\\" {
        if let escaped = try escape() { text.append(escaped) }
      } else {
        text.append(scalar)
        advance()
      }
    }
    throw error("text is never closed; \(quote) was opened here", at: start)
  }

  /// After a backslash; nil for a line that goes on.
  private mutating func escape() throws(ParameterError) -> Unicode.Scalar? {
    let start = place
    advance()
    guard let scalar = peek else { throw error("the text ends after '\\'", at: start) }
    if Self.endsLine(scalar) {
      let isReturn = scalar == "\r"
      advance()
      if isReturn { _ = take("\n") }
      return nil
    }
    advance()
    switch scalar {
    case "b": return "\u{08}"
    case "f": return "\u{0C}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "v": return "\u{0B}"
    case "0":
      if let next = peek, Self.isDigit(next) {
        throw error("'\\0' must not be followed by a digit", at: start)
      }
      return "\0"
    case "x": return Unicode.Scalar(try hexadecimal(digits: 2, start))
    case "u": return try unicode(start)
    case "1"..."9": throw error("'\\\(scalar)' is not an escape", at: start)
    default: return scalar
    }
  }

  /// After `\u`: four digits, and a second escape where they are the first half of a pair.
  private mutating func unicode(_ start: TextPlace) throws(ParameterError) -> Unicode.Scalar {
    let first = try hexadecimal(digits: 4, start)
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xDC00, take("\\"), take("u") else {
      throw error("\\u\(Self.hexadecimal(first)) is half of a surrogate pair", at: start)
    }
    let second = try hexadecimal(digits: 4, start)
    guard (0xDC00..<0xE000).contains(second),
      let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    else { throw error("\\u\(Self.hexadecimal(first)) is half of a surrogate pair", at: start) }
    return scalar
  }

  private mutating func hexadecimal(digits: Int, _ start: TextPlace) throws(ParameterError)
    -> UInt32
  {
    var value: UInt32 = 0
    for _ in 0..<digits {
      guard let scalar = peek, let digit = Self.hexadecimalDigit(scalar) else {
        throw error("expected \(digits) hexadecimal digits after the backslash", at: start)
      }
      value = value << 4 | UInt32(digit)
      advance()
    }
    return value
  }

  private static func hexadecimalDigit(_ scalar: Unicode.Scalar) -> UInt8? {
    switch scalar {
    case "0"..."9": UInt8(scalar.value - 0x30)
    case "a"..."f": UInt8(scalar.value - 0x61 + 10)
    case "A"..."F": UInt8(scalar.value - 0x41 + 10)
    default: nil
    }
  }

  // MARK: Numbers

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
    (0x30...0x39).contains(scalar.value)
  }

  private mutating func number() throws(ParameterError) -> Double {
    let start = place
    var isNegative = false
    if peek == "+" || peek == "-" {
      isNegative = peek == "-"
      advance()
    }
    let magnitude = try magnitude(start)
    if let next = peek, Self.continuesIdentifier(next) || next == "." {
      throw error("a number may not go on with \(Self.shown(next))")
    }
    return isNegative ? -magnitude : magnitude
  }

  private mutating func magnitude(_ start: TextPlace) throws(ParameterError) -> Double {
    let (word, end) = word()
    if word == "Infinity" || word == "NaN" {
      while position < end { advance() }
      return word == "NaN" ? .nan : .infinity
    }
    if peek == "0", peek(1) == "x" || peek(1) == "X" { return try hexadecimalNumber(start) }

    var digits = decimalDigits()
    if digits.count > 1, digits.hasPrefix("0") {
      throw error("a number may not start with 0 and another digit", at: start)
    }
    var isNumber = !digits.isEmpty
    if digits.isEmpty { digits = "0" }
    if take(".") {
      let fraction = decimalDigits()
      isNumber = isNumber || !fraction.isEmpty
      digits += "." + (fraction.isEmpty ? "0" : fraction)
    }
    guard isNumber else { throw expected("a digit") }
    if take("e") || take("E") {
      digits += "e"
      if peek == "+" || peek == "-" {
        digits.unicodeScalars.append(scalars[position])
        advance()
      }
      let exponent = decimalDigits()
      guard !exponent.isEmpty else { throw expected("the digits of an exponent") }
      digits += exponent
    }
    guard let value = Double(digits), value.isFinite else {
      throw error("the number is too large", at: start)
    }
    return value
  }

  private mutating func decimalDigits() -> String {
    var digits = ""
    while let scalar = peek, Self.isDigit(scalar) {
      digits.unicodeScalars.append(scalar)
      advance()
    }
    return digits
  }

  private mutating func hexadecimalNumber(_ start: TextPlace) throws(ParameterError) -> Double {
    advance()
    advance()
    var value: UInt64 = 0
    var count = 0
    while let scalar = peek, let digit = Self.hexadecimalDigit(scalar) {
      guard value >> 60 == 0 else { throw error("the number is too large", at: start) }
      value = value << 4 | UInt64(digit)
      count += 1
      advance()
    }
    guard count > 0 else { throw expected("a hexadecimal digit") }
    return Double(value)
  }
}
