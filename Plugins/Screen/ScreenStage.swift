// Frame summaries of every source come in; which frames may become training data, and why the others
// may not, goes out.

import Configurations
import Platform
import StageKit

/// Sets frames aside that would teach the potential something false.
public struct ScreenStage: FoldStage {
  public static let description = StageDescription(
    name: "screen", version: 2,
    summary: "Sets aside what may not become training data, with a reason for each frame.",
    takes: [StageInput(.configurations)],
    gives: [.perSource(.selection), .whole(.screening)])

  let requiresConvergence: Bool
  let largestForce: Double
  let removesDuplicates: Bool
  let settingsPolicy: SettingsPolicy
  let furtherSettings: [String]

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    requiresConvergence = try parameters.logical(
      "converged", default: true, "Set aside steps whose electronic loop did not converge.")
    largestForce = try parameters.number(
      "maxForce", default: 100, in: .positive, unit: "eV/Å",
      "Set aside frames with a larger force on any atom.")
    removesDuplicates = try parameters.logical(
      "duplicates", default: true, "Keep one of several identical frames.")
    let further = try parameters.texts(
      "alsoCompare", default: [],
      "Further settings that must agree, by their INCAR names, as ['PREC', 'SIGMA']; KPOINTS and VERSION too.")
    for name in further where name.isEmpty || name != name.uppercased() {
      throw parameters.refuse("alsoCompare", "must hold INCAR names in capitals, as 'PREC', not '\(name)'")
    }
    furtherSettings = further.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    settingsPolicy = try parameters.words(
      "settings", form: SettingsPolicy.form, default: SettingsPolicy.largest,
      "Which frames to keep where calculation settings disagree: those of the largest group, of the largest group that "
        + "has the settings named, or all. Messages say which groups there are.",
      takesObject: true
    ) { words throws(ParameterWordError) in try SettingsPolicy(words: words, further: further) }
  }

  public func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let configurations = inputs.collection(.configurations)
    let sources = try ScreenedSource.all(configurations, context)
    var frames: [Frame] = []
    var settings = Settings()
    for (item, source) in zip(configurations, sources) {
      // Sources of one project have few different settings.
      let kind = try settings.kind(source.settings, context)
      frames += source.frames.map { Frame(source: item.source.digest, settings: kind, summary: $0) }
    }
    let allowed = Set(context.elements.map(\.symbol))
    for index in frames.indices { frames[index].reason = reason(frames[index].summary, allowed) }
    let (groups, told) = try judgeSettings(of: &frames, settings)
    if removesDuplicates { setDuplicatesAside(&frames) }
    return try result(frames, groups, told, sources: configurations.map(\.source.digest))
  }

  /// The different settings of all sources.
  private struct Settings {
    private(set) var kinds: [CalculationSettings] = []
    private var known: [Digest: Int] = [:]

    mutating func kind(_ part: ArtifactPart, _ context: StageContext) throws -> Int {
      if let kind = known[part.digest] { return kind }
      known[part.digest] = kinds.count
      kinds.append(try CanonicalJSON.decode(CalculationSettings.self, context.bytes(part)))
      return kinds.count - 1
    }
  }

  /// Groups the sources of frames that are fit by themselves, and sets aside those outside the group used.
  private func judgeSettings(of frames: inout [Frame], _ settings: Settings) throws -> (SettingsGroups, [Diagnostic]) {
    var sources: [(digest: Digest, frames: Int, kind: Int)] = []
    for frame in frames where frame.reason == nil {
      if sources.last?.digest != frame.source { sources.append((frame.source, 0, frame.settings)) }
      sources[sources.count - 1].frames += 1
    }
    var groups = SettingsGroups(
      sources, kinds: settings.kinds.map { SettingsFingerprint($0, further: furtherSettings) })
    var matching = 1
    switch settingsPolicy {
    case .all: break
    case .largest: groups.use(only: 0)
    case .named(let conditions):
      guard !groups.groups.isEmpty else { break }
      guard let found = groups.named(conditions) else { throw SettingsMessages.noGroup(groups, settingsPolicy) }
      groups.use(only: found.index)
      matching = found.matching
    }
    let unused = groups.unused
    for index in frames.indices where frames[index].reason == nil && unused.contains(frames[index].source) {
      frames[index].reason = .inconsistentSettings
    }
    var told = SettingsMessages(groups: groups, policy: settingsPolicy, matching: matching).diagnostics
    var used = settings.kinds.map { (settings: $0, sources: 0) }
    for source in sources where !unused.contains(source.digest) { used[source.kind].sources += 1 }
    if let note = CarriedSettings.note(used.filter { $0.sources > 0 }, compared: furtherSettings) { told.append(note) }
    return (groups, told)
  }

  /// The first reason that speaks against a frame by itself.
  private func reason(_ frame: FrameSummary, _ allowed: Set<String>) -> ScreenReason? {
    if frame.machineLearned { return .machineLearned }
    if requiresConvergence && frame.electronicallyConverged == false { return .unconverged }
    if !frame.isFinite { return .notFinite }
    if frame.energyPerAtom == nil { return .noEnergy }
    guard frame.hasForces, let force = frame.largestForce else { return .noForces }
    if force > largestForce { return .largeForce }
    if !allowed.isSuperset(of: frame.elements) { return .foreignElement }
    return nil
  }

  /// Of identical frames the first in source order stays.
  private func setDuplicatesAside(_ frames: inout [Frame]) {
    var seen: Set<Digest> = []
    for index in frames.indices where frames[index].reason == nil {
      if !seen.insert(frames[index].summary.content).inserted { frames[index].reason = .duplicate }
    }
  }

  private func result(
    _ frames: [Frame], _ groups: SettingsGroups, _ told: [Diagnostic], sources: [Digest]
  ) throws -> FoldResult {
    var result = FoldResult()
    // Most sources keep the same.
    var last: (selection: FrameSelection, draft: ArtifactDraft)?
    var next = 0
    for source in sources {
      var selection = FrameSelection(kept: [], setAside: [])
      while next < frames.count, frames[next].source == source {
        let frame = frames[next].summary
        if let reason = frames[next].reason {
          selection.setAside.append(SetAside(frame: frame.frame, ionicStep: frame.ionicStep, reason: reason))
        } else {
          selection.kept.append(frame.frame)
        }
        next += 1
      }
      if last?.selection != selection {
        last = (
          selection, ArtifactDraft(.selection, parts: [("selection.json", try CanonicalJSON.encode(selection))])
        )
      }
      result.perSource[source] = [last!.draft]
    }
    var screening = Screening(frames: frames.count, kept: frames.count { $0.reason == nil })
    let setAside = frames.filter { $0.reason != nil }
    for reason in ScreenReason.allCases {
      let hit = setAside.filter { $0.reason == reason }
      guard !hit.isEmpty else { continue }
      screening.reasons.append(
        Screening.Count(
          reason: reason, words: reason.words, frames: hit.count,
          examples: hit.prefix(5).map { Screening.Example(source: $0.source, ionicStep: $0.summary.ionicStep) }))
      result.diagnostics.append(
        Diagnostic(
          .note, code: "set-aside-\(reason.rawValue)",
          cause: "\(hit.count) of \(frames.count) frames set aside: \(reason.words)."))
    }
    screening.settingsGroups = groups.summaries
    result.diagnostics += told
    var whole = ArtifactDraft(.screening)
    whole.add("screening.json", try CanonicalJSON.encode(screening))
    result.wholes = [whole]
    return result
  }

  /// A frame on its way through the screen.
  struct Frame {
    let source: Digest
    /// Which of the different settings.
    let settings: Int
    let summary: FrameSummary
    var reason: ScreenReason?
  }
}
