// Several named byte strings as one zip archive without compression: with members called *.npy it is
// what NumPy calls an .npz file, and what LAMMPS reads as .asi.

/// Writes and reads archives of stored members. The same members give the same bytes.
public enum NumPyArchive {
  /// Eight tables of 256: what a byte makes of the sum when 0 to 7 bytes come after it.
  private static let crcTables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for index in 0..<256 {
      tables[index] = (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    for index in 256..<8 * 256 {
      tables[index] = tables[index - 256] >> 8 ^ tables[Int(tables[index - 256] & 255)]
    }
    return tables
  }()

  /// CRC-32 (ISO 3309), eight bytes at a time.
  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    crcTables.withUnsafeBufferPointer { tables in
      bytes.withUnsafeBytes { bytes in
        var sum = ~UInt32(0)
        var place = 0
        while place + 8 <= bytes.count {
          let next = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) ^ UInt64(sum)
          sum = 0
          for k in 0..<8 { sum ^= tables[(7 - k) * 256 + Int(next >> UInt64(8 * k) & 255)] }
          place += 8
        }
        for byte in bytes[place...] { sum = tables[Int((sum ^ UInt32(byte)) & 255)] ^ sum >> 8 }
        return ~sum
      }
    }
  }

  /// Dated 1 January 1980, so that bytes depend on the members alone. Members below 4 GB.
  public static func encode(_ members: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    func put(_ value: Int, _ width: Int, to target: inout [UInt8]) {
      for k in 0..<width { target.append(UInt8(truncatingIfNeeded: value >> (8 * k))) }
    }
    for (name, content) in members {
      precondition(content.count < 0xFFFF_FFFF && bytes.count < 0xFFFF_FFFF, "archives below 4 GB")
      let offset = bytes.count
      let crc = Int(checksum(content[...]))
      func common(to target: inout [UInt8]) {
        // Version 2.0, no flags, stored, date; checksum and sizes; lengths of name and extra field.
        for value in [20, 0, 0, 0, 0x21] { put(value, 2, to: &target) }
        for value in [crc, content.count, content.count] { put(value, 4, to: &target) }
        for value in [name.utf8.count, 0] { put(value, 2, to: &target) }
      }
      put(0x0403_4B50, 4, to: &bytes)
      common(to: &bytes)
      bytes += Array(name.utf8)
      bytes += content
      put(0x0201_4B50, 4, to: &directory)
      put(20, 2, to: &directory)
      common(to: &directory)
      for value in [0, 0, 0] { put(value, 2, to: &directory) }
      for value in [0, offset] { put(value, 4, to: &directory) }
      directory += Array(name.utf8)
    }
    let start = bytes.count
    bytes += directory
    put(0x0605_4B50, 4, to: &bytes)
    for value in [0, 0, members.count, members.count] { put(value, 2, to: &bytes) }
    for value in [directory.count, start] { put(value, 4, to: &bytes) }
    put(0, 2, to: &bytes)
    return bytes
  }

  /// Names and contents in directory order; checksums are verified. Takes no more memory than the archive.
  public static func decode(_ bytes: [UInt8]) throws(NumPyFormatError) -> [(name: String, bytes: [UInt8])] {
    func get(_ at: Int, _ width: Int) throws(NumPyFormatError) -> Int {
      guard at >= 0, at + width <= bytes.count else {
        throw NumPyFormatError("the archive is cut off")
      }
      return (0..<width).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
    }
    guard bytes.count >= 22 else { throw NumPyFormatError("not a zip archive") }
    var end = bytes.count - 22
    while end >= max(0, bytes.count - 66_000), try get(end, 4) != 0x0605_4B50 { end -= 1 }
    guard end >= 0, try get(end, 4) == 0x0605_4B50 else {
      throw NumPyFormatError("not a zip archive, or it is cut off")
    }
    var members: [(name: String, bytes: [UInt8])] = []
    var entry = try get(end + 16, 4)
    // Members that lie over each other would unpack to any size.
    var left = bytes.count
    for _ in 0..<(try get(end + 10, 2)) {
      guard try get(entry, 4) == 0x0201_4B50 else {
        throw NumPyFormatError("the archive's directory is damaged")
      }
      let (method, crc, size) = (
        try get(entry + 10, 2), try get(entry + 16, 4), try get(entry + 24, 4)
      )
      let (nameLength, extra) = (try get(entry + 28, 2), try get(entry + 30, 2))
      let (comment, local) = (try get(entry + 32, 2), try get(entry + 42, 4))
      _ = try get(entry + 46, nameLength)
      let name = String(decoding: bytes[entry + 46..<entry + 46 + nameLength], as: UTF8.self)
      guard method == 0 else {
        throw NumPyFormatError("\(name) is compressed; members must be stored")
      }
      guard try get(local, 4) == 0x0403_4B50 else {
        throw NumPyFormatError("\(name) is not where the directory says")
      }
      let start = local + 30 + (try get(local + 26, 2)) + (try get(local + 28, 2))
      guard size <= bytes.count, start + size <= bytes.count else {
        throw NumPyFormatError("\(name) is cut off")
      }
      left -= start + size - local
      guard left >= 0 else {
        throw NumPyFormatError("the archive's members lie over each other")
      }
      let content = bytes[start..<start + size]
      guard checksum(content) == UInt32(crc) else {
        throw NumPyFormatError("\(name) has a wrong checksum")
      }
      members.append((name, Array(content)))
      entry += 46 + nameLength + extra + comment
    }
    // A damaged count of members would hide some.
    guard entry == end else { throw NumPyFormatError("the archive's directory is damaged") }
    return members
  }
}
