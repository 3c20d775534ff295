// Text of a vasprun.xml comes in, whole lines; what the XML parser must still see goes out.

import Configurations
import Glibc

/// Takes the plain lines of big tables out of the text before libxml2 sees it: most of a file is rows of
/// numbers, each an element of its own, and a parser of XML spends ten times on them what reading the
/// numbers costs.
///
/// Only whole lines go that are one well-formed element without attributes that matter, references or
/// children, so what is left is well formed exactly where the whole was. Each leaves its newline, for the
/// numbers of lines. Rows of the tables that a step is made of leave a processing instruction,
/// `<?rows NUMBER?>`, at which the handler takes them; everything in doubt stays as it is.
struct PlainRows {
  /// What the line before says of this one.
  private enum Place {
    case anywhere
    /// Rows of a table whose numbers count.
    case table
    /// Rows of a table that nothing needs.
    case idleTable
    /// Between `<scstep>` and the first line that is not of its usual ones.
    case electronicStep
  }

  /// What is left of the text last taken.
  private(set) var output: UnsafeMutablePointer<UInt8>
  private(set) var count = 0
  private let capacity: Int

  /// The rows that were taken out, by the number of their instruction from `first` on.
  private var tables: [[Vector3]] = []
  private var first: Int

  private var place = Place.anywhere
  /// Whether the text so far ended within a line.
  private var isWithinLine = true

  /// Shortest text that an instruction can replace: a row with its newline.
  private static let shortestRow = 13
  private static let longestInstruction = 40

  /// `capacity`: bytes of text that are given at once, at most.
  init(capacity: Int) {
    // An instruction may be longer than the row in whose place it stands.
    self.capacity = capacity + (capacity / Self.shortestRow + 1) * Self.longestInstruction
    output = .allocate(capacity: self.capacity)
    // A number that no file can know: an instruction that it holds itself means nothing.
    first = Int.random(in: 1 << 60..<1 << 61)
  }

  func deallocate() { output.deallocate() }

  /// What follows does not follow what was taken, but text that ended with `last`.
  mutating func skip(endingWith last: UInt8) {
    place = .anywhere
    isWithinLine = last != 0x0A
  }

  /// The rows of an instruction, once.
  mutating func rows(_ number: Int) -> [Vector3] {
    let index = number - first
    guard tables.indices.contains(index) else { return [] }
    let rows = tables[index]
    // The parser meets instructions in order: those before were in a place where none are seen.
    tables.removeFirst(index + 1)
    first = number + 1
    return rows
  }

  /// Puts what is left of the whole lines in `text` into `output`; gives how many bytes were taken.
  mutating func take(_ text: UnsafeBufferPointer<UInt8>) -> Int {
    count = 0
    guard let base = text.baseAddress else { return 0 }
    let end = text.count
    var at = 0
    if isWithinLine {
      guard let newline = memchr(base, 0x0A, end) else { return 0 }
      at = UnsafePointer(newline.assumingMemoryBound(to: UInt8.self)) - base + 1
      isWithinLine = false
    }
    // What stands before `at` but not before `kept` goes out as it is.
    var kept = 0
    var rows: [Vector3] = []
    while at < end {
      var p = at
      DecimalScanner.skipBlanks(text, &p)
      if p + 3 < end, base[p] == 0x3C {
        var next = 0
        switch base[p + 1] {
        case 0x76:  // v
          guard place == .table || place == .idleTable, base[p + 2] == 0x3E,
            let row = Self.row(text, p + 3, &next)
          else { break }
          if place == .table {
            if rows.isEmpty {
              copy(base, kept, at)
              rows.reserveCapacity(tables.last?.count ?? 0)
            }
            rows.append(row)
          } else {
            copy(base, kept, at)
            append(0x0A)
          }
          at = next
          kept = next
          continue
        case 0x72 where base[p + 2] == 0x3E:  // r: bands, densities of states, projections
          guard Self.endOfPlain(text, p + 3, "</r>", &next) else { break }
          copy(base, kept, at)
          append(0x0A)
          at = next
          kept = next
          continue
        case 0x69, 0x74:  // i, t
          guard place == .electronicStep, Self.endOfItem(text, p, &next) else { break }
          copy(base, kept, at)
          append(0x0A)
          at = next
          kept = next
          continue
        default: break
        }
      }
      guard let found = memchr(base + p, 0x0A, end - p) else { break }
      let newline = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - base
      close(&rows)
      look(UnsafeBufferPointer(rebasing: text[p..<newline]))
      at = newline + 1
    }
    close(&rows)
    copy(base, kept, at)
    return at
  }

  /// What the line says of those behind it.
  private mutating func look(_ line: UnsafeBufferPointer<UInt8>) {
    if place == .electronicStep, line.isAll("<energy>") || line.isAll("</energy>") { return }
    place = .anywhere
    guard line.count > 7, line[0] == 0x3C else { return }
    if line[1] == 0x73 {
      if line.isAll("<scstep>") { place = .electronicStep }
    } else if line[1] == 0x76, line.has("<varray name=\"", at: 0) {
      let name = UnsafeBufferPointer(rebasing: line[14...])
      if name.isAll("positions\" >") || name.isAll("forces\" >") || name.isAll("basis\" >")
        || name.isAll("stress\" >")
      {
        place = .table
      } else if name.isAll("rec_basis\" >") {
        place = .idleTable
      }
    }
  }

  // MARK: lines

  /// The numbers of "1 2 3 </v>\n" at `from`, and the place behind; nil for any other text.
  @inline(__always)
  private static func row(
    _ text: UnsafeBufferPointer<UInt8>, _ from: Int, _ next: inout Int
  ) -> Vector3? {
    var at = from
    guard let x = number(text, &at), let y = number(text, &at), let z = number(text, &at) else {
      return nil
    }
    DecimalScanner.skipBlanks(text, &at)
    guard text.has("</v>\n", at: at) else { return nil }
    next = at + 5
    return Vector3(x, y, z)
  }

  /// As `DecimalScanner.next` reads it, but finite, and a tag may follow at once.
  @inline(__always)
  private static func number(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> Double? {
    DecimalScanner.skipBlanks(text, &at)
    guard let value = DecimalNumber.scan(text.baseAddress!, &at, text.count), value.isFinite,
      at < text.count
    else { return nil }
    let byte = text[at]
    guard byte == 0x20 || byte == 0x3C || byte == 0x09 || byte == 0x2D || byte == 0x2B else { return nil }
    return value
  }

  /// Whether plain text from `from` on, then `tag` and a newline follow; `next` is the place behind.
  @inline(__always)
  private static func endOfPlain(
    _ text: UnsafeBufferPointer<UInt8>, _ from: Int, _ tag: StaticString, _ next: inout Int
  ) -> Bool {
    let base = text.baseAddress! + from
    guard let found = memchr(base, 0x3C, text.count - from) else { return false }
    let length = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - base
    let behind = from + length + tag.utf8CodeUnitCount
    guard behind < text.count, text[behind] == 0x0A, text.has(tag, at: from + length),
      memchr(base, 0x0A, length) == nil, memchr(base, 0x26, length) == nil,
      memchr(base, 0x3E, length) == nil
    else { return false }
    next = behind + 1
    return true
  }

  /// The same for `<i name="word">…</i>` and `<time name="word">…</time>` at `from`.
  private static func endOfItem(
    _ text: UnsafeBufferPointer<UInt8>, _ from: Int, _ next: inout Int
  ) -> Bool {
    let isItem = text.has("<i name=\"", at: from)
    guard isItem || text.has("<time name=\"", at: from) else { return false }
    var at = from + (isItem ? 9 : 12)
    while at < text.count {
      let byte = text[at]
      guard (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x5F else { break }
      at += 1
    }
    guard text.has("\">", at: at) else { return false }
    return endOfPlain(text, at + 2, isItem ? "</i>" : "</time>", &next)
  }

  // MARK: what is left

  /// Puts an instruction and newlines in the place of the rows.
  @inline(__always)
  private mutating func close(_ rows: inout [Vector3]) {
    if !rows.isEmpty { leaveInstruction(&rows) }
  }

  private mutating func leaveInstruction(_ rows: inout [Vector3]) {
    var number = first + tables.count
    for byte in "<?rows ".utf8 { append(byte) }
    var digits: [UInt8] = []
    repeat {
      digits.append(0x30 + UInt8(number % 10))
      number /= 10
    } while number > 0
    for digit in digits.reversed() { append(digit) }
    append(0x3F)
    append(0x3E)
    memset(output + count, 0x0A, rows.count)
    count += rows.count
    tables.append(rows)
    rows = []
  }

  @inline(__always)
  private mutating func append(_ byte: UInt8) {
    output[count] = byte
    count += 1
  }

  @inline(__always)
  private mutating func copy(_ base: UnsafePointer<UInt8>, _ from: Int, _ to: Int) {
    guard to > from else { return }
    memcpy(output + count, base + from, to - from)
    count += to - from
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether these are exactly the bytes of `word`.
  @inline(__always)
  fileprivate func isAll(_ word: StaticString) -> Bool {
    count == word.utf8CodeUnitCount && memcmp(baseAddress!, word.utf8Start, count) == 0
  }
}
