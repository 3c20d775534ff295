// Parameters as one text, whatever their spelling and order in the file.

extension ParameterDecoder {
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

  static func text(_ value: Double) -> String {
    Int(exactly: value).map { abs($0) < 1 << 53 ? String($0) : "\(value)" } ?? "\(value)"
  }

  /// Unambiguous whatever the printing: the bit pattern. -0 counts as 0.
  static func canonical(_ value: Double) -> String {
    "d" + String((value == 0 ? 0 : value).bitPattern, radix: 16)
  }

  static func quoted(_ text: String) -> String {
    "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
  }
}
