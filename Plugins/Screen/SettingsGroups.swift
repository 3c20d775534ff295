import Configurations
import Platform
import StageKit

/// Sources whose calculation settings agree, largest group first. Largest is who has the most usable frames; then
/// the most sources; then whose settings come first as text.
///
/// Sources that state most are placed first, so that groups are those of equal settings; one that leaves something
/// open goes to the largest group that it does not contradict. The result depends on the set of sources alone.
struct SettingsGroups {
  struct Group {
    /// Its short name: the settings by which it can be told from all others, as "ENCUT=520, ISPIN=2".
    var name = ""
    var fingerprint: SettingsFingerprint
    /// In digest order.
    var sources: [Digest]
    /// Usable frames.
    var frames: Int
    var isUsed = true
  }

  private(set) var groups: [Group] = []
  /// Sources that do not contradict several groups, which contradict each other.
  private(set) var undecided = 0
  /// From which the others are said to differ.
  private(set) var reference = 0

  /// - Parameters:
  ///   - sources: those with usable frames, how many these are, and which of `kinds` they state.
  ///   - kinds: different fingerprints.
  init(_ sources: [(digest: Digest, frames: Int, kind: Int)], kinds: [SettingsFingerprint]) {
    let sizes = kinds.map(\.entries.count)
    let sources = sources.sorted {
      (sizes[$1.kind], $1.frames, $0.digest) < (sizes[$0.kind], $0.frames, $1.digest)
    }
    // The groups that sources of a kind fit stay the same until one of another kind comes.
    var (last, fitting) = (-1, [Int]())
    for source in sources {
      let fingerprint = kinds[source.kind]
      if source.kind != last { fitting = groups.indices.filter { groups[$0].fingerprint.agrees(with: fingerprint) } }
      last = source.kind
      guard let index = fitting.max(by: { Self.precedes(groups[$1], groups[$0]) }) else {
        fitting = [groups.count]
        groups.append(Group(fingerprint: fingerprint, sources: [source.digest], frames: source.frames))
        continue
      }
      if fitting.count > 1 { undecided += 1 }
      groups[index].fingerprint.complete(by: fingerprint)
      groups[index].sources.append(source.digest)
      groups[index].frames += source.frames
    }
    groups.sort(by: Self.precedes)
    for index in groups.indices {
      groups[index].sources.sort()
      groups[index].name = name(of: groups[index])
    }
  }

  private static func precedes(_ a: Group, _ b: Group) -> Bool {
    if a.frames != b.frames { return a.frames > b.frames }
    if a.sources.count != b.sources.count { return a.sources.count > b.sources.count }
    return a.fingerprint.summary < b.fingerprint.summary
  }

  /// The first settings, in their order, that together no other group has.
  private func name(of group: Group) -> String {
    guard groups.count > 1 else { return "all" }
    var others = groups
    var words: [String] = []
    for (name, value) in group.fingerprint.entries where others.count > 1 {
      let same = others.filter { $0.fingerprint[name] == value }
      guard same.count < others.count, others.contains(where: { $0.fingerprint[name].map { $0 != value } ?? false })
      else { continue }
      others = same
      words.append(SettingsCondition(stating: name, value).description)
    }
    return words.joined(separator: ", ")
  }

  /// Whether two groups are largest but for the order of their texts.
  var isTie: Bool {
    groups.count > 1 && groups[0].frames == groups[1].frames && groups[0].sources.count == groups[1].sources.count
  }

  /// The largest of the groups for which the conditions hold, and how many these are.
  func named(_ conditions: [SettingsCondition]) -> (index: Int, matching: Int)? {
    let fitting = groups.indices.filter { index in
      conditions.allSatisfy { $0.holds(for: groups[index].fingerprint) }
    }
    return fitting.first.map { ($0, fitting.count) }
  }

  /// Only this group may be used.
  mutating func use(only index: Int) {
    reference = index
    for other in groups.indices { groups[other].isUsed = other == index }
  }

  var unused: Set<Digest> { Set(groups.filter { !$0.isUsed }.flatMap(\.sources)) }

  func differences(_ group: Group) -> [String] {
    group.fingerprint.differences(from: groups[reference].fingerprint)
  }

  var summaries: [Screening.SettingsGroup] {
    groups.map { group in
      Screening.SettingsGroup(
        name: group.name, settings: group.fingerprint.summary, sources: group.sources, frames: group.frames,
        isUsed: group.isUsed, differences: differences(group))
    }
  }
}
