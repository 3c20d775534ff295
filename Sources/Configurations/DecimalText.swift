// Doubles come in, the shortest decimal text that reads back as the same bits goes out.

extension [UInt8] {
  /// Appends `value` as its `description` spells it. Numbers that were once printed with at most eight
  /// decimals, as most of a file are, take a short way.
  mutating func append(real value: Double) {
    let magnitude = value.magnitude
    // Below 10^15 and with eight decimals: fifteen digits, and no two decimals of fifteen digits are the
    // same double. So where the double nearest to these digits is the value, there is no shorter text.
    if magnitude >= 1e-4 || magnitude == 0, magnitude < 9e6 {
      let scaled = Int64(magnitude * 1e8 + 0.5)
      if Double(scaled) / 1e8 == magnitude {
        append(hundredMillionths: UInt64(scaled), isNegative: value.sign == .minus)
        return
      }
    }
    var text = value.description
    text.withUTF8 { append(contentsOf: $0) }
  }

  private mutating func append(hundredMillionths scaled: UInt64, isNegative: Bool) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { text in
      var last = 24
      var (whole, fraction) = scaled.quotientAndRemainder(dividingBy: 100_000_000)
      var decimals = 8
      while decimals > 1, fraction % 10 == 0 {
        fraction /= 10
        decimals -= 1
      }
      for _ in 0..<decimals {
        last -= 1
        text[last] = 0x30 + UInt8(truncatingIfNeeded: fraction % 10)
        fraction /= 10
      }
      last -= 1
      text[last] = 0x2E
      repeat {
        last -= 1
        text[last] = 0x30 + UInt8(truncatingIfNeeded: whole % 10)
        whole /= 10
      } while whole > 0
      if isNegative {
        last -= 1
        text[last] = 0x2D
      }
      append(contentsOf: UnsafeBufferPointer(rebasing: text[last...]))
    }
  }
}
