import Configurations
import Platform

/// What is known about a unit that was read.
public struct UnitRecord: Sendable, Equatable, Codable {
  public struct File: Sendable, Equatable, Codable {
    /// Relative to the unit; the last part of the path where the unit is one file.
    public var name: String
    public var signature: FileSignature
    /// SHA-256 of the raw bytes.
    public var digest: Digest

    public init(name: String, signature: FileSignature, digest: Digest) {
      self.name = name
      self.signature = signature
      self.digest = digest
    }
  }

  /// Relative to the inbox.
  public var path: String
  public var kind: InboxUnit.Kind
  public var files: [File]
  /// Digest of the names and contents: neither time nor place enters.
  public var digest: Digest

  public init(path: String, kind: InboxUnit.Kind, files: [File]) {
    self.path = path
    self.kind = kind
    self.files = files
    var builder = DigestBuilder()
    builder.add("sluice unit 1")
    builder.add(files.count)
    for file in files.sorted(by: { bytewiseLess($0.name, $1.name) }) {
      builder.add(file.name)
      builder.add(file.digest)
    }
    digest = builder.finish()
  }

  /// A record whose digest is known.
  init(path: String, kind: InboxUnit.Kind, files: [File], digest: Digest) {
    (self.path, self.kind, self.files, self.digest) = (path, kind, files, digest)
  }

  /// The folder that holds the unit, relative to the inbox; nil at the top.
  public var group: String? {
    let parent = Path.parent(path)
    return parent.isEmpty ? nil : parent
  }

  /// Whether `unit` looks exactly as it did when this record was made.
  public func matches(_ unit: InboxUnit) -> Bool {
    path == unit.path && kind == unit.kind && files.count == unit.files.count
      && zip(files, unit.files).allSatisfy {
        Path.name($0.name) == Path.name($1.path) && $0.signature == $1.signature
      }
  }
}

/// How the reading of a unit ended.
public enum UnitReading: Sendable, Equatable {
  case read(UnitRecord)
  /// It changed (or went away) while it was read: not settled after all; look again later.
  case changed
}

extension Inbox {
  /// Reads a unit once, handing each file to `body` as a stream, and hashes exactly the bytes that
  /// were handed over (what `body` leaves is read to the end for the digest). Discard what `body`
  /// made when the answer is `changed`. Errors of `body` pass through after the file was closed.
  public func read(
    _ unit: InboxUnit, _ body: (_ file: InboxUnit.File, _ bytes: any ByteSource) throws -> Void
  ) throws -> UnitReading {
    var files: [UnitRecord.File] = []
    for file in unit.files {
      let opened: any OpenFile
      do throws(FileSystemError) {
        opened = try fileSystem.open(file.path, beneath: folder, .read)
      } catch {
        switch error.code {
        case .notFound, .notAFolder, .symbolicLink, .notRegularFile, .isAFolder: return .changed
        default: throw error
        }
      }
      guard FileSignature(try opened.status()) == file.signature else { return .changed }
      let source = DigestingSource(opened)
      try body(file, source)
      try source.drain()
      // The name must still mean the file that was scanned, unchanged: a writer may have gone on, or
      // another file may have taken the name.
      let after = try fileSystem.statusIfPresent(of: Path.join(folder, file.path))
      guard after.map(FileSignature.init) == file.signature else { return .changed }
      files.append(
        .init(
          name: Path.name(file.path), signature: file.signature, digest: source.builder.finish()))
    }
    return .read(UnitRecord(path: unit.path, kind: unit.kind, files: files))
  }

  /// Reads a unit for its digest alone.
  public func digest(_ unit: InboxUnit) throws(InboxError) -> UnitReading {
    do { return try read(unit) { _, _ in } } catch {
      throw .fileSystem(error as? FileSystemError ?? FileSystemError(.read, unit.path, .other))
    }
  }
}

/// Passes bytes on and hashes them.
public final class DigestingSource: ByteSource {
  private let base: any ByteSource
  public private(set) var builder = DigestBuilder()

  public init(_ base: any ByteSource) { self.base = base }

  public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try base.read(into: buffer)
    builder.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
    return count
  }

  /// Reads to the end, for the digest.
  public func drain() throws {
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while try chunk.withUnsafeMutableBytes({ try read(into: $0) }) > 0 {}
  }
}
