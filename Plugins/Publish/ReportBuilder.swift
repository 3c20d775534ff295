import Configurations
import Platform
import Report
import StageKit

/// Translates artifacts into what the report shows.
struct ReportBuilder {
  private let inputs: StageInputs
  private let context: StageContext
  private let candidates: [Candidate]
  private let published: PublishedRanking
  private let note: String

  init(
    _ inputs: StageInputs, _ context: StageContext, candidates: [Candidate], published: PublishedRanking, note: String
  ) {
    self.inputs = inputs
    self.context = context
    self.candidates = candidates
    self.published = published
    self.note = note
  }

  func content() throws -> ReportContent {
    var content = ReportContent(project: context.project)
    content.elements = context.elements.map(\.symbol)
    content.run.program = "Sluice"
    if !note.isEmpty { content.notes = [note] }
    content.candidates = candidates
    content.listedApart = published.broken
    let ranking = published.ranking
    content.ranking = RankingFacts(
      score: ranking.scoreWords, pooled: ranking.candidates,
      nearDuplicates: ranking.skipped.count { $0.reason.hasPrefix("near-duplicate") },
      known: ranking.skipped.count { $0.reason.hasPrefix("known") })
    try addSources(to: &content)
    try addFit(to: &content)
    try addNovelty(to: &content)
    content.quarantine = inputs.quarantined.map { input in
      let place = input.diagnostic.place
      let words = [
        place.line.map { "line \($0)" }, place.byte.map { "byte \($0)" }, place.ionicStep.map { "step \($0)" },
      ].compactMap { $0 }
      return Report.QuarantinedInput(
        file: input.name, place: words.joined(separator: ", "), cause: input.diagnostic.cause,
        remedy: input.diagnostic.remedy)
    }
    return content
  }

  private func addSources(to content: inout ReportContent) throws {
    let selections = Dictionary(
      inputs.collection(.selection).map { ($0.source.digest, $0.artifact) }, uniquingKeysWith: { a, _ in a })
    var names: [Digest: String] = [:]
    for item in inputs.collection(.configurations) {
      names[item.source.digest] = item.source.name
      let selection = try selections[item.source.digest].map {
        try CanonicalJSON.decode(FrameSelection.self, context.bytes($0, "selection.json"))
      }
      content.sources.append(
        DataSource(
          name: item.source.name, framesUsed: selection?.kept.count ?? 0,
          framesSetAside: selection?.setAside.count ?? 0, digest: item.source.digest.short))
    }
    content.sources.sort { ($0.name, $0.digest) < ($1.name, $1.digest) }
    let screening = try CanonicalJSON.decode(
      Screening.self, context.bytes(inputs.whole(.screening), "screening.json"))
    content.screening = screening.reasons.map { reason in
      ScreeningReason(
        reason: reason.words, count: reason.frames,
        examples: reason.examples.map { "\(names[$0.source] ?? $0.source.short), step \($0.ionicStep)" })
    }
    content.settingsGroups = screening.settingsGroups.map { group in
      var facts = [ProvenanceEntry("settings", group.settings)]
      if !group.differences.isEmpty {
        facts.append(ProvenanceEntry("differs in", group.differences.joined(separator: ", ")))
      }
      let members = group.sources.map { names[$0] ?? $0.short }.sorted()
      let more = members.count > 5 ? " and \(members.count - 5) more (screening.json lists all)" : ""
      facts.append(ProvenanceEntry("sources (\(members.count))", members.prefix(5).joined(separator: ", ") + more))
      return SettingsGroup(name: group.name, frames: group.frames, isUsed: group.isUsed, settings: facts)
    }
  }

  private func addFit(to content: inout ReportContent) throws {
    let fit = try CanonicalJSON.decode(
      StageKit.FitSummary.self, context.bytes(inputs.whole(.potential), "fit.json"))
    content.fit = Report.FitSummary(
      basis: fit.basis, functions: fit.functions.reduce(0, +), columns: fit.functions.reduce(0, +) + fit.elements.count,
      rows: fit.rows, lambda: fit.regularisation, lambdaChoice: fit.regularisationMethod,
      conditionNumber: fit.conditionNumber, effectiveRank: fit.effectiveRank,
      effectiveDegreesOfFreedom: fit.effectiveDegreesOfFreedom,
      weights: fit.weightValues.map { NamedValue($0.key, $0.value) }.sorted { $0.name < $1.name },
      referenceEnergies: zip(fit.elements, fit.referenceEnergies).map { NamedValue($0, $1) },
      ensemble: fit.ensembleMembers == 0 ? "none" : "\(fit.ensembleMembers) members, \(fit.ensembleMethod)")
    content.warnings += fit.notes
    content.fit?.prunedFunctions = fit.prunedFunctions.count
    content.errors = errors(fit.errors.filter { $0.quantity != "forceMagnitude" })
    addDetails(fit, to: &content)
    for quantity in [ParityData.Quantity.energy, .force] {
      let points = fit.parity.filter { $0.quantity == quantity.rawValue }
      guard !points.isEmpty else { continue }
      content.parity.append(
        ParityData(
          quantity: quantity, reference: points.map(\.reference), predicted: points.map(\.predicted),
          isHeldOut: points.map(\.heldOut)))
    }
  }

  private func addDetails(_ fit: StageKit.FitSummary, to content: inout ReportContent) {
    func part(_ line: StageKit.FitSummary.ErrorLine, _ name: String, _ quantity: String) -> PartErrors {
      PartErrors(
        name: name, quantity: quantity, part: line.heldOut ? .heldOut : .training,
        measures: ErrorMeasures(
          count: line.count, meanAbsolute: 1e-3 * line.meanAbsolute, rootMeanSquare: 1e-3 * line.rootMeanSquare,
          largest: 1e-3 * line.largest, determination: line.determination))
    }
    content.partErrors =
      fit.errors.filter { $0.quantity == "forceMagnitude" && $0.group == "all" }
      .map { part($0, "all atoms", "lengths of forces") }
      + fit.elementErrors.map { part($0, $0.group, "force components") }
      + fit.compositionErrors.map { part($0, $0.group, "energies") }
    func errors(_ errors: StageKit.FitSummary.Errors) -> RootErrors {
      RootErrors(
        energy: errors.energy.map { 1e-3 * $0 }, force: errors.force.map { 1e-3 * $0 },
        stress: errors.stress.map { $0 / 160.2176634 })
    }
    let names = Dictionary(
      inputs.collection(.configurations).map { ($0.source.digest, $0.source.name) }, uniquingKeysWith: { a, _ in a })
    content.leftOut = (fit.leftOutSources + fit.leftOutGroups).map { entry in
      LeftOutErrors(
        name: entry.source.map { names[$0] ?? $0.short } ?? entry.group, isGroup: entry.source == nil,
        configurations: entry.configurations, fitted: errors(entry.fitted), leftOut: errors(entry.leftOut))
    }
    content.calibration = fit.calibration.compactMap { line in
      ParityData.Quantity(rawValue: line.quantity).map {
        CalibrationLine(
          quantity: $0, scale: line.scale, floor: line.floor * ($0 == .stress ? 1 / 160.2176634 : 1e-3),
          rawRatio: line.rawRatio, checkedRatio: line.checkedRatio, withinOne: line.withinOne,
          withinTwo: line.withinTwo, values: line.values, runs: line.units, isCalibrated: line.isCalibrated,
          coverage: (line.coverage ?? []).map { .init(expected: $0.expected, observed: $0.observed) })
      }
    }
    content.learningCurve = fit.learningCurve.map {
      LearningPoint(configurations: $0.configurations, heldOut: errors($0.heldOut))
    }
  }

  private func errors(_ lines: [StageKit.FitSummary.ErrorLine]) -> [GroupErrors] {
    var groups: [GroupErrors] = []
    for line in lines {
      let part = line.heldOut ? DataPart.heldOut : .training
      let index =
        groups.firstIndex { $0.group == line.group && $0.part == part }
        ?? {
          groups.append(GroupErrors(group: line.group, part: part, isTotal: line.group == "all"))
          return groups.count - 1
        }()
      // House units: eV/atom, eV/Å, eV/Å³.
      let scale = line.quantity == "stress" ? 1 / 160.2176634 : 1e-3
      let measures = ErrorMeasures(
        count: line.count, meanAbsolute: scale * line.meanAbsolute, rootMeanSquare: scale * line.rootMeanSquare,
        largest: scale * line.largest, determination: line.determination)
      switch line.quantity {
      case "energy": groups[index].energy = measures
      case "force": groups[index].force = measures
      default: groups[index].stress = measures
      }
    }
    return groups
  }

  private func addNovelty(to content: inout ReportContent) throws {
    let clusters = try CanonicalJSON.decode(
      [StageKit.ClusterSummary].self, context.bytes(inputs.whole(.activeSets), "clusters.json"))
    content.clusters = clusters.enumerated().map { index, cluster in
      Report.ClusterSummary(
        id: index, label: cluster.name, element: cluster.element, rows: cluster.rows, rank: cluster.rank,
        representation: cluster.representation)
    }
    let ranking = inputs.whole(.ranking)
    let grades = try CanonicalJSON.decode(CandidateGrades.self, context.bytes(ranking, "grades.json"))
    let threshold = [NamedValue("new", 1)]
    content.grades = [
      GradeDistribution(name: "Global grade", training: [], candidates: grades.global, thresholds: threshold),
      GradeDistribution(name: "Local grade", training: [], candidates: grades.local, thresholds: threshold),
    ]
    let maps = try CanonicalJSON.decode([StageKit.ConfigurationMap].self, context.bytes(ranking, "map.json"))
    // One map: of the element with the most environments.
    guard let map = maps.max(by: { $0.training.count < $1.training.count }) else { return }
    content.map = Report.ConfigurationMap(
      unit: "atom (\(map.element))",
      training: map.training.map { .init(x: $0.x, y: $0.y, cluster: $0.label ?? 0) },
      candidates: map.candidates.map { .init(x: $0.x, y: $0.y, rank: $0.label) })
  }
}
