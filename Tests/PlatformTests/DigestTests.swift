import Platform
import TestSupport
import Testing

@Suite struct DigestTests {
  /// FIPS 180-4 examples and the NIST long message.
  static let vectors: [(String, String)] = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
        + "qrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
  ]

  @Test(arguments: vectors) func standardExamples(_ text: String, _ expected: String) {
    #expect(Digest(of: text).description == expected)
    var portable = DigestBuilder(portable: true)
    portable.update(Array(text.utf8))
    #expect(portable.finish().description == expected)
  }

  @Test func aMillionLetters() {
    let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    #expect(Digest(of: bytes).description == expected)
    var portable = DigestBuilder(portable: true)
    portable.update(bytes)
    #expect(portable.finish().description == expected)
  }

  @Test func everyLengthAgreesWithThePaperAndThePortablePath() {
    var generator = SeededGenerator(seed: 7)
    let bytes = (0..<300).map { _ in UInt8.random(in: 0...255, using: &generator) }
    for count in 0...300 {
      let part = Array(bytes[..<count])
      var portable = DigestBuilder(portable: true)
      portable.update(part)
      let digest = Digest(of: part)
      #expect(digest == portable.finish(), "length \(count)")
      #expect(digest.description == slowSHA256(part), "length \(count)")
    }
  }

  @Test func splittingAnUpdateChangesNothing() {
    var generator = SeededGenerator(seed: 8)
    let bytes = (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let whole = Digest(of: bytes)
    for cut in 0...200 {
      var builder = DigestBuilder()
      builder.update(Array(bytes[..<cut]))
      _ = builder.finish()
      builder.update([])
      builder.update(Array(bytes[cut...]))
      #expect(builder.finish() == whole, "cut at \(cut)")
    }
    var single = DigestBuilder()
    for byte in bytes { single.update([byte]) }
    #expect(single.finish() == whole)
  }

  @Test func typedValuesDoNotRunTogether() {
    func digest(_ body: (inout DigestBuilder) -> Void) -> Digest {
      var builder = DigestBuilder()
      body(&builder)
      return builder.finish()
    }
    let all = [
      digest {
        $0.add("ab")
        $0.add("c")
      },
      digest {
        $0.add("a")
        $0.add("bc")
      },
      digest { $0.add("abc") }, digest { $0.add(1) }, digest { $0.add(1.0) },
      digest { $0.add([1.0]) }, digest { $0.add(0.0) }, digest { $0.add(-0.0) },
      digest { $0.add(Digest(of: "")) },
    ]
    #expect(Set(all).count == all.count)
  }

  @Test func hexadecimalTextIsReadBackAndNothingElse() {
    let digest = Digest(of: "abc")
    let text = digest.description
    #expect(Digest(hexadecimal: text) == digest)
    #expect(Digest(hexadecimal: text.uppercased()) == digest)
    for bad in [
      "", String(text.dropLast()), text + "0", "+" + text.dropFirst(), "-" + text.dropFirst(),
      "-000000000000000" + text.dropFirst(16), "g" + text.dropFirst(), " " + text.dropFirst(),
      String(repeating: "é", count: 32),
    ] {
      #expect(Digest(hexadecimal: bad) == nil, "\(bad)")
    }
  }

  @Test func orderAndBitsFollowTheBytes() {
    let digests = (0..<100).map { Digest(of: "\($0)") }
    for (a, b) in zip(digests, digests.dropFirst()) {
      #expect((a < b) == (a.description < b.description))
      let bits = (0..<256).map { a.bit($0) ? "1" : "0" }.joined()
      let hex = a.description.flatMap { digit -> String in
        let bits = String(digit.hexDigitValue!, radix: 2)
        return String(repeating: "0", count: 4 - bits.count) + bits
      }
      #expect(bits == String(hex))
    }
  }
}

/// SHA-256 written down from FIPS 180-4, section 6.2, with the constants computed from the primes.
private func slowSHA256(_ message: [UInt8]) -> String {
  var primes: [UInt64] = []
  var candidate: UInt64 = 2
  while primes.count < 64 {
    if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
    candidate += 1
  }
  /// The first 32 bits of the fraction of the square or cube root of `n`, by bisection.
  func fraction(_ n: UInt64, cube: Bool) -> UInt32 {
    var low: UInt64 = 0
    var high: UInt64 = 1 << 37
    while high - low > 1 {
      let middle = (low + high) / 2
      // Compares middle^k with n 2^(32 k) in 128 or more bits.
      let isBelow: Bool
      if cube {
        let square = UInt128(middle) * UInt128(middle)
        isBelow = square * UInt128(middle) <= UInt128(n) << 96
      } else {
        isBelow = UInt128(middle) * UInt128(middle) <= UInt128(n) << 64
      }
      if isBelow { low = middle } else { high = middle }
    }
    return UInt32(truncatingIfNeeded: low)
  }
  let k = primes.map { fraction($0, cube: true) }
  var h = primes[..<8].map { fraction($0, cube: false) }
  var padded = message + [0x80]
  while padded.count % 64 != 56 { padded.append(0) }
  let bits = UInt64(message.count) * 8
  for shift in stride(from: 56, through: 0, by: -8) {
    padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
  }
  func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
  for start in stride(from: 0, to: padded.count, by: 64) {
    var w = (0..<16).map { t in
      (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[start + 4 * t + $1]) }
    }
    for t in 16..<64 {
      let s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3
      let s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10
      w.append(s1 &+ w[t - 7] &+ s0 &+ w[t - 16])
    }
    var v = h
    for t in 0..<64 {
      let s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)
      let choice = (v[4] & v[5]) ^ (~v[4] & v[6])
      let t1 = v[7] &+ s1 &+ choice &+ k[t] &+ w[t]
      let s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)
      let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
      v = [t1 &+ s0 &+ majority, v[0], v[1], v[2], v[3] &+ t1, v[4], v[5], v[6]]
    }
    for i in 0..<8 { h[i] = h[i] &+ v[i] }
  }
  return h.map { word in
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }.joined()
}
