/// Several named byte strings as one, for values that are kept under a memo key: for each part its
/// name's length, its name, its length and its bytes; lengths as eight bytes, little-endian.
public enum PartsBundle {
  public static func encode(_ parts: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var all: [UInt8] = []
    all.reserveCapacity(parts.reduce(0) { $0 + $1.bytes.count + $1.name.utf8.count + 16 })
    for part in parts {
      append(part.name.utf8.count, to: &all)
      all += part.name.utf8
      append(part.bytes.count, to: &all)
      all += part.bytes
    }
    return all
  }

  /// Reads what `encode` wrote.
  public static func decode(_ bytes: [UInt8]) throws -> [(name: String, bytes: [UInt8])] {
    var parts: [(name: String, bytes: [UInt8])] = []
    var position = 0
    while position < bytes.count {
      let name = String(decoding: try take(bytes, &position), as: UTF8.self)
      parts.append((name, Array(try take(bytes, &position))))
    }
    return parts
  }

  private static func append(_ length: Int, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: UInt64(length).littleEndian) { bytes.append(contentsOf: $0) }
  }

  private static func take(_ bytes: [UInt8], _ position: inout Int) throws -> ArraySlice<UInt8> {
    guard bytes.count - position >= 8 else { throw StageError("a kept value is cut off") }
    let length = bytes.withUnsafeBytes { raw in
      UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }
    position += 8
    guard length <= UInt64(bytes.count - position) else { throw StageError("a kept value is cut off") }
    defer { position += Int(length) }
    return bytes[position..<position + Int(length)]
  }
}
