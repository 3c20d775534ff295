// Frame summaries of every source come in; which frames may become training data, and why the others
// may not, goes out.

import Configurations
import Platform
import StageKit

/// Sets frames aside that would teach the potential something false.
public struct ScreenStage: FoldStage {
  public static let description = StageDescription(
    name: "screen", version: 1,
    summary: "Sets aside what may not become training data, with a reason for each frame.",
    takes: [StageInput(.configurations)],
    gives: [.perSource(.selection), .whole(.screening)])

  let requiresConvergence: Bool
  let largestForce: Double
  let removesDuplicates: Bool
  let settingsPolicy: String

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    requiresConvergence = try parameters.logical(
      "converged", default: true, "Set aside steps whose electronic loop did not converge.")
    largestForce = try parameters.number(
      "maxForce", default: 100, in: .positive, unit: "eV/Å",
      "Set aside frames with a larger force on any atom.")
    removesDuplicates = try parameters.logical(
      "duplicates", default: true, "Keep one of several identical frames.")
    settingsPolicy = try parameters.choice(
      "settings", of: ["largest", "all"], default: "largest",
      "Which frames to keep where calculation settings disagree: the largest agreeing group, or all.")
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
    let groups = SettingsGroups(frames: frames, settings: settings)
    if settingsPolicy == "largest" { groups.setAsideOthers(&frames) }
    if removesDuplicates { setDuplicatesAside(&frames) }
    return try result(frames, groups, sources: inputs.collection(.configurations).map(\.source.digest))
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

  private func result(_ frames: [Frame], _ groups: SettingsGroups, sources: [Digest]) throws -> FoldResult {
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
    if groups.summaries.count > 1 {
      let others = groups.summaries.dropFirst()
      result.diagnostics.append(
        Diagnostic(
          .warning, code: "settings-differ",
          cause: "Calculation settings disagree: "
            + others.map { "\($0.differences.joined(separator: ", ")) in \($0.sources) of \(sources.count) sources" }
            .joined(separator: "; ") + ".",
          remedy: settingsPolicy == "largest"
            ? "Only the largest agreeing group is used; settings: 'all' in the screen stage keeps everything."
            : ""))
    }
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
