// Raw bytes of one input come in; its plain files come out, one after another, decompressed and digested.

import CLibArchive
import Configurations
import Glibc
import Platform

/// Walks through an input that may be plain, compressed (gz, bz2, xz, lzma, zst), an archive (tar,
/// zip) or archives in archives, as its content says and whatever its name. Nothing is unpacked to
/// disk; every entry is a stream that must be read before the next one is asked for.
public final class SourceStream {
  private let name: String
  private let limits: SourceLimits
  private let identity: ContentIdentity
  private let budget: ReadBudget
  private var outermost: (any ByteSource)?
  private var levels: [Level] = []
  private var current: SourceEntry?
  private var seen: Set<String> = []
  private var isOver = false

  /// What was left out on the way: links, devices, broken ends. Grows as entries are asked for.
  public private(set) var diagnostics: [Diagnostic] = []

  /// False once a layer has ended before its format did.
  public private(set) var isWhole = true

  /// True where the input is an archive, known after the first `next()`.
  public private(set) var isArchive = false

  private final class Level {
    let reader: ArchiveReader
    let wrapping: Wrapping
    let prefix: String
    var zipEntries: [ZipDirectory.Entry] = []

    init(_ reader: ArchiveReader, _ wrapping: Wrapping, prefix: String) {
      self.reader = reader
      self.wrapping = wrapping
      self.prefix = prefix
    }
  }

  /// `name` is the input as the user calls it, for messages and provenance.
  public init(
    _ source: any ByteSource, name: String, limits: SourceLimits = SourceLimits(),
    identity: ContentIdentity = .digest
  ) {
    self.identity = identity
    self.name = name
    self.limits = limits
    budget = ReadBudget(limits: limits, file: name)
    outermost = source
  }

  /// The next plain file, nil at the end. What is left of the previous one is read first, so that
  /// its digest covers all of it. Throws where the input as a whole must be refused; then nothing
  /// that came out of it before may be used.
  public func next() throws(Diagnostic) -> SourceEntry? {
    if let entry = current { try finish(entry) }
    if isOver { return nil }
    if let source = outermost {
      outermost = nil
      if let entry = try open(source, member: nil, prefix: "") { return entry }
    }
    while let level = levels.last {
      switch try step(level) {
      case .entry(let entry): return entry
      case .descended: continue
      case .ended: levels.removeLast()
      }
    }
    isOver = true
    return nil
  }

  private func finish(_ entry: SourceEntry) throws(Diagnostic) {
    current = nil
    try entry.drain()
    if let level = levels.last, level.wrapping == .zip, !level.zipEntries.isEmpty {
      level.zipEntries[level.zipEntries.count - 1].size = entry.packedByteCount
    }
    if let what = entry.truncation { noteTruncation(what, member: entry.member) }
  }

  private func noteTruncation(_ what: String, member: String?) {
    isWhole = false
    diagnostics.append(
      Diagnostic(
        .warning, code: "truncated", place: .init(file: name, member: member),
        cause: "the \(what) end before they are complete.",
        remedy: "Copy the file again if its origin is longer."))
  }

  // MARK: layers

  /// Peels compressions off `source`; gives its entry, or nil where it is an archive, which is then
  /// the innermost level.
  private func open(_ source: any ByteSource, member: String?, prefix: String) throws(Diagnostic)
    -> SourceEntry?
  {
    let counted = CountedSource(source)
    var layer: any ByteSource = counted
    var compressions = 0
    while true {
      let headed = HeadedSource(layer)
      guard let wrapping = Wrapping(head: headed.peek(Wrapping.headLength)) else {
        let entry = SourceEntry(
          headed, packed: counted, file: name, member: member, identity: identity,
          secondsPerMegabyte: limits.secondsPerMegabyte)
        current = entry
        return entry
      }
      switch wrapping {
      case .tar, .zip:
        guard levels.count < limits.nesting else {
          throw budget.refusal(
            "archive-nesting", member, "holds archives nested deeper than \(limits.nesting).",
            "Unpack the inner archive.")
        }
        isArchive = true
        let reader = try ArchiveReader(headed, wrapping, budget: budget, member: member)
        levels.append(Level(reader, wrapping, prefix: prefix))
        return nil
      case .gzip, .bzip2, .xz, .lzma, .zstandard:
        compressions += 1
        guard compressions <= limits.nesting else {
          throw budget.refusal(
            "archive-nesting", member, "is compressed more than \(limits.nesting) times over.",
            "Decompress it.")
        }
        layer =
          wrapping == .gzip
          ? GzipSource(headed, budget: budget, member: member)
          : try ArchiveReader(headed, wrapping, budget: budget, member: member)
      }
    }
  }

  private enum Step {
    case entry(SourceEntry)
    /// The member was an archive, now the innermost level.
    case descended
    case ended
  }

  /// Goes on to the next member of the innermost archive that can be read.
  private func step(_ level: Level) throws(Diagnostic) -> Step {
    while let header = try level.reader.nextHeader() {
      try budget.countMember(nil)
      let path = try memberPath(header)
      let member = level.prefix + path
      if level.wrapping == .zip {
        level.zipEntries.append(.init(name: rawName(header), size: nil, offset: 0))
      }
      guard archive_entry_sparse_count(header) == 0 else {
        throw budget.refusal(
          "archive-sparse", member, "is a sparse file, which is not read.",
          "Pack it without --sparse.")
      }
      let type = UInt32(archive_entry_filetype(header))
      if type == 0o040000 { continue }
      if archive_entry_hardlink(header) != nil || archive_entry_symlink(header) != nil
        || type != 0o100000
      {
        diagnostics.append(
          Diagnostic(
            .note, code: "archive-special", place: .init(file: name, member: member),
            cause: "links and devices in archives are not followed.",
            remedy: "Pack the file itself (tar --dereference)."))
        continue
      }
      if archive_entry_is_encrypted(header) != 0 {
        throw budget.refusal(
          "archive-encrypted", member, "is encrypted.", "Pack it without a password.")
      }
      guard seen.insert(member.lowercased()).inserted else {
        throw budget.refusal(
          "archive-duplicate", member, "occurs twice, or differs from another member only in case.",
          "Pack each file once.")
      }
      if let entry = try open(level.reader, member: member, prefix: member + "/") {
        return .entry(entry)
      }
      return .descended
    }
    if level.reader.truncated {
      noteTruncation(level.wrapping == .zip ? "zip data" : "tar data", member: nil)
    } else if level.wrapping == .zip {
      try checkDirectory(of: level)
    }
    // What lies behind the archive still belongs to check sums around it.
    if try !level.reader.drain() { noteTruncation("data around the archive", member: nil) }
    return .ended
  }

  // MARK: names

  private func rawName(_ header: OpaquePointer) -> [UInt8] {
    ArchiveReader.withUTF8Names {
      (archive_entry_pathname(header) ?? archive_entry_pathname_utf8(header)).map {
        Array(UnsafeRawBufferPointer(start: $0, count: strlen($0)))
      } ?? []
    }
  }

  /// The member's path without leading "./", refused where it could mean another place.
  private func memberPath(_ header: OpaquePointer) throws(Diagnostic) -> String {
    let raw = rawName(header)
    let path = String(decoding: raw, as: UTF8.self)
    func refuse(_ why: String) -> Diagnostic {
      budget.refusal(
        "archive-path", path, "has a member \(why).", "Pack it again with plain relative names.")
    }
    if raw.isEmpty { throw refuse("without a readable name") }
    if raw.count > limits.pathLength {
      throw refuse("with a path longer than \(limits.pathLength) bytes")
    }
    if raw.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw refuse("with control characters in its name")
    }
    if raw.contains(0x5C) { throw refuse("with a backslash in its name") }
    if raw[0] == 0x2F || (raw.count > 1 && raw[1] == 0x3A) { throw refuse("with an absolute path") }
    let parts = path.split(separator: "/").filter { $0 != "." }
    if parts.contains("..") { throw refuse("that climbs out with '..'") }
    return parts.joined(separator: "/")
  }

  private func checkDirectory(of level: Level) throws(Diagnostic) {
    guard let directory = ZipDirectory(try level.reader.remainder()) else {
      noteTruncation("zip data", member: nil)
      return
    }
    if !directory.isClosed {
      noteTruncation("zip data", member: nil)
    } else if let difference = directory.difference(from: level.zipEntries) {
      throw budget.refusal(
        "archive-directory", nil, "is a zip whose parts disagree: \(difference).", "Pack it again.")
    }
  }
}

/// Counts what passes, to hold it against what a zip directory says.
final class CountedSource: ByteSource {
  private let inner: any ByteSource
  private(set) var count = 0

  init(_ inner: any ByteSource) { self.inner = inner }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let got = try inner.read(into: buffer)
    count += got
    return got
  }

  /// Reads what is left.
  func drain() throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    while try read(into: buffer) > 0 {}
  }
}
