import Platform
import Testing

@Suite struct DigestDigitsTests {
  @Test func digitsAreReadAsTheyAreWritten() {
    let digest = Digest(of: "some bytes")
    let digits = digest.description
    #expect(Digest(hexadecimal: digits) == digest && Digest(hexadecimal: digits.uppercased()) == digest)
    #expect(Digest(hexadecimal: ("x" + digits + "x").dropFirst().dropLast()) == digest, "a part of a text")
    #expect(digest.short == String(digits.prefix(8)))
    #expect(Digest(hexadecimal: "") == nil && Digest(hexadecimal: digits + "0") == nil)
    for place in 0..<64 {
      for wrong in ["g", "G", "/", ":", "@", "`", " ", "-", "\0"] {
        var text = Array(digits)
        text[place] = Character(wrong)
        #expect(Digest(hexadecimal: String(text)) == nil, "'\(wrong)' at \(place)")
      }
    }
    #expect(Digest(hexadecimal: String(repeating: "é", count: 32)) == nil)
  }

  @Test func bitsAreThoseOfTheDigits() {
    let digest = Digest(of: "bits")
    let digits = digest.description.map { $0.hexDigitValue! }
    for index in 0..<256 { #expect(digest.bit(index) == (digits[index / 4] >> (3 - index % 4) & 1 == 1), "\(index)") }
  }
}
