extension Unicode.Scalar {
  /// Whether the scalar could hide, reorder or break text: controls, formats such as right-to-left
  /// overrides and zero-width characters, line separators, private use and noncharacters.
  package var isTreacherous: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: true
    default: properties.isNoncharacterCodePoint || properties.isDefaultIgnorableCodePoint
    }
  }

  /// "\n" or "\u{202e}".
  package var escape: String {
    switch self {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    default: "\\u{" + String(value, radix: 16) + "}"
    }
  }
}

extension String {
  /// The text on one line with treacherous scalars written out, cut in the middle beyond `limit` scalars.
  package func visible(limit: Int = 400) -> String {
    let scalars = unicodeScalars
    if scalars.count > limit {
      let head = String(Substring(scalars.prefix(limit * 2 / 3)))
      let tail = String(Substring(scalars.suffix(limit / 3)))
      return head.visible(limit: limit) + " … " + tail.visible(limit: limit)
    }
    guard scalars.contains(where: \.isTreacherous) else { return self }
    var text = ""
    for scalar in scalars {
      if scalar.isTreacherous { text += scalar.escape } else { text.unicodeScalars.append(scalar) }
    }
    return text
  }
}
