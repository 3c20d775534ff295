import Configurations
import Platform

/// gzip through libarchive, and the check that libarchive leaves out: the sum and length at the end.
///
/// They are those of the last member. Where the length is not that of everything that came out, there
/// were several members, and their sums lie where libarchive alone has seen them.
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
      if let (expected, size) = tail.trailer, size == UInt32(truncatingIfNeeded: produced), expected != sum.value {
        throw budget.damage("gzip data", "wrong check sum", member)
      }
    }
    return count
  }
}

/// Passes bytes on and remembers the last eight.
private final class TailSource: ByteSource {
  private let source: any ByteSource
  private var last: [UInt8] = []

  init(_ source: any ByteSource) { self.source = source }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try source.read(into: buffer)
    last = (last + buffer[max(0, count - 8)..<count]).suffix(8)
    return count
  }

  /// CRC-32 and length modulo 2³² at the end of a gzip file.
  var trailer: (sum: UInt32, size: UInt32)? {
    guard last.count == 8 else { return nil }
    func word(_ first: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(last[first + $1]) << UInt32(8 * $1) } }
    return (word(0), word(4))
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
