// Bytes come in, a SHA-256 digest goes out: the identity of sources, artifacts and stage keys.

import CDigest

/// A SHA-256 digest. Ordered by its bytes, which is the canonical order of sources everywhere.
public struct Digest: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  /// The 32 bytes as four big-endian words, so that comparing words compares bytes.
  let words: (UInt64, UInt64, UInt64, UInt64)

  init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// The digest of `bytes`.
  public init<Bytes: Sequence>(of bytes: Bytes) where Bytes.Element == UInt8 {
    var builder = DigestBuilder()
    if bytes.withContiguousStorageIfAvailable({ builder.update(UnsafeRawBufferPointer($0)) }) == nil {
      Array(bytes).withUnsafeBytes { builder.update($0) }
    }
    self = builder.finish()
  }

  /// The digest of the UTF-8 bytes of `text`.
  public init(of text: String) { self.init(of: text.utf8) }

  /// Parses 64 hexadecimal digits; nil for anything else.
  public init?(hexadecimal text: some StringProtocol) {
    let isDigit = { (byte: UInt8) in
      (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }
    // Checked by hand: UInt64 also takes a sign.
    guard text.utf8.count == 64, text.utf8.allSatisfy(isDigit) else { return nil }
    var words: [UInt64] = []
    var rest = text[...]
    while !rest.isEmpty {
      guard let word = UInt64(rest.prefix(16), radix: 16) else { return nil }
      words.append(word)
      rest = rest.dropFirst(16)
    }
    self.init(words: (words[0], words[1], words[2], words[3]))
  }

  /// 64 lower-case hexadecimal digits.
  public var description: String {
    var text = ""
    for word in [words.0, words.1, words.2, words.3] {
      let digits = String(word, radix: 16)
      text += String(repeating: "0", count: 16 - digits.count) + digits
    }
    return text
  }

  /// The first eight hexadecimal digits, for people.
  public var short: String { String(description.prefix(8)) }

  /// The leading 64 bits: a seed or a bucket that depends on content alone.
  public var leadingBits: UInt64 { words.0 }

  /// Bit `index` (0 is the most significant), as the canonical merge tree reads them.
  public func bit(_ index: Int) -> Bool {
    precondition((0..<256).contains(index), "a digest has 256 bits")
    let word = [words.0, words.1, words.2, words.3][index / 64]
    return word >> UInt64(63 - index % 64) & 1 == 1
  }

  public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }

  public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }

  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let digest = Digest(hexadecimal: text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "'\(text)' is not a SHA-256 digest")
    }
    self = digest
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// Builds a digest piece by piece. The typed `add` methods are unambiguous: every value carries its
/// type and length, and floating-point numbers enter by their bit patterns.
public struct DigestBuilder: Sendable {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var pending: [UInt8] = []
  private var count: UInt64 = 0
  private let isPortable: Bool

  public init() { isPortable = false }

  /// `portable` leaves the processor's SHA instructions alone, for tests.
  package init(portable: Bool) { isPortable = portable }

  /// Feeds raw bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    count += UInt64(bytes.count)
    var rest = bytes[...]
    if !pending.isEmpty {
      let taken = min(64 - pending.count, rest.count)
      pending.append(contentsOf: rest.prefix(taken))
      rest = rest.dropFirst(taken)
      guard pending.count == 64 else { return }
      pending.withUnsafeBufferPointer { fold($0.baseAddress!, 1) }
      pending.removeAll(keepingCapacity: true)
    }
    let whole = rest.count / 64
    if whole > 0 {
      let base = rest.base.baseAddress! + rest.startIndex
      fold(base.assumingMemoryBound(to: UInt8.self), whole)
      rest = rest.dropFirst(whole * 64)
    }
    pending.append(contentsOf: rest)
  }

  private mutating func fold(_ blocks: UnsafePointer<UInt8>, _ count: Int) {
    if isPortable {
      sluice_sha256_blocks_portable(&state, blocks, count)
    } else {
      sluice_sha256_blocks(&state, blocks, count)
    }
  }

  /// Feeds raw bytes.
  public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

  public mutating func add(_ text: String) {
    addHeader("s", text.utf8.count)
    update(Array(text.utf8))
  }

  public mutating func add(_ digest: Digest) { add(digest.description) }

  public mutating func add(_ number: Int) { addHeader("i", number) }

  public mutating func add(_ number: Double) {
    addHeader("d", Int(bitPattern: UInt(number.bitPattern)))
  }

  public mutating func add(_ numbers: [Double]) {
    addHeader("D", numbers.count)
    numbers.withUnsafeBytes { update($0) }
  }

  private mutating func addHeader(_ tag: Unicode.Scalar, _ value: Int) {
    var bytes: [UInt8] = [UInt8(tag.value)]
    withUnsafeBytes(of: UInt64(bitPattern: Int64(value)).littleEndian) {
      bytes.append(contentsOf: $0)
    }
    update(bytes)
  }

  /// The digest of everything fed so far; the builder can go on afterwards.
  public func finish() -> Digest {
    var copy = self
    let bits = count &* 8
    var tail: [UInt8] = [0x80]
    tail += Array(repeating: 0, count: (120 - (copy.pending.count + 1) % 64) % 64)
    withUnsafeBytes(of: bits.bigEndian) { tail.append(contentsOf: $0) }
    copy.update(tail)
    let s = copy.state.map(UInt64.init)
    return Digest(
      words: (s[0] << 32 | s[1], s[2] << 32 | s[3], s[4] << 32 | s[5], s[6] << 32 | s[7]))
  }
}
