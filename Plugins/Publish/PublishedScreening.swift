import Configurations
import Platform
import StageKit

/// `screening.json` of a run: what was set aside and why, with the names of the sources.
struct PublishedScreening: Encodable {
  private struct Reason: Encodable {
    var reason: String
    var words: String
    var frames: Int
  }

  private struct Group: Encodable {
    var name: String
    var settings: String
    var used: Bool
    var frames: Int
    var differences: [String]
    var sources: [String]
  }

  private let schema = "sluice.screening"
  private let version = 1
  private let frames: Int
  private let kept: Int
  private let reasons: [Reason]
  private let groups: [Group]

  private enum CodingKeys: String, CodingKey {
    case schema, version, frames, kept, reasons
    case groups = "settings_groups"
  }

  init(_ inputs: StageInputs, _ context: StageContext) throws {
    let names = Dictionary(
      inputs.collection(.configurations).map { ($0.source.digest, $0.source.name) }, uniquingKeysWith: { a, _ in a })
    let screening = try CanonicalJSON.decode(
      Screening.self, context.bytes(inputs.whole(.screening), "screening.json"))
    frames = screening.frames
    kept = screening.kept
    reasons = screening.reasons.map { Reason(reason: $0.reason.rawValue, words: $0.words, frames: $0.frames) }
    groups = screening.settingsGroups.map { group in
      Group(
        name: group.name, settings: group.settings, used: group.isUsed, frames: group.frames,
        differences: group.differences, sources: group.sources.map { names[$0] ?? $0.short }.sorted())
    }
  }

  func encoded() throws -> [UInt8] { try CanonicalJSON.encode(self, pretty: true) }
}
