// The command line of `fit` comes in, a pipeline goes out.

import Configurations
import Engine
import Foundation
import Platform
import Refit
import StageKit

/// What `fit` was asked for, as parameters of stages.
struct FitRequest {
  /// Which stages a plan holds.
  enum Extent { case reading, choosing, fitting, everything }

  let data: [String]
  let testFiles: [String]
  let output: String
  let name: String
  /// Empty for those of the data.
  let elements: [String]
  let threads: Int
  let quiet: Bool
  let verbose: Bool
  let json: Bool
  let makesActiveSet: Bool
  /// Among how many functions per element the data choose; nil where they do not.
  let chooseFrom: Int?
  /// Digests of the sources that test the fit.
  var testSources: [String] = []
  /// By stage: parameters as a pipeline file writes them.
  private var parameters: [String: [(key: String, value: String)]] = [:]

  init(_ arguments: Arguments) throws(UsageError) {
    guard let output = arguments.value("output"), !output.isEmpty, output != "-" else {
      throw UsageError("--output is missing: -o DIR, a folder for the results")
    }
    self.output = output
    data = arguments.operands
    name = arguments.value("name") ?? "potential"
    threads = try arguments.integer("threads", in: 1...1024) ?? availableProcessors()
    (quiet, verbose, json) = (arguments.has("quiet"), arguments.has("verbose"), arguments.has("json"))
    makesActiveSet = !arguments.has("no-active-set")
    elements = (arguments.value("elements") ?? "").split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
    if arguments.has("elements"), elements.isEmpty { throw UsageError("--elements names none: --elements W,Re") }

    chooseFrom = try arguments.integer("choose-from", in: 2...20_000)
    let functions = try arguments.integer("functions", in: 1...20_000)
    if let chooseFrom {
      for option in ["degree", "basis"] where arguments.has(option) {
        throw UsageError("--choose-from and --\(option) exclude each other")
      }
      guard chooseFrom > functions ?? 500 else {
        throw UsageError("--choose-from must be more than the \(functions ?? 500) functions that stay")
      }
    }

    let tests = arguments.values("test")
    let shares = tests.filter { Double($0) != nil }
    guard shares.isEmpty || tests.count == 1 else {
      throw UsageError("--test is either one share of the data or files, not \(tests.joined(separator: " and "))")
    }
    testFiles = shares.isEmpty ? tests : []
    if let share = shares.first { add("refit", "heldOut", share) }
    if !testFiles.isEmpty {
      add("refit", "heldOut", "0")
      add("screen", "duplicates", "false")
    }
    addBasis(arguments)
    try addWeights(arguments)
    try addSolution(arguments)
    if let steps = arguments.value("steps") { add("ingest", "steps", quoted(steps)) }
    for setting in arguments.values("set") {
      let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
      let path = parts[0].split(separator: ".", maxSplits: 1).map(String.init)
      guard parts.count == 2, path.count == 2, Self.stages.contains(path[0]) else {
        throw UsageError(
          "--set needs STAGE.KEY=VALUE with a stage of \(Self.stages.joined(separator: ", ")), not '\(setting)'")
      }
      add(path[0], path[1], parts[1])
    }
    // Grades against all data: one cluster, and nothing to rank.
    addUnlessGiven("recluster", "clusters", "1")
    addUnlessGiven("rank", "score", quoted("d-optimality"))
    addUnlessGiven("candidates", "pools", "[]")
    addUnlessGiven("publish", "structures", quoted("none"))
  }

  private static let stages = ["ingest", "screen", "featurize", "refit", "recluster", "candidates", "rank", "publish"]

  private mutating func add(_ stage: String, _ key: String, _ value: String) {
    parameters[stage, default: []].append((key, value))
  }

  private mutating func addUnlessGiven(_ stage: String, _ key: String, _ value: String) {
    if parameters[stage]?.contains(where: { $0.key == key }) != true { add(stage, key, value) }
  }

  /// The stage's functions are those of a file from now on.
  mutating func takeBasis(from file: String) { parameters["featurize"] = [("basis", quoted(file))] }

  private mutating func addBasis(_ arguments: Arguments) {
    if let file = arguments.value("basis") { add("featurize", "basis", quoted(file)) }
    for key in ["functions", "order", "cutoff"] {
      if let value = arguments.value(key) { add("featurize", key, number(value)) }
    }
    if let degree = arguments.value("degree") {
      add(
        "featurize", "degree",
        "[" + degree.split(separator: ",").map { number(String($0)) }.joined(separator: ",") + "]")
    }
    for key in ["radial", "repulsion"] {
      if let value = arguments.value(key) { add("featurize", key, quoted(value)) }
    }
  }

  private mutating func addWeights(_ arguments: Arguments) throws(UsageError) {
    var members: [String] = []
    if let text = arguments.value("weights") { members.append(try Self.weights(text, "--weights")) }
    var groups: [String] = []
    for setting in arguments.values("group-weights") {
      guard let sign = setting.lastIndex(of: "=") else {
        throw UsageError("--group-weights needs GROUP=E/F/S, not '\(setting)'")
      }
      let weights = try Self.weights(String(setting[setting.index(after: sign)...]), "--group-weights")
      groups.append("\(quoted(String(setting[..<sign]))): { \(weights) }")
    }
    if !groups.isEmpty { members.append("groups: { \(groups.joined(separator: ", ")) }") }
    if let value = arguments.value("normalisation") { members.append("normalisation: \(quoted(value))") }
    if let value = arguments.value("energy-weights") {
      let parts = value.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      var inner = ["above: \(quoted(parts[0]))"]
      if parts.count > 1 { inner.append("softness: \(number(parts[1]))") }
      if parts.count > 2 { inner.append("cutoff: \(number(parts[2]))") }
      guard parts.count <= 3 else { throw UsageError("--energy-weights is HOW:SOFTNESS:CUTOFF, not '\(value)'") }
      members.append("byEnergy: { \(inner.joined(separator: ", ")) }")
    }
    if !members.isEmpty { add("refit", "weights", "{ \(members.joined(separator: ", ")) }") }
    if let value = arguments.value("outliers") {
      add("refit", "outliers", "{ method: 'downweight', threshold: \(number(value)) }")
    }
  }

  private static func weights(_ text: String, _ option: String) throws(UsageError) -> String {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, parts[..<2].allSatisfy({ Double($0) != nil }), Double(parts[2]) != nil || parts[2] == "auto"
    else {
      throw UsageError("\(option) needs three numbers E/F/S, such as 30/1/1 or 30/1/auto, not '\(text)'")
    }
    let stress = parts[2] == "auto" ? quoted(parts[2]) : parts[2]
    return "energy: \(parts[0]), forces: \(parts[1]), stress: \(stress)"
  }

  private mutating func addSolution(_ arguments: Arguments) throws(UsageError) {
    if let prior = arguments.value("prior") { add("refit", "prior", quoted(prior)) }
    if let value = arguments.value("regularisation") {
      if Double(value) != nil {
        add("refit", "regularisation", quoted("fixed"))
        add("refit", "lambda", value)
      } else {
        add("refit", "regularisation", quoted(value))
      }
    }
    if let value = arguments.value("reference-energies") {
      if value.contains("=") {
        let entries = value.split(separator: ",").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        guard entries.allSatisfy({ $0.count == 2 && Double($0[1]) != nil && Element(symbol: $0[0]) != nil }) else {
          throw UsageError("--reference-energies needs energies by element, as W=-4.5,Re=-7.1, not '\(value)'")
        }
        add("refit", "referenceEnergies", "{ \(entries.map { "\($0[0]): \($0[1])" }.joined(separator: ", ")) }")
      } else {
        add("refit", "referenceMethod", quoted(value))
      }
    }
    if let value = arguments.value("ensemble") {
      let parts = value.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard parts.count <= 2 else { throw UsageError("--ensemble needs METHOD:MEMBERS, not '\(value)'") }
      add(
        "refit", "ensemble",
        "{ method: \(quoted(parts[0]))" + (parts.count == 2 ? ", members: \(number(parts[1]))" : "") + " }")
    }
    if let seed = try arguments.integer("seed", in: 0...Int.max) { add("refit", "heldOutSeed", String(seed)) }
  }

  // MARK: The pipeline

  func plan(_ extent: Extent, elements: [String]) throws(ParameterError) -> Plan {
    // Nobody's pipeline has the stage that chooses: functions are chosen once and kept.
    let stages = builtInStages + [ChooseStage.self]
    let registry = Dictionary(uniqueKeysWithValues: stages.map { ($0.description.name, $0) })
    let file = try PipelineFile(Array(text(extent, elements).utf8), path: "fit", stages: registry)
    return try Planner(stages: registry).plan(file)
  }

  private func text(_ extent: Extent, _ elements: [String]) -> String {
    let names =
      switch extent {
      case .reading: Self.stages.prefix(1)
      case .choosing: Self.stages.prefix(3) + ["choose"]
      case .fitting: Self.stages.prefix(4)
      case .everything: Self.stages[...]
      }
    let stages = names.map { name in
      var own = parameters[name == "choose" ? "refit" : name] ?? []
      if extent == .choosing {
        // The number that is asked for is what stays.
        let functions = parameters["featurize"]?.first { $0.key == "functions" }
        if name == "featurize" {
          own = own.filter { $0.key != "functions" } + [("functions", "\(chooseFrom ?? 0)")]
          if !own.contains(where: { $0.key == "wide" }) { own.append(("wide", "true")) }
        }
        if name == "choose" { own += functions.map { [$0] } ?? [] }
      }
      var members = own.map { "\(quoted($0.key)): \($0.value)" }
      if ["refit", "choose"].contains(name), !testSources.isEmpty {
        members.append("test: { sources: [\(testSources.map(quoted).joined(separator: ","))] }")
      }
      return "{ \((["use: \(quoted(name))"] + members).joined(separator: ", ")) }"
    }
    return """
      { sluice: 1, project: \(quoted(name)), elements: [\(elements.map(quoted).joined(separator: ","))],
        inbox: 'data', outbox: 'results', stages: [ \(stages.joined(separator: ",\n    ")) ] }
      """
  }

  /// Nothing of anybody else's is mixed with results.
  func checkFolder(_ fileSystem: any FileSystem) throws {
    guard
      let status = try fileSystem.statusIfPresent(of: Path.join(output, ".")) ?? fileSystem.statusIfPresent(of: output)
    else { return }
    guard status.kind == .folder else {
      throw UsageError("'\(printable(output))' is no folder; -o names one for the results")
    }
    let names = try fileSystem.entries(of: output).map(\.name)
    guard names.isEmpty || names.contains(".sluice") else {
      throw UsageError("'\(printable(output))' holds files that no fit made; name a new or empty folder")
    }
    guard !names.contains("latest") else {
      throw UsageError("'\(printable(output))' is the outbox of a pipeline; name another folder")
    }
  }
}

/// A text as JSON5 writes it.
private func quoted(_ text: String) -> String {
  var result = "'"
  for scalar in text.unicodeScalars {
    switch scalar {
    case "'", "\\": result += "\\\(scalar)"
    case _ where scalar.value < 32:
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "'"
}

/// A number as it was typed; anything else as text, so that the stage says what it wants.
private func number(_ text: String) -> String {
  if let value = Double(text), value.isFinite, !text.lowercased().contains("x") { return "\(value)" }
  return quoted(text)
}
