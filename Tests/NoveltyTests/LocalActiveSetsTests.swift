import LinearAlgebra
import Novelty
import TestSupport
import Testing

@Suite struct LocalActiveSetsTests {
  private static func rows(_ random: inout SeededGenerator) -> (Matrix, [Int]) {
    var rows = random.normalMatrix(600, 5)
    var assignments: [Int] = []
    for i in 0..<600 {
      assignments.append(i % 3)
      for j in 0..<5 {
        rows[i, j] = rows[i, j] * [0.1, 1, 0.3][i % 3] + Double(j == i % 3 ? 4 : 0)
      }
    }
    return (rows, assignments)
  }

  @Test func oneClusterIsTheGlobalSet() throws {
    var random = SeededGenerator(seed: 1)
    let (rows, _) = Self.rows(&random)
    let local = try LocalActiveSets(
      rows, assignments: Array(repeating: 0, count: 600), clusterCount: 1)
    let probes = random.normalMatrix(80, 5, scale: 4)
    #expect(local.grades(probes).grades == local.global.grades(probes))
    #expect(local.representation == [1])
  }

  @Test func minimumIsAtMostTheToleranceOnTrainingRowsAndNamesItsCluster() throws {
    var random = SeededGenerator(seed: 2)
    let (rows, assignments) = Self.rows(&random)
    let local = try LocalActiveSets(rows, assignments: assignments, clusterCount: 3)
    #expect(local.grades(rows).grades.allSatisfy { $0 <= 1.01 * (1 + 1e-12) })
    let probes = random.normalMatrix(80, 5, scale: 4)
    let result = local.grades(probes)
    for i in 0..<80 {
      let all = local.clusters.map { $0.grades(probes)[i] }
      #expect(result.grades[i] == all.min())
      #expect(result.grades[i] == all[result.clusters[i]!])
    }
    for (k, set) in local.clusters.enumerated() {
      #expect(set.indices.allSatisfy { assignments[$0] == k })
      for (slot, index) in set.indices.enumerated() {
        #expect(rows.row(index) == set.rows.row(slot))
      }
    }
  }

  @Test func relabellingChangesNoGradeAndANewClusterOnlyLowersIt() throws {
    var random = SeededGenerator(seed: 3)
    let (rows, assignments) = Self.rows(&random)
    let local = try LocalActiveSets(rows, assignments: assignments, clusterCount: 3)
    let relabelled = try LocalActiveSets(
      rows, assignments: assignments.map { [2, 0, 1][$0] }, clusterCount: 3)
    let probes = random.normalMatrix(80, 5, scale: 4)
    let before = local.grades(probes).grades
    #expect(relabelled.grades(probes).grades == before)

    let extra = random.normalMatrix(50, 5)
    let grown = try LocalActiveSets(
      rows.stacked(on: extra), assignments: assignments + Array(repeating: 3, count: 50),
      clusterCount: 4)
    #expect(zip(grown.grades(probes).grades, before).allSatisfy { $0 <= $1 })
    #expect(grown.grades(probes).grades != before)
  }

  /// A broad regime and a tight one far away: the point 6 standard deviations off the tight one is well within
  /// what the broad one spans. The constant function lets grades see the offset.
  @Test func twoRegimesLocalSeesWhatGlobalDoesNot() throws {
    var random = SeededGenerator(seed: 4)
    var rows: [[Double]] = []
    var assignments: [Int] = []
    for _ in 0..<2000 {
      rows.append([1, 3 * random.normal(), 3 * random.normal()])
      assignments.append(0)
    }
    for _ in 0..<200 {
      rows.append([1, 20 + 0.05 * random.normal(), 20 + 0.05 * random.normal()])
      assignments.append(1)
    }
    let local = try LocalActiveSets(Matrix(rows), assignments: assignments, clusterCount: 2)
    let probe = Matrix([[1, 20 - 0.3, 20 - 0.3]])
    #expect(local.global.grades(probe)[0] < 1)
    #expect(local.grades(probe, rule: .ownCluster, nearest: [1]).grades[0] > 1)
    #expect(local.grades(probe).grades[0] > 1)
  }

  @Test func ownAndSwitchingRulesAskTheRightSet() throws {
    var random = SeededGenerator(seed: 5)
    let (rows, assignments) = Self.rows(&random)
    let local = try LocalActiveSets(rows, assignments: assignments, clusterCount: 3)
    let probes = random.normalMatrix(30, 5, scale: 2)
    let nearest = (0..<30).map { $0 % 3 }
    let own = local.grades(probes, rule: .ownCluster, nearest: nearest)
    let switching = local.grades(probes, rule: .switching, nearest: nearest)
    let global = local.global.grades(probes)
    #expect(local.representation.contains { $0 < 1 } && local.representation.contains { $0 >= 1 })
    for i in 0..<30 {
      let expected = local.clusters[nearest[i]].grades(probes)[i]
      #expect(close(own.grades[i], expected, 1e-12) && own.clusters[i] == nearest[i])
      let isLocal = local.representation[nearest[i]] < 1
      #expect(close(switching.grades[i], isLocal ? expected : global[i], 1e-12))
      #expect(switching.clusters[i] == (isLocal ? nearest[i] : nil))
    }
    // representation by its definition
    for k in 0..<3 {
      let active = Double(local.global.indices.filter { assignments[$0] == k }.count) / 5
      #expect(close(local.representation[k], active * 3, 1e-12))
    }
  }

  @Test func encodingRoundTrips() throws {
    var random = SeededGenerator(seed: 6)
    let (rows, assignments) = Self.rows(&random)
    let local = try LocalActiveSets(rows, assignments: assignments, clusterCount: 3)
    let back = try LocalActiveSets(summary: local.summary, parts: local.parts)
    #expect(back.summary == local.summary && back.parts == local.parts)
    #expect(back.grades(rows).grades == local.grades(rows).grades)
  }
}
