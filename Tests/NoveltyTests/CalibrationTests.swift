import Glibc
import Novelty
import TestSupport
import Testing

@Suite struct SizeCorrectionTests {
  @Test func isTheFormula() {
    let correction = SizeCorrection(calibrationScores: [5, 1, 2, 2, 9])
    #expect(correction.atomProbability(2) == 5.0 / 6)
    #expect(correction.atomProbability(9.5) == 1.0 / 6)
    #expect(correction.atomProbability(0) == 1)
    let p = correction.structureProbability(maximum: 6, atoms: 3)
    #expect(close(p, 1 - (1 - 1.0 / 3) * (1 - 1.0 / 3) * (1 - 1.0 / 3), 1e-12))
    #expect(close(correction.surprise(maximum: 6, atoms: 3), -log(p), 1e-12))
    // Stays accurate where p is tiny.
    let many = SizeCorrection(calibrationScores: (0..<1_000_000).map(Double.init))
    #expect(close(many.structureProbability(maximum: 1e9, atoms: 1) * 1_000_001, 1, 1e-9))
  }

  @Test func makesStructuresOfAnySizeAlike() {
    var random = SeededGenerator(seed: 1)
    let correction = SizeCorrection(calibrationScores: (0..<20_000).map { _ in random.normal() })
    // Maxima of 2 and of 200 atoms from the same distribution: raw they separate, corrected they do not.
    func maxima(_ atoms: Int) -> [Double] {
      (0..<400).map { _ in (0..<atoms).map { _ in random.normal() }.max()! }
    }
    let (small, large) = (maxima(2), maxima(200))
    #expect(areaUnderROC(negatives: small, positives: large)! > 0.95)
    let corrected = areaUnderROC(
      negatives: small.map { correction.surprise(maximum: $0, atoms: 2) },
      positives: large.map { correction.surprise(maximum: $0, atoms: 200) })!
    #expect(abs(corrected - 0.5) < 0.07)
  }
}

@Suite struct ConformalTests {
  @Test func quantileIsTheStatedOrderStatistic() {
    let scores = (1...9).map(Double.init)
    #expect(conformalQuantile(scores, miscoverage: 0.1) == 9)  // ⌈10 · 0.9⌉ = 9
    #expect(conformalQuantile(Array(scores.prefix(8)), miscoverage: 0.1) == .infinity)
    #expect(conformalQuantile(scores, miscoverage: 0.5) == 5)
    #expect(conformalQuantile([], miscoverage: 0.5) == .infinity)
  }

  /// Errors whose scale the deviation tells up to a factor: coverage over many draws is 1 - α or a little more.
  @Test(arguments: [0.1, 0.32])
  func splitCoversAsPromised(alpha: Double) {
    var random = SeededGenerator(seed: 2)
    var covered = 0
    let (trials, size) = (600, 49)
    for _ in 0..<trials {
      func draw() -> (error: Double, deviation: Double) {
        let deviation = 0.1 + random.uniform()
        return (abs(random.normal()) * deviation * 3, deviation)
      }
      let calibration = (0..<size).map { _ in draw() }
      let conformal = SplitConformal(
        errors: calibration.map(\.error), deviations: calibration.map(\.deviation),
        miscoverage: alpha)
      for _ in 0..<20 {
        let new = draw()
        if new.error <= conformal.halfWidth(deviation: new.deviation) { covered += 1 }
      }
    }
    let coverage = Double(covered) / Double(20 * trials)
    let exact = ((Double(size + 1) * (1 - alpha)).rounded(.up)) / Double(size + 1)
    // Five standard errors of 600 draws, each with a coverage spread of about sqrt(α(1-α)/size).
    #expect(
      abs(coverage - exact) < 5 * (alpha * (1 - alpha) / Double(size) / Double(trials)).squareRoot()
        + 0.01)
  }

  @Test func atomsShareTheWeightOfTheirConfiguration() {
    // One configuration of 100 calm atoms, nine of one atom each.
    let errors = Array(repeating: 0.1, count: 100) + (1...9).map(Double.init)
    let configurations = Array(repeating: 0, count: 100) + Array(1...9)
    let factor = SplitConformal(
      atomErrors: errors, deviations: Array(repeating: 1, count: 109),
      configurations: configurations,
      miscoverage: 0.5
    ).factor
    // Weights 1, 1, …: 11 with the new one; half is reached at the sixth, the error 5.
    #expect(factor == 5)
    let pooled = conformalQuantile(errors, miscoverage: 0.5)
    #expect(pooled == 0.1)
  }

  @Test func mondrianCoversTheRareClusterThatOneFactorMisses() {
    var random = SeededGenerator(seed: 3)
    func draw(_ cluster: Int) -> Double { abs(random.normal()) * [1, 5][cluster] }
    let clusters = (0..<500).map { $0 % 10 == 0 ? 1 : 0 }
    let errors = clusters.map(draw)
    let ones = Array(repeating: 1.0, count: 500)
    let one = SplitConformal(errors: errors, deviations: ones, miscoverage: 0.1)
    let each = MondrianConformal(
      errors: errors, deviations: ones, clusters: clusters, clusterCount: 2,
      distances: [[0, 1], [1, 0]],
      miscoverage: 0.1)
    let rare = (0..<4000).map { _ in draw(1) }
    let coveredByOne = Double(rare.count { $0 <= one.halfWidth(deviation: 1) }) / 4000
    let coveredByEach = Double(rare.count { $0 <= each.halfWidth(deviation: 1, cluster: 1) }) / 4000
    #expect(coveredByOne < 0.7)
    #expect(coveredByEach > 0.8)
    #expect(each.pools == [[0], [1]])
  }

  @Test func tooSmallClustersBorrowFromTheNearestAndSaySo() {
    let errors = (1...20).map(Double.init) + [100, 200] + (31...45).map(Double.init)
    let clusters = Array(repeating: 0, count: 20) + [1, 1] + Array(repeating: 2, count: 15)
    let conformal = MondrianConformal(
      errors: errors, deviations: Array(repeating: 1, count: 37), clusters: clusters,
      clusterCount: 3,
      distances: [[0, 5, 9], [5, 0, 2], [9, 2, 0]], miscoverage: 0.1)
    #expect(conformal.pools == [[0], [1, 2], [2]])
    // 17 scores: ⌈18 · 0.9⌉ = 17th, the largest.
    #expect(conformal.factors == [19, 200, 45])
  }
}
