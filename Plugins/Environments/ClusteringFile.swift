import LinearAlgebra
import Novelty
import Platform
import StageKit

/// The partition of one element's environments (part `clusters-X.npz` of a `clustering`): a zip of
/// `summary.json` and NumPy arrays.
public enum ClusteringFile {
  public static func name(_ element: String) -> String { "clusters-\(element).npz" }

  public static func encode(_ clustering: Clustering) throws -> [UInt8] {
    let parts = clustering.parts.sorted { $0.key < $1.key }.map { (name: $0.key, bytes: $0.value) }
    return NumPyArchive.encode([("summary.json", try CanonicalJSON.encode(clustering.summary))] + parts)
  }

  public static func decode(_ bytes: [UInt8]) throws -> Clustering {
    let parts = Dictionary(uniqueKeysWithValues: try NumPyArchive.decode(bytes).map { ($0.name, $0.bytes) })
    guard let summary = parts["summary.json"] else { throw StageError("a clustering without its summary") }
    return try Clustering(
      summary: try CanonicalJSON.decode(Clustering.Summary.self, summary), parts: parts)
  }
}
