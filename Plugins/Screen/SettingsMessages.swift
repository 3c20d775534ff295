import Configurations
import Platform
import StageKit

/// What the user is told of groups of settings, in plain words.
struct SettingsMessages {
  let groups: SettingsGroups
  let policy: SettingsPolicy
  /// With how many of the groups the policy's conditions agree.
  let matching: Int

  private var total: Int { groups.groups.reduce(0) { $0 + $1.sources.count } }
  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
  private func size(_ group: SettingsGroups.Group) -> String {
    "\(count(group.sources.count, "source")), \(count(group.frames, "frame"))"
  }

  var diagnostics: [Diagnostic] {
    var found: [Diagnostic] = []
    if groups.groups.count > 1 { found += [differing, used] }
    if matching > 1 {
      found.append(
        Diagnostic(
          .warning, code: "settings-several", cause: "'\(policy)' describes \(matching) groups; the largest is used.",
          remedy: "Name it in full in the screen stage: settings: '\(groups.groups[groups.reference].name)'."))
    }
    if groups.groups.count > 1, groups.undecided > 0 {
      found.append(
        Diagnostic(
          .note, code: "settings-not-stated",
          cause:
            "\(count(groups.undecided, "source")) do not state what separates the groups and were counted with the "
            + "largest that they do not contradict."))
    }
    return found
  }

  /// Who differs, and in what: "ENCUT 400 vs 520 in 3 of 41 sources".
  private var differing: Diagnostic {
    let others = groups.groups.indices.filter { $0 != groups.reference }.map { groups.groups[$0] }
    let most = 8
    var parts = others.prefix(most).map { group in
      groups.differences(group).joined(separator: ", ") + " in \(group.sources.count) of \(total) sources"
    }
    if others.count > most { parts.append("\(count(others.count - most, "more group")) (see the report)") }
    return Diagnostic(
      .warning, code: "settings-differ", cause: "Calculation settings disagree: " + parts.joined(separator: "; ") + ".")
  }

  private var used: Diagnostic {
    let own = groups.groups[groups.reference]
    guard policy != .all else {
      return Diagnostic(
        .warning, code: "settings-mixed",
        cause:
          "All \(groups.groups.count) groups are fitted together, although energies of different settings do not compare.",
        remedy: "settings: 'largest' in the screen stage, or settings: '\(own.name)', keeps to one.")
    }
    let left = groups.groups.filter { !$0.isUsed }
    let named = left.prefix(8).map { "'\($0.name)' (\(size($0)))" }.joined(separator: "; ")
    let kind = policy == .largest ? "the largest group" : "the group named"
    let tie =
      policy == .largest && groups.isTie ? " It is as large as the next and comes first in the order of texts." : ""
    return Diagnostic(
      .warning, code: "settings-left-out",
      cause: "Used: \(kind) '\(own.name)' (\(size(own))).\(tie) Left out: \(named)\(left.count > 8 ? "; …" : "").",
      remedy: "Compute these again with the settings of the group used"
        + (policy == .largest
          ? ", or choose a group that stays whatever arrives: settings: '\(own.name)' in the screen stage." : "."))
  }

  /// The conditions agree with no group.
  static func noGroup(_ groups: SettingsGroups, _ policy: SettingsPolicy) -> StageError {
    let there = groups.groups.prefix(8).map { group in
      groups.groups.count > 1
        ? "'\(group.name)' (\(group.sources.count))" : "\(group.fingerprint.summary) (\(group.sources.count))"
    }
    return StageError(
      "settings: no source has \(policy). There are, with their numbers of sources: \(there.joined(separator: "; ")).",
      remedy: "Name one of them, or settings: 'largest'.")
  }
}

/// Settings that need not agree and yet differ within what is used: worth knowing, as they can shift energies.
struct CarriedSettings {
  private static let names = ["KPOINTS", "SIGMA", "PREC", "EDIFF", "LREAL", "ADDGRID", "ENAUG", "LMAXMIX"]

  /// One note for all, or nil where everything agrees. `settings`: of the sources used, and how many have them.
  /// `compared`: names that separate groups already.
  static func note(_ settings: [(settings: CalculationSettings, sources: Int)], compared: [String]) -> Diagnostic? {
    var parts: [String] = []
    for name in names where !compared.contains(name) {
      var counts: [String: Int] = [:]
      for (one, sources) in settings {
        if let value = one.carriedSetting(name) { counts[value, default: 0] += sources }
      }
      guard counts.count > 1 else { continue }
      let shown = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      let listed = shown.prefix(3).map { "\($0.key) in \($0.value)" }.joined(separator: ", ")
      let word = name == "SIGMA" ? "smearing" : name == "KPOINTS" ? "k-points" : name
      parts.append("\(word) \(listed)" + (shown.count > 3 ? ", \(shown.count - 3) more" : ""))
    }
    guard !parts.isEmpty else { return nil }
    let sources = settings.reduce(0) { $0 + $1.sources }
    return Diagnostic(
      .note, code: "settings-vary",
      cause: "Of the \(sources) sources used these settings differ but are not compared: "
        + parts.joined(separator: "; ") + ".",
      remedy: "alsoCompare in the screen stage makes them count, as alsoCompare: ['PREC'].")
  }
}
