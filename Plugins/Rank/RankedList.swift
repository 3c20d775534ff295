import Configurations
import Environments
import LinearAlgebra
import Novelty
import Platform
import StageKit

/// The list: graded candidates in an order in which number two is what is new after number one.
struct RankedList {
  private let graded: [GradedCandidate]
  private let references: References
  private let errorBars: ErrorBars
  private(set) var ranking: Ranking
  private var ranks: [String: Int] = [:]

  init(
    _ graded: [GradedCandidate], references: References, errorBars: ErrorBars, options: RankOptions,
    context: StageContext
  ) throws {
    self.graded = graded
    self.references = references
    self.errorBars = errorBars
    var selection = Novelty.Selection.Options()
    selection.top = options.top
    selection.smallestGainShare = options.smallestGainShare
    selection.lowGrade = options.smallestGrade > 0 ? options.smallestGrade : nil
    let list = try Novelty.Selection(
      graded.filter { $0.broken == nil }.map {
        // The grade that the window looks at is finite also outside the span.
        SelectionCandidate(identifier: $0.identifier, score: $0.score, grade: $0.score, rows: $0.worst)
      }, metrics: references.metrics, options: selection, threads: context.threads)
    let byIdentifier = Dictionary(uniqueKeysWithValues: graded.map { ($0.identifier, $0) })
    ranking = Ranking(
      score: options.score.rawValue, scoreWords: options.score.words, explanation: options.score.explanation,
      candidates: graded.count)
    ranking.extrapolating = graded.count { $0.broken == nil && $0.score > options.score.threshold }
    ranking.broken = graded.filter { $0.broken != nil }.map { Self.entry($0, 0, 0, references, errorBars, options) }
    for (index, pick) in list.picks.enumerated() {
      ranks[pick.identifier] = index + 1
      ranking.entries.append(
        Self.entry(byIdentifier[pick.identifier]!, index + 1, pick.gain, references, errorBars, options))
    }
    for omission in list.omissions {
      let candidate = byIdentifier[omission.identifier]!
      if let reason = Self.words(omission.reason, ranks) {
        ranking.skipped.append(
          Ranking.Skipped(source: candidate.source.digest, frame: candidate.frame, reason: reason))
      }
    }
  }

  private static func entry(
    _ candidate: GradedCandidate, _ rank: Int, _ gain: Double, _ references: References, _ errorBars: ErrorBars,
    _ options: RankOptions
  ) -> Ranking.Entry {
    let element = candidate.configuration.species[candidate.atom].symbol
    let cluster = references.of(element).map { $0.clustering.names[candidate.cluster] } ?? "none"
    let local = candidate.localGrades[candidate.atom]
    let global = candidate.globalGrades[candidate.atom]
    let grade = { (value: Double) in value.isFinite ? rounded(value) : "outside the span" }
    let verdict = candidate.score > options.score.threshold ? "" : "close to what is known: "
    let place = "\(options.score.words) \(rounded(candidate.score)) at atom \(candidate.atom + 1) (\(element))"
    let grades = "local grade \(grade(local)), global \(grade(global)), nearest cluster \(cluster)"
    var entry = Ranking.Entry(
      rank: rank, source: candidate.source.digest, frame: candidate.frame, formula: candidate.configuration.formula,
      atoms: candidate.configuration.count, score: candidate.score, gain: gain, globalGrade: candidate.globalGrade,
      localGrade: candidate.localGrade, ensembleForceDeviation: candidate.deviation, nearestCluster: cluster,
      atom: candidate.atom + 1, element: element, newAtoms: candidate.scores.count { $0 > options.score.threshold },
      reason: candidate.broken ?? "\(verdict)\(place), \(grades)"
    )
    entry.ensembleEnergyDeviation = candidate.deviations.energy
    entry.ensembleStressDeviation = candidate.deviations.stress.isNaN ? nil : candidate.deviations.stress
    if candidate.interpolates {
      entry.energyUncertainty = errorBars.uncertainty(.energy, deviation: candidate.deviations.energy)
      entry.forceUncertainty = candidate.deviations.forceComponents.max().flatMap {
        errorBars.uncertainty(.force, deviation: $0)
      }
    }
    return entry
  }

  private static func words(_ reason: Novelty.Selection.Reason, _ ranks: [String: Int]) -> String? {
    func rank(_ identifier: String) -> String { ranks[identifier].map { "number \($0)" } ?? "another candidate" }
    switch reason {
    case .known: return "known: its grade is below minGrade"
    case .brokenGeometry, .beyondBudget: return nil
    case .gainExplained(let share, let nearest):
      return "near-duplicate: \(rounded(100 * share)) % of its news is left after \(rank(nearest))"
    case .nearDuplicate(let distance, let other):
      return "near-duplicate of \(rank(other)) (distance \(rounded(distance)))"
    case .noGain: return "known: the training data leave nothing to gain"
    }
  }

  /// Listed structures in order, with grades per atom.
  var structures: [UInt8] {
    var text: [UInt8] = []
    let byPlace = Dictionary(uniqueKeysWithValues: graded.map { ($0.identifier, $0) })
    for (identifier, rank) in ranks.sorted(by: { $0.value < $1.value }) {
      let candidate = byPlace[identifier]!
      var configuration = candidate.configuration
      configuration.provenance = Provenance(source: "", ionicStep: candidate.frame, group: nil)
      configuration.properties = [
        "rank": .integer(rank),
        "gamma": .perAtomReals(candidate.globalGrades.map(finite), columns: 1),
        "gamma_local": .perAtomReals(candidate.localGrades.map(finite), columns: 1),
        "force_deviation": .perAtomReals(candidate.deviations.forces, columns: 1),
        "energy_deviation": .real(candidate.deviations.energy),
      ]
      if candidate.interpolates {
        let bars = candidate.deviations.forceComponents.compactMap { errorBars.uncertainty(.force, deviation: $0) }
        if bars.count == configuration.count {
          configuration.properties["force_uncertainty"] = .perAtomReals(bars, columns: 1)
        }
        configuration.properties["energy_uncertainty"] =
          errorBars.uncertainty(.energy, deviation: candidate.deviations.energy).map { .real($0) }
      }
      if !candidate.deviations.stress.isNaN {
        configuration.properties["stress_deviation"] = .real(candidate.deviations.stress)
      }
      ExtendedXYZWriter().append(configuration, to: &text)
    }
    return text
  }

  /// The training environments and all candidates in two principal components.
  func map(_ environments: EnvironmentRows) throws -> [ConfigurationMap] {
    try references.elements.map { element in
      let reference = references.of(element)!
      let rows = try environments.rows(of: element)
      let stride = max(1, rows.count / 2000)
      let sampled = Swift.stride(from: 0, to: rows.count, by: stride).map { $0 }
      let points = reference.clustering.coordinates.apply(try rows.selecting(sampled).matrix())
      let training = sampled.enumerated().map { index, row in
        ConfigurationMap.Point(
          x: points[index, 0], y: points.columns > 1 ? points[index, 1] : 0,
          label: reference.clustering.assignments[row])
      }
      let candidates = graded.filter { $0.broken == nil && $0.configuration.species[$0.atom].symbol == element }.map {
        ConfigurationMap.Point(x: $0.place.x, y: $0.place.y, label: ranks[$0.identifier])
      }
      return ConfigurationMap(
        element: element, clusterNames: reference.clustering.names, training: training, candidates: candidates)
    }
  }

  var grades: CandidateGrades {
    let sound = graded.filter { $0.broken == nil }
    return CandidateGrades(global: sound.map(\.globalGrade), local: sound.map(\.localGrade))
  }
}

/// Three significant digits.
func rounded(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return "\(value)" }
  var scale = 1.0
  while abs(value) * scale < 100 && scale < 1e12 { scale *= 10 }
  let short = (value * scale).rounded() / scale
  return Int(exactly: short).map { abs($0) < 1_000_000 ? String($0) : "\(short)" } ?? "\(short)"
}

/// Extended XYZ has no infinity that every reader takes.
private func finite(_ grade: Double) -> Double { grade.isFinite ? grade : 1e30 }
