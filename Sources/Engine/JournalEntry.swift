import Foundation
import Platform
import StageKit

/// What the journal keeps: the part of the state that cannot be computed again.
enum JournalEntry: Codable {
  /// What is known of a watched folder's units.
  case folder(WatchedFolders.FolderChange)
  /// A run was published.
  case published(Published)

  struct Published: Codable, Sendable {
    var number: Int
    /// The digest of the publication artifact.
    var publication: Digest
    /// ISO 8601, UTC.
    var time: String
  }

  // The entries hold strings, numbers and digests only: encoding cannot fail.
  var encoded: [UInt8] { try! CanonicalJSON.encode(self) }

  /// nil for an entry of a kind that this version does not know.
  static func decode(_ bytes: [UInt8]) -> JournalEntry? { try? CanonicalJSON.decode(JournalEntry.self, bytes) }
}
