import Configurations
import Foundation
import Platform

/// What one finished action gave: the memo by which a stage need not run again.
public struct StoredAction: Sendable, Equatable, Codable {
  /// One result, by the name the stage gave it.
  public struct Output: Sendable, Equatable, Codable {
    public var name: String
    public var digest: Digest

    public init(name: String, digest: Digest) {
      self.name = name
      self.digest = digest
    }
  }

  /// Digest of everything that determines the outputs.
  public var key: Digest
  public var stage: String
  public var outputs: [Output]
  /// Whatever the caller keeps with it (diagnostics, counts); JSON by convention.
  public var note: String

  public init(
    key: Digest, stage: String, outputs: [Output], note: String = ""
  ) {
    self.key = key
    self.stage = stage
    self.outputs = outputs
    self.note = note
  }
}

extension Store {
  /// How far a remembered action is checked.
  public enum Validity: Sendable {
    /// All outputs are there. Damage is found when they are read.
    case presence
    /// All outputs were read and match.
    case content
  }

  func path(ofAction key: Digest) -> String {
    Path.join(shard(actions, key), key.description)
  }

  /// Remembers a finished action. Its outputs must be in the store. The latest record of a key wins.
  public func remember(_ record: StoredAction) throws(StoreError) {
    for output in record.outputs where try !contains(output.digest) {
      throw .missing(output.digest)
    }
    let path = path(ofAction: record.key)
    do throws(FileSystemError) {
      try fileSystem.createFolders(Path.parent(path))
      try fileSystem.replaceFile(path, Self.encode(record))
    } catch { throw .fileSystem(error) }
  }

  /// The record of a finished action; nil when there is none, it is damaged, or an output is gone.
  public func recall(_ key: Digest, checking validity: Validity = .presence) throws(StoreError)
    -> StoredAction?
  {
    guard let record = try action(key) else { return nil }
    for output in record.outputs {
      switch validity {
      case .presence: if try !contains(output.digest) { return nil }
      case .content: if try !check(output.digest) { return nil }
      }
    }
    return record
  }

  /// The record as it stands, whatever became of its outputs (for `explain` and `gc`).
  public func action(_ key: Digest) throws(StoreError) -> StoredAction? {
    let path = path(ofAction: key)
    do throws(FileSystemError) {
      guard let bytes = try fileSystem.readFileIfPresent(path) else { return nil }
      if let record = Self.decode(bytes), record.key == key { return record }
      try setAside(path, key, "is not a whole action record")
      return nil
    } catch { throw .fileSystem(error) }
  }

  /// One line of JSON, then a line with its SHA-256.
  static func encode(_ record: StoredAction) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Strings and digests only: this cannot fail.
    let line = try! [UInt8](encoder.encode(record))
    return line + Array("\n\(Digest(of: line))\n".utf8)
  }

  static func decode(_ bytes: [UInt8]) -> StoredAction? {
    // 64 digits and two line ends.
    let length = bytes.count - 66
    guard length > 0 else { return nil }
    let line = Array(bytes[..<length])
    guard bytes[length...].elementsEqual("\n\(Digest(of: line))\n".utf8) else { return nil }
    return try? JSONDecoder().decode(StoredAction.self, from: Data(line))
  }
}
