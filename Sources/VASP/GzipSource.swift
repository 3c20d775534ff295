import CLibArchive
import Configurations
import Platform

/// Decompresses gzip with zlib, which checks the sum and the length of every member.
final class GzipSource: ByteSource {
  private let source: any ByteSource
  private let budget: ReadBudget
  private let member: String?
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
  // On the heap: zlib keeps a pointer back to its stream.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private var consumed = 0
  private var produced = 0
  private var ended = false
  private var insideMember = true

  init(_ source: any ByteSource, budget: ReadBudget, member: String?) {
    self.source = source
    self.budget = budget
    self.member = member
    stream.initialize(to: z_stream())
    // 15 window bits, +16 for a gzip wrapper.
    let code = inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib does not start")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard !ended, buffer.count > 0 else { return 0 }
    let capacity = min(buffer.count, 1 << 30)
    stream.pointee.next_out = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(capacity)
    while stream.pointee.avail_out == UInt32(capacity) {
      if stream.pointee.avail_in == 0 {
        let got = try source.read(into: input)
        consumed += got
        if got == 0 {
          ended = true
          if insideMember { throw Truncation(what: "gzip data") }
          return 0
        }
        stream.pointee.next_in = input.baseAddress!.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(got)
      }
      if !insideMember {
        // Zero padding after the last member is usual on tapes; anything but a new member ends it.
        while stream.pointee.avail_in > 0, stream.pointee.next_in.pointee == 0 {
          stream.pointee.next_in += 1
          stream.pointee.avail_in -= 1
        }
        if stream.pointee.avail_in == 0 { continue }
        inflateReset(stream)
        insideMember = true
      }
      let code = inflate(stream, Z_NO_FLUSH)
      if code == Z_STREAM_END {
        insideMember = false
      } else if code != Z_OK && code != Z_BUF_ERROR {
        throw budget.damage("gzip data", stream.pointee.msg.map { String(cString: $0) }, member)
      }
    }
    let count = capacity - Int(stream.pointee.avail_out)
    produced += count
    try budget.count(count, total: produced, consumed: consumed, member: member)
    return count
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
