import Engine
import Foundation
import Platform
import Report
import StageKit
import Synchronization

/// Shows a run on the terminal: a line per stage on standard error, the list on standard output.
final class RunConsole: Sendable {
  private let quiet: Bool
  private let verbose: Bool
  private let isTerminal: Bool
  private let width: Int
  private let shown = Mutex((stage: "", time: Date.distantPast))

  init(plan: Plan, quiet: Bool, verbose: Bool) {
    self.quiet = quiet
    self.verbose = verbose
    isTerminal = isatty(2) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    width = plan.stages.map(\.id.count).max() ?? 0
  }

  func note(_ text: String) { if !quiet { tell(text) } }

  @Sendable func show(_ event: RunEvent) {
    switch event {
    case .stageStarted(let stage, _, let toRun):
      if toRun > 0 { overwrite("\(Help.pad(stage, width))  …", force: true) }
    case .actionFinished(let stage, let subject, let done, let toRun):
      if toRun > 1 { overwrite("\(Help.pad(stage, width))  \(done)/\(toRun)  \(subject)") }
    case .progress(let stage, _, let fraction, let words):
      overwrite("\(Help.pad(stage, width))  \(Int(fraction * 100)) %  \(words)")
    case .stageFinished(let record):
      clear()
      if !quiet { tell(line(record)) }
      for diagnostic in record.diagnostics where record.ran > 0 && (!quiet || diagnostic.severity == .warning) {
        tell("\(Help.pad("", width))  \(diagnostic)")
      }
    case .stageWaits(let waiting):
      clear()
      if !quiet { tell("\(Help.pad(waiting.stage, width))  waits: \(waiting.words)") }
    case .objectLost(let name):
      clear()
      tell("\(name) was damaged or missing in the store and is made again.")
    case .note(let stage, let words):
      clear()
      note("\(Help.pad(stage, width))  \(words)")
    }
  }

  private func line(_ record: StageRecord) -> String {
    var text = Help.pad(record.id, width) + "  "
    if record.ran == 0 {
      text += "nothing to do" + (record.cached > 1 ? " (\(record.cached) known)" : "")
    } else {
      text += "\(record.ran) done" + (record.cached > 0 ? ", \(record.cached) known" : "")
      text += ", \(String(format: "%.2f", record.seconds)) s"
    }
    if !record.sources.added.isEmpty || !record.sources.removed.isEmpty {
      text += ", sources +\(record.sources.added.count) -\(record.sources.removed.count)"
    }
    if verbose {
      for (name, count) in record.counters.sorted(by: { $0.key < $1.key }) { text += "; \(name): \(count)" }
    }
    return text
  }

  /// A status line that the next one replaces; only on a terminal.
  private func overwrite(_ text: String, force: Bool = false) {
    guard isTerminal, !quiet else { return }
    let now = Date()
    let isDue = shown.withLock { state in
      guard force || now.timeIntervalSince(state.time) > 0.1 else { return false }
      state.time = now
      return true
    }
    if isDue { FileHandle.standardError.write(Data("\r\u{1B}[2K\(text.prefix(100))".utf8)) }
  }

  private func clear() {
    if isTerminal && !quiet { FileHandle.standardError.write(Data("\r\u{1B}[2K".utf8)) }
  }

  /// What was set aside, the errors, the list, and where everything is.
  func finish(_ result: PassResult, outbox: String) {
    let record = result.outcome.record
    for input in record.quarantined { tell("set aside: \(input.diagnostic)") }
    for name in record.unsettled {
      tell("left for a later run (it still changes, or breaks off and may go on): \(name)")
    }
    if record.waiting != nil { note("Nothing is published before that; 'sluice run --now' does not wait.") }
    guard let latest = result.latest else { return }
    let outbox = shown(outbox)
    let folder = "\(outbox)/runs/\(padded(latest))"
    guard result.published != nil else {
      note("\(record.waiting == nil ? "Nothing new: run" : "Run") \(latest) stands. \(folder)")
      return
    }
    if let change = SettingsChange(runs: "\(outbox)/runs", latest: latest) { tell("warning: \(change)") }
    if !quiet { showList(folder) }
    print("run \(latest) published: \(outbox)/latest")
  }

  /// "outbox/x" for "pipelines/../outbox/x", where both are the same folder.
  private func shown(_ path: String) -> String {
    let short = URL(fileURLWithPath: path).standardizedFileURL.path
    let here = FileManager.default.currentDirectoryPath + "/"
    let number = { (path: String) in
      (try? FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber]) as? Int
    }
    guard let same = number(path), number(short) == same else { return path }
    return short.hasPrefix(here) ? String(short.dropFirst(here.count)) : short
  }

  private func showList(_ folder: String) {
    showErrors(folder)
    guard let list = try? PublishedList(folder: folder), !list.candidates.isEmpty else { return }
    print("")
    let columns = isatty(1) == 1 ? terminalWidth() : 160
    print(TextTable.candidates(list.candidates, limit: 30).text(width: columns, style: .plain))
    if list.candidates.count > 30 { print("… and \(list.candidates.count - 30) more in candidates.csv") }
  }

  /// One line per quantity: errors of the fit on what it learned from and on what it never saw.
  private func showErrors(_ folder: String) {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: "\(folder)/fit.json")),
      let fit = try? CanonicalJSON.decode(StageKit.FitSummary.self, [UInt8](data))
    else { return }
    print("")
    let all = fit.errors.filter { $0.group == "all" }
    for quantity in ["energy", "force", "stress"] {
      let lines = all.filter { $0.quantity == quantity }
      guard let unit = lines.first?.unit else { continue }
      let parts = lines.map { line in
        (line.heldOut ? "held out" : "training")
          + String(format: " MAE %.3g RMSE %.3g max %.3g", line.meanAbsolute, line.rootMeanSquare, line.largest)
          + " (\(line.count))"
      }
      print("\(Help.pad(quantity, 7)) errors, \(unit): " + parts.joined(separator: "; "))
    }
  }

  private func terminalWidth() -> Int {
    var size = winsize()
    return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 40 ? Int(size.ws_col) : 120
  }

  private func padded(_ number: Int) -> String {
    String(repeating: "0", count: max(0, 6 - String(number).count)) + String(number)
  }
}

/// `candidates.json` of a published run.
struct PublishedList: Decodable {
  private struct Entry: Decodable {
    private enum CodingKeys: String, CodingKey {
      case rank, id, formula, atoms, score, source, frame, reason
      case globalGrade = "gamma_global"
      case localGrade = "gamma_local"
      case deviation = "ensemble_force_deviation"
      case cluster = "cluster_label"
      case atom = "worst_atom"
      case element = "worst_atom_element"
    }

    var rank: Int
    var id: String
    var formula: String
    var atoms: Int
    var score: Double?
    var globalGrade: Double?
    var localGrade: Double?
    var deviation: Double?
    var cluster: String?
    var atom: Int?
    var element: String?
    var source: String
    var frame: Int
    var reason: String
  }

  private enum CodingKeys: String, CodingKey { case entries = "candidates" }

  private let entries: [Entry]

  init(folder: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/candidates.json"))
    self = try JSONDecoder().decode(PublishedList.self, from: data)
  }

  /// What the file calls null is infinite: outside the span of the training data.
  var candidates: [Candidate] {
    entries.map {
      Candidate(
        rank: $0.rank, id: $0.id, formula: $0.formula, atomCount: $0.atoms, score: $0.score ?? .infinity,
        globalGrade: $0.globalGrade ?? .infinity, localGrade: $0.localGrade ?? .infinity,
        forceDeviation: $0.deviation, clusterLabel: $0.cluster ?? "", atom: $0.atom, atomElement: $0.element ?? "",
        source: $0.source, frame: $0.frame, reason: $0.reason)
    }
  }
}
