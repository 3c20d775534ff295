import Engine
import Foundation
import StageKit
import TestSupport
import Testing

@Suite struct JSON5Tests {
  @Test func everyKindOfValueHasItsPlace() throws {
    let text = """
      // a comment
      { plain: 1, 'single': "two",
        "double": [true, null, 0x1F, ], /* in
        between */ $last_1: { },
      }
      """
    let value = try JSON5.parse(text)
    guard case .object(let members) = value.content else {
      Issue.record("not an object")
      return
    }
    #expect(value.place == TextPlace(line: 2, column: 1))
    #expect(members.map(\.key) == ["plain", "single", "double", "$last_1"])
    #expect(members.map(\.keyPlace.line) == [2, 2, 3, 4])
    #expect(members.map(\.keyPlace.column) == [3, 13, 3, 14])
    #expect(members.map(\.value.place.column) == [10, 23, 13, 23])
    #expect(
      members[2].value.content
        == .list([
          ParameterValue(.logical(true), at: TextPlace(line: 3, column: 14)),
          ParameterValue(.null, at: TextPlace(line: 3, column: 20)),
          ParameterValue(.number(31), at: TextPlace(line: 3, column: 26)),
        ]))
  }

  @Test func columnsCountCharactersAndLinesCountAnyLineEnd() throws {
    let value = try JSON5.parse("{ 'Å🦊': 1,\r\n b: 2,\r c: 3 }")
    guard case .object(let members) = value.content else {
      Issue.record("not an object")
      return
    }
    #expect(members.map(\.value.place.column) == [9, 5, 5])
    #expect(members.map(\.keyPlace.line) == [1, 2, 3])
  }

  @Test func duplicateKeysAreKept() throws {
    guard case .object(let members) = try JSON5.parse("{a: 1, a: 2}").content else {
      Issue.record("not an object")
      return
    }
    #expect(members.map(\.value.content) == [.number(1), .number(2)])
  }

  @Test(arguments: [
    ("+5.5", 5.5), (".5", 0.5), ("5.", 5), ("-0x10", -16), ("1e3", 1000), ("-.25E-2", -0.0025),
    ("0", 0), ("Infinity", .infinity), ("-Infinity", -.infinity), ("0xFFFFFFFF", 4_294_967_295),
    ("4.9406564584124654e-324", Double.leastNonzeroMagnitude),
    ("1.7976931348623157e308", 1.7976931348623157e308),
  ]) func numbers(_ text: String, _ expected: Double) throws {
    #expect(try JSON5.parse(text).content == .number(expected))
  }

  @Test func notANumberIsANumber() throws {
    guard case .number(let value) = try JSON5.parse("-NaN").content else {
      Issue.record("not a number")
      return
    }
    #expect(value.isNaN)
  }

  @Test func escapes() throws {
    let text = #"'\b\f\n\r\t\v\0\x41\u00e9\ud83e\udd8a\'\"\q\/"# + "\\\r\n" + "end'"
    #expect(
      try JSON5.parse(text).content
        == .text("\u{08}\u{0C}\n\r\t\u{0B}\0Aé🦊'\"q/end"))
    #expect(try JSON5.parse(#"{\u0061b: 1}"#).member("ab") != nil)
  }

  /// The marked character `‸` is where the error must point.
  @Test(arguments: [
    ("{ a: ‸}", "expected a value, but found '}'"),
    ("{ a ‸1 }", "expected ':' after the key 'a', but found '1'"),
    ("{ a: 1 ‸b: 2 }", "expected ',' or '}', but found 'b'"),
    ("[1 ‸2]", "expected ',' or ']', but found '2'"),
    ("{ ‸1a: 2 }", "expected a key or '}', but found '1'"),
    ("\n  ‸{ a: 1,", "'{' is never closed"), ("‸[1,", "'[' is never closed"),
    ("{ a: ‸'abc\n' }", "text is not closed on its line"), ("‸'abc", "text is never closed"),
    ("1 ‸2", "expected nothing after the value, but found '2'"),
    ("‸", "expected a value, but the text ends"), ("‸/* x", "'/*' is never closed"),
    ("{ a: ‸yes }", "expected a value, but found 'yes'; text must be in quotes"),
    ("‸012", "may not start with 0"), ("1‸x", "a number may not go on with 'x'"),
    ("1.2‸.3", "a number may not go on with '.'"), (".‸", "expected a digit"),
    ("1e‸", "expected the digits of an exponent"), ("0x‸", "expected a hexadecimal digit"),
    ("‸1e999", "too large"), ("‸0x1FFFFFFFFFFFFFFFF", "too large"),
    ("'‸\\u12'", "expected 4 hexadecimal digits"), ("'‸\\ud800'", "half of a surrogate pair"),
    ("'‸\\01'", "must not be followed by a digit"), ("'‸\\1'", "is not an escape"),
  ]) func errorsHaveTheirPlace(_ marked: String, _ words: String) {
    let parts = marked.split(separator: "‸", omittingEmptySubsequences: false)
    let lines = parts[0].split(separator: "\n", omittingEmptySubsequences: false)
    let expected = TextPlace(line: lines.count, column: lines.last!.unicodeScalars.count + 1)
    let error = #expect(throws: ParameterError.self) { try JSON5.parse(parts.joined()) }
    #expect(error?.place == expected, "\(marked): \(error?.message ?? "")")
    #expect(error?.message.contains(words) == true, "\(marked): \(error?.message ?? "")")
  }

  @Test func invalidTextIsRefusedWithItsPlace() {
    let error = #expect(throws: ParameterError.self) {
      try JSON5.parse(Array("{\n a: '".utf8) + [0xFF, 0x27, 0x7D])
    }
    #expect(error?.place == TextPlace(line: 2, column: 6))
  }

  @Test func nestingIsBounded() throws {
    let nested = { (depth: Int) in
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try JSON5.parse(nested(JSON5.depthLimit + 1))
    #expect(throws: ParameterError.self) { try JSON5.parse(nested(JSON5.depthLimit + 2)) }
    #expect(throws: ParameterError.self) { try JSON5.parse(nested(100_000)) }
  }

  // MARK: Against Foundation

  /// Texts put together from tokens that matter, most nearly valid, many not. No-break spaces are left
  /// out: JSON5 takes them as space, Foundation does not.
  static func texts(_ count: Int, seed: UInt64) -> [String] {
    var random = SeededGenerator(seed: seed)
    let scalars = [
      "1", "0", "-1", "+5.5", ".5", "5.", "0x1F", "-0xa", "1e3", "1E-2", "01", "1.2.3", "0x", "--1",
      "Infinity", "-Infinity", "true", "false", "null", "tru", "'a'", "\"b\"", "'it\"s'",
      "'\\n'", "'\\x41'", "'\\u00e9'", "'un", "\"\\\"\"", "''", "1 2", "+", ".", "e1", "'\\u12'",
    ]
    let keys = ["a", "b1", "_c", "$d", "'e'", "\"f g\"", "1x", "g-h", "ключ", "", "null"]
    let spaces = ["", " ", "\n", "\t", "// c\n", "/* d */", "/*", "//"]
    func pick(_ list: [String]) -> String { list[Int(random.next() % UInt64(list.count))] }
    func space() -> String { random.next() % 4 == 0 ? pick(spaces) : "" }
    func value(_ depth: Int) -> String {
      let kind = random.next() % (depth > 3 ? 4 : 8)
      if kind < 4 { return pick(scalars) }
      let count = Int(random.next() % 4)
      var inside = ""
      for index in 0..<count {
        if kind >= 6 { inside += space() + pick(keys) + space() + ":" }
        inside += space() + value(depth + 1) + space()
        if index < count - 1 || random.next() % 4 == 0 {
          inside += random.next() % 20 == 0 ? "" : ","
        }
      }
      let (open, close) = kind >= 6 ? ("{", "}") : ("[", "]")
      return open + inside + (random.next() % 40 == 0 ? "" : close)
    }
    return (0..<count).map { _ in space() + value(0) + space() }
  }

  @Test(arguments: [1, 2, 3] as [UInt64]) func agreesWithFoundation(_ seed: UInt64) throws {
    var accepted = 0
    let decoder = JSONDecoder()
    decoder.allowsJSON5 = true
    for text in Self.texts(2000, seed: seed) {
      let theirs = try? decoder.decode(AnyValue.self, from: Data(text.utf8))
      let ours = try? JSON5.parse(text)
      #expect((ours == nil) == (theirs == nil), "\(text.debugDescription)")
      if let ours, let theirs {
        accepted += 1
        #expect(Self.isSame(ours, theirs), "\(text.debugDescription): \(ours) \(theirs)")
      }
    }
    #expect((500..<1800).contains(accepted), "\(accepted) accepted: both answers are exercised")
  }

  private static func isSame(_ ours: ParameterValue, _ theirs: AnyValue) -> Bool {
    switch (ours.content, theirs) {
    case (.null, .null): return true
    case (.logical(let a), .logical(let b)): return a == b
    case (.number(let a), .number(let b)): return a == b
    case (.text(let a), .text(let b)): return a == b
    case (.list(let a), .list(let b)): return a.count == b.count && zip(a, b).allSatisfy(isSame)
    case (.object(let members), .object(let object)):
      // Foundation keeps one of several members of one key; which one is not documented.
      let keys = Set(members.map(\.key))
      return keys == Set(object.keys)
        && keys.allSatisfy { key in
          members.contains { $0.key == key && isSame($0.value, object[key]!) }
        }
    default: return false
    }
  }

  /// No bytes crash the reader, and what it accepts it accepts again.
  @Test func mutatedTextsNeverCrash() {
    var random = SeededGenerator(seed: 7)
    for text in Self.texts(500, seed: 8) {
      var bytes = Array(text.utf8)
      for _ in 0..<3 where !bytes.isEmpty {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      let first = try? JSON5.parse(bytes)
      let second = try? JSON5.parse(bytes)
      #expect("\(String(describing: first))" == "\(String(describing: second))")
    }
  }
}

extension ParameterValue {
  fileprivate func member(_ name: String) -> ParameterValue? {
    guard case .object(let members) = content else { return nil }
    return members.first { $0.key == name }?.value
  }
}

/// Whatever Foundation reads.
private indirect enum AnyValue: Decodable {
  case null
  case logical(Bool)
  case number(Double)
  case text(String)
  case list([AnyValue])
  case object([String: AnyValue])

  init(from decoder: any Decoder) throws {
    if let object = try? [String: AnyValue](from: decoder) {
      self = .object(object)
    } else if let list = try? [AnyValue](from: decoder) {
      self = .list(list)
    } else {
      let value = try decoder.singleValueContainer()
      if value.decodeNil() {
        self = .null
      } else if let logical = try? value.decode(Bool.self) {
        self = .logical(logical)
      } else if let text = try? value.decode(String.self) {
        self = .text(text)
      } else {
        self = .number(try value.decode(Double.self))
      }
    }
  }
}
