// Columns of printed numbers come in, doubles go out: what Fortran does to a column, told apart from the numbers.

import Configurations

/// Reads the fields that Fortran prints: padded, run together, or overflowed. The numbers in them are
/// read by `DecimalNumber`.
package enum DecimalScanner {
  /// Skips blanks and tabs, then reads one number starting at `at` and moves `at` behind it.
  ///
  /// A sign in the middle of a field starts the next number ("-12353.08821-12353.08821"), a run of
  /// asterisks (a field that overflowed) and "NaN" give NaN. nil where there is no number, or where a
  /// number is followed by what cannot stand there.
  @inline(__always)
  package static func next(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> Double? {
    skipBlanks(text, &at)
    let end = text.count
    guard at < end, let base = text.baseAddress else { return nil }
    if base[at] == 0x2A {
      while at < end, base[at] == 0x2A { at += 1 }
      return .nan
    }
    guard let value = DecimalNumber.scan(base, &at, end) else { return nil }
    if at < end {
      let byte = base[at]
      guard isBlank(byte) || byte == 0x2D || byte == 0x2B || byte == 0x2A || byte == 0x0A || byte == 0x0D
      else { return nil }
    }
    return value
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

  @inline(__always)
  package static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  /// The number that the whole of `text` (but for blanks around it) prints, else nil.
  package static func number(_ text: some StringProtocol) -> Double? {
    Array(text.utf8).withUnsafeBufferPointer { whole($0) }
  }

  /// The same for bytes.
  static func whole(_ buffer: UnsafeBufferPointer<UInt8>) -> Double? {
    var at = 0
    guard let value = next(buffer, &at) else { return nil }
    while at < buffer.count, isBlank(buffer[at]) || buffer[at] == 0x0A || buffer[at] == 0x0D {
      at += 1
    }
    return at == buffer.count ? value : nil
  }
}
