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
    var frames: [Frame] = []
    var settings: [Digest: CalculationSettings] = [:]
    for item in inputs.collection(.configurations) {
      let source = item.source.digest
      settings[source] = try CanonicalJSON.decode(
        CalculationSettings.self, context.bytes(item.artifact, "settings.json"))
      for summary in try CanonicalJSON.decode([FrameSummary].self, context.bytes(item.artifact, "frames.json")) {
        frames.append(Frame(source: source, summary: summary))
      }
    }
    let allowed = Set(context.elements.map(\.symbol))
    for index in frames.indices { frames[index].reason = reason(frames[index].summary, allowed) }
    let (groups, told) = try judgeSettings(of: &frames, settings)
    if removesDuplicates { setDuplicatesAside(&frames) }
    return try result(frames, groups, told, sources: inputs.collection(.configurations).map(\.source.digest))
  }

  /// Groups the sources of frames that are fit by themselves, and sets aside those outside the group used.
  private func judgeSettings(
    of frames: inout [Frame], _ settings: [Digest: CalculationSettings]
  ) throws -> (SettingsGroups, [Diagnostic]) {
    var counts: [Digest: Int] = [:]
    for frame in frames where frame.reason == nil { counts[frame.source, default: 0] += 1 }
    var groups = SettingsGroups(
      frames: counts, fingerprints: settings.mapValues { SettingsFingerprint($0, further: furtherSettings) })
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
    let used = settings.filter { counts[$0.key] != nil && !unused.contains($0.key) }
    if let note = CarriedSettings.note(Array(used.values), compared: furtherSettings) { told.append(note) }
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
    let bySource = Dictionary(grouping: frames, by: \.source)
    for source in sources {
      let own = bySource[source] ?? []
      let selection = FrameSelection(
        kept: own.filter { $0.reason == nil }.map(\.summary.frame),
        setAside: own.compactMap { frame in
          frame.reason.map { SetAside(frame: frame.summary.frame, ionicStep: frame.summary.ionicStep, reason: $0) }
        })
      var draft = ArtifactDraft(.selection)
      draft.add("selection.json", try CanonicalJSON.encode(selection))
      result.perSource[source] = [draft]
    }
    var screening = Screening(frames: frames.count, kept: frames.filter { $0.reason == nil }.count)
    for reason in ScreenReason.allCases {
      let hit = frames.filter { $0.reason == reason }
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
    let summary: FrameSummary
    var reason: ScreenReason?
  }
}
