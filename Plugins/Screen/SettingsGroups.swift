import Configurations
import Platform
import StageKit

/// Sources whose calculation settings agree, largest group first.
struct SettingsGroups {
  private struct Group {
    var settings: CalculationSettings
    var sources: [Digest]
    var frames: Int
  }

  private let groups: [Group]

  init(frames: [ScreenStage.Frame], settings: [Digest: CalculationSettings]) {
    var counts: [Digest: Int] = [:]
    for frame in frames where frame.reason == nil { counts[frame.source, default: 0] += 1 }
    // Sources with the most frames found the groups; the digest breaks ties, so that the grouping
    // depends on the set of sources alone.
    let order = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    var groups: [Group] = []
    for (source, count) in order {
      let own = settings[source] ?? CalculationSettings()
      if let index = groups.firstIndex(where: { $0.settings.differences(from: own).isEmpty }) {
        groups[index].settings = groups[index].settings.completed(by: own)
        groups[index].sources.append(source)
        groups[index].frames += count
      } else {
        groups.append(Group(settings: own, sources: [source], frames: count))
      }
    }
    self.groups = groups.enumerated()
      .sorted { ($1.element.frames, $0.offset) < ($0.element.frames, $1.offset) }.map(\.element)
  }

  /// Sets aside every frame outside the largest group.
  func setAsideOthers(_ frames: inout [ScreenStage.Frame]) {
    guard groups.count > 1 else { return }
    let kept = Set(groups[0].sources)
    for index in frames.indices where frames[index].reason == nil && !kept.contains(frames[index].source) {
      frames[index].reason = .inconsistentSettings
    }
  }

  var summaries: [Screening.SettingsGroup] {
    groups.map { group in
      Screening.SettingsGroup(
        settings: group.settings.summary, sources: group.sources.count, frames: group.frames,
        differences: groups[0].settings.differences(from: group.settings))
    }
  }
}
