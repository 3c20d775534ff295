// Names and contents come in, the bytes of a tar archive go out.

/// A POSIX (ustar) archive of regular files, with fixed owner, mode and time.
struct TarArchive {
  private(set) var bytes: [UInt8] = []

  /// `name` has at most 100 bytes.
  mutating func add(_ name: String, _ content: [UInt8]) {
    precondition(name.utf8.count <= 100, "the name fits its field")
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
    }
    func octal(_ value: Int, _ width: Int) -> String {
      let digits = String(value, radix: 8)
      return String(repeating: "0", count: width - digits.count) + digits
    }
    put(name, at: 0)
    put(octal(0o644, 7), at: 100)
    put(octal(0, 7), at: 108)
    put(octal(0, 7), at: 116)
    put(octal(content.count, 11), at: 124)
    put(octal(946_684_800, 11), at: 136)
    put("        ", at: 148)
    put("0", at: 156)
    put("ustar", at: 257)
    put("00", at: 263)
    let sum = header.reduce(0) { $0 + Int($1) }
    put(octal(sum, 6) + "\0 ", at: 148)
    bytes += header + content
    bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }

  /// Ends the archive with two empty blocks.
  mutating func finish() { bytes += [UInt8](repeating: 0, count: 1024) }
}
