import CInflate
import Configurations
import Glibc
import Platform

/// Decompresses gzip (RFC 1952) and checks the sum and the length of every member. Where the file
/// breaks off, everything up to the break is given; libarchive would forget up to 64 KiB of it.
final class GzipSource: ByteSource {
  private enum Phase { case header, data, cut, trailer, over }

  private let source: any ByteSource
  private let budget: ReadBudget
  private let member: String?
  private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
  // On the heap: it is large, and C keeps a pointer into it.
  private let state = UnsafeMutablePointer<sluice_inflater>.allocate(capacity: 1)
  private var phase = Phase.header
  private var members = 0
  /// Bytes of the chunk that were handed over.
  private var taken = 0
  private var sum = CRC32()
  private var size: UInt32 = 0
  private var consumed = 0
  private var produced = 0

  init(_ source: any ByteSource, budget: ReadBudget, member: String?) {
    self.source = source
    self.budget = budget
    self.member = member
    memset(state, 0, MemoryLayout<sluice_inflater>.size)
    state.pointee.bytes = UnsafePointer(input.baseAddress!.assumingMemoryBound(to: UInt8.self))
  }

  deinit {
    state.deallocate()
    input.deallocate()
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard buffer.count > 0 else { return 0 }
    while true {
      let ready = state.pointee.written - taken
      if ready > 0 { return try give(min(ready, buffer.count), to: buffer) }
      switch phase {
      case .header: try readHeader()
      case .data: try decode()
      case .trailer: try checkTrailer()
      case .cut: throw Truncation(what: "gzip data")
      case .over: return 0
      }
    }
  }

  private func give(_ count: Int, to buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let chunk = UnsafeRawBufferPointer(start: sluice_inflate_chunk(state), count: state.pointee.written)
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: chunk[taken..<taken + count]))
    taken += count
    if taken == chunk.count {
      sluice_inflate_taken(state)
      taken = 0
    }
    produced += count
    try budget.count(count, total: produced, consumed: consumed, member: member)
    return count
  }

  /// Decodes one chunk; nothing of an earlier one is left.
  private func decode() throws {
    while true {
      let status = sluice_inflate(state)
      if status == sluice_inflate_hungry {
        try fill()
        continue
      }
      let chunk = UnsafeRawBufferPointer(start: sluice_inflate_chunk(state), count: state.pointee.written)
      sum.update(chunk)
      size &+= UInt32(chunk.count)
      switch status {
      case sluice_inflate_full: break
      case sluice_inflate_ended:
        sluice_inflate_return_bits(state)
        phase = .trailer
      case sluice_inflate_cut: phase = .cut
      default: throw budget.damage("gzip data", nil, member)
      }
      return
    }
  }

  /// The member's sum and length.
  private func checkTrailer() throws {
    var words: [UInt32] = [0, 0]
    for word in 0..<2 {
      for k in 0..<4 {
        guard let byte = try nextByte() else {
          phase = .cut
          return
        }
        words[word] |= UInt32(byte) << UInt32(8 * k)
      }
    }
    if words != [sum.value, size] { throw budget.damage("gzip data", "wrong check sum", member) }
    phase = .header
  }

  /// A member's header. Zeros may follow the last member, as on tapes; anything else must be a member.
  private func readHeader() throws {
    var byte = try nextByte()
    while members > 0, byte == 0 { byte = try nextByte() }
    guard let first = byte else {
      phase = members > 0 ? .over : .cut
      return
    }
    var fixed = [first]
    for _ in 1..<10 {
      guard let byte = try nextByte() else {
        phase = .cut
        return
      }
      fixed.append(byte)
    }
    // Magic number, method deflate, no reserved flag.
    guard fixed[0] == 0x1F, fixed[1] == 0x8B, fixed[2] == 8, fixed[3] & 0xE0 == 0 else {
      throw budget.damage("gzip data", "no header of a member", member)
    }
    phase = try skipOptionalFields(flags: fixed[3]) ? .data : .cut
    members += 1
    sum = CRC32()
    size = 0
    sluice_inflate_begin(state)
  }

  /// Extra field, name, comment and header sum; false where the file ends within them.
  private func skipOptionalFields(flags: UInt8) throws -> Bool {
    if flags & 4 != 0 {
      guard let low = try nextByte(), let high = try nextByte() else { return false }
      for _ in 0..<(Int(low) | Int(high) << 8) where try nextByte() == nil { return false }
    }
    for flag in [8, 16] as [UInt8] where flags & flag != 0 {
      while true {
        guard let byte = try nextByte() else { return false }
        if byte == 0 { break }
      }
    }
    if flags & 2 != 0 {
      for _ in 0..<2 where try nextByte() == nil { return false }
    }
    return true
  }

  /// A byte outside the compressed data, nil at the end.
  private func nextByte() throws -> UInt8? {
    if state.pointee.position == state.pointee.end {
      try fill()
      if state.pointee.position == state.pointee.end { return nil }
    }
    defer { state.pointee.position += 1 }
    return input[state.pointee.position]
  }

  /// Moves what is left of the input to the front and reads on behind it. The last eight bytes before
  /// it stay, for those that the bit buffer may give back.
  private func fill() throws {
    let kept = min(8, state.pointee.position)
    let left = state.pointee.end - state.pointee.position + kept
    let base = input.baseAddress!
    base.copyMemory(from: base + state.pointee.position - kept, byteCount: left)
    let got = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: input[left...]))
    consumed += got
    state.pointee.position = kept
    state.pointee.end = left + got
    if got == 0 { state.pointee.last = 1 }
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
