/// Reads the part of YAML that potential files use: block and flow mappings and sequences, plain and
/// quoted scalars on one line, comments. Anchors, tags and multi-line scalars are refused.
struct YAMLReader {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var lineStart = 0
  private var depth = 0

  static func parse(_ bytes: [UInt8]) throws(PotentialFileError) -> YAMLNode {
    var reader = YAMLReader(bytes: bytes)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      reader.position = 3
      reader.lineStart = 3
    }
    reader.skipBlank()
    if reader.column == 0, reader.matches("---") {
      reader.position += 3
      reader.skipBlank()
    }
    guard reader.position < bytes.count else { throw PotentialFileError("the file is empty") }
    let node = try reader.blockNode()
    reader.skipBlank()
    guard reader.position == bytes.count else {
      throw reader.failure("unexpected text; indentation may be wrong")
    }
    return node
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func failure(_ cause: String) -> PotentialFileError {
    PotentialFileError(line: line, cause)
  }

  private var column: Int { position - lineStart }

  private func byte(_ offset: Int = 0) -> UInt8 {
    position + offset < bytes.count ? bytes[position + offset] : 10
  }

  private func matches(_ text: String) -> Bool {
    text.utf8.enumerated().allSatisfy { byte($0.offset) == $0.element }
  }

  private func isSpace(_ b: UInt8) -> Bool { b == 32 || b == 9 }

  private func isBreak(_ b: UInt8) -> Bool { b == 10 || b == 13 }

  private mutating func skipSpaces() {
    while position < bytes.count, isSpace(byte()) { position += 1 }
  }

  /// Spaces, comments and line ends.
  private mutating func skipBlank() {
    while position < bytes.count {
      switch byte() {
      case 10:
        position += 1
        line += 1
        lineStart = position
      case 32, 9, 13: position += 1
      case UInt8(ascii: "#"):
        while position < bytes.count, byte() != 10 { position += 1 }
      default: return
      }
    }
  }

  /// Whether only spaces or a comment follow on this line.
  private mutating func atLineEnd() -> Bool {
    skipSpaces()
    return position >= bytes.count || isBreak(byte()) || byte() == UInt8(ascii: "#")
  }

  private var atDash: Bool {
    byte() == UInt8(ascii: "-") && (isSpace(byte(1)) || isBreak(byte(1)))
  }

  private var atColon: Bool {
    byte() == UInt8(ascii: ":") && (isSpace(byte(1)) || isBreak(byte(1)))
  }

  private mutating func descend<T>(
    _ body: (inout YAMLReader) throws(PotentialFileError) -> T
  ) throws(PotentialFileError) -> T {
    depth += 1
    guard depth < 64 else { throw failure("nested too deeply") }
    let result = try body(&self)
    depth -= 1
    return result
  }

  // MARK: - block style

  private mutating func blockNode() throws(PotentialFileError) -> YAMLNode {
    try descend { reader throws(PotentialFileError) in
      if reader.atDash { return try reader.blockSequence() }
      let (start, startLine) = (reader.column, reader.line)
      let first = try reader.inlineNode(inFlow: false)
      reader.skipSpaces()
      if reader.line == startLine, reader.atColon {
        return try reader.blockMapping(firstKey: first, column: start)
      }
      return first
    }
  }

  private mutating func blockSequence() throws(PotentialFileError) -> YAMLNode {
    let (start, startLine) = (column, line)
    var items: [YAMLNode] = []
    while position < bytes.count, column == start, atDash {
      position += 1
      items.append(try nested(parent: start, dashAllowed: false))
      skipBlank()
    }
    return YAMLNode(content: .sequence(items), line: startLine)
  }

  private mutating func blockMapping(
    firstKey: YAMLNode, column start: Int
  ) throws(PotentialFileError) -> YAMLNode {
    var entries: [(key: YAMLNode, value: YAMLNode)] = []
    var names = Set<String>()
    var key = firstKey
    while true {
      if let name = key.text, !names.insert(name).inserted {
        throw key.failure(name, "is given twice")
      }
      position += 1
      entries.append((key, try nested(parent: start, dashAllowed: true)))
      skipBlank()
      guard position < bytes.count, column == start, !atDash else { break }
      key = try inlineNode(inFlow: false)
      skipSpaces()
      guard atColon else { throw failure("':' is expected after a key") }
    }
    return YAMLNode(content: .mapping(entries), line: firstKey.line)
  }

  /// What follows a dash or a colon: on this line, or deeper on the next ones.
  private mutating func nested(parent: Int, dashAllowed: Bool) throws(PotentialFileError)
    -> YAMLNode
  {
    if !atLineEnd() {
      // After a dash a mapping may begin on the same line; after a colon it may not.
      if dashAllowed {
        let node = try inlineNode(inFlow: false)
        guard atLineEnd() else { throw failure("unexpected text after a value") }
        return node
      }
      return try blockNode()
    }
    let here = line
    skipBlank()
    let deeper = column > parent || (dashAllowed && column == parent && atDash)
    guard position < bytes.count, deeper else {
      return YAMLNode(content: .scalar(""), line: here)
    }
    return try blockNode()
  }

  // MARK: - flow style and scalars

  private mutating func inlineNode(inFlow: Bool) throws(PotentialFileError) -> YAMLNode {
    switch byte() {
    case UInt8(ascii: "["): return try flowSequence()
    case UInt8(ascii: "{"): return try flowMapping()
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return try quoted()
    case UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "!"), UInt8(ascii: "|"),
      UInt8(ascii: ">"), UInt8(ascii: "%"), UInt8(ascii: "@"), UInt8(ascii: "`"):
      throw failure("anchors, tags and multi-line text are not supported")
    default: return try plain(inFlow: inFlow)
    }
  }

  private mutating func flowSequence() throws(PotentialFileError) -> YAMLNode {
    try descend { reader throws(PotentialFileError) in
      let startLine = reader.line
      var items: [YAMLNode] = []
      reader.position += 1
      while try !reader.flowEnds(with: UInt8(ascii: "]")) {
        items.append(try reader.inlineNode(inFlow: true))
        try reader.flowSeparator(or: UInt8(ascii: "]"))
      }
      return YAMLNode(content: .sequence(items), line: startLine)
    }
  }

  private mutating func flowMapping() throws(PotentialFileError) -> YAMLNode {
    try descend { reader throws(PotentialFileError) in
      let startLine = reader.line
      var entries: [(key: YAMLNode, value: YAMLNode)] = []
      reader.position += 1
      while try !reader.flowEnds(with: UInt8(ascii: "}")) {
        let key = try reader.inlineNode(inFlow: true)
        reader.skipBlank()
        guard reader.byte() == UInt8(ascii: ":") else {
          throw reader.failure("':' is expected after a key")
        }
        if let name = key.text, entries.contains(where: { $0.key.text == name }) {
          throw key.failure(name, "is given twice")
        }
        reader.position += 1
        reader.skipBlank()
        let next = reader.byte()
        let empty = next == UInt8(ascii: ",") || next == UInt8(ascii: "}")
        let value =
          empty
          ? YAMLNode(content: .scalar(""), line: reader.line) : try reader.inlineNode(inFlow: true)
        entries.append((key, value))
        try reader.flowSeparator(or: UInt8(ascii: "}"))
      }
      return YAMLNode(content: .mapping(entries), line: startLine)
    }
  }

  /// Consumes the closing bracket where it is next.
  private mutating func flowEnds(with close: UInt8) throws(PotentialFileError) -> Bool {
    skipBlank()
    guard position < bytes.count else { throw failure("the file ends inside brackets") }
    guard byte() == close else { return false }
    position += 1
    return true
  }

  private mutating func flowSeparator(or close: UInt8) throws(PotentialFileError) {
    skipBlank()
    if position < bytes.count, byte() == UInt8(ascii: ",") {
      position += 1
    } else if position >= bytes.count || byte() != close {
      throw failure("',' or a closing bracket is expected")
    }
  }

  private mutating func quoted() throws(PotentialFileError) -> YAMLNode {
    let quote = byte()
    var text: [UInt8] = []
    position += 1
    while true {
      guard position < bytes.count, !isBreak(byte()) else { throw failure("a quote is not closed") }
      let b = byte()
      position += 1
      if b == quote {
        guard quote == UInt8(ascii: "'"), byte() == quote else { break }
        text.append(quote)
        position += 1
      } else if b == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        let escaped = byte()
        position += 1
        switch escaped {
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escaped)
        default: throw failure("an escape sequence that is not supported")
        }
      } else {
        text.append(b)
      }
    }
    return YAMLNode(content: .scalar(String(decoding: text, as: UTF8.self)), line: line)
  }

  private mutating func plain(inFlow: Bool) throws(PotentialFileError) -> YAMLNode {
    let start = position
    while position < bytes.count, !isBreak(byte()) {
      let b = byte()
      if b == UInt8(ascii: ":") {
        let next = byte(1)
        if isSpace(next) || isBreak(next) { break }
        if inFlow, next == UInt8(ascii: ",") || next == UInt8(ascii: "}") { break }
      }
      if b == UInt8(ascii: "#"), position > start, isSpace(bytes[position - 1]) { break }
      if inFlow {
        if b == UInt8(ascii: ",") || b == UInt8(ascii: "]") || b == UInt8(ascii: "}") { break }
        if b == UInt8(ascii: "[") || b == UInt8(ascii: "{") { break }
      }
      position += 1
    }
    var end = position
    while end > start, isSpace(bytes[end - 1]) { end -= 1 }
    guard end > start else { throw failure("a value is expected") }
    return YAMLNode(
      content: .scalar(String(decoding: bytes[start..<end], as: UTF8.self)), line: line)
  }
}
