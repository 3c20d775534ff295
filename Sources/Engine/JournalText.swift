import Platform

/// One generation of the journal as text: how records are written and read back.
struct JournalText {
  /// What follows the last good record.
  enum Tail: Equatable {
    case clean
    /// The end of an append that did not finish; safe to cut off.
    case torn
    /// Unreadable bytes that an unfinished append does not explain.
    case damaged(String)
  }

  var generation: Int
  /// Sequence number of the first record.
  var first: Int
  /// How many records were there from the start.
  var base: Int
  /// Records before those of `records`, which are known.
  private var skipped = 0
  var records: [JournalRecord] = []
  /// Bytes up to the end of the last good record.
  var length: Int
  var tail: Tail = .clean

  var isTorn: Bool { tail == .torn }
  var nextSequence: Int { first + skipped + records.count }
  /// Whether the records before a mark were passed over.
  var isResumed: Bool { skipped > 0 }

  // MARK: Writing

  static func header(generation: Int, first: Int, base: Int) -> [UInt8] {
    let text = "sluice-journal 1 \(generation) \(first) \(base)"
    return Array("\(text) \(Digest(of: text).description.prefix(16))\n".utf8)
  }

  static func encode(generation: Int, sequence: Int, batch: Int, _ payload: [UInt8]) -> [UInt8] {
    let check = check(generation, sequence, batch, payload[...])
    return Array("record \(sequence) \(batch) \(payload.count) \(check)\n".utf8) + payload
      + [UInt8(ascii: "\n")]
  }

  private static func check(
    _ generation: Int, _ sequence: Int, _ batch: Int, _ payload: ArraySlice<UInt8>
  ) -> Digest {
    var builder = DigestBuilder()
    builder.update(Array("\(generation) \(sequence) \(batch) \(payload.count)\n".utf8))
    payload.withUnsafeBytes { builder.update($0) }
    return builder.finish()
  }

  // MARK: Reading

  /// Reads a generation; nil when it has no whole header (an empty or foreign file).
  /// - Parameter mark: records before it are passed over, if the bytes before it are those that were marked.
  init?(_ bytes: [UInt8], from mark: JournalMark? = nil) {
    guard let (fields, end) = Self.line(bytes, 0), fields.count == 6, fields[0] == "sluice-journal",
      fields[1] == "1", let generation = Self.number(fields[2]), let first = Self.number(fields[3]),
      let base = Self.number(fields[4]), first > 0,
      bytes[..<end].elementsEqual(Self.header(generation: generation, first: first, base: base))
    else { return nil }
    self.generation = generation
    self.first = first
    self.base = base
    length = end
    if let mark, mark.generation == generation, (end...bytes.count).contains(mark.length), mark.next > first,
      Digest(of: bytes[..<mark.length]) == mark.digest
    {
      length = mark.length
      skipped = mark.next - first
    }
    while length < bytes.count {
      guard let found = record(bytes, length), found.record.sequence == nextSequence else { break }
      records.append(found.record)
      length = found.end
    }
    tail = judgeTail(bytes)
  }

  private func judgeTail(_ bytes: [UInt8]) -> Tail {
    if skipped + records.count < base {
      return .damaged("record \(nextSequence) of the first \(base) is unreadable")
    }
    if length == bytes.count { return .clean }
    for later in wholeRecords(bytes, after: length) where later.record.sequence > nextSequence {
      if later.batch > nextSequence {
        return .damaged(
          "record \(nextSequence) is unreadable, but record \(later.record.sequence) is whole")
      }
    }
    return .torn
  }

  /// Whole records found anywhere from byte `start` on, in the order in which they lie.
  func wholeRecords(_ bytes: [UInt8], after start: Int) -> [(record: JournalRecord, batch: Int)] {
    var result: [(record: JournalRecord, batch: Int)] = []
    let mark = Array("record ".utf8)
    var position = start
    while position + mark.count <= bytes.count {
      if bytes[position] == mark[0], bytes[position..<position + mark.count].elementsEqual(mark),
        let found = record(bytes, position)
      {
        result.append((found.record, found.batch))
        position = found.end
      } else {
        position += 1
      }
    }
    return result
  }

  /// The whole record that begins at byte `start`, or nil.
  private func record(_ bytes: [UInt8], _ start: Int)
    -> (record: JournalRecord, batch: Int, end: Int)?
  {
    guard let (fields, body) = Self.line(bytes, start), fields.count == 5, fields[0] == "record",
      let sequence = Self.number(fields[1]), let batch = Self.number(fields[2]),
      let count = Self.number(fields[3]), batch <= sequence, count < bytes.count - body,
      bytes[body + count] == UInt8(ascii: "\n")
    else { return nil }
    let payload = bytes[body..<body + count]
    guard Self.check(generation, sequence, batch, payload).description == fields[4] else {
      return nil
    }
    return (JournalRecord(sequence: sequence, payload: Array(payload)), batch, body + count + 1)
  }

  /// The words of the line at byte `start` and where the next line begins; header lines are short.
  private static func line(_ bytes: [UInt8], _ start: Int) -> (fields: [String], end: Int)? {
    let window = bytes[start..<min(bytes.count, start + 200)]
    guard let end = window.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    let fields = window[..<end].split(
      separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    return (fields.map { String(decoding: $0, as: UTF8.self) }, end + 1)
  }

  /// Plain decimal digits, as `encode` writes them; one way to write each number.
  private static func number(_ text: String) -> Int? {
    guard let value = Int(text), value >= 0, String(value) == text else { return nil }
    return value
  }
}
