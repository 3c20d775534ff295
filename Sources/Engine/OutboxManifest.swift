import Foundation
import Platform

/// What a run folder holds, as its `manifest.json` says.
public struct OutboxManifest: Sendable, Equatable, Codable {
  public struct File: Sendable, Equatable, Codable {
    public var path: String
    public var sha256: Digest
    /// Bytes.
    public var size: Int

    public init(path: String, sha256: Digest, size: Int) {
      self.path = path
      self.sha256 = sha256
      self.size = size
    }
  }

  /// Version of this layout.
  public var sluice = 1
  public var run: Int
  /// In the order of their paths' bytes; the manifest itself is not listed.
  public var files: [File]

  public init(run: Int, files: [File]) {
    self.run = run
    self.files = files.sorted { bytewiseLess($0.path, $1.path) }
  }

  /// JSON with one file per line; the same bytes for the same content.
  public func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Strings and whole numbers only: this cannot fail.
    let lines = files.map { String(decoding: try! encoder.encode($0), as: UTF8.self) }
    return Array(
      ("{\"files\":[\n" + lines.joined(separator: ",\n")
        + "\n],\"run\":\(run),\"sluice\":\(sluice)}\n")
        .utf8)
  }

  public static func decode(_ bytes: [UInt8]) -> OutboxManifest? {
    try? JSONDecoder().decode(OutboxManifest.self, from: Data(bytes))
  }
}
