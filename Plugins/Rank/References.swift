import Configurations
import Environments
import LinearAlgebra
import Novelty
import Platform
import StageKit

/// What candidates are measured against, element by element.
struct References: Sendable {
  /// One element's training environments in short.
  struct OfElement: Sendable {
    let element: String
    let clustering: Clustering
    let sets: LocalActiveSets
    /// One leverage per cluster: the metric of the list's diversity.
    let leverages: [Leverage]
    let density: DensityRatio?
    /// Index of the first of its metrics among all elements'.
    let firstMetric: Int
  }

  let elements: [String]
  /// How near atoms of each pair of elements come in the training data, Å.
  let shortestDistances: [String: Double]
  private let byElement: [String: OfElement]

  init(
    _ environments: EnvironmentRows, _ clusterings: Artifact, _ options: RankOptions, _ context: StageContext
  ) throws {
    var byElement: [String: OfElement] = [:]
    var metrics = 0
    for element in environments.elements {
      try context.checkCancellation()
      context.progress(0, "active sets of \(element)")
      let rows = try environments.rows(of: element)
      let clustering = try ClusteringFile.decode(context.bytes(clusterings, ClusteringFile.name(element)))
      var key = DigestBuilder()
      key.add("active sets 1 \(element)")
      key.add(environments.digest)
      key.add(clusterings.digest)
      let kept = try context.memo(key.finish()) {
        context.count("active sets made", 1)
        return try Self.encode(
          LocalActiveSets(
            rows, assignments: clustering.assignments, clusterCount: clustering.count, threads: context.threads))
      }
      let leverages = try clustering.members.enumerated().map { cluster, members in
        var key = DigestBuilder()
        key.add("leverage 1 \(element) \(cluster)")
        key.add(environments.digest)
        key.add(clusterings.digest)
        let bytes = try context.memo(key.finish()) {
          try Leverage(rows.selecting(members), threads: context.threads).factor.numPyBytes
        }
        return Leverage(triangularFactor: try Matrix(numPyBytes: bytes))
      }
      byElement[element] = OfElement(
        element: element, clustering: clustering, sets: try Self.decode(kept), leverages: leverages,
        density: options.score.needsDensity
          ? try DensityRatio(rows, strata: clustering.assignments, threads: context.threads) : nil,
        firstMetric: metrics)
      metrics += leverages.count
    }
    elements = environments.elements
    shortestDistances = environments.shortestDistances
    self.byElement = byElement
  }

  func of(_ element: String) -> OfElement? { byElement[element] }

  /// All metrics in order.
  var metrics: [Leverage] { elements.flatMap { byElement[$0]!.leverages } }

  /// `global-X.npy`: the inverse that LAMMPS' .asi file holds for element X; `sets-X.npz`: all active
  /// sets of X; `clusters.json`: their sizes in words that people ask for.
  func add(to draft: inout ArtifactDraft) throws {
    var summaries: [ClusterSummary] = []
    for element in elements {
      let reference = byElement[element]!
      let inverse = try reference.sets.global.exportInverse()
      draft.add("global-\(element).npy", inverse.matrix.numPyBytes)
      draft.add("sets-\(element).npz", try Self.encode(reference.sets))
      for cluster in 0..<reference.clustering.count {
        summaries.append(
          ClusterSummary(
            element: element, name: reference.clustering.names[cluster], rows: reference.clustering.sizes[cluster],
            rank: reference.sets.clusters[cluster].rank, representation: reference.sets.representation[cluster],
            globalRank: reference.sets.global.rank, globalCondition: inverse.condition))
      }
    }
    draft.add("clusters.json", try CanonicalJSON.encode(summaries))
  }

  private static func encode(_ sets: LocalActiveSets) throws -> [UInt8] {
    let parts = sets.parts.sorted { $0.key < $1.key }.map { (name: $0.key, bytes: $0.value) }
    return NumPyArchive.encode([("summary.json", try CanonicalJSON.encode(sets.summary))] + parts)
  }

  private static func decode(_ bytes: [UInt8]) throws -> LocalActiveSets {
    let parts = Dictionary(uniqueKeysWithValues: try NumPyArchive.decode(bytes).map { ($0.name, $0.bytes) })
    guard let summary = parts["summary.json"] else { throw StageError("active sets without their summary") }
    return try LocalActiveSets(
      summary: try CanonicalJSON.decode(LocalActiveSets.Summary.self, summary), parts: parts)
  }
}
