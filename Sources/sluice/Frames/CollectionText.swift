// What became of the inputs, in words for the terminal: a table, what was left out by cause, and errors.

import Configurations
import Foundation
import Platform
import Report
import StageKit

extension FrameCollection {
  /// How many of one kind are told one by one; more are told together.
  private static let most = 3

  /// On standard error. `quiet`: errors only; `brief`: without the table of sources.
  func show(quiet: Bool, brief: Bool = false) {
    if !quiet, !brief { showTable() }
    showErrors()
    guard !quiet else { return }
    showWarnings()
    showEmpty()
    showPassedOver()
  }

  /// "317 sources read, 5 without frames, 2 failed, 170 files passed over"; nil where all of one or two were read.
  var tally: String? {
    let (empty, failed) = (sources.count { $0.outcome == .empty }, failures)
    guard sources.count > 2 || empty + failed + passedOver.count > 0 else { return nil }
    var parts = [counted(sources.count - empty - failed, "source") + " read"]
    if empty > 0 { parts.append("\(empty) without frames") }
    if failed > 0 { parts.append("\(failed) failed") }
    if !passedOver.isEmpty { parts.append(counted(passedOver.count, "file") + " passed over") }
    return parts.joined(separator: ", ") + "."
  }

  private func showTable() {
    let limit = 40
    let read = sources.filter { $0.outcome == .read }
    guard !read.isEmpty else { return }
    let isSelected = read.contains { $0.offered != $0.frames }
    var table = TextTable(
      columns: [.init("source", cut: .atStart), .init("format")] + (isSelected ? [.init("steps", .right)] : [])
        + [.init("frames", .right), .init("atoms", .right), .init("whole"), .init("settings", cut: .atEnd)])
    for source in read.prefix(limit) {
      table.add(
        [source.source, source.format] + (isSelected ? [String(source.offered)] : [])
          + [
            String(source.frames), String(source.atoms), source.complete ? "yes" : "no", source.settings?.brief ?? "",
          ])
    }
    tell(String(table.text(width: StatusLine.width).dropLast()))
    if read.count > limit { tell("… and \(read.count - limit) more sources (--json lists all)") }
  }

  private func showErrors() {
    let limit = 30
    let said = sources.flatMap { source in
      source.diagnostics.filter { $0.severity == .error }.prefix(Self.most)
    }
    for diagnostic in said.prefix(limit) { tell("error: \(diagnostic)") }
    if said.count > limit { tell("… and \(said.count - limit) more errors (--json lists all)") }
  }

  /// By their kind: a few one by one, many as one line that names the first.
  private func showWarnings() {
    var kinds: [String: [(source: String, diagnostic: Diagnostic)]] = [:]
    var order: [String] = []
    for source in sources {
      for diagnostic in source.diagnostics where diagnostic.severity == .warning {
        if kinds[diagnostic.code] == nil { order.append(diagnostic.code) }
        kinds[diagnostic.code, default: []].append((source.source, diagnostic))
      }
    }
    for code in order {
      let said = kinds[code]!
      guard said.count > Self.most else {
        for item in said { tell("warning: \(item.diagnostic)") }
        continue
      }
      var names: [String] = []
      for item in said where names.last != item.source { names.append(item.source) }
      let words = Self.words[code] ?? "\(said[0].diagnostic.cause) And the like"
      tell("warning: \(counted(names.count, "source")): \(words): \(listed(names)).")
    }
  }

  /// What several diagnostics of one code have in common.
  private static let words = [
    "truncated": "broken off; the whole steps before that were kept",
    "malformed-xml": "XML that no parser accepts; the steps before that were kept",
    "illegal-bytes": "bytes that XML does not allow were passed over",
    "not-finite": "steps left out, with NaN or **** where a number should be",
    "no-positions": "steps left out, for which the file gives no positions",
    "no-energy": "steps left out, which have no final energy",
    "atom-count": "steps left out, whose tables are not those of all atoms",
    "species-unknown": "steps left out, as the file does not say which elements the atoms are",
    "machine-learned": "steps left out, which VASP's own force field made (--machine-learned keeps them)",
    "unconverged": "steps passed over, whose electronic loop did not converge",
    "not-judged": "steps kept without being compared, for lack of what the rule compares",
  ]

  /// Sources that were readable, gave no frame, and have not been told of above.
  private func showEmpty() {
    let silent = sources.filter { source in
      source.outcome == .empty && !source.diagnostics.contains { $0.severity == .warning }
    }
    var reasons: [String] = []
    for source in silent where !reasons.contains(source.reasonForNothing) { reasons.append(source.reasonForNothing) }
    for reason in reasons {
      let names = silent.filter { $0.reasonForNothing == reason }.map(\.source)
      tell("nothing from \(listed(names)): \(reason)")
    }
  }

  private func showPassedOver() {
    var kinds: [PassedOver.Kind] = []
    for item in passedOver where !kinds.contains(item.kind) { kinds.append(item.kind) }
    for kind in kinds {
      let items = passedOver.filter { $0.kind == kind }
      let isOne = Set(items.map(\.reason)).count == 1
      tell("passed over: \(listed(items.map(\.name))): \(isOne ? items[0].reason : kind.words).")
    }
  }

  private func listed(_ names: [String]) -> String {
    names.prefix(Self.most).map { printable($0) }.joined(separator: ", ")
      + (names.count > Self.most ? " and \(names.count - Self.most) more" : "")
  }
}

extension SourceLine {
  fileprivate var reasonForNothing: String {
    diagnostics.first?.cause
      ?? "no ionic step in it has a force-consistent energy (runs for bands, response, GW or BSE have none)."
  }
}

private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

extension CalculationSettings {
  /// What tells calculations apart at a glance: "PBE, 520 eV, Gamma 4 4 4, VASP 6.3.0".
  var brief: String {
    var parts: [String] = []
    if let functional { parts.append(functional) }
    if let planeWaveCutoff { parts.append("\(shortest(planeWaveCutoff)) eV") }
    if let kPoints { parts.append(kPoints) }
    if spinPolarised == true { parts.append("spin") }
    if let hubbardU, !hubbardU.isEmpty { parts.append("+U") }
    if let version {
      parts.append("VASP \(version.prefix { $0 != " " }.split(separator: ".").prefix(3).joined(separator: "."))")
    }
    return parts.joined(separator: ", ")
  }

  private func shortest(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : value.description
  }
}
