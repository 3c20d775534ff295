import Foundation

/// The slow, obvious answer to "may this number come out of that text?".
struct PrintedNumbers {
  private var bits: Set<UInt64> = []

  /// Every number that stands between blanks or tags, and the parts of columns that run together at a
  /// minus sign. A field that is no number as a whole gives none.
  init(_ bytes: some Sequence<UInt8>) {
    for field in bytes.split(whereSeparator: { $0 <= 0x20 || $0 == 0x3C || $0 == 0x3E || $0 == 0x3D || $0 == 0x3B }) {
      add(Array(field))
    }
  }

  private mutating func add(_ field: [UInt8]) {
    var part: [UInt8] = []
    for (k, byte) in field.enumerated() {
      let afterExponent = k > 0 && [0x65, 0x64].contains(field[k - 1] | 0x20)
      if byte == 0x2D || byte == 0x2A || byte == 0x2B, !part.isEmpty, !afterExponent {
        insert(part)
        part = []
      }
      part.append(byte)
    }
    insert(part)
  }

  private mutating func insert(_ part: [UInt8]) {
    let text = String(decoding: part.map { $0 | 0x20 == 0x64 ? 0x65 : $0 }, as: UTF8.self)
    guard part.contains(where: { $0 &- 0x30 <= 9 }), let value = Double(text) else { return }
    bits.insert(value.magnitude.bitPattern)
  }

  func contains(_ value: Double) -> Bool { bits.contains(value.magnitude.bitPattern) }

  mutating func formUnion(_ other: PrintedNumbers) { bits.formUnion(other.bits) }

  /// The numbers of the field that holds the byte at `at`.
  static func around(_ at: Int, in bytes: [UInt8]) -> PrintedNumbers {
    func ends(_ byte: UInt8) -> Bool { byte <= 0x20 || byte == 0x3C || byte == 0x3E || byte == 0x3D || byte == 0x3B }
    guard at < bytes.count else { return PrintedNumbers([]) }
    // Where a blank took a digit's place the field has fallen apart, and neither half is the number;
    // but that its first or last digit is gone nobody can see.
    if ends(bytes[at]) {
      let left = bytes[..<at].reversed().prefix { !ends($0) }.reversed()
      let right = bytes[(at + 1)...].prefix { !ends($0) }
      return left.isEmpty || right.isEmpty ? PrintedNumbers(Array(left) + Array(right)) : PrintedNumbers([])
    }
    let low = bytes[..<at].lastIndex(where: ends).map { $0 + 1 } ?? 0
    let high = bytes[at...].firstIndex(where: ends) ?? bytes.count
    return PrintedNumbers(bytes[low..<high])
  }
}
