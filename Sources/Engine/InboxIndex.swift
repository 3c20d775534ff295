// What the journal says of the inbox so far, in a form that is read fast.

import Platform

/// How much of a journal something was made of.
struct JournalMark: Sendable, Equatable {
  var generation: Int
  /// Bytes from the generation's beginning.
  var length: Int
  /// Sequence number of the first record behind them.
  var next: Int
  /// Of these bytes.
  var digest: Digest
}

/// A cache of the fold over the journal's records up to a mark: `<state>/index/inbox`. The journal stays the truth:
/// where its bytes up to the mark are others, all of its records are read, as if there were no index.
struct InboxIndex: Sendable {
  var mark: JournalMark
  /// By watched folder.
  var registries: [String: UnitRegistry]
  var published: JournalEntry.Published?

  /// Records behind the mark that are read each time rather than writing the index anew.
  static let mostRecordsBehind = 100
  private static let version = 1

  private static func path(_ state: String) -> String { Path.join(Path.join(state, "index"), "inbox") }

  /// nil where there is none, or a damaged one.
  static func load(_ fileSystem: any FileSystem, state: String) -> InboxIndex? {
    guard let bytes = try? fileSystem.readFileIfPresent(path(state)), bytes.count > 32,
      bytes.withUnsafeBytes({ Digest(bytes: UnsafeRawBufferPointer(rebasing: $0.suffix(32))) })
        == Digest(of: bytes.dropLast(32))
    else { return nil }
    return try? InboxIndex(Array(bytes.dropLast(32)))
  }

  /// What cannot be written is read from the journal next time.
  func save(_ fileSystem: any FileSystem, state: String) {
    var bytes = encoded
    Digest(of: bytes).withBytes { bytes.append(contentsOf: $0) }
    let path = Self.path(state)
    let temporary = fileSystem.temporaryName(beside: path)
    do {
      try fileSystem.createFolders(Path.parent(path))
      try fileSystem.open(temporary, .create).write(bytes)
      try fileSystem.rename(temporary, to: path)
    } catch { fileSystem.removeFileIfPossible(temporary) }
  }

  private var encoded: [UInt8] {
    var encoder = CompactEncoder()
    for number in [Self.version, mark.generation, mark.length, mark.next] { encoder.add(number) }
    encoder.add(mark.digest)
    encoder.add(published != nil)
    if let published {
      encoder.add(published.number)
      encoder.add(published.publication)
      encoder.add(published.time)
    }
    encoder.add(registries.count)
    for (folder, registry) in registries.sorted(by: { bytewiseLess($0.key, $1.key) }) {
      encoder.add(folder)
      encoder.add(registry.rootInode != nil)
      if let inode = registry.rootInode { encoder.add(Int(Int64(bitPattern: inode))) }
      encoder.add(registry.records.count)
      for record in registry.records.values {
        encoder.add(record.path)
        encoder.add(shared: record.kind.rawValue)
        encoder.add(record.digest)
        encoder.add(record.files.count)
        for file in record.files {
          // A single file has the unit's name.
          let isNamed = file.name != Path.name(record.path)
          encoder.add(isNamed)
          if isNamed { encoder.add(file.name) }
          encoder.add(file.digest)
          encoder.add(file.signature.size)
          encoder.add(Int(file.signature.modified.nanoseconds))
          encoder.add(Int(file.signature.changed.nanoseconds))
          encoder.add(Int(Int64(bitPattern: file.signature.inode)))
        }
      }
    }
    return encoder.finish()
  }

  init(mark: JournalMark, registries: [String: UnitRegistry], published: JournalEntry.Published?) {
    (self.mark, self.registries, self.published) = (mark, registries, published)
  }

  private init(_ bytes: [UInt8]) throws {
    var decoder = try CompactDecoder(bytes)
    guard try decoder.number() == Self.version else { throw CompactDecoder.Damaged() }
    mark = JournalMark(
      generation: try decoder.number(), length: try decoder.number(), next: try decoder.number(),
      digest: try decoder.digest())
    published =
      try decoder.flag()
      ? .init(number: try decoder.number(), publication: try decoder.digest(), time: try decoder.text()) : nil
    registries = [:]
    for _ in 0..<(try decoder.count()) {
      let folder = try decoder.text()
      let inode = try decoder.flag() ? UInt64(bitPattern: Int64(try decoder.number())) : nil
      let count = try decoder.count()
      var records: [String: UnitRecord] = [:]
      records.reserveCapacity(count)
      for _ in 0..<count {
        let record = try Self.record(&decoder)
        records[record.path] = record
      }
      registries[folder] = UnitRegistry(records: records, rootInode: inode)
    }
  }

  private static func record(_ decoder: inout CompactDecoder) throws -> UnitRecord {
    let path = try decoder.text()
    guard let kind = InboxUnit.Kind(rawValue: try decoder.sharedText()) else { throw CompactDecoder.Damaged() }
    let digest = try decoder.digest()
    let count = try decoder.count()
    var files: [UnitRecord.File] = []
    files.reserveCapacity(count)
    for _ in 0..<count {
      let name = try decoder.flag() ? try decoder.text() : Path.name(path)
      let content = try decoder.digest()
      let signature = FileSignature(
        size: try decoder.number(), modified: Timestamp(nanoseconds: Int64(try decoder.number())),
        changed: Timestamp(nanoseconds: Int64(try decoder.number())),
        inode: UInt64(bitPattern: Int64(try decoder.number())))
      files.append(.init(name: name, signature: signature, digest: content))
    }
    return UnitRecord(path: path, kind: kind, files: files, digest: digest)
  }
}
