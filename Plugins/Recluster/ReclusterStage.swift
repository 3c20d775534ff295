// Environments of all sources come in; their partition into clusters, per element, goes out.

import Configurations
import Environments
import Novelty
import Platform
import StageKit

/// Divides the environments of each element, so that each kind of place is judged by its own measure.
public struct ReclusterStage: FoldStage {
  public static let description = StageDescription(
    name: "recluster", version: 1,
    summary: "Partitions the environments of each element: k-means, or the user's own groups.",
    takes: [StageInput(.features)], gives: [.whole(.clustering)])

  let partition: String
  let clusters: Int?
  let maximum: Int
  let components: Int
  let seed: Int

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    partition = try parameters.choice(
      "partition", of: ["k-means", "group"], default: "k-means",
      "Clusters found in the environments, or the groups given by config_type or folder.")
    clusters = try parameters.integerOrAuto(
      "clusters", in: 1...1000, "Number of k-means clusters; auto: as many as have enough rows each.")
    maximum = try parameters.integer("maximum", default: 8, in: 1...1000, "Most clusters, with auto.")
    components = try parameters.integer(
      "components", default: 10, in: 1...1000, "Principal components in which distances are taken.")
    seed = try parameters.integer("seed", default: 1, in: 0...Int.max, "Of the k-means start.")
  }

  public func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let environments = try EnvironmentRows(inputs.collection(.features), context)
    var draft = ArtifactDraft(.clustering)
    var result = FoldResult()
    for element in environments.elements {
      try context.checkCancellation()
      var options = Clustering.Options()
      options.coordinates = .whitened(components)
      options.seed = UInt64(seed)
      let clustering = try Clustering(
        try environments.rows(of: element), division: try division(element, environments), options: options,
        threads: context.threads)
      draft.add(ClusteringFile.name(element), try ClusteringFile.encode(clustering))
      for note in clustering.notes {
        result.diagnostics.append(Diagnostic(.note, code: "clusters", cause: "\(element): \(note)"))
      }
    }
    result.wholes = [draft]
    return result
  }

  private func division(_ element: String, _ environments: EnvironmentRows) throws -> Clustering.Division {
    guard partition == "group" else {
      return clusters.map(Clustering.Division.count) ?? .automatic(maximum: maximum)
    }
    let groups = try environments.sites(of: element).map { site in
      environments.indices[site.source].frames[site.frame].group
    }
    let names = Set(groups).sorted()
    let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    return .labels(names: names.map { $0.isEmpty ? "(no group)" : $0 }, ofRow: groups.map { numbers[$0]! })
  }
}
