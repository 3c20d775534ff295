// The text of an INCAR comes in, its tags in one spelling go out.

/// Tags as the user wrote them, by name in capitals.
enum IncarText {
  /// All tags of `text`; of a tag given twice the first counts, as in VASP.
  static func tags(_ text: String) -> [String: (value: String, line: Int)] {
    var tags: [String: (value: String, line: Int)] = [:]
    var pending = ""
    var start = 0
    for (k, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if pending.isEmpty { start = k + 1 }
      let bare = withoutComment(line)
      if bare.hasSuffix("\\") {
        pending += bare.dropLast() + " "
        continue
      }
      for (name, value) in assignments(pending + bare) where tags[name] == nil { tags[name] = (value, start) }
      pending = ""
    }
    return tags
  }

  /// The assignments of one line: "ENCUT = 520 ; ISMEAR = 0".
  static func assignments(_ line: String) -> [(name: String, value: String)] {
    line.split(separator: ";").compactMap { piece in
      guard let equals = piece.firstIndex(of: "=") else { return nil }
      let name = trimmed(piece[..<equals]).uppercased()
      let value = trimmed(piece[piece.index(after: equals)...])
      guard !name.isEmpty, !value.isEmpty,
        name.utf8.allSatisfy({ (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F })
      else { return nil }
      return (name, value)
    }
  }

  static func withoutComment(_ line: some StringProtocol) -> String {
    trimmed(line.prefix { $0 != "#" && $0 != "!" })
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    String(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
  }

  private static func isBlank(_ letter: Character) -> Bool {
    letter == " " || letter == "\t" || letter == "\r" || letter == "\r\n"
  }

  /// One spelling for what means the same: "1E-05", ".TRUE.", "3*0.6 -0.6".
  static func canonical(_ value: String) -> String {
    var words: [String] = []
    for word in value.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," }) {
      let parts = word.split(separator: "*", maxSplits: 1)
      if parts.count == 2, let count = Int(parts[0]), (1...100_000).contains(count) {
        words += Array(repeating: canonicalWord(String(parts[1])), count: count)
      } else {
        words.append(canonicalWord(String(word)))
      }
    }
    return words.joined(separator: " ")
  }

  private static func canonicalWord(_ word: String) -> String {
    if let number = DecimalScanner.number(word), number.isFinite {
      // What VASP prints with eight decimals and what the user wrote are the same number.
      return ((number * 1e8).rounded() / 1e8 + 0).description
    }
    let upper = word.uppercased()
    switch upper {
    case "T", "TRUE", ".TRUE.", ".T.": return "T"
    case "F", "FALSE", ".FALSE.", ".F.": return "F"
    default: return upper
    }
  }
}
