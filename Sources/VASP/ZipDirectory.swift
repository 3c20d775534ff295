import Configurations

/// The central directory at the end of a zip file must list exactly the entries that were read from
/// front to back: where the two differ, different programs unpack different things.
struct ZipDirectory {
  struct Entry {
    var name: [UInt8]
    /// nil where it was not read or is written elsewhere (zip64).
    var size: Int?
    var offset: Int
  }

  var entries: [Entry] = []
  /// Whether the end record was there, so the file is whole.
  var isClosed = false

  /// Parses `bytes`, which begin at the first central header; nil where that is not so.
  init?(_ bytes: [UInt8]) {
    func number(_ at: Int, _ width: Int) -> Int {
      (0..<width).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
    }
    guard bytes.count >= 4 else { return nil }
    var at = 0
    while at + 46 <= bytes.count, number(at, 4) == 0x0201_4B50 {
      let nameLength = number(at + 28, 2)
      let next = at + 46 + nameLength + number(at + 30, 2) + number(at + 32, 2)
      guard next <= bytes.count else { return }
      let size = number(at + 24, 4)
      entries.append(
        Entry(
          name: Array(bytes[at + 46..<at + 46 + nameLength]),
          size: size == 0xFFFF_FFFF ? nil : size,
          offset: number(at + 42, 4)))
      at = next
    }
    guard at + 4 <= bytes.count else { return }
    let signature = number(at, 4)
    // End record, its zip64 twin, or a digital signature before them.
    isClosed = signature == 0x0605_4B50 || signature == 0x0606_4B50 || signature == 0x0505_4B50
    if entries.isEmpty && !isClosed { return nil }
  }

  /// What differs from the entries that were read, in their order; nil for nothing.
  func difference(from read: [Entry]) -> String? {
    guard read.count == entries.count else {
      return "its directory counts \(entries.count), but \(read.count) are there"
    }
    let listed = entries.enumerated().sorted { ($0.1.offset, $0.0) < ($1.1.offset, $1.0) }.map(\.1)
    for (a, b) in zip(listed, read) {
      let same = Self.trimmed(a.name) == Self.trimmed(b.name) || !b.name.allSatisfy { $0 < 0x80 }
      if !same {
        return
          "its directory says '\(String(decoding: a.name, as: UTF8.self))' where the entry says "
          + "'\(String(decoding: b.name, as: UTF8.self))'"
      }
      if let x = a.size, let y = b.size, x != y {
        return "its directory gives \(x) bytes for '\(String(decoding: a.name, as: UTF8.self))', "
          + "which has \(y)"
      }
    }
    for (a, b) in zip(listed, listed.dropFirst())
    where a.offset == b.offset && a.offset != 0xFFFF_FFFF {
      return "entries overlap"
    }
    return nil
  }

  /// libarchive ends the names of folders with a slash.
  private static func trimmed(_ name: [UInt8]) -> ArraySlice<UInt8> {
    name.last == 0x2F ? name.dropLast() : name[...]
  }
}
