import Foundation
import Report
import TestSupport
import Testing

@Suite struct NumberTextTests {
  private let plain = NumberText(.plain)

  /// `String(format:)` rounds the exact binary value, this the shortest decimal form, so ties may differ:
  /// those are left out.
  @Test func fixedAgreesWithPrintf() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<2000 {
      let value =
        Double.random(in: -1...1, using: &random) * pow(10, .random(in: -6...8, using: &random))
      let digits = DecimalDigits(value)
      for places in 0...6 where digits.digits.count != digits.point + places + 1 {
        let expected = String(format: "%.\(places)f", value)
        let isZero = !expected.contains(where: { "123456789".contains($0) })
        let wanted = isZero ? expected.replacingOccurrences(of: "-", with: "") : expected
        #expect(plain.fixed(value, places) == wanted, "\(value) to \(places) places")
      }
    }
  }

  @Test(arguments: [
    (0.0, "0"), (1.0, "1.00"), (9.996, "10.0"), (0.012345, "0.0123"), (123456.0, "123000"),
    (999_999.0, "1.00e6"), (1.2345e8, "1.23e8"), (0.00012345, "0.000123"), (1.2345e-5, "1.23e-5"),
    (-2.5, "-2.50"), (5e-324, "5.00e-324"), (.greatestFiniteMagnitude, "1.80e308"),
  ])
  func significant(_ value: Double, _ text: String) {
    #expect(plain.significant(value) == text)
  }

  @Test func wordsStandForWhatIsNoNumber() {
    let grades = NumberText.grades(.plain)
    #expect(grades.grade(.infinity) == "outside")
    #expect(grades.fixed(.infinity, 2) == "outside")
    #expect(grades.significant(.nan) == "undefined")
    #expect(plain.fixed(-.infinity, 1) == "-infinite")
    #expect(NumberText(.typeset).fixed(-.infinity, 1) == "\u{2212}infinite")
  }

  @Test func typesetForms() {
    let typeset = NumberText(.typeset)
    #expect(typeset.significant(3.42e8) == "3.42 × 10⁸")
    #expect(typeset.significant(-4.2e-7, 2) == "\u{2212}4.2 × 10⁻⁷")
    #expect(typeset.short(1e6) == "10⁶")
    #expect(typeset.count(25_843) == "25\u{202F}843")
    #expect(typeset.count(4860) == "4860")
    #expect(plain.count(-25_843) == "-25843")
    #expect(typeset.fixed(-0.0001, 2) == "0.00")
  }

  @Test func digitsReadBack() {
    var random = SeededGenerator(seed: 11)
    for _ in 0..<500 {
      let value = Double(bitPattern: random.next())
      guard value.isFinite && value != 0 else { continue }
      let digits = DecimalDigits(value)
      let text = (digits.isNegative ? "-0." : "0.") + digits.digits.map { String($0) }.joined()
      #expect(Double(text + "e\(digits.point)") == value)
      #expect(digits.digits.first != 0 && digits.digits.last != 0)
    }
  }
}
