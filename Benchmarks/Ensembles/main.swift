// How well the deviations of each kind of ensemble tell the errors of configurations that no fit saw.
//
//   ensemble-benchmark --functions N --cutoff R --train FILE … --test NAME=FILE … [--held-out SHARE]

import ACE
import Configurations
import Foundation
import LinearAlgebra
import Novelty
import Platform
import Regression
import TrainingRows
import VASP

struct Options {
  var functions = 200
  var cutoff = 5.0
  var order = 4
  var members = 16
  var threads = 1
  var heldOut = 0.2
  var rows = 20_000
  var most = Int.max
  var train: [String] = []
  var tests: [(name: String, file: String)] = []

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    while let name = rest.popFirst() {
      guard let value = rest.popFirst() else { throw Failure("\(name) needs a value") }
      switch name {
      case "--functions": functions = Int(value) ?? functions
      case "--cutoff": cutoff = Double(value) ?? cutoff
      case "--order": order = Int(value) ?? order
      case "--members": members = Int(value) ?? members
      case "--threads": threads = Int(value) ?? threads
      case "--held-out": heldOut = Double(value) ?? heldOut
      case "--rows": rows = Int(value) ?? rows
      case "--most": most = Int(value) ?? most
      case "--train": train.append(value)
      case "--test":
        let parts = value.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw Failure("--test NAME=FILE") }
        tests.append((parts[0], parts[1]))
      default: throw Failure("unknown option \(name)")
      }
    }
  }
}

struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

func read(_ path: String) throws -> [Configuration] {
  guard let data = FileManager.default.contents(atPath: path) else { throw Failure("cannot read \(path)") }
  let stream = SourceStream(MemoryByteSource([UInt8](data)), name: path)
  guard let entry = try stream.next() else { return [] }
  var reader = ExtendedXYZReader(entry, name: path)
  return try reader.readAll()
}

/// One configuration's rows with what they belong to.
struct Sample {
  var source: Digest
  var block: Int
  var group: String
  var rows: [(kind: RowKind, rows: Matrix)]
  var atoms: Int
}

/// Errors and deviations of one configuration.
struct Line: Sendable {
  var errors: [Double] = []
  var largest: [Double] = []
  var typical: [Double] = []
  /// With its sign.
  var energyError = 0.0
  var energyDeviation = 0.0
  /// Components of the errors.
  var components: [Double] = []
  var group = ""
}

struct Study {
  let options: Options
  let evaluator: Evaluator
  let layout: ColumnLayout
  let weights = Weights()

  func sample(_ configuration: Configuration) throws -> Sample {
    let group = configuration.provenance.group ?? ""
    let content = configuration.structureDigest(tolerance: 1e-4)
    let rows = try TrainingRows.all(of: configuration, evaluator).filter { $0.kind != .stress }
    // As the pipeline takes one file per kind: a source for each group, ten blocks by content.
    return Sample(
      source: Digest(of: "kind \(group)"), block: blockIndex(unit: content, blocks: 10), group: group, rows: rows,
      atoms: configuration.count)
  }

  func run(_ training: [Configuration], _ tests: [(name: String, configurations: [Configuration])]) throws {
    var builders: [Digest: SourceFactorsBuilder] = [:]
    var single: [[Double]] = []
    var count = 0
    let order = training.map { Digest(of: "pointwise \($0.structureDigest(tolerance: 1e-4))").leadingBits }
    let limit = training.indices.sorted { order[$0] < order[$1] }
    var chosen: Set<Int> = []
    for index in limit where count < options.rows {
      chosen.insert(index)
      count += 3 * training[index].count + 1
    }
    for start in stride(from: 0, to: training.count, by: 64) {
      let part = Array(start..<min(start + 64, training.count))
      let samples = try concurrentMap(part.count, threads: options.threads) { try sample(training[part[$0]]) }
      for (index, sample) in zip(part, samples) {
        var builder = builders[sample.source] ?? SourceFactorsBuilder(layout: layout)
        for (kind, rows) in sample.rows {
          try builder.append(
            rows, key: RowKey(block: sample.block, group: sample.group, kind: kind), atoms: sample.atoms)
          guard chosen.contains(index) else { continue }
          let weight = weights.multiplier(group: sample.group, kind: kind)
          single += (0..<rows.rows).map { i in rows.row(i).map { $0 * weight } }
        }
        builders[sample.source] = builder
      }
    }
    let factors = builders.mapValues { $0.finish() }
    let tree = try FactorTree(
      layout: layout, sources: factors.map { TreeSource(source: $0.key, factors: $0.value) })
    let selection = Selection(weights: weights)
    let references = ReferenceEnergies.leastSquares(elements: layout.elements)
    let cache = InMemoryFactorCache()
    let load: @Sendable (Digest) throws -> SourceFactors = { factors[$0]! }
    let prior = Prior.smoothness(
      Prior.smoothness(
        factors: evaluator.basis.columnFunctions.map { zip($0.ns, $0.ls).map { (n: $0, l: $1) } }))
    let factor = try tree.factor(selection, cache: cache, threads: options.threads, load: load)
    let fit = try Fit(factor, layout: layout, references: references, prior: prior)
    print("\(training.count) training frames, \(layout.basis) functions, \(fit.rows) rows")
    print("degrees of freedom \(text(fit.effectiveDegreesOfFreedom, 1)), POPS on \(single.count) rows")
    let began = ProcessInfo.processInfo.systemUptime
    let sparse = try Fit(
      factor, layout: layout, references: references,
      prior: .automaticRelevance(
        start: Prior.smoothness(
          factors: evaluator.basis.columnFunctions.map { zip($0.ns, $0.ls).map { (n: $0, l: $1) } })))
    let seconds = text(ProcessInfo.processInfo.systemUptime - began, 1)
    let evidences = "\(text(sparse.logEvidence, 0)) against \(text(fit.logEvidence, 0))"
    print("automatic relevance: \(sparse.prunedFunctions.count) dropped, log evidence \(evidences), \(seconds) s")
    let groups = Array(Set(training.map { $0.provenance.group ?? "" })).sorted()
    let resampled = try Ensemble.bootstrap(
      members: options.members, of: fit, tree: tree, root: tree.root(selection), references: references, cache: cache,
      threads: options.threads, load: load)
    let without = try Ensemble.leavingGroupsOut(
      groups, of: fit, tree: tree, selection: selection, references: references, cache: cache,
      threads: options.threads, load: load)
    let posterior = Ensemble.posterior(members: options.members, of: fit, seed: 1)
    let pointwise = try Ensemble.pointwiseOptimal(members: options.members, of: fit, rows: Matrix(single), seed: 1)
    let ensembles: [(String, Ensemble)] = [
      ("bootstrap", resampled), ("leave-group-out", without), ("posterior", posterior), ("pops", pointwise),
    ]
    let heads = [
      "test set", "ensemble", "force RMSE", "Spearman atom", "structure", "RMS error / s.d.", "error > max %",
      "90 % error/max", "E RMSE", "E Spearman", "E RMS error / s.d.",
    ]
    print("| " + heads.joined(separator: " | ") + " |")
    var found: [(name: String, lines: [(test: String, lines: [Line])])] = []
    for (name, ensemble) in ensembles where ensemble.count > 1 {
      found.append((name, try tests.map { ($0.name, try report(fit, name, ensemble, $0)) }))
    }
    print(
      "| ensemble | quantity | made and checked on | RMS error / s.d. | scale | floor, meV | ratio checked | within 1 | "
        + "2 | Spearman | AUC | calibrated | ratios of groups | ratio elsewhere |")
    for (name, lines) in found { calibrate(name, lines) }
  }

  func report(
    _ fit: Fit, _ name: String, _ ensemble: Ensemble,
    _ test: (name: String, configurations: [Configuration])
  ) throws -> [Line] {
    let lines: [Line] = try concurrentMap(test.configurations.count, threads: options.threads) { index -> Line in
      let configuration = test.configurations[index]
      // The fit itself is judged, as the pipeline publishes it; members say how far it may be off.
      let said = try evaluator.evaluateEnsemble(Matrix([fit.coefficients]), configuration)
      let members = try evaluator.evaluateEnsemble(ensemble.coefficients, configuration)
      let deviation = try EnsembleDeviation(
        members, of: configuration, basis: evaluator.basis, referenceEnergies: ensemble.referenceEnergies)
      var line = Line(largest: deviation.forces, typical: deviation.forceStandardDeviations)
      let differences = zip(said.forces[0], configuration.labels.forces!).map { $0 - $1 }
      line.errors = differences.map(length)
      line.components = differences.flatMap { [$0.x, $0.y, $0.z] }
      line.group = configuration.provenance.group ?? ""
      let one = configuration.species.reduce(0.0) {
        $0 + fit.referenceEnergies[evaluator.basis.index(of: $1)!]
      }
      line.energyError = (said.energies[0] + one - configuration.labels.energy!) / Double(configuration.count)
      line.energyDeviation = deviation.energy
      return line
    }
    let errors = lines.flatMap(\.errors)
    let largest = lines.flatMap(\.largest)
    let typical = lines.flatMap(\.typical)
    func rms(_ values: [Double]) -> Double {
      (values.reduce(0) { $0 + $1 * $1 } / Double(max(1, values.count))).squareRoot()
    }
    let atoms = spearmanCorrelation(largest, errors)
    let structures = spearmanCorrelation(lines.map { $0.largest.max() ?? 0 }, lines.map { $0.errors.max() ?? 0 })
    let energies = spearmanCorrelation(lines.map(\.energyDeviation), lines.map { abs($0.energyError) })
    let beyond = zip(errors, largest).count { $0 > $1 }
    let ratios = zip(errors, largest).map { $1 > 0 ? $0 / $1 : .infinity }.sorted()
    let root3 = 3.0.squareRoot()
    var cells: [String] = [test.name, "\(name) (\(ensemble.count))"]
    cells.append(text(rms(errors) / root3, 3))
    cells.append(text(atoms ?? .nan, 2))
    cells.append(text(structures ?? .nan, 2))
    cells.append(text(rms(errors) / rms(typical), 2))
    cells.append(text(100 * Double(beyond) / Double(errors.count), 0))
    cells.append(text(ratios[ratios.count * 9 / 10], 2))
    let energyErrors: [Double] = lines.map { abs($0.energyError) }
    let energySpreads: [Double] = lines.map { $0.energyDeviation }
    cells.append(text(1000 * rms(energyErrors), 2))
    cells.append(text(energies ?? .nan, 2))
    cells.append(text(rms(energyErrors) / rms(energySpreads), 2))
    print("| " + cells.joined(separator: " | ") + " |")
    return lines
  }

  /// Error bars made and checked on halves of one test set, then held against another.
  func calibrate(_ name: String, _ lines: [(test: String, lines: [Line])]) {
    guard let own = lines.first else { return }
    for (quantity, values) in [("energy", Self.energies), ("force", Self.forces)] {
      guard let found = DeviationCalibration(values(own.lines)) else { continue }
      var cells = [
        name, quantity, own.test, text(found.rawRatio, 2), text(found.scale, 2), text(found.floor * 1000, 2),
      ]
      for value in [
        found.checkedRatio, found.withinOne, found.withinTwo, found.rankCorrelation, found.largestErrorsAUC,
      ] {
        cells.append(text(value ?? .nan, 2))
      }
      cells.append(found.isCalibrated ? "yes" : "no")
      let ratios = found.groups.map(\.ratio).sorted()
      cells.append("\(text(ratios.first ?? .nan, 2)) to \(text(ratios.last ?? .nan, 2))")
      for other in lines.dropFirst() {
        let squares = values(other.lines).map { value in
          value.error * value.error
            / (found.scale * found.scale * value.deviation * value.deviation + found.floor * found.floor)
        }
        cells.append("\(other.test): \(text((squares.reduce(0, +) / Double(squares.count)).squareRoot(), 2))")
      }
      print("| " + cells.joined(separator: " | ") + " |")
    }
  }

  private static func energies(_ lines: [Line]) -> [DeviationCalibration.Value] {
    lines.enumerated().map { .init(error: $1.energyError, deviation: $1.energyDeviation, unit: $0, group: $1.group) }
  }

  /// Frames are independent; the components of one frame are not.
  private static func forces(_ lines: [Line]) -> [DeviationCalibration.Value] {
    lines.enumerated().flatMap { unit, line in
      line.components.enumerated().map { k, error in
        .init(error: error, deviation: line.typical[k / 3] / 3.0.squareRoot(), unit: unit, group: line.group)
      }
    }
  }

  func text(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}

do {
  let options = try Options(Array(CommandLine.arguments.dropFirst()))
  var all = try options.train.flatMap(read).filter { $0.labels.forces != nil && $0.labels.energy != nil }
  // As the screen does.
  all.removeAll { $0.labels.forces!.contains { length($0) > 100 } }
  // Copies in both parts would make the test easy.
  var seen: Set<Digest> = []
  all = all.filter { seen.insert($0.structureDigest(tolerance: 1e-4)).inserted && $0.count > 1 }
  func lot(_ configuration: Configuration) -> Double {
    let digest = Digest(of: "held out \(configuration.structureDigest(tolerance: 1e-4))")
    return Double(digest.leadingBits >> 11) * 0x1p-53
  }
  let kept = all.filter { lot($0) >= options.heldOut }.sorted { lot($0) < lot($1) }
  let training = Array(kept.prefix(options.most))
  var tests: [(name: String, configurations: [Configuration])] = [
    ("held out", all.filter { lot($0) < options.heldOut })
  ]
  if options.heldOut == 0 { tests = [] }
  for test in options.tests { tests.append((test.name, try read(test.file).filter { $0.labels.forces != nil })) }
  let elements = Array(Set((training + tests.flatMap(\.configurations)).flatMap(\.species)))
  let specification = BasisSpecification(
    elements: elements, cutoff: options.cutoff, radial: .sBessel, order: options.order,
    functionsPerElement: options.functions, ordering: .standard)
  let evaluator = Evaluator(try Basis(specification))
  let layout = ColumnLayout(basis: evaluator.basis.columnCount, elements: evaluator.basis.elements.count)
  try Study(options: options, evaluator: evaluator, layout: layout).run(training, tests)
} catch {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
  exit(1)
}
