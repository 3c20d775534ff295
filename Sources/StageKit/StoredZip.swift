// Several named byte strings as one: a zip archive whose members are stored, not compressed. With
// members called *.npy it is what NumPy calls an .npz file.

/// Writes and reads archives of stored members. The same members give the same bytes: no times, no
/// attributes.
public enum StoredZip {
  /// The archive's bytes, members in the given order. Everything must stay below 4 GiB.
  public static func encode(_ members: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var archive: [UInt8] = []
    archive.reserveCapacity(members.reduce(22) { $0 + $1.bytes.count + 2 * $1.name.utf8.count + 76 })
    var directory: [UInt8] = []
    for member in members {
      let offset = archive.count
      let name = Array(member.name.utf8)
      precondition(archive.count + member.bytes.count < 1 << 32 && name.count < 1 << 16, "a zip of less than 4 GiB")
      var fields: [UInt8] = []
      append16(20, to: &fields)  // version needed
      append16(1 << 11, to: &fields)  // names are UTF-8
      append16(0, to: &fields)  // stored
      append16(0, to: &fields)  // time
      append16(0x21, to: &fields)  // 1980-01-01
      append32(crc32(member.bytes), to: &fields)
      append32(UInt32(member.bytes.count), to: &fields)
      append32(UInt32(member.bytes.count), to: &fields)
      append16(UInt16(name.count), to: &fields)
      append16(0, to: &fields)  // no extra field
      append32(localSignature, to: &archive)
      archive += fields
      archive += name
      archive += member.bytes
      append32(directorySignature, to: &directory)
      append16(20, to: &directory)  // version made by
      directory += fields
      for _ in 0..<3 { append16(0, to: &directory) }  // comment, disk, internal attributes
      append32(0, to: &directory)  // external attributes
      append32(UInt32(offset), to: &directory)
      directory += name
    }
    let start = archive.count
    archive += directory
    append32(endSignature, to: &archive)
    append32(0, to: &archive)  // disks
    append16(UInt16(members.count), to: &archive)
    append16(UInt16(members.count), to: &archive)
    append32(UInt32(directory.count), to: &archive)
    append32(UInt32(start), to: &archive)
    append16(0, to: &archive)  // no comment
    return archive
  }

  /// The members of an archive that `encode` wrote, front to back, checked against their sums.
  public static func decode(_ archive: [UInt8]) throws -> [(name: String, bytes: [UInt8])] {
    var members: [(name: String, bytes: [UInt8])] = []
    var position = 0
    while try read32(archive, position) == localSignature {
      let size = Int(try read32(archive, position + 22))
      let nameLength = Int(try read32(archive, position + 26) & 0xFFFF)
      let start = position + 30 + nameLength
      guard start + size <= archive.count else { throw StageError("a stored archive is cut off") }
      let bytes = Array(archive[start..<start + size])
      guard crc32(bytes) == (try read32(archive, position + 14)) else {
        throw StageError("a member of a stored archive is damaged")
      }
      members.append((String(decoding: archive[position + 30..<start], as: UTF8.self), bytes))
      position = start + size
    }
    return members
  }

  private static let localSignature: UInt32 = 0x0403_4b50
  private static let directorySignature: UInt32 = 0x0201_4b50
  private static let endSignature: UInt32 = 0x0605_4b50

  private static func append16(_ value: UInt16, to bytes: inout [UInt8]) {
    bytes.append(UInt8(value & 255))
    bytes.append(UInt8(value >> 8))
  }

  private static func append32(_ value: UInt32, to bytes: inout [UInt8]) {
    append16(UInt16(value & 0xFFFF), to: &bytes)
    append16(UInt16(value >> 16), to: &bytes)
  }

  private static func read32(_ bytes: [UInt8], _ position: Int) throws -> UInt32 {
    guard position + 4 <= bytes.count else { throw StageError("a stored archive is cut off") }
    return (0..<4).reduce(0) { $0 | UInt32(bytes[position + $1]) << UInt32(8 * $1) }
  }

  private static let crcTable: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? 0xEDB8_8320 ^ (sum >> 1) : sum >> 1 }
  }

  private static func crc32(_ bytes: [UInt8]) -> UInt32 {
    crcTable.withUnsafeBufferPointer { table in
      bytes.withUnsafeBufferPointer { bytes in
        ~bytes.reduce(~UInt32(0)) { table[Int(($0 ^ UInt32($1)) & 255)] ^ ($0 >> 8) }
      }
    }
  }
}
