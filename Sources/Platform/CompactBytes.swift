// Values of many small records come in, few bytes that are read back fast go out: for caches of what lies
// elsewhere in a readable form. Numbers are 7 bits to the byte, lengths come before contents.

/// Writes values one after the other.
public struct CompactEncoder: Sendable {
  public private(set) var bytes: [UInt8] = []
  /// Texts that occur again and again, by their number in `texts`.
  private var numbers: [String: Int] = [:]
  private var texts: [String] = []

  public init() {}

  public mutating func add(_ value: Int) {
    // Small numbers of either sign are short.
    var rest = UInt64(bitPattern: Int64(value << 1 ^ value >> 63))
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  public mutating func add(_ value: Bool) { bytes.append(value ? 1 : 0) }

  public mutating func add(_ value: Double) {
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  public mutating func add(_ value: Double?) {
    add(value != nil)
    if let value { add(value) }
  }

  public mutating func add(_ value: Digest) { value.withBytes { bytes.append(contentsOf: $0) } }

  public mutating func add(_ value: String) {
    add(value.utf8.count)
    bytes.append(contentsOf: value.utf8)
  }

  public mutating func add(_ value: [UInt8]) {
    add(value.count)
    bytes.append(contentsOf: value)
  }

  /// What `body` adds, after its length.
  public mutating func addSized(_ body: (inout CompactEncoder) throws -> Void) rethrows {
    let start = bytes.count
    try body(&self)
    var length = CompactEncoder()
    length.add(bytes.count - start)
    bytes.insert(contentsOf: length.bytes, at: start)
  }

  /// A text that is stored once, however often it is added.
  public mutating func add(shared text: String) {
    if let number = numbers[text] { return add(number) }
    numbers[text] = texts.count
    add(texts.count)
    texts.append(text)
  }

  /// Everything, the shared texts first.
  public consuming func finish() -> [UInt8] {
    var head = CompactEncoder()
    head.add(texts.count)
    for text in texts { head.add(text) }
    return head.bytes + bytes
  }
}

/// Reads what `CompactEncoder.finish` gave. Whatever the bytes are, it throws or gives values; it never traps.
public struct CompactDecoder: Sendable {
  /// The bytes are not what was written.
  public struct Damaged: Error, CustomStringConvertible {
    public init() {}

    public var description: String { "a cached record is damaged" }
  }

  private let bytes: [UInt8]
  private let texts: [String]
  /// Where the next value begins.
  public private(set) var place = 0

  public init(_ bytes: [UInt8]) throws(Damaged) {
    self.bytes = bytes
    var head = CompactDecoder(bytes: bytes, texts: [], place: 0)
    var texts: [String] = []
    for _ in 0..<(try head.count()) { texts.append(try head.text()) }
    self.texts = texts
    place = head.place
  }

  private init(bytes: [UInt8], texts: [String], place: Int) {
    (self.bytes, self.texts, self.place) = (bytes, texts, place)
  }

  /// Whether everything has been read.
  public var isAtEnd: Bool { place == bytes.count }

  /// A reader of the same bytes that begins elsewhere.
  public func at(_ place: Int) -> CompactDecoder { CompactDecoder(bytes: bytes, texts: texts, place: place) }

  public mutating func number() throws(Damaged) -> Int {
    var (value, shift) = (UInt64(0), UInt64(0))
    while true {
      guard place < bytes.count, shift < 64 else { throw Damaged() }
      let byte = bytes[place]
      place += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { break }
      shift += 7
    }
    return Int(bitPattern: UInt(value >> 1)) ^ -Int(value & 1)
  }

  /// How many values follow: never more than there are bytes left.
  public mutating func count() throws(Damaged) -> Int {
    let count = try number()
    guard count >= 0, count <= bytes.count - place else { throw Damaged() }
    return count
  }

  public mutating func flag() throws(Damaged) -> Bool {
    guard place < bytes.count, bytes[place] < 2 else { throw Damaged() }
    place += 1
    return bytes[place - 1] == 1
  }

  public mutating func double() throws(Damaged) -> Double {
    let start = try skip(8)
    return Double(
      bitPattern: bytes.withUnsafeBytes {
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: UInt64.self))
      })
  }

  public mutating func optionalDouble() throws(Damaged) -> Double? { try flag() ? try double() : nil }

  public mutating func digest() throws(Damaged) -> Digest {
    let start = try skip(32)
    return bytes.withUnsafeBytes { Digest(bytes: UnsafeRawBufferPointer(rebasing: $0[start..<start + 32])) }
  }

  public mutating func text() throws(Damaged) -> String {
    let count = try count()
    let start = try skip(count)
    return String(decoding: bytes[start..<start + count], as: UTF8.self)
  }

  public mutating func sharedText() throws(Damaged) -> String {
    let number = try number()
    guard texts.indices.contains(number) else { throw Damaged() }
    return texts[number]
  }

  public mutating func byteString() throws(Damaged) -> [UInt8] {
    let count = try count()
    let start = try skip(count)
    return Array(bytes[start..<start + count])
  }

  /// Passes over bytes; where they begin.
  public mutating func skip(_ count: Int) throws(Damaged) -> Int {
    guard count >= 0, count <= bytes.count - place else { throw Damaged() }
    place += count
    return place - count
  }
}
