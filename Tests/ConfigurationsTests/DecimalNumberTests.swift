import Configurations
import Foundation
import TestSupport
import Testing

/// The standard library's reader and strtod itself are the oracles; results must agree bit for bit.
@Suite struct DecimalNumberTests {
  private func check(_ text: String) {
    let expected = Double(text)
    // A hundred thousand expectations take seconds; a comparison takes none.
    if DecimalNumber.parse(text)?.bitPattern != expected?.bitPattern { Issue.record("\(text)") }
    if expected != nil, strtod(text, nil).bitPattern != expected?.bitPattern { Issue.record("strtod: \(text)") }
  }

  /// Digits are read eight at a time: every number of them, with anything behind, and never past the end.
  @Test func everyNumberOfDigitsAndWhatFollows() {
    var generator = SeededGenerator(seed: 6)
    for decimals in 0...40 {
      for whole in ["", "0", "7", "-12", "123456789", "+1234567890123456"] where decimals > 0 || !whole.isEmpty {
        let digits = (0..<decimals).map { _ in "\(Int.random(in: 0...9, using: &generator))" }.joined()
        let text = whole + "." + digits
        check(text)
        if whole == "" { continue }
        for tail in [" ", "-1.5", "/99999999", ":99999999", "\u{0}", "</v>", "999999999999"] {
          let bytes = Array((text + tail).utf8)
          bytes.withUnsafeBufferPointer { buffer in
            var at = 0
            // The tail lies behind the end, where nothing may be looked at.
            let value = DecimalNumber.scan(buffer.baseAddress!, &at, text.utf8.count)
            if value?.bitPattern != Double(text)?.bitPattern || at != text.utf8.count {
              Issue.record("\(text) before \(tail)")
            }
            if tail.first!.isNumber { return }
            at = 0
            let open = DecimalNumber.scan(buffer.baseAddress!, &at, buffer.count)
            if open?.bitPattern != value?.bitPattern || at != text.utf8.count {
              Issue.record("\(text) with \(tail)")
            }
          }
        }
      }
    }
  }

  @Test func shortestSpellingsOfRandomBits() {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<20_000 { check(anyDouble(&generator).description) }
  }

  @Test func numbersAsFilesHoldThem() {
    var generator = SeededGenerator(seed: 2)
    for _ in 0..<20_000 {
      let scale = Int.random(in: -12...12, using: &generator)
      let value = plainDouble(&generator) * Double(sign: .plus, exponent: 3 * scale, significand: 1)
      check(value.description)
    }
  }

  @Test func everyMixtureOfDigitsAndExponent() {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<40_000 {
      let count = Int.random(in: 1...22, using: &generator)
      var digits = (0..<count).map { _ in "\(Int.random(in: 0...9, using: &generator))" }
      if Bool.random(using: &generator) {
        digits.insert(".", at: Int.random(in: 0...count, using: &generator))
      }
      let sign = ["", "-", "+"].randomElement(using: &generator)!
      let exponent =
        Bool.random(using: &generator) ? "" : "e\(Int.random(in: -40...40, using: &generator))"
      check(sign + digits.joined() + exponent)
    }
  }

  /// Decimal expansions exactly between two doubles, where the last bit of the rest decides.
  @Test func halfwayCases() {
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<5_000 {
      // (2m + 1) / 2 with m of 53 bits is a tie; so are odd multiples of 2^-k with few digits.
      let odd = (generator.next() >> 10) | (1 << 53) | 1
      check("\(odd)")
      check("\(odd).0")
      check("\(odd)e-\(Int.random(in: 0...27, using: &generator))")
      check("\(odd)e\(Int.random(in: 0...27, using: &generator))")
    }
    for text in ["9007199254740993", "9007199254740992.5", "1e23", "8.5e-27", "0.5e-27"] {
      check(text)
    }
  }

  @Test func edges() {
    for text in [
      "0", "-0", "-0.0", ".5", "5.", "+1", "1e400", "-1e400", "1e-400", "4.9e-324", "2e-324",
      "1.7976931348623157e308", "1.7976931348623159e308", "18446744073709551615",
      "18446744073709551616", "00000000000000000000000000001.5",
      "123456789012345678901234567890", "0.000000000000000000000000000000123", "1e99999999999999",
    ] {
      check(text)
    }
    for text in [
      "", "-", ".", "e5", "1e", "1e+", "1.2.3", "0x10", " 1", "1 ", "--1", "1f", "****", "na",
      "infx",
    ] {
      #expect(DecimalNumber.parse(text) == nil, "\(text)")
    }
    #expect(DecimalNumber.parse("1.5D+02") == 150)
    #expect(DecimalNumber.parse("1.5d2") == 150)
    #expect(DecimalNumber.parse("12345678901234567890123d-2") == 123456789012345678901.23)
    #expect(DecimalNumber.parse("NaN")?.isNaN == true)
    #expect(DecimalNumber.parse("-Infinity") == -.infinity)
    #expect(DecimalNumber.parse("inf") == .infinity)
  }
}
