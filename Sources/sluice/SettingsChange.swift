import Foundation
import Platform
import StageKit

/// That a run learned from calculations with other settings than the run before it: its potential and its list are
/// then not a continuation. Nil where nothing of the kind happened.
struct SettingsChange: CustomStringConvertible {
  let description: String

  private struct Screening: Decodable {
    struct Group: Decodable {
      var name: String
      var used: Bool
      var differences: [String]
      var sources: [String]
    }

    var groups: [Group]
    private enum CodingKeys: String, CodingKey { case groups = "settings_groups" }

    init?(folder: String) {
      guard let data = try? Data(contentsOf: URL(fileURLWithPath: "\(folder)/screening.json")),
        let read = try? JSONDecoder().decode(Screening.self, from: data)
      else { return nil }
      self = read
    }
  }

  /// `runs`: the folder of published runs. Compares `latest` with the one before it.
  init?(runs: String, latest: Int) {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: runs))?.compactMap { name in
      Int(name).map { (number: $0, name: name) }
    }
    guard let all = numbers?.sorted(by: { $0.number < $1.number }),
      let index = all.firstIndex(where: { $0.number == latest }), index > 0,
      let old = Screening(folder: "\(runs)/\(all[index - 1].name)"),
      let new = Screening(folder: "\(runs)/\(all[index].name)")
    else { return nil }
    let (before, after) = (old.groups.filter(\.used), new.groups.filter(\.used))
    guard before.count == 1, after.count == 1, new.groups.count > 1 else { return nil }
    // Of the sources that were learned from and are still there, most must be learned from now. A group's name may
    // change with what else there is.
    let learned = Set(before[0].sources)
    let present = learned.intersection(new.groups.flatMap(\.sources))
    guard 2 * learned.intersection(after[0].sources).count < present.count else { return nil }
    let left = new.groups.max { learned.intersection($0.sources).count < learned.intersection($1.sources).count }!
    let sources = after[0].sources.count == 1 ? "1 source" : "\(after[0].sources.count) sources"
    description = """
      this run learned from other calculations than run \(all[index - 1].number): from the group \
      '\(after[0].name)' (\(sources)), no more from '\(left.name)' (\(left.differences.joined(separator: ", "))). \
      To keep to one group whatever arrives, name it in the screen stage, as settings: '\(left.name)'.
      """
  }
}
