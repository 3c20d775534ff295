import Foundation
import Report
import TestSupport

/// Contents of a believable tungsten run, with made-up numbers from a seeded generator.
enum SampleReport {
  static let clusterLabels = ["bulk", "thermal", "vacancy", "surface", "liquid"]

  /// `points` values in each parity plot and on the map.
  static func content(points: Int = 900, candidates: Int = 30) -> ReportContent {
    var random = SeededGenerator(seed: 1984)
    var content = ReportContent(project: "tungsten")
    content.elements = ["W"]
    content.run = RunFacts(number: 42, pipeline: "pipelines/tungsten.json5")
    content.notes = [
      "The labels come from the Finnis-Sinclair potential for tungsten, not from DFT. They show how the "
        + "pipeline works; do not use the potential for anything else."
    ]
    content.warnings = [
      "melt/OUTCAR: the file ends within step 12. The 11 complete steps were used."
    ]
    content.ranking = RankingFacts(
      score: "local D-optimality", pooled: 312, nearDuplicates: 41, known: 222, noveltyGrade: 1,
      brokenGrade: 1000)
    content.changes = changes()
    content.candidates = list(candidates, &random)
    content.listedApart = [
      Candidate(
        rank: 1, id: "9e31", formula: "W54", atomCount: 54, score: 48_200, globalGrade: 51_877,
        localGrade: 48_200, forceDeviation: 212.4, nearestCluster: 4, clusterLabel: "liquid",
        atom: 17, atomElement: "W", source: "tungsten-candidates/collision.dump", frame: 88,
        reason: "atoms 17 and 18 are 1.21 Å apart")
    ]
    addData(&content)
    addFit(&content, points, &random)
    addNovelty(&content, points, &random)
    content.provenance = [
      ProvenanceEntry("sluice", "0.1.0"), ProvenanceEntry("featurize", "version 3"),
      ProvenanceEntry("pipeline key", String(repeating: "3fa9c4d2", count: 8)),
      ProvenanceEntry("factor", String(repeating: "77b01e5a", count: 8)),
    ]
    return content
  }

  private static func changes() -> RunChanges {
    var changes = RunChanges(previousRun: 41)
    changes.sourcesAdded = 1
    changes.framesAdded = 12
    changes.candidatesEntered = 4
    changes.candidatesLeft = 3
    changes.previousEnergyError = 0.00312
    changes.previousForceError = 0.0718
    return changes
  }

  private static func list(_ count: Int, _ random: inout SeededGenerator) -> [Candidate] {
    let pools = [
      ("dislocation.xyz", "W96", 96), ("clusters.extxyz", "W13", 13),
      ("interstitial.xyz", "W55", 55),
      ("copies/POSCAR", "W54", 54),
    ]
    return (0..<count).map { index in
      let (file, formula, atoms) = pools[Int.random(in: 0..<pools.count, using: &random)]
      let isOutside = index < 2
      let grade = isOutside ? Double.infinity : 30 / pow(Double(index), 0.9)
      let cluster = Int.random(in: 0..<5, using: &random)
      let atom = Int.random(in: 1...atoms, using: &random)
      let words =
        isOutside
        ? "atom \(atom), W: outside the span of cluster \(cluster)"
        : "atom \(atom), W, grade \(String(format: "%.1f", grade)) in cluster \(cluster)"
      return Candidate(
        rank: index + 1, id: "\(index)", formula: formula, atomCount: atoms, score: grade,
        globalGrade: isOutside ? 3.1 : grade * 0.6, localGrade: grade,
        forceDeviation: .random(in: 0.02...0.4, using: &random), nearestCluster: cluster,
        clusterLabel: clusterLabels[cluster], atom: atom, atomElement: "W",
        source: "tungsten-candidates/\(file)", frame: index, reason: words,
        previousRank: index % 7 == 3 ? nil : index + 1 + index % 3)
    }
  }

  private static func addData(_ content: inout ReportContent) {
    content.sources = [
      DataSource(
        name: "bulk/vasprun.xml.xz", kind: "vasprun.xml", framesUsed: 40, digest: "1f0c55aa"),
      DataSource(
        name: "md/OUTCAR.gz", kind: "OUTCAR", framesUsed: 88, framesSetAside: 12, digest: "90ab12cd"
      ),
      DataSource(
        name: "melt/OUTCAR", kind: "OUTCAR", framesUsed: 11, framesSetAside: 3, digest: "e0771b3f",
        isNew: true),
      DataSource(
        name: "surface/vasprun.xml", kind: "vasprun.xml", framesUsed: 24, digest: "55d0aa19"),
    ]
    content.screening = [
      ScreeningReason(
        reason: "electronic loop not converged", count: 9,
        examples: ["md/OUTCAR.gz, step 14", "md/OUTCAR.gz, step 15", "melt/OUTCAR, step 2"]),
      ScreeningReason(
        reason: "force above 100 eV/Å", count: 4, examples: ["md/OUTCAR.gz, step 91"]),
      ScreeningReason(reason: "duplicate", count: 2, examples: ["melt/OUTCAR, step 0"]),
    ]
    content.quarantine = [
      QuarantinedInput(
        file: "broken/vasprun.xml", place: "line 8123, step 4",
        cause: "The file ends inside <varray name=\"forces\">.",
        remedy: "Copy the file again, or wait until the run has ended.")
    ]
    content.settingsGroups = [
      SettingsGroup(
        name: "A", frames: 163,
        settings: [
          ProvenanceEntry("functional", "PBE"), ProvenanceEntry("ENCUT", "520 eV"),
          ProvenanceEntry("k-points", "Gamma 4 4 4"), ProvenanceEntry("POTCAR", "PAW_PBE W_pv"),
        ]),
      SettingsGroup(
        name: "B", frames: 12, isUsed: false,
        settings: [ProvenanceEntry("functional", "PBE"), ProvenanceEntry("ENCUT", "400 eV")]),
    ]
  }

  private static func addFit(
    _ content: inout ReportContent, _ points: Int, _ random: inout SeededGenerator
  ) {
    content.fit = FitSummary(
      basis: "linear ACE, SBessel, cutoff 5.0 Å, ranks 1–3", functions: 300, columns: 301,
      rows: 25_843, lambda: 3.18e-5, lambdaChoice: "evidence", conditionNumber: 3.42e8,
      effectiveRank: 287, effectiveDegreesOfFreedom: 241.6,
      weights: [NamedValue("energy", 30), NamedValue("forces", 1), NamedValue("stress", 1)],
      referenceEnergies: [NamedValue("W", -4.5781)],
      ensemble: "16 members, Poisson bootstrap over sources")
    content.calibration = [(ParityData.Quantity.energy, 0.0012), (.force, 0.021)].map { quantity, floor in
      CalibrationLine(
        quantity: quantity, scale: 3.77, floor: floor, rawRatio: 4.2, checkedRatio: 1.04, withinOne: 0.69,
        withinTwo: 0.96, values: 410, runs: 11, isCalibrated: quantity == .force,
        coverage: [(0.197, 0.21), (0.683, 0.69), (0.954, 0.96)].map { .init(expected: $0.0, observed: $0.1) })
    }
    for (group, scale) in [("bulk", 0.4), ("surface", 1.1), ("melt", 2.2), ("all", 1.0)] {
      for (part, more) in [(DataPart.training, 1.0), (.heldOut, 1.21)] {
        let size = scale * more
        content.errors.append(
          GroupErrors(
            group: group, part: part, isTotal: group == "all",
            energy: measures(size * 0.0021, part == .training ? 120 : 30),
            force: measures(size * 0.058, part == .training ? 19_440 : 4_860),
            stress: group == "surface" ? nil : measures(size * 0.0013, 720)))
      }
    }
    let energies = (0..<min(points, 400)).map { _ in
      -8.9 + pow(Double.random(in: 0...1, using: &random), 3) * 1.4
    }
    content.parity.append(parity(.energy, energies, 0.003, &random))
    let forces = (0..<points).map { _ in gaussian(&random) * 1.8 }
    content.parity.append(parity(.force, forces, 0.06, &random))
  }

  private static func measures(_ size: Double, _ count: Int) -> ErrorMeasures {
    ErrorMeasures(
      count: count, meanAbsolute: size * 0.74, rootMeanSquare: size, largest: size * 6.3)
  }

  private static func parity(
    _ quantity: ParityData.Quantity, _ reference: [Double], _ noise: Double,
    _ random: inout SeededGenerator
  ) -> ParityData {
    let predicted = reference.map { $0 + noise * (1 + abs($0) / 10) * gaussian(&random) }
    let flags = reference.map { _ in Int.random(in: 0..<5, using: &random) == 0 }
    return ParityData(
      quantity: quantity, reference: reference, predicted: predicted, isHeldOut: flags)
  }

  private static func addNovelty(
    _ content: inout ReportContent, _ points: Int, _ random: inout SeededGenerator
  ) {
    let rows = [4_320, 9_504, 848, 1_200, 594]
    let ranks = [46, 118, 96, 131, 240]
    for index in 0..<5 {
      content.clusters.append(
        ClusterSummary(
          id: index, label: clusterLabels[index], element: "W", rows: rows[index],
          rank: ranks[index], representation: [0.12, 0.31, 1.4, 1.9, 6.8][index]))
    }
    let training = (0..<163).map { _ in min(1.0, 0.62 * exp(0.3 * gaussian(&random))) }
    let pool = (0..<312).map { index in
      index < 4 ? .infinity : 1.1 * exp(1.1 * gaussian(&random))
    }
    let lines = [NamedValue("known", 1), NamedValue("broken", 1000)]
    content.grades = [
      GradeDistribution(
        name: "Global grade", training: training, candidates: pool.map { $0 * 0.6 },
        thresholds: lines),
      GradeDistribution(
        name: "Local grade", training: training, candidates: pool, thresholds: lines),
    ]
    let centres = [(-6.0, -1.0), (-3.0, 1.5), (1.0, -3.0), (3.5, 3.5), (7.0, -0.5)]
    let spread = [0.3, 0.9, 0.5, 0.7, 1.5]
    content.map = ConfigurationMap(
      training: (0..<points).map { index in
        let cluster = index % 5
        return ConfigurationMap.TrainingPoint(
          x: centres[cluster].0 + spread[cluster] * gaussian(&random),
          y: centres[cluster].1 + spread[cluster] * gaussian(&random), cluster: cluster)
      },
      candidates: (0..<312).map { index in
        let rank = index < content.candidates.count ? index + 1 : nil
        return ConfigurationMap.CandidatePoint(
          x: rank == nil ? -4 + 2 * gaussian(&random) : 4 + 3 * gaussian(&random),
          y: rank == nil ? gaussian(&random) : 2 + 3 * gaussian(&random), rank: rank)
      }, explained: (0.61, 0.14))
  }

  private static func gaussian(_ random: inout SeededGenerator) -> Double {
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &random))).squareRoot()
    return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
  }
}
