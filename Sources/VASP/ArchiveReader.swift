import CLibArchive
import Configurations
import Glibc
import Platform

/// libarchive over a `ByteSource`: one compression (then it has one nameless entry) or one container.
/// Only the one format asked for is enabled, and nothing is ever written to disk.
final class ArchiveReader: ByteSource {
  private let archive: OpaquePointer
  private let feed: Feed
  private let wrapping: Wrapping
  private let budget: ReadBudget
  private let member: String?
  private var produced = 0

  /// What libarchive's callbacks hold on to: where the raw bytes come from and which came last.
  private final class Feed {
    let source: any ByteSource
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
    var consumed = 0
    var exhausted = false
    var error: (any Error)?
    /// The last blocks handed over, kept for zip only: its directory lies behind what libarchive reads.
    var recent: [UInt8] = []
    var keepsRecent = false

    init(_ source: any ByteSource) { self.source = source }
    deinit { buffer.deallocate() }

    func fill() -> Int {
      do {
        let count = try source.read(into: buffer)
        if count == 0 { exhausted = true }
        consumed += count
        if keepsRecent {
          if recent.count > buffer.count * 3 { recent.removeFirst(recent.count - buffer.count * 3) }
          recent.append(contentsOf: buffer[..<count])
        }
        return count
      } catch {
        self.error = error
        return -1
      }
    }
  }

  init(_ source: any ByteSource, _ wrapping: Wrapping, budget: ReadBudget, member: String?)
    throws(Diagnostic)
  {
    self.wrapping = wrapping
    self.budget = budget
    self.member = member
    feed = Feed(source)
    guard let archive = archive_read_new() else { preconditionFailure("libarchive does not start") }
    self.archive = archive
    switch wrapping {
    case .bzip2: archive_read_support_filter_bzip2(archive)
    case .xz: archive_read_support_filter_xz(archive)
    case .lzma: archive_read_support_filter_lzma(archive)
    case .zstandard: archive_read_support_filter_zstd(archive)
    case .gzip: preconditionFailure("gzip has a reader of its own")
    case .tar: archive_read_support_format_tar(archive)
    case .zip:
      archive_read_support_format_zip_streamable(archive)
      feed.keepsRecent = true
    }
    if !isContainer {
      archive_read_support_format_raw(archive)
      archive_read_support_format_empty(archive)
    }
    // The feed outlives the archive: both belong to self.
    let code = archive_read_open(
      archive, Unmanaged.passUnretained(feed).toOpaque(), nil,
      { _, context, block in
        let feed = Unmanaged<Feed>.fromOpaque(context!).takeUnretainedValue()
        let count = feed.fill()
        block!.pointee = UnsafeRawPointer(feed.buffer.baseAddress!)
        return la_ssize_t(count)
      }, nil)
    guard code == ARCHIVE_OK else { throw fault(member) }
    if !isContainer { isEmpty = try nextHeader() == nil }
  }

  /// A compression of nothing has no entry at all.
  private var isEmpty = false

  deinit { archive_read_free(archive) }

  private var isContainer: Bool { wrapping == .tar || wrapping == .zip }

  private var whatItIs: String {
    switch wrapping {
    case .gzip: "gzip data"
    case .bzip2: "bzip2 data"
    case .xz: "xz data"
    case .lzma: "lzma data"
    case .zstandard: "zstd data"
    case .tar: "tar data"
    case .zip: "zip data"
    }
  }

  /// libarchive turns the names of zip members into the locale's encoding and loses those that do not
  /// fit. This thread-local locale makes that UTF-8, whatever the user has set.
  static func withUTF8Names<Result>(_ body: () -> Result) -> Result {
    guard let locale = utf8Locale.value else { return body() }
    let previous = uselocale(locale)
    defer { _ = uselocale(previous) }
    return body()
  }

  /// Never changed and never freed, so that sharing it is safe.
  private struct Locale: @unchecked Sendable {
    let value: locale_t?
  }

  private static let utf8Locale = Locale(value: newlocale(1 << LC_CTYPE, "C.UTF-8", nil))

  /// True once the bytes have ended before the format did.
  private(set) var truncated = false

  /// The next header, nil at the end of the archive or where it breaks off.
  func nextHeader() throws(Diagnostic) -> OpaquePointer? {
    var entry: OpaquePointer?
    let code = Self.withUTF8Names { archive_read_next_header(archive, &entry) }
    if code == ARCHIVE_EOF { return nil }
    if code == ARCHIVE_OK || code == ARCHIVE_WARN { return entry }
    if isTruncation {
      truncated = true
      return nil
    }
    throw fault(member)
  }

  /// The data of the current entry.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard buffer.count > 0, !truncated, !isEmpty else { return 0 }
    let count = archive_read_data(archive, buffer.baseAddress, buffer.count)
    if count < 0 {
      if isTruncation {
        truncated = true
        throw Truncation(what: whatItIs)
      }
      throw fault(member)
    }
    produced += count
    try budget.count(count, total: produced, consumed: feed.consumed, member: member)
    return count
  }

  private var message: String { archive_error_string(archive).map { String(cString: $0) } ?? "" }

  /// Whether libarchive failed because the bytes ended, not because they are wrong.
  private var isTruncation: Bool {
    if feed.error is Truncation { return true }
    let text = message.lowercased()
    guard feed.error == nil, feed.exhausted else { return false }
    return text.contains("truncated") || text.contains("no progress is possible")
      || text.contains("unexpected end") || text.contains("premature")
  }

  private func fault(_ member: String?) -> Diagnostic {
    if let diagnostic = feed.error as? Diagnostic { return diagnostic }
    if let error = feed.error {
      return Diagnostic(
        .error, code: "unreadable", place: .init(file: budget.file, member: member),
        cause: "reading failed: \(error).", remedy: "Check the file and its storage.")
    }
    return budget.damage(whatItIs, message.isEmpty ? nil : message, member)
  }

  /// Reads the raw bytes behind the archive; false where they break off.
  func drain() throws(Diagnostic) -> Bool {
    if truncated { return true }
    while true {
      let count = feed.fill()
      if count == 0 { return true }
      if count < 0 {
        if feed.error is Truncation { return false }
        throw fault(member)
      }
    }
  }

  // MARK: zip

  /// Behind the last entry: what is left of the stream, from the central directory on.
  func remainder() throws(Diagnostic) -> [UInt8] {
    let position = Int(archive_filter_bytes(archive, 0))
    var rest = Array(feed.recent.suffix(max(0, feed.consumed - position)))
    let limit = 1 << 28
    while rest.count < limit {
      let count = feed.fill()
      if count < 0 { throw fault(member) }
      if count == 0 { break }
      rest.append(contentsOf: feed.buffer[..<count])
    }
    return rest
  }
}
