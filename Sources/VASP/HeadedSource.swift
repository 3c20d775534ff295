import Configurations
import Platform

/// A source whose first bytes can be looked at before they are read, so that its kind can be told
/// from its content.
final class HeadedSource: ByteSource {
  private let inner: any ByteSource
  private var head: [UInt8] = []
  private var taken = 0
  private var pending: (any Error)?
  /// An end that was seen is the end: a file that grows meanwhile is another version.
  private var ended = false

  init(_ inner: any ByteSource) { self.inner = inner }

  /// The first `count` bytes that have not been read yet, fewer where the source is shorter. An
  /// error behind the head is kept for the read that meets it.
  func peek(_ count: Int) -> ArraySlice<UInt8> {
    if taken > 0 {
      head.removeFirst(taken)
      taken = 0
    }
    var chunk = [UInt8](repeating: 0, count: count)
    while head.count < count, pending == nil, !ended {
      do {
        let got = try chunk.withUnsafeMutableBytes {
          try inner.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<(count - head.count)]))
        }
        if got == 0 { ended = true }
        head.append(contentsOf: chunk[..<got])
      } catch {
        pending = error
      }
    }
    return head.prefix(count)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let available = head.count - taken
    if available > 0 {
      let count = min(available, buffer.count)
      head.withUnsafeBytes {
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[taken..<taken + count]))
      }
      taken += count
      if taken == head.count {
        head = []
        taken = 0
      }
      return count
    }
    if let error = pending { throw error }
    if ended || buffer.isEmpty { return 0 }
    let got = try inner.read(into: buffer)
    ended = got == 0
    return got
  }
}

/// What a stream of bytes is wrapped in.
enum Wrapping: Equatable {
  case gzip
  case bzip2
  case xz
  case lzma
  case zstandard
  case tar
  case zip

  /// Bytes that `init(head:)` wants to see.
  static let headLength = 512

  /// Tells the wrapping from the first bytes alone; nil for plain content.
  init?(head bytes: ArraySlice<UInt8>) {
    let head = Array(bytes)
    func starts(_ magic: [UInt8]) -> Bool { head.starts(with: magic) }
    if starts([0x1F, 0x8B, 0x08]) {
      self = .gzip
    } else if starts([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]) {
      self = .xz
    } else if starts([0x28, 0xB5, 0x2F, 0xFD])
      || (head.count >= 8 && head[0] & 0xF0 == 0x50 && head[1...3] == [0x2A, 0x4D, 0x18])
    {
      self = .zstandard
    } else if starts(Array("BZh".utf8)), head.count >= 10, (0x31...0x39).contains(head[3]),
      head[4..<10] == [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]
        || head[4..<10] == [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]
    {
      self = .bzip2
    } else if starts([0x50, 0x4B, 0x03, 0x04]) || starts([0x50, 0x4B, 0x05, 0x06]) {
      self = .zip
    } else if Self.isLZMA(head) {
      self = .lzma
    } else if Self.isTar(head) {
      self = .tar
    } else {
      return nil
    }
  }

  /// Old-style LZMA has no magic: usual properties, a dictionary that is a power of two (or one and
  /// a half), and a length that is unknown or sensible.
  private static func isLZMA(_ head: [UInt8]) -> Bool {
    guard head.count >= 13, head[0] == 0x5D else { return false }
    let dictionary = (1...4).reduce(UInt32(0)) { $0 | UInt32(head[$1]) << UInt32(8 * ($1 - 1)) }
    let length = (5...12).reduce(UInt64(0)) { $0 | UInt64(head[$1]) << UInt64(8 * ($1 - 5)) }
    guard dictionary >= 4096, length == .max || length < 1 << 48 else { return false }
    let low = dictionary & (dictionary &- 1)
    return low == 0 || dictionary == 3 * (dictionary & ~low) || dictionary == .max
  }

  /// A tar header carries the sum of its own 512 bytes; this also finds archives older than "ustar".
  private static func isTar(_ head: [UInt8]) -> Bool {
    guard head.count >= 512, head[0] != 0 else { return false }
    var stored = 0
    var digits = 0
    for byte in head[148..<156] {
      if (0x30...0x37).contains(byte) {
        stored = stored * 8 + Int(byte - 0x30)
        digits += 1
      } else if byte != 0x20 && byte != 0 {
        return false
      }
    }
    guard digits > 0 else { return false }
    var sum = 8 * 0x20
    for i in 0..<512 where !(148..<156).contains(i) { sum += Int(head[i]) }
    return sum == stored
  }
}
