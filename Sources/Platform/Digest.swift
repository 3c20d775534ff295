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
    let digits = text.utf8
    guard let digest = digits.withContiguousStorageIfAvailable({ Digest(digits: UnsafeRawBufferPointer($0)) })
    else {
      guard let digest = Array(digits).withUnsafeBytes({ Digest(digits: $0) }) else { return nil }
      self = digest
      return
    }
    guard let digest else { return nil }
    self = digest
  }

  /// Parses 64 hexadecimal digits; nil for anything else.
  package init?(digits: UnsafeRawBufferPointer) {
    guard digits.count == 64 else { return nil }
    func word(_ start: Int) -> UInt64? {
      var (word, isWrong) = (UInt64(0), UInt8(0))
      for byte in digits[start..<start + 16] {
        let digit = Self.digitValues[Int(byte)]
        isWrong |= digit & 0xF0
        word = word << 4 | UInt64(digit & 0xF)
      }
      return isWrong == 0 ? word : nil
    }
    guard let a = word(0), let b = word(16), let c = word(32), let d = word(48) else { return nil }
    self.init(words: (a, b, c, d))
  }

  /// What a byte is as a hexadecimal digit; 0xFF for none.
  private static let digitValues: [UInt8] = (0...255).map { (byte: UInt8) in
    switch byte {
    case 48...57: byte - 48
    case 65...70: byte - 55
    case 97...102: byte - 87
    default: 0xFF
    }
  }

  /// The 32 bytes.
  public init(bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == 32, "a digest has 32 bytes")
    func word(_ index: Int) -> UInt64 {
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
    }
    self.init(words: (word(0), word(1), word(2), word(3)))
  }

  /// Calls `body` with the 32 bytes.
  public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let bytes = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
    return try withUnsafeBytes(of: bytes, body)
  }

  /// 64 lower-case hexadecimal digits.
  public var description: String {
    withDigits { digits in
      String(unsafeUninitializedCapacity: 64) {
        _ = $0.initialize(fromContentsOf: digits.assumingMemoryBound(to: UInt8.self))
        return 64
      }
    }
  }

  /// Calls `body` with the 64 digits, 16 of each word.
  package func withDigits<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let digits = (
      Self.digits(words.0 >> 32), Self.digits(words.0 & 0xFFFF_FFFF), Self.digits(words.1 >> 32),
      Self.digits(words.1 & 0xFFFF_FFFF), Self.digits(words.2 >> 32), Self.digits(words.2 & 0xFFFF_FFFF),
      Self.digits(words.3 >> 32), Self.digits(words.3 & 0xFFFF_FFFF)
    )
    return try withUnsafeBytes(of: digits, body)
  }

  /// The eight digits of 32 bits, all at once: each in a byte of its own, then 0...9 and a...f.
  private static func digits(_ half: UInt64) -> UInt64 {
    var v = (half << 16 | half) & 0x0000_FFFF_0000_FFFF
    v = (v << 8 | v) & 0x00FF_00FF_00FF_00FF
    v = (v << 4 | v) & 0x0F0F_0F0F_0F0F_0F0F
    let letters = ((v + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
    return (v + 0x3030_3030_3030_3030 + letters * 39).bigEndian
  }

  /// The first eight hexadecimal digits, for people.
  public var short: String {
    withDigits { String(decoding: UnsafeRawBufferPointer(rebasing: $0[..<8]), as: UTF8.self) }
  }

  /// The leading 64 bits: a seed or a bucket that depends on content alone.
  public var leadingBits: UInt64 { words.0 }

  /// Bit `index` (0 is the most significant), as the canonical merge tree reads them.
  public func bit(_ index: Int) -> Bool {
    precondition((0..<256).contains(index), "a digest has 256 bits")
    let word =
      switch index / 64 {
      case 0: words.0
      case 1: words.1
      case 2: words.2
      default: words.3
      }
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
///
/// Tens of thousands of keys are made in one pass, so nothing here allocates.
public struct DigestBuilder: Sendable {
  private typealias Words = (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32)
  private typealias Block = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

  private var state: Words = (
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19
  )
  /// The first `count % 64` bytes are those that no whole block has taken yet.
  private var pending: Block = (0, 0, 0, 0, 0, 0, 0, 0)
  private var count: UInt64 = 0
  private let isPortable: Bool

  public init() { isPortable = false }

  /// `portable` leaves the processor's SHA instructions alone, for tests.
  package init(portable: Bool) { isPortable = portable }

  /// Feeds raw bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard var next = bytes.baseAddress, !bytes.isEmpty else { return }
    var left = bytes.count
    let held = Int(count & 63)
    count &+= UInt64(left)
    if held > 0 {
      let taken = min(64 - held, left)
      withUnsafeMutableBytes(of: &pending) { ($0.baseAddress! + held).copyMemory(from: next, byteCount: taken) }
      next += taken
      left -= taken
      guard held + taken == 64 else { return }
      let block = pending
      withUnsafeBytes(of: block) { fold($0.baseAddress!, 1) }
    }
    if left >= 64 {
      fold(next, left / 64)
      next += left & ~63
      left &= 63
    }
    if left > 0 { withUnsafeMutableBytes(of: &pending) { $0.baseAddress!.copyMemory(from: next, byteCount: left) } }
  }

  private mutating func fold(_ blocks: UnsafeRawPointer, _ count: Int) {
    let bytes = blocks.assumingMemoryBound(to: UInt8.self)
    let isPortable = isPortable
    withUnsafeMutableBytes(of: &state) {
      let words = $0.baseAddress!.assumingMemoryBound(to: UInt32.self)
      if isPortable {
        sluice_sha256_blocks_portable(words, bytes, count)
      } else {
        sluice_sha256_blocks(words, bytes, count)
      }
    }
  }

  /// Feeds raw bytes.
  public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

  public mutating func add(_ text: String) {
    var text = text
    text.withUTF8 {
      addHeader("s", $0.count)
      update(UnsafeRawBufferPointer($0))
    }
  }

  /// As its 64 digits.
  public mutating func add(_ digest: Digest) {
    addHeader("s", 64)
    digest.withDigits { update($0) }
  }

  public mutating func add(_ number: Int) { addHeader("i", number) }

  public mutating func add(_ number: Double) {
    addHeader("d", Int(bitPattern: UInt(number.bitPattern)))
  }

  public mutating func add(_ numbers: [Double]) {
    addHeader("D", numbers.count)
    numbers.withUnsafeBytes { update($0) }
  }

  /// The tag, then the value in eight bytes.
  private mutating func addHeader(_ tag: Unicode.Scalar, _ value: Int) {
    let value = UInt64(bitPattern: Int64(value))
    let header = ((UInt64(tag.value) | value << 8).littleEndian, (value >> 56).littleEndian)
    withUnsafeBytes(of: header) { update(UnsafeRawBufferPointer(rebasing: $0[..<9])) }
  }

  /// The digest of everything fed so far; the builder can go on afterwards.
  public func finish() -> Digest {
    var copy = self
    let held = Int(count & 63)
    withUnsafeMutableBytes(of: &copy.pending) {
      $0[held] = 0x80
      for index in held + 1..<max(64, held + 1) { $0[index] = 0 }
    }
    if held >= 56 {
      copy.foldPending()
      copy.pending = (0, 0, 0, 0, 0, 0, 0, 0)
    }
    copy.pending.7 = (count &* 8).bigEndian
    copy.foldPending()
    let s = copy.state
    return Digest(
      words: (
        UInt64(s.0) << 32 | UInt64(s.1), UInt64(s.2) << 32 | UInt64(s.3), UInt64(s.4) << 32 | UInt64(s.5),
        UInt64(s.6) << 32 | UInt64(s.7)
      ))
  }

  private mutating func foldPending() {
    let block = pending
    withUnsafeBytes(of: block) { fold($0.baseAddress!, 1) }
  }
}
