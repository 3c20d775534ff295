/// Numbers as text: the same on every machine and in every locale. Rounds the shortest decimal form
/// that reads back as the same double, halves away from zero.
package struct NumberText {
  /// How minus signs and powers of ten are written.
  package enum Style: Sendable {
    /// ASCII: "-1.5", "3.4e8".
    case plain
    /// Typeset: "−1.5", "3.4 × 10⁸".
    case typeset
  }

  package var style: Style
  /// What stands for an infinite value, and for one that is not a number.
  package var infinite: String
  package var undefined: String

  package init(
    _ style: Style = .plain, infinite: String = "infinite", undefined: String = "undefined"
  ) {
    self.style = style
    self.infinite = infinite
    self.undefined = undefined
  }

  /// Extrapolation grades: an infinite one lies outside the span of the training rows.
  package static func grades(_ style: Style) -> NumberText {
    NumberText(style, infinite: "outside")
  }

  /// `places` digits after the decimal point.
  package func fixed(_ value: Double, _ places: Int) -> String {
    if let word = word(for: value) { return word }
    var digits = DecimalDigits(value)
    digits.round(places: places)
    return sign(digits) + digits.plain(places: places)
  }

  /// `count` significant digits; powers of ten below 1e-4 and from 1e6 on.
  package func significant(_ value: Double, _ count: Int = 3) -> String {
    if let word = word(for: value) { return word }
    var digits = DecimalDigits(value)
    if digits.isZero { return "0" }
    digits.round(places: count - digits.point)
    if digits.point < -3 || digits.point > 6 { return sign(digits) + scientific(digits, count) }
    return sign(digits) + digits.plain(places: max(0, count - digits.point))
  }

  /// Grades and scores: two decimals up to a hundred, then three significant digits.
  package func grade(_ value: Double) -> String {
    abs(value) < 100 && (abs(value) >= 0.01 || value == 0)
      ? fixed(value, 2) : significant(value, 3)
  }

  /// As few digits as the value has, for ticks.
  package func short(_ value: Double) -> String {
    if let word = word(for: value) { return word }
    let digits = DecimalDigits(value)
    if digits.isZero { return "0" }
    if digits.point < -3 || digits.point > 5 {
      return sign(digits) + scientific(digits, digits.digits.count)
    }
    return sign(digits) + digits.plain(places: max(0, digits.digits.count - digits.point))
  }

  /// With a thin space (plain: none) between groups of three from 10,000 on.
  package func count(_ value: Int) -> String {
    let digits = String(value.magnitude)
    let minus = value < 0 ? (style == .typeset ? "\u{2212}" : "-") : ""
    guard style == .typeset, digits.count > 4 else { return minus + digits }
    var grouped = ""
    for (index, character) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { grouped += "\u{202F}" }
      grouped.append(character)
    }
    return minus + grouped
  }

  private func word(for value: Double) -> String? {
    if value.isNaN { return undefined }
    guard value.isInfinite else { return nil }
    return value > 0 ? infinite : (style == .typeset ? "\u{2212}" : "-") + infinite
  }

  private func sign(_ digits: DecimalDigits) -> String {
    digits.isNegative && !digits.isZero ? (style == .typeset ? "\u{2212}" : "-") : ""
  }

  private func scientific(_ digits: DecimalDigits, _ count: Int) -> String {
    var mantissa = digits
    mantissa.point = 1
    let exponent = digits.point - 1
    let text = mantissa.plain(places: max(0, count - 1))
    guard style == .typeset else { return "\(text)e\(exponent)" }
    let power = String(exponent).map { Self.superscripts[$0] ?? $0 }
    return (text == "1" ? "10" : "\(text) × 10") + String(power)
  }

  private static let superscripts: [Character: Character] = [
    "-": "⁻", "0": "⁰", "1": "¹", "2": "²", "3": "³", "4": "⁴", "5": "⁵", "6": "⁶", "7": "⁷",
    "8": "⁸", "9": "⁹",
  ]
}

/// A finite double as decimal digits: value = ±0.d1 d2 d3 … × 10^point, with d1 ≠ 0.
package struct DecimalDigits {
  package var isNegative: Bool
  package var digits: [UInt8]
  package var point: Int

  package var isZero: Bool { digits.isEmpty }

  package init(_ value: Double) {
    precondition(value.isFinite)
    isNegative = value.sign == .minus
    digits = []
    point = 0
    var exponent = 0
    var sawPoint = false
    let parts = value.magnitude.description.split(separator: "e")
    if parts.count > 1 { exponent = Int(parts[1])! }
    for byte in parts[0].utf8 {
      if byte == UInt8(ascii: ".") {
        sawPoint = true
      } else {
        digits.append(byte - UInt8(ascii: "0"))
        if !sawPoint { point += 1 }
      }
    }
    point += exponent
    while digits.last == 0 { digits.removeLast() }
    while digits.first == 0 {
      digits.removeFirst()
      point -= 1
    }
    if digits.isEmpty { point = 0 }
  }

  /// Keeps digits down to 10^-places (negative: tens, hundreds…), halves away from zero.
  package mutating func round(places: Int) {
    let kept = point + places
    if kept >= digits.count { return }
    if kept < 0 {
      digits = []
      point = 0
      return
    }
    var carry = digits[kept] >= 5
    digits.removeSubrange(kept...)
    var index = kept - 1
    while carry && index >= 0 {
      carry = digits[index] == 9
      digits[index] = carry ? 0 : digits[index] + 1
      index -= 1
    }
    if carry {
      digits.insert(1, at: 0)
      point += 1
    }
    while digits.last == 0 { digits.removeLast() }
    if digits.isEmpty { point = 0 }
  }

  /// Without sign, with exactly `places` digits after the point; the value must be rounded to them before.
  package func plain(places: Int) -> String {
    var text = ""
    func digit(_ index: Int) -> String {
      index >= 0 && index < digits.count ? String(digits[index]) : "0"
    }
    if point <= 0 { text = "0" } else { for index in 0..<point { text += digit(index) } }
    if places > 0 {
      text += "."
      for place in 0..<places { text += digit(point + place) }
    }
    return text
  }
}
