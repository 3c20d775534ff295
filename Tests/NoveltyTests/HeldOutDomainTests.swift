import Foundation
import LinearAlgebra
import Novelty
import TestSupport
import Testing

/// Structures of several domains with their rows, split into training, held-back and new ones.
struct DomainSplit {
  var training: Matrix
  var held: Matrix
  var heldStructures: [Int]
  var new: Matrix
  var newStructures: [Int]

  init(known: [String], new: String, limit: Int, seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var parts: [[Matrix]] = [[], [], []]
    for (domain, isNew) in known.map({ ($0, false) }) + [(new, true)] {
      let frames = try DomainFrames.read("datasets/w_hetero/\(domain).xyz.xz", limit: limit)
      let rows = frames.map { PlainDescriptors().rows($0) }
      if isNew {
        parts[2] += rows
      } else {
        let held = Set(random.permutation(rows.count).prefix(max(1, rows.count / 5)))
        for (i, matrix) in rows.enumerated() { parts[held.contains(i) ? 1 : 0].append(matrix) }
      }
    }
    func stack(_ matrices: [Matrix]) -> (Matrix, [Int]) {
      let rows = matrices.reduce(0) { $0 + $1.rows }
      return (
        Matrix(rows: rows, columns: PlainDescriptors.count, storage: matrices.flatMap(\.storage)),
        matrices.enumerated().flatMap { Array(repeating: $0, count: $1.rows) }
      )
    }
    training = stack(parts[0]).0
    (held, heldStructures) = stack(parts[1])
    (self.new, newStructures) = stack(parts[2])
  }

  func quality(_ held: [Double], _ new: [Double]) -> (auroc: Double, tpr: Double) {
    let a = aggregate(held, structures: heldStructures, count: heldStructures.last! + 1)
    let b = aggregate(new, structures: newStructures, count: newStructures.last! + 1)
    return (
      areaUnderROC(negatives: a, positives: b)!,
      truePositiveRate(negatives: a, positives: b, atFalsePositiveRate: 0.05)!
    )
  }
}

private let isOptimised: Bool = {
  #if DEBUG
    false
  #else
    true
  #endif
}()

/// The gain of local over global grades on real data, with plain descriptors (no ACE here).
@Suite(
  .enabled(if: SharedData.isAvailable, "skipped: no shared data"),
  .enabled(if: isOptimised, "skipped: slow without optimisation"))
struct HeldOutDomainTests {
  private static let bulk = ["A_elastic", "A_eos_phases", "B_divacancy", "B_md_bulk", "B_vacancy"]

  private func check(
    _ known: [String], _ new: String, body: (_ name: String, _ auroc: Double) -> Void
  ) throws {
    let split = try DomainSplit(known: known, new: new, limit: 80, seed: 1)
    let clustering = try Clustering(split.training, division: .count(6))
    for (size, rank) in zip(clustering.sizes, clustering.ranks) { #expect(size >= 3 * rank) }
    let local = try LocalActiveSets(
      split.training, assignments: clustering.assignments, clusterCount: clustering.count)
    for set in local.clusters + [local.global] { #expect(set.isConverged) }
    #expect(local.grades(split.training).grades.allSatisfy { $0 <= 1.01 * (1 + 1e-9) })
    let density = try DensityRatio(split.training)
    let scores: [(String, (Matrix) -> [Double])] = [
      ("global", { local.global.grades($0) }), ("minimum", { local.grades($0).grades }),
      (
        "own",
        { local.grades($0, rule: .ownCluster, nearest: clustering.nearestClusters($0)).grades }
      ),
      ("density", { density.ratios($0) }),
    ]
    for (name, score) in scores {
      body(name, split.quality(score(split.held), score(split.new)).auroc)
    }
  }

  @Test func vacancyInFault() throws {
    var auroc: [String: Double] = [:]
    try check(
      Self.bulk + ["C_dislocation_quadrupole", "E_interstitial", "F_disordered"],
      "E_gamma_surface_vacancy"
    ) { auroc[$0] = $1 }
    #expect(auroc["global"]! < 0.9)
    #expect(auroc["minimum"]! > auroc["global"]! + 0.05)
    #expect(auroc["own"]! > auroc["global"]! + 0.05)
    #expect(auroc["density"]! > auroc["global"]!)
  }

  @Test func disordered() throws {
    var auroc: [String: Double] = [:]
    try check(Self.bulk + ["C_dislocation_quadrupole", "D_surface"], "F_disordered") {
      auroc[$0] = $1
    }
    #expect(auroc["minimum"]! >= auroc["global"]!)
    #expect(auroc["own"]! >= auroc["global"]!)
  }
}
