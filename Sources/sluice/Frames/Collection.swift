// Units that were read come in, in order; frames that count go to the output, and an account to the user.

import Configurations
import Foundation
import Platform
import Report
import StageKit

/// A source as the summary shows it.
struct SourceLine: Sendable, Encodable {
  enum Outcome: String, Encodable {
    case read
    /// It was readable, but there was no frame in it that counts.
    case empty
    case failed
  }

  var source: String
  var outcome: Outcome
  var format: String
  var frames: Int
  var atoms: Int
  var complete: Bool
  var files: [String]
  var settings: CalculationSettings?
  var diagnostics: [Diagnostic]
}

/// Decides which frames count, passes them on, and keeps the books.
final class FrameCollection {
  private let output: FrameOutput
  private(set) var sources: [SourceLine] = []
  var passedOver: [PassedOver] = []
  private let dropsCopies: Bool
  private var known: [Int: [Digest: String]] = [:]

  /// `dropsCopies`: whether the same content in one folder counts once, as within one archive.
  init(_ output: FrameOutput, dropsCopies: Bool) {
    self.output = output
    self.dropsCopies = dropsCopies
  }

  func add(_ account: UnitAccount, _ spool: inout FrameSpool) throws {
    passedOver += account.passedOver
    var lines: [String: Int] = [:]
    for source in account.sources {
      if dropsCopies, source.error == nil, let first = known[account.operand]?[source.digest] {
        passedOver.append(PassedOver(name: source.name, reason: "the same content as \(first)"))
        continue
      }
      known[account.operand, default: [:]][source.digest] = source.name
      if source.error == nil { lines[source.name] = sources.count }
      sources.append(
        SourceLine(
          source: source.name, outcome: source.error == nil ? .empty : .failed, format: source.format, frames: 0,
          atoms: 0, complete: source.isComplete, files: source.files, settings: source.settings,
          diagnostics: source.diagnostics))
    }
    try spool.drain { frame, bytes in
      guard let line = lines[frame.source] else { return }
      sources[line].outcome = .read
      sources[line].frames += 1
      sources[line].atoms += frame.atoms
      try output.write(bytes, atoms: frame.atoms)
    }
  }

  /// What was found out later about frames of sources that were added.
  func note(_ diagnostics: [Diagnostic]) {
    let places = Dictionary(sources.enumerated().map { ($1.source, $0) }, uniquingKeysWith: { $1 })
    for diagnostic in diagnostics {
      guard let line = places[diagnostic.place.file] else { continue }
      sources[line].diagnostics.append(diagnostic)
      if sources[line].frames == 0, diagnostic.severity == .error { sources[line].outcome = .failed }
    }
  }

  var failures: Int { sources.count { $0.outcome == .failed } }

  /// 0 all went through, 3 some inputs gave nothing because of errors, 1 nothing was written because of one.
  func exitStatus(otherErrors: Int = 0) -> Int32 {
    guard failures + otherErrors > 0 else { return 0 }
    return output.frames > 0 ? 3 : 1
  }

  // MARK: for people

  /// The table of sources, what was passed over, and what went wrong, on standard error.
  func show(quiet: Bool) {
    if !quiet { showTable() }
    for source in sources { show(source, quiet: quiet) }
    guard !quiet, !passedOver.isEmpty else { return }
    let reasons = passedOver.reduce(into: [String]()) { if !$0.contains($1.reason) { $0.append($1.reason) } }
    for reason in reasons.prefix(10) {
      let names = passedOver.filter { $0.reason == reason }.map { printable($0.name) }
      let more = names.count > 3 ? " and \(names.count - 3) more" : ""
      tell("passed over: \(names.prefix(3).joined(separator: ", "))\(more): \(reason).")
    }
  }

  private func showTable() {
    let limit = 40
    var table = TextTable(columns: [
      .init("source", cut: .atStart), .init("format"), .init("frames", .right), .init("atoms", .right),
      .init("whole"), .init("settings", cut: .atEnd),
    ])
    for source in sources.prefix(limit) where source.outcome != .failed {
      table.add([
        source.source, source.format, String(source.frames), String(source.atoms), source.complete ? "yes" : "no",
        source.settings?.brief ?? "",
      ])
    }
    if table.rows.isEmpty { return }
    var text = table.text(width: StatusLine.width)
    if sources.count > limit { text += "… and \(sources.count - limit) more sources (--json lists all)\n" }
    FileHandle.standardError.write(Data(text.utf8))
  }

  private func show(_ source: SourceLine, quiet: Bool) {
    let limit = 3
    let said = source.diagnostics.filter { $0.severity == .error || ($0.severity == .warning && !quiet) }
    for diagnostic in said.prefix(limit) {
      tell("\(diagnostic.severity == .error ? "error" : "warning"): \(diagnostic)")
    }
    if said.count > limit {
      tell("  … and \(said.count - limit) more of \(printable(source.source)) (--json lists all)")
    }
    if source.outcome == .empty, !quiet, said.isEmpty {
      let why = source.diagnostics.first.map { $0.cause } ?? "no frame in it has what a frame needs."
      tell("nothing from \(printable(source.source)): \(why)")
    }
  }
}

extension CalculationSettings {
  /// What tells calculations apart at a glance: "PBE, 520 eV, Gamma 4 4 4, VASP 6.3.0".
  var brief: String {
    var parts: [String] = []
    if let functional { parts.append(functional) }
    if let planeWaveCutoff { parts.append("\(shortest(planeWaveCutoff)) eV") }
    if let kPoints { parts.append(kPoints) }
    if spinPolarised == true { parts.append("spin") }
    if let hubbardU, !hubbardU.isEmpty { parts.append("+U") }
    if let version { parts.append("VASP \(version)") }
    return parts.joined(separator: ", ")
  }

  private func shortest(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : value.description
  }
}
