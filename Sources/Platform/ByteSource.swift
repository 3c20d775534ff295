/// A stream of bytes that can be read once, front to back. Files, archive members and in-memory
/// twins all look like this to a parser.
public protocol ByteSource: AnyObject {
  /// Fills the front of `buffer` and returns how many bytes were written; 0 means the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

extension ByteSource {
  /// Everything that is left.
  public func readAll(limit: Int = .max) throws -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while all.count < limit {
      let count = try chunk.withUnsafeMutableBytes { try read(into: $0) }
      if count == 0 { break }
      all.append(contentsOf: chunk[..<count])
    }
    return all
  }
}

/// Bytes in memory as a `ByteSource`; `chunk` bounds what one read returns, so that tests can cut
/// a stream at awkward places.
public final class MemoryByteSource: ByteSource {
  private let bytes: [UInt8]
  private let chunk: Int
  private var position = 0

  public init(_ bytes: [UInt8], chunk: Int = .max) {
    precondition(chunk > 0, "a read must be able to return something")
    self.bytes = bytes
    self.chunk = chunk
  }

  public func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(buffer.count, chunk, bytes.count - position)
    guard count > 0 else { return 0 }
    bytes.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
    }
    position += count
    return count
  }
}
