import CDigest

/// The check sum of gzip members (ISO 3309), built piece by piece.
public struct CRC32: Sendable {
  public private(set) var value: UInt32 = 0

  public init() {}

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    value = sluice_crc32(value, base.assumingMemoryBound(to: UInt8.self), bytes.count)
  }
}
