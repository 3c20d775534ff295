import Foundation
import TestSupport
import Testing
import VASP

struct DecimalScannerTests {
  private func scan(_ text: String) -> (value: Double?, end: Int) {
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBufferPointer {
      var at = 0
      let value = DecimalScanner.next($0, &at)
      return (value, at)
    }
  }

  /// strtod is the oracle; it knows no Fortran exponents.
  private func oracle(_ text: String) -> Double {
    strtod(text.replacingOccurrences(of: "D", with: "E"), nil)
  }

  private func check(_ text: String) {
    let (value, end) = scan(text)
    #expect(value?.bitPattern == oracle(text).bitPattern, "\(text)")
    #expect(end == text.utf8.count, "\(text)")
  }

  @Test func hardCasesAreBitEqualToStrtod() {
    for text in [
      "0", "-0", "0.0", "-0.00000000", "+1.5", ".5", "5.", "1e22", "1e23", "9007199254740992",
      "9007199254740993", "9007199254740992.0", "9007199254740993.0", "9007199254740991.5",
      "8.98846567431158e307", "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e400",
      "2.2250738585072011e-308", "2.2250738585072014e-308", "4.9406564584124654e-324",
      "2.4703282292062327e-324",
      "1e-400", "0.1E-03", "0.123456789012345678901234567890", "123456789012345678901234567890.5",
      "0.500000000000000166533453693773481063544750213623046875",
      "1.00000000000000011102230246251565",
      "00000000000000000000000000000000012.5", "1.0D-05", "-3.25D+02", "6.02214076E23", "1e0",
      "1E-22", "1e-23",
      "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
      "0." + String(repeating: "0", count: 400) + "1",
      "1" + String(repeating: "0", count: 400) + "e-390",
    ] {
      check(text)
    }
  }

  @Test func randomNumbersAreBitEqualToStrtod() {
    var generator = SeededGenerator(seed: 1)
    for k in 0..<40_000 {
      switch k % 4 {
      case 0:  // any double at all
        let value = Double(bitPattern: generator.next())
        if value.isFinite { check("\(value)") }
      case 1:  // as vasprun.xml prints it
        check(
          String(
            format: "%.8f",
            Double(Int64(truncatingIfNeeded: generator.next()) % 100_000_000_000) / 1e8))
      case 2:  // 1 to 25 digits with a point somewhere
        let count = Int.random(in: 1...25, using: &generator)
        var digits = (0..<count).map { _ in Character("\(Int.random(in: 0...9, using: &generator))")
        }
        digits.insert(".", at: Int.random(in: 0...count, using: &generator))
        check(String(digits))
      default:  // with an exponent near the limits of the fast path
        let mantissa = generator.next() >> UInt64.random(in: 0...40, using: &generator)
        check("\(mantissa)E\(Int.random(in: -45...45, using: &generator))")
      }
    }
  }

  @Test func fieldsThatRunTogetherAreCutAtTheSign() {
    let bytes = Array("  -12353.08821-12353.08821     0.00000".utf8)
    bytes.withUnsafeBufferPointer {
      var at = 0
      #expect(DecimalScanner.next($0, &at) == -12353.08821)
      #expect(DecimalScanner.next($0, &at) == -12353.08821)
      #expect(DecimalScanner.next($0, &at) == 0)
      #expect(DecimalScanner.next($0, &at) == nil)
    }
  }

  @Test func paddingOfEveryWidthIsSkipped() {
    for width in 0..<40 {
      for (pad, tail) in [(" ", ""), ("\t", ""), (" ", " 2"), (" ", "\t      2")] {
        let bytes = Array((String(repeating: pad, count: width) + "1.5" + tail).utf8)
        bytes.withUnsafeBufferPointer {
          var at = 0
          #expect(DecimalScanner.next($0, &at) == 1.5)
          #expect(at == width + 3)
          #expect(DecimalScanner.next($0, &at) == (tail.isEmpty ? nil : 2))
        }
      }
    }
  }

  @Test func overflowAndNaNAreNotNumbers() {
    for text in ["********", "NaN", "nan", "-NaN"] {
      #expect(scan(text).value?.isNaN == true, "\(text)")
    }
    #expect(scan("-Infinity").value == -.infinity)
    for text in ["", "   ", "abc", "-", ".", "+.", "1.2.3", "1x", "1e", "--1", "0x10"] {
      #expect(scan(text).value == nil, "\(text)")
    }
  }
}
