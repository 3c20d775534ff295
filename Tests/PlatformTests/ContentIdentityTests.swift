import Platform
import TestSupport
import Testing

@Suite struct ContentIdentityTests {
  private func identity(_ bytes: [UInt8], _ kind: ContentIdentity = .fingerprint, pieces: Int = .max) -> Digest {
    var builder = ContentIdentityBuilder(kind)
    var at = 0
    while at < bytes.count {
      let end = min(bytes.count, pieces == .max ? bytes.count : at + pieces)
      bytes[at..<end].withUnsafeBytes { builder.update($0) }
      at = end
    }
    return builder.finish()
  }

  /// The fingerprint as its file describes it, in the plainest words.
  private func slowFingerprint(_ bytes: [UInt8]) -> Digest {
    let salt: [UInt64] = [
      0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0xaef1_7502_108e_f2d9, 0xf135_7aea_2e62_a9c5,
      0xbea2_25f9_eb34_556d, 0x8cb9_2ba7_2f3d_8dd7, 0xc6a4_a793_5bd1_e995, 0xe703_7ed1_a0b4_28db,
    ]
    func folded(_ a: UInt64, _ b: UInt64) -> UInt64 {
      let product = a.multipliedFullWidth(by: b)
      return product.high ^ product.low
    }
    let padded = bytes + [UInt8](repeating: 0, count: (64 - bytes.count % 64) % 64)
    func word(_ at: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(padded[at + $1]) << UInt64(8 * $1) } }
    var lanes: [UInt64] = [1, 2, 3, 4]
    for block in stride(from: 0, to: padded.count, by: 64) {
      for k in 0..<4 {
        lanes[k] = folded(word(block + 16 * k) ^ salt[k], word(block + 16 * k + 8) ^ lanes[k])
      }
    }
    let words = (0..<4).map { k in
      folded(lanes[k] ^ salt[4 + k], UInt64(bytes.count) ^ salt[k])
        ^ folded(lanes[(k + 1) % 4] ^ salt[k], lanes[k] ^ salt[4 + k])
    }
    let digits = words.map { word in
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return Digest(hexadecimal: digits.joined())!
  }

  @Test func everyLengthAgreesWithThePlainLoops() {
    var generator = SeededGenerator(seed: 3)
    let bytes = (0..<300).map { _ in UInt8.random(in: 0...255, using: &generator) }
    for count in 0...300 {
      let part = Array(bytes[..<count])
      #expect(identity(part) == slowFingerprint(part), "length \(count)")
      #expect(identity(part, .digest) == Digest(of: part), "length \(count)")
    }
  }

  @Test func cuttingIntoPiecesChangesNothing() {
    var generator = SeededGenerator(seed: 4)
    let bytes = (0..<1000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    for pieces in [1, 2, 63, 64, 65, 127, 128, 129, 999] {
      #expect(identity(bytes, pieces: pieces) == identity(bytes), "pieces of \(pieces)")
      #expect(identity(bytes, .digest, pieces: pieces) == Digest(of: bytes), "pieces of \(pieces)")
    }
  }

  @Test func everyBitAndEveryLengthCounts() {
    let text = Array("   <v>       0.12500000      -0.50000000       0.06250000 </v>\n".utf8)
    let bytes = text + text + text
    var seen: Set<Digest> = [identity(bytes)]
    for bit in 0..<8 * bytes.count {
      var other = bytes
      other[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(seen.insert(identity(other)).inserted, "bit \(bit)")
    }
    for count in 0...400 {
      #expect(seen.insert(identity([UInt8](repeating: 0, count: count))).inserted, "\(count) zeros")
    }
  }
}
