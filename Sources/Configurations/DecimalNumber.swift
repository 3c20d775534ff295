// Decimal text comes in, the nearest Double goes out: bit for bit what strtod gives, without a
// String per number and without a locale. The one reader of decimal numbers; what surrounds a number
// in a format (blanks, columns that overflowed) is its callers' business.

/// Reads decimal numbers from bytes.
public enum DecimalNumber {
  /// The number that the whole of `text` spells; nil for anything else. Accepts a sign, a decimal
  /// point, exponents written with e, E, d or D (Fortran), and `nan`, `inf`, `infinity` in any case.
  public static func parse(_ text: some StringProtocol) -> Double? {
    var copy = Array(text.utf8)
    let count = copy.count
    return copy.withUnsafeMutableBufferPointer { bytes -> Double? in
      guard let base = bytes.baseAddress else { return nil }
      var i = 0
      guard let value = scan(base, &i, count), i == count else { return nil }
      return value
    }
  }

  /// Whether a number may begin with this byte.
  static func canBegin(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    switch byte {
    case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x69, 0x49, 0x6E, 0x4E: return true
    default: return false
    }
  }

  /// Reads the number that starts at `p[i]` and moves `i` behind it; nil (with `i` anywhere) where
  /// there is none. Does not look at what follows the number, and at nothing from `p[end]` on.
  package static func scan(_ p: UnsafePointer<UInt8>, _ i: inout Int, _ end: Int) -> Double? {
    let begin = i
    var at = i
    defer { i = at }
    var negative = false
    if at < end, p[at] == 0x2D || p[at] == 0x2B {
      negative = p[at] == 0x2D
      at += 1
    }
    var mantissa: UInt64 = 0
    let integer = at
    takeDigits(p, &at, end, &mantissa)
    var digits = at - integer
    var exponent = 0
    if at < end, p[at] == 0x2E {
      at += 1
      let fraction = at
      takeFraction(p, &at, end, &mantissa)
      exponent = fraction - at
      digits += at - fraction
    }
    if digits == 0 { return scanNonFinite(p, &at, end, begin) }
    if at < end, p[at] | 0x20 == 0x65 || p[at] | 0x20 == 0x64 {
      guard let written = scanExponent(p, &at, end) else { return nil }
      exponent += written
    }
    if digits <= 19, let value = exact(mantissa, exponent) { return negative ? -value : value }
    return slow(p, begin, at)
  }

  /// Appends the digits at `p[i]` to `mantissa`, one by one: few stand before a decimal point.
  @inline(__always)
  private static func takeDigits(
    _ p: UnsafePointer<UInt8>, _ i: inout Int, _ end: Int, _ mantissa: inout UInt64
  ) {
    while i < end {
      let digit = p[i] &- 0x30
      guard digit < 10 else { break }
      mantissa = mantissa &* 10 &+ UInt64(digit)
      i += 1
    }
  }

  /// As `takeDigits`, up to eight at once: as many stand behind the point of what VASP prints.
  @inline(__always)
  private static func takeFraction(
    _ p: UnsafePointer<UInt8>, _ i: inout Int, _ end: Int, _ mantissa: inout UInt64
  ) {
    while i &+ 8 <= end {
      let text = UInt64(
        littleEndian: UnsafeRawPointer(p + i).loadUnaligned(as: UInt64.self))
      // A byte is now a digit's value where its high half is 0, and still 0 after adding 6. Sums only
      // spill into later bytes, so the first that is no digit is found right.
      let word = text ^ 0x3030_3030_3030_3030
      let others = ((word &+ 0x0606_0606_0606_0606) | word) & 0xF0F0_F0F0_F0F0_F0F0
      if others != 0 {
        let count = others.trailingZeroBitCount >> 3
        guard count > 0 else { return }
        // What is no digit is shifted out; zeros come in before the first digit.
        mantissa =
          mantissa &* wholePowersOfTen[count] &+ joined(word &<< UInt64(truncatingIfNeeded: 64 - 8 * count))
        i += count
        return
      }
      mantissa = mantissa &* 100_000_000 &+ joined(word)
      i += 8
    }
    takeDigits(p, &i, end, &mantissa)
  }

  /// The number of eight digits, one per byte, the first in the lowest byte: neighbours are joined to
  /// pairs, pairs to fours, fours to the whole.
  @inline(__always)
  private static func joined(_ digits: UInt64) -> UInt64 {
    let pairs = (digits &* 10 &+ (digits >> 8)) & 0x00FF_00FF_00FF_00FF
    let fours = (pairs &* 100 &+ (pairs >> 16)) & 0x0000_FFFF_0000_FFFF
    return (fours &* 10_000 &+ (fours >> 32)) & 0xFFFF_FFFF
  }

  /// Reads a signed decimal integer; nil where there is none or it does not fit.
  package static func scanInteger(_ p: UnsafePointer<UInt8>, _ i: inout Int, _ end: Int) -> Int? {
    var negative = false
    if i < end, p[i] == 0x2D || p[i] == 0x2B {
      negative = p[i] == 0x2D
      i += 1
    }
    let first = i
    var value = 0
    while i < end {
      let digit = Int(p[i] &- 0x30)
      guard digit < 10 else { break }
      let (shifted, overflowed) = value.multipliedReportingOverflow(by: 10)
      let (next, carried) = shifted.subtractingReportingOverflow(digit)
      if overflowed || carried { return nil }
      value = next
      i += 1
    }
    guard i > first else { return nil }
    if negative { return value }
    return value == .min ? nil : -value
  }

  private static func scanExponent(
    _ p: UnsafePointer<UInt8>, _ i: inout Int, _ end: Int
  ) -> Int? {
    i += 1
    var negative = false
    if i < end, p[i] == 0x2D || p[i] == 0x2B {
      negative = p[i] == 0x2D
      i += 1
    }
    let first = i
    var value = 0
    while i < end {
      let digit = Int(p[i] &- 0x30)
      guard digit < 10 else { break }
      // Beyond this every number is zero or infinite, whatever its digits within one line.
      if value < 1_000_000_000 { value = value * 10 + digit }
      i += 1
    }
    guard i > first else { return nil }
    return negative ? -value : value
  }

  /// The double nearest to `mantissa * 10^exponent`, ties to even, where 128-bit integer arithmetic
  /// can say so exactly (|exponent| <= 27, as 5^27 < 2^63); nil elsewhere.
  @inline(__always)
  private static func exact(_ mantissa: UInt64, _ exponent: Int) -> Double? {
    if mantissa <= 1 << 53, exponent >= -22, exponent <= 22 {
      // Both operands are exact doubles, so one operation rounds once (Clinger 1990).
      let whole = Double(Int64(truncatingIfNeeded: mantissa))
      return exponent < 0 ? whole / powersOfTen[-exponent] : whole * powersOfTen[exponent]
    }
    if mantissa == 0 { return 0 }
    guard exponent >= -27, exponent <= 27 else { return nil }
    let shift = mantissa.leadingZeroBitCount
    let normal = mantissa << UInt64(shift)
    if exponent < 0 {
      let five = powersOfFive[-exponent]
      let fiveShift = five.leadingZeroBitCount
      let divisor = five << UInt64(fiveShift)
      let (quotient, rest) = divisor.dividingFullWidth((normal >> 1, normal << 63))
      return rounded(quotient, rest != 0, fiveShift - shift + exponent - 63)
    }
    let (high, low) = normal.multipliedFullWidth(by: powersOfFive[exponent])
    let lead = high.leadingZeroBitCount
    if high == 0 { return rounded(low, false, exponent - shift) }
    let top = lead == 0 ? high : high << UInt64(lead) | low >> UInt64(64 - lead)
    return rounded(top, low << UInt64(lead) != 0, 64 - lead + exponent - shift)
  }

  /// `(bits + a little if sticky) * 2^scale` as the nearest double; `bits` has its top or second bit
  /// set and the result is a normal number.
  @inline(__always)
  private static func rounded(_ bits: UInt64, _ sticky: Bool, _ scale: Int) -> Double {
    let drop = UInt64(11 - bits.leadingZeroBitCount)
    var kept = bits >> drop
    let rest = bits & (1 << drop - 1)
    let half: UInt64 = 1 << (drop - 1)
    if rest > half || (rest == half && (sticky || kept & 1 == 1)) { kept += 1 }
    return Double(kept) * Double(bitPattern: UInt64(1023 + scale + Int(drop)) << 52)
  }

  private static func slow(_ p: UnsafePointer<UInt8>, _ begin: Int, _ end: Int) -> Double? {
    let bytes = UnsafeBufferPointer(start: p + begin, count: end - begin).map {
      $0 | 0x20 == 0x64 ? UInt8(ascii: "e") : $0
    }
    return Double(String(decoding: bytes, as: UTF8.self))
  }

  private static func scanNonFinite(
    _ p: UnsafePointer<UInt8>, _ i: inout Int, _ end: Int, _ begin: Int
  ) -> Double? {
    var letters: [UInt8] = []
    i = begin
    let negative = i < end && p[i] == 0x2D
    if i < end, p[i] == 0x2D || p[i] == 0x2B { i += 1 }
    while i < end, letters.count < 9, (0x61...0x7A).contains(p[i] | 0x20) {
      letters.append(p[i] | 0x20)
      i += 1
    }
    switch String(decoding: letters, as: UTF8.self) {
    case "nan": return .nan
    case "inf", "infinity": return negative ? -.infinity : .infinity
    default: return nil
    }
  }

  // In place, not arrays on the heap: the first reaches into every number.
  private static let powersOfTen: InlineArray<23, Double> = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
    1e18, 1e19, 1e20, 1e21, 1e22,
  ]

  private static let wholePowersOfTen: InlineArray<8, UInt64> = [
    1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000,
  ]

  private static let powersOfFive: InlineArray<28, UInt64> = [
    1, 5, 25, 125, 625, 3125, 15625, 78125, 390_625, 1_953_125, 9_765_625, 48_828_125, 244_140_625,
    1_220_703_125, 6_103_515_625, 30_517_578_125, 152_587_890_625, 762_939_453_125,
    3_814_697_265_625, 19_073_486_328_125, 95_367_431_640_625, 476_837_158_203_125,
    2_384_185_791_015_625, 11_920_928_955_078_125, 59_604_644_775_390_625,
    298_023_223_876_953_125, 1_490_116_119_384_765_625, 7_450_580_596_923_828_125,
  ]
}
