// What the stages gave comes in; files and a table of errors go out.

import ACE
import Configurations
import Engine
import Foundation
import Platform
import Report
import StageKit

/// The results of `fit`.
struct FitResults {
  let fit: StageKit.FitSummary
  private let files: [(name: String, bytes: [UInt8])]
  private let outcome: RunOutcome
  private let request: FitRequest
  private let elements: [String]

  /// What functions that were chosen are kept under.
  static let basisName = "basis.json"

  /// - Parameter basis: functions that this run chose.
  init(
    _ outcome: RunOutcome, _ store: StoreActions, _ request: FitRequest, elements: [String], basis: Attachment?
  ) throws {
    self.outcome = outcome
    self.request = request
    self.elements = elements
    var files: [(name: String, bytes: [UInt8])] = []
    if let publication = outcome.publication {
      for part in publication.parts {
        let isWanted =
          part.name.hasPrefix("potential/") || ["fit.json", "report.html", "screening.json"].contains(part.name)
        if isWanted { files.append((Path.name(part.name), try store.bytes(part))) }
      }
    } else if let potential = outcome.results["refit"]?.wholes[.potential] {
      guard let yaml = potential.part("potential.yaml"), let summary = potential.part("fit.json") else {
        throw RunError(.bug, cause: "the fit gave no potential")
      }
      let bytes = try store.bytes(yaml)
      files.append(("\(request.name).yaml", bytes))
      files.append(("\(request.name).yace", try Potential(yaml: bytes).yace))
      files.append(("fit.json", try store.bytes(summary)))
      if let part = potential.part("ensemble.npz") {
        files.append(("\(request.name).ensemble.npz", try store.bytes(part)))
      }
    }
    if let basis { files.append((Self.basisName, basis.bytes)) }
    guard let summary = files.first(where: { $0.name == "fit.json" }) else {
      throw RunError(.bug, cause: "the fit gave no summary")
    }
    fit = try CanonicalJSON.decode(StageKit.FitSummary.self, summary.bytes)
    // The summary last: where it is, the rest is whole.
    self.files = files.filter { $0.name != "fit.json" }.sorted { $0.name < $1.name } + [summary]
  }

  /// Every file appears whole or not at all; what an earlier fit wrote and this one does not is taken away, but for
  /// chosen functions, which others may have taken up.
  func write(to folder: String, _ fileSystem: any FileSystem) throws {
    let stale = ["fit.json", "report.html", "screening.json", "\(request.name).ensemble.npz", "\(request.name).asi"]
    for name in stale where name == "fit.json" || !files.contains(where: { $0.name == name }) {
      fileSystem.removeFileIfPossible(Path.join(folder, name))
    }
    for file in files { try fileSystem.replaceFile(Path.join(folder, file.name), file.bytes) }
  }

  func show(passedOver: [PassedOver]) {
    for input in outcome.record.quarantined { tell("set aside: \(input.diagnostic)") }
    if !request.quiet, !request.json {
      for kind in Set(passedOver.map(\.kind.rawValue)).sorted() {
        let names = passedOver.filter { $0.kind.rawValue == kind }
        let more = names.count > 3 ? " and \(names.count - 3) more" : ""
        tell(
          "passed over: \(names.prefix(3).map { printable($0.name) }.joined(separator: ", "))\(more): \(names[0].reason)."
        )
      }
    }
    if request.json {
      let bytes = (try? CanonicalJSON.encode(metrics(passedOver), pretty: true)) ?? []
      FileHandle.standardOutput.write(Data(bytes))
      return
    }
    print(table.text(width: isatty(1) == 1 ? StatusLine.width : nil), terminator: "")
    guard !request.quiet else { return }
    print(
      "\n\(fit.basis), \(fit.functions.reduce(0, +)) functions; \(fit.configurations) configurations, \(fit.rows) rows")
    print(
      "prior: \(fit.regularisationMethod); \(Int(fit.effectiveDegreesOfFreedom.rounded())) effective degrees of freedom"
    )
    print("reference energies (\(fit.referenceEnergyMethod)), eV: " + references)
    for note in fit.notes { print("note: \(note)") }
    print("\(printable(request.output)): " + files.map(\.name).joined(separator: ", "))
  }

  private var references: String {
    zip(fit.elements, fit.referenceEnergies).map { "\($0) \(NumberText().significant($1, 7))" }.joined(separator: ", ")
  }

  /// A line for each group and side, the total first.
  private var table: TextTable {
    var table = TextTable(columns: [
      .init("group", cut: .atEnd), .init("data"), .init("energy MAE", .right), .init("RMSE", .right),
      .init("max meV/atom", .right), .init("force MAE", .right), .init("RMSE", .right), .init("max meV/Å", .right),
      .init("stress MAE", .right), .init("RMSE", .right), .init("max GPa", .right),
    ])
    var sides: [(group: String, heldOut: Bool)] = []
    for line in fit.errors where !sides.contains(where: { $0 == (line.group, line.heldOut) }) {
      sides.append((line.group, line.heldOut))
    }
    for side in sides {
      var cells = [side.group, side.heldOut ? "test" : "training"]
      for quantity in ["energy", "force", "stress"] {
        let line = fit.errors.first { $0.group == side.group && $0.heldOut == side.heldOut && $0.quantity == quantity }
        let numbers = line.map { [$0.meanAbsolute, $0.rootMeanSquare, $0.largest] }
        cells += numbers?.map { NumberText().significant($0, 3) } ?? ["", "", ""]
      }
      table.add(cells)
    }
    return table
  }

  private func metrics(_ passedOver: [PassedOver]) -> FitMetrics {
    var summary = fit
    summary.parity = []
    return FitMetrics(
      output: request.output, files: files.map(\.name), elements: elements, exit: Int(outcome.exitStatus), fit: summary,
      setAside: outcome.record.quarantined, passedOver: passedOver)
  }
}

/// What `--json` prints; a field may be added without a new version, none removed or changed.
private struct FitMetrics: Encodable {
  let schema = "sluice-fit"
  let version = 1
  var output: String
  var files: [String]
  var elements: [String]
  var exit: Int
  /// As in fit.json, without the points of the parity plots.
  var fit: StageKit.FitSummary
  var setAside: [StageKit.QuarantinedInput]
  var passedOver: [PassedOver]

  private enum CodingKeys: String, CodingKey {
    case schema, version, output, files, elements, exit, fit
    case setAside = "set_aside"
    case passedOver = "passed_over"
  }
}
