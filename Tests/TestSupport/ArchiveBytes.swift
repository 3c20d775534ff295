/// Archives written byte by byte, so that tests can also write what no tool would.
package enum ArchiveBytes {
  package struct Member {
    package var name: [UInt8]
    package var content: [UInt8] = []
    /// Tar's type flag: "0" file, "1" hard link, "2" symbolic link, "3" device, "5" folder, "S" sparse.
    package var type: Character = "0"
    package var link = ""

    package init(_ name: String, _ content: [UInt8] = [], type: Character = "0", link: String = "") {
      self.name = Array(name.utf8)
      self.content = content
      self.type = type
      self.link = link
    }
  }

  package static func tar(_ members: [Member]) -> [UInt8] {
    var all: [UInt8] = []
    for member in members {
      var header = [UInt8](repeating: 0, count: 512)
      func put(_ text: [UInt8], _ at: Int) {
        header.replaceSubrange(at..<at + text.count, with: text)
      }
      func octal(_ value: Int, _ digits: Int) -> [UInt8] {
        let text = String(value, radix: 8)
        return Array((String(repeating: "0", count: digits - text.count) + text).utf8)
      }
      put(Array(member.name.prefix(100)), 0)
      put(octal(0o644, 7), 100)
      put(octal(0, 7), 108)
      put(octal(0, 7), 116)
      put(octal(member.content.count, 11), 124)
      put(octal(0, 11), 136)
      header[156] = member.type.asciiValue!
      put(Array(member.link.utf8), 157)
      put(Array("ustar\u{0}00".utf8), 257)
      if member.type == "S" {
        // GNU sparse: one piece of content behind a hole of 4096 bytes.
        put(Array("ustar  \u{0}".utf8), 257)
        put(octal(4096, 11), 386)
        put(octal(member.content.count, 11), 398)
        put(octal(4096 + member.content.count, 11), 483)
      }
      put([UInt8](repeating: 0x20, count: 8), 148)
      let sum = header.reduce(0) { $0 + Int($1) }
      put(octal(sum, 6) + [0, 0x20], 148)
      all += header + member.content
      all += [UInt8](repeating: 0, count: (512 - member.content.count % 512) % 512)
    }
    return all + [UInt8](repeating: 0, count: 1024)
  }

  package static func little(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  /// Entries are stored. `directory` replaces what the central directory says of each member.
  package static func zip(_ members: [Member], directory: [Member]? = nil) -> [UInt8] {
    var all: [UInt8] = []
    // Bit 11: names are UTF-8.
    let flags: [UInt8] = [0, 8]
    var offsets: [Int] = []
    for member in members {
      offsets.append(all.count)
      all += [0x50, 0x4B, 3, 4, 20, 0] + flags + [0, 0, 0, 0, 0, 0]
      all += little(Int(crc32(member.content)), 4) + little(member.content.count, 4)
      all += little(member.content.count, 4) + little(member.name.count, 2) + [0, 0]
      all += member.name + member.content
    }
    let start = all.count
    let listed = directory ?? members
    for (k, member) in listed.enumerated() {
      all += [0x50, 0x4B, 1, 2, 20, 0, 20, 0] + flags + [0, 0, 0, 0, 0, 0]
      all += little(Int(crc32(member.content)), 4) + little(member.content.count, 4)
      all += little(member.content.count, 4) + little(member.name.count, 2)
      all += [UInt8](repeating: 0, count: 12) + little(offsets[min(k, offsets.count - 1)], 4)
      all += member.name
    }
    let size = all.count - start
    all += [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + little(listed.count, 2) + little(listed.count, 2)
    return all + little(size, 4) + little(start, 4) + [0, 0]
  }

  /// gzip whose deflate blocks are stored.
  package static func gzip(_ content: [UInt8]) -> [UInt8] {
    var all: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]
    var at = 0
    repeat {
      let count = min(65_535, content.count - at)
      all += [at + count == content.count ? 1 : 0] + little(count, 2) + little(~count, 2)
      all += content[at..<at + count]
      at += count
    } while at < content.count
    return all + little(Int(crc32(content)), 4) + little(content.count, 4)
  }

  /// gzip of `count` zero bytes, about a thousand times smaller: each deflate block of fixed codes
  /// holds a literal zero and matches of length 258 at distance 1.
  package static func gzipBomb(_ count: Int) -> [UInt8] {
    var bits: [UInt8] = []
    var accumulator = 0
    var held = 0
    func put(_ value: Int, _ width: Int) {
      accumulator |= value << held
      held += width
      while held >= 8 {
        bits.append(UInt8(accumulator & 0xFF))
        accumulator >>= 8
        held -= 8
      }
    }
    func reversed(_ value: Int, _ width: Int) -> Int {
      (0..<width).reduce(0) { $0 | ((value >> $1) & 1) << (width - 1 - $1) }
    }
    put(1, 1)
    put(1, 2)
    put(reversed(0x30, 8), 8)
    for _ in 0..<(count - 1) / 258 {
      put(reversed(0b1100_0101, 8), 8)  // length code 285: 258 bytes
      put(0, 5)  // distance 1
    }
    for _ in 0..<(count - 1) % 258 { put(reversed(0x30, 8), 8) }
    put(0, 7)
    if held > 0 { bits.append(UInt8(accumulator & 0xFF)) }
    let zeros = [UInt8](repeating: 0, count: count)
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + bits + little(Int(crc32(zeros)), 4)
      + little(count, 4)
  }

  private static let crcTable: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in
      value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1
    }
  }

  package static func crc32(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { crcTable[Int(($0 ^ UInt32($1)) & 0xFF)] ^ $0 >> 8 }
  }
}
