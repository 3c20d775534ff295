import Report

/// Content in which every string is hostile.
enum HostileReport {
  static let text =
    "<img src=x onerror=alert(1)>\"'><script>alert(2)</script></title></style><!--&amp;"
    + "\u{202E}gpj\u{2066}\u{200F}\u{200B}\u{0}\u{1B}[31m\u{85}\n\u{2028}http://evil.example/"

  /// Numbers that no plot expects.
  static let odd: [Double] = [.infinity, -.infinity, .nan, 0, -0.0, 1e308, -1e-308, 5e-324]

  static func content() -> ReportContent {
    var content = ReportContent(project: text)
    content.elements = [text]
    content.run = RunFacts(number: 1, pipeline: text, program: text)
    content.notes = [text]
    content.warnings = [text]
    var changes = RunChanges(previousRun: 0)
    changes.statements = [text]
    changes.previousEnergyError = .nan
    changes.previousForceError = .infinity
    content.changes = changes
    content.ranking.score = text
    content.candidates = odd.indices.map(candidate)
    content.listedApart = [candidate(0)]
    content.sources = [DataSource(name: text, kind: text, framesUsed: 1, digest: text)]
    content.screening = [ScreeningReason(reason: text, count: 1, examples: [text, text])]
    content.quarantine = [QuarantinedInput(file: text, place: text, cause: text, remedy: text)]
    content.settingsGroups = [
      SettingsGroup(name: text, frames: 1, settings: [ProvenanceEntry(text, text)])
    ]
    content.fit = FitSummary(
      basis: text, functions: 1, columns: 2, rows: 3, lambda: .nan, lambdaChoice: text,
      conditionNumber: .infinity, effectiveRank: 1, effectiveDegreesOfFreedom: .nan,
      weights: odd.map { NamedValue(text, $0) },
      referenceEnergies: odd.map { NamedValue(text, $0) }, ensemble: text)
    for part in [DataPart.training, .heldOut] {
      let wild = ErrorMeasures(
        count: 0, meanAbsolute: .nan, rootMeanSquare: .infinity, largest: -.infinity)
      content.errors.append(
        GroupErrors(group: text, part: part, energy: wild, force: wild, stress: wild))
    }
    for quantity in [ParityData.Quantity.energy, .force, .stress] {
      content.parity.append(
        ParityData(
          quantity: quantity, reference: odd, predicted: odd.reversed(),
          isHeldOut: odd.indices.map { $0 % 2 == 0 }))
    }
    content.clusters = [
      ClusterSummary(
        id: -3, label: text, element: text, rows: 0, rank: 0, representation: .infinity)
    ]
    content.grades = [
      GradeDistribution(
        name: text, training: odd, candidates: odd, thresholds: odd.map { NamedValue(text, $0) }),
      GradeDistribution(name: text, training: [.nan], candidates: [.infinity]),
      GradeDistribution(name: text, training: [], candidates: []),
    ]
    content.map = ConfigurationMap(
      unit: text, training: odd.map { .init(x: $0, y: -$0, cluster: -3) },
      candidates: odd.map { .init(x: $0, y: $0, rank: $0 > 0 ? 1 : nil) }, explained: (.nan, 2))
    content.provenance = [ProvenanceEntry(text, text)]
    return content
  }

  private static func candidate(_ index: Int) -> Candidate {
    Candidate(
      rank: index, id: text, formula: text, atomCount: index, score: odd[index],
      globalGrade: odd[index], localGrade: odd[index], forceDeviation: odd[index],
      nearestCluster: index == 1 ? nil : -3, clusterLabel: text, atom: index == 2 ? nil : 1,
      atomElement: text, source: text, frame: index, reason: text, folder: text)
  }

  /// Every string reachable from a value, enumeration cases aside.
  static func strings(in value: Any) -> [String] {
    if let string = value as? String { return [string] }
    return Mirror(reflecting: value).children.flatMap { strings(in: $0.value) }
  }
}
