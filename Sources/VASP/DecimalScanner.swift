// Printed decimal numbers become doubles, bit for bit as strtod would make them, without a locale.

/// Reads the numbers that Fortran prints. The fast path is exact: up to 2^53 times or divided by a
/// power of ten up to 10^22 rounds once (Clinger 1990). Everything else goes the slow, correct way.
package enum DecimalScanner {
  /// 10^0...10^22, all of them exact doubles.
  private static let powersOfTen: InlineArray<23, Double> = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
    1e18, 1e19, 1e20, 1e21, 1e22,
  ]

  /// Skips blanks and tabs, then reads one number starting at `at` and moves `at` behind it.
  ///
  /// A sign in the middle of a field starts the next number ("-12353.08821-12353.08821"), a run of
  /// asterisks (a field that overflowed) and "NaN" give NaN. nil, with `at` at the offending byte,
  /// where there is no number.
  @inline(__always)
  package static func next(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> Double? {
    let end = text.count
    skipBlanks(text, &at)
    let start = at
    guard start < end else { return nil }
    var i = start
    let negative = text[i] == 0x2D
    if negative || text[i] == 0x2B { i += 1 }
    var mantissa: UInt64 = 0
    let firstDigit = i
    while i < end {
      let digit = text[i] &- 0x30
      if digit > 9 { break }
      mantissa = mantissa &* 10 &+ UInt64(digit)
      i += 1
    }
    var digits = i - firstDigit
    var exponent = 0
    if i < end, text[i] == 0x2E {
      i += 1
      let firstDecimal = i
      if let eight = eightDigits(text, i) {
        mantissa = mantissa &* 100_000_000 &+ eight
        i += 8
      }
      while i < end {
        let digit = text[i] &- 0x30
        if digit > 9 { break }
        mantissa = mantissa &* 10 &+ UInt64(digit)
        i += 1
      }
      exponent = firstDecimal - i
      digits += i - firstDecimal
    }
    if digits == 0 { return special(text, &at) }
    if i < end {
      let byte = text[i]
      if !isSeparator(byte) {
        guard byte | 0x20 == 0x65 || byte | 0x20 == 0x64, let power = readExponent(text, &i) else {
          at = i
          return nil
        }
        exponent += power
        if i < end, !isSeparator(text[i]) {
          at = i
          return nil
        }
      }
    }
    at = i
    if digits <= 19, mantissa <= 1 << 53 {
      let magnitude = Double(mantissa)
      if exponent == 0 { return negative ? -magnitude : magnitude }
      if exponent < 0, exponent >= -22 {
        let value = magnitude / powersOfTen[-exponent]
        return negative ? -value : value
      }
      if exponent > 0, exponent <= 22 {
        let value = magnitude * powersOfTen[exponent]
        return negative ? -value : value
      }
    }
    return slow(text, start, i)
  }

  /// Moves `at` behind blanks and tabs, eight blanks at a time: printed columns are mostly padding.
  @inline(__always)
  package static func skipBlanks(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) {
    while at + 8 <= text.count {
      let raw = UnsafeRawPointer(text.baseAddress! + at).loadUnaligned(as: UInt64.self)
      let other = UInt64(littleEndian: raw) ^ 0x2020_2020_2020_2020
      if other != 0 {
        at += other.trailingZeroBitCount >> 3
        break
      }
      at += 8
    }
    while at < text.count, isBlank(text[at]) { at += 1 }
  }

  /// The value of eight digits at `at`, found together in one word; nil where not all are digits.
  @inline(__always)
  private static func eightDigits(_ text: UnsafeBufferPointer<UInt8>, _ at: Int) -> UInt64? {
    guard at + 8 <= text.count else { return nil }
    let raw = UnsafeRawPointer(text.baseAddress! + at).loadUnaligned(as: UInt64.self)
    let word = UInt64(littleEndian: raw)
    // A digit is 0x30...0x39: high half 3, and still 3 after adding 6.
    let high: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
    let threes: UInt64 = 0x3030_3030_3030_3030
    guard word & high == threes, (word &+ 0x0606_0606_0606_0606) & high == threes else {
      return nil
    }
    // Neighbours are joined to pairs, pairs to fours, fours to the whole.
    let digits = word &- threes
    let pairs = (digits &* 10 &+ (digits >> 8)) & 0x00FF_00FF_00FF_00FF
    let fours = (pairs &* 100 &+ (pairs >> 16)) & 0x0000_FFFF_0000_FFFF
    return (fours &* 10_000 &+ (fours >> 32)) & 0xFFFF_FFFF
  }

  /// What may stand behind a number: a blank, a line's end, or the next of numbers that run together.
  @inline(__always)
  private static func isSeparator(_ byte: UInt8) -> Bool {
    isBlank(byte) || byte == 0x2D || byte == 0x2B || byte == 0x2A || byte == 0x0A || byte == 0x0D
  }

  @inline(__always)
  package static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  /// Reads "E-05" or "D+12" at `i`; nil where no digits follow.
  private static func readExponent(_ text: UnsafeBufferPointer<UInt8>, _ i: inout Int) -> Int? {
    var at = i + 1
    var negative = false
    if at < text.count, text[at] == 0x2D || text[at] == 0x2B {
      negative = text[at] == 0x2D
      at += 1
    }
    var value = 0
    let first = at
    while at < text.count, text[at] &- 0x30 <= 9 {
      value = min(value * 10 + Int(text[at] &- 0x30), 1_000_000)
      at += 1
    }
    guard at > first else { return nil }
    i = at
    return negative ? -value : value
  }

  /// Asterisks, NaN and infinities; all of them "no number that can be used", given as NaN or ±inf.
  private static func special(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> Double? {
    var i = at
    if text[i] == 0x2A {
      while i < text.count, text[i] == 0x2A { i += 1 }
      at = i
      return .nan
    }
    let negative = text[i] == 0x2D
    if negative || text[i] == 0x2B { i += 1 }
    let first = i
    while i < text.count, text[i] | 0x20 >= 0x61, text[i] | 0x20 <= 0x7A { i += 1 }
    let word = text[first..<i].map { $0 | 0x20 }
    if word == Array("nan".utf8) {
      at = i
      return .nan
    }
    if word == Array("inf".utf8) || word == Array("infinity".utf8) {
      at = i
      return negative ? -.infinity : .infinity
    }
    return nil
  }

  @inline(never)
  private static func slow(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Double? {
    let token = text[start..<end].map { $0 | 0x20 == 0x64 ? 0x65 : $0 }
    return Double(String(decoding: token, as: UTF8.self))
  }

  /// The number that the whole of `text` (but for blanks around it) prints, else nil.
  package static func number(_ text: some StringProtocol) -> Double? {
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBufferPointer { buffer in
      var at = 0
      guard let value = next(buffer, &at) else { return nil }
      while at < buffer.count, isBlank(buffer[at]) || buffer[at] == 0x0A || buffer[at] == 0x0D {
        at += 1
      }
      return at == buffer.count ? value : nil
    }
  }
}
