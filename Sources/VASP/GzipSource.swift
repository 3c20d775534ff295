import Configurations
import Platform

/// gzip through libarchive, and the check that libarchive leaves out: the sums and lengths at the ends
/// of members. A file of one member, which is what gzip writes, is checked by its sum; one of several
/// by the lengths of its members, which must add up.
final class GzipSource: ByteSource {
  private let archive: ArchiveReader
  private let tail: TailSource
  private let budget: ReadBudget
  private let member: String?
  private var sum = CRC32()
  private var produced = 0
  private var isChecked = false

  init(_ source: any ByteSource, budget: ReadBudget, member: String?) throws(Diagnostic) {
    tail = TailSource(source)
    self.budget = budget
    self.member = member
    archive = try ArchiveReader(tail, .gzip, budget: budget, member: member)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard buffer.count > 0 else { return 0 }
    let count = try archive.read(into: buffer)
    if count > 0 {
      sum.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
      produced += count
    } else if !isChecked, !archive.truncated {
      isChecked = true
      _ = try archive.drain()
      if !tail.agrees(sum: sum.value, size: UInt32(truncatingIfNeeded: produced)) {
        // Cut off within the sum and length at its end, or even before its first byte of data.
        let rest = tail.count - archive.rawPosition
        if (1..<8).contains(rest) || tail.count < 18 { throw Truncation(what: "gzip data") }
        throw budget.damage("gzip data", "wrong check sum", member)
      }
    }
    return count
  }
}

/// Passes bytes on and remembers where members may end.
private final class TailSource: ByteSource {
  private let source: any ByteSource
  private var last: [UInt8] = []
  /// The last eight bytes.
  private var window: UInt64 = 0
  /// Bytes in all.
  private(set) var count = 0
  /// The lengths that stand before what looks like the first bytes of a further member.
  private var lengths: [UInt32] = []

  init(_ source: any ByteSource) { self.source = source }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let got = try source.read(into: buffer)
    let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<got])
    for byte in bytes {
      count += 1
      window = window << 8 | UInt64(byte)
      if window & 0xFF_FFFF == 0x1F_8B08, count > 3 {
        lengths.append(UInt32(truncatingIfNeeded: window >> 24).byteSwapped)
      }
    }
    last = Array((last + bytes.suffix(64)).suffix(64))
    return got
  }

  /// Whether the end of the file says what came out: `sum` is the check sum and `size` the length,
  /// modulo 2³², of everything. Zeros may follow the last member.
  func agrees(sum: UInt32, size: UInt32) -> Bool {
    let zeros = last.reversed().prefix { $0 == 0 }.count
    for padding in 0...zeros where last.count - padding >= 8 {
      let (expected, length) = trailer(padding)
      if length == size && expected == sum { return true }
      if !lengths.isEmpty, canReach(size &- length, lengths[...]) { return true }
    }
    return false
  }

  private func trailer(_ padding: Int) -> (sum: UInt32, length: UInt32) {
    let first = last.count - padding - 8
    func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(last[at + $1]) << UInt32(8 * $1) } }
    return (word(first), word(first + 4))
  }

  /// Whether some of the lengths, at least one, add up to the target. Not all need be lengths: the
  /// first bytes of a member can occur inside one by chance.
  private func canReach(_ target: UInt32, _ rest: ArraySlice<UInt32>) -> Bool {
    // Of very many members the sum of all must do.
    if rest.count > 16 { return rest.reduce(0, &+) == target }
    return (1..<1 << rest.count).contains { choice in
      rest.enumerated().reduce(UInt32(0)) { choice >> $1.offset & 1 == 1 ? $0 &+ $1.element : $0 } == target
    }
  }
}

/// The input ended before its format did. What came before is good.
struct Truncation: Error {
  /// What broke off ("gzip data").
  var what: String
}

extension ReadBudget {
  /// The content cannot be trusted: a check sum or the coding is wrong.
  func damage(_ what: String, _ detail: String?, _ member: String?) -> Diagnostic {
    Diagnostic(
      .error, code: "damaged", place: .init(file: file, member: member),
      cause: "the \(what) are damaged\(detail.map { " (\($0))" } ?? "").",
      remedy: "Copy the file again from its origin.")
  }
}
