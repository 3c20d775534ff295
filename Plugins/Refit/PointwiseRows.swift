import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit
import TrainingRows

/// The weighted rows of single configurations, for pointwise optimal parameter sets. Factors do not keep them:
/// where a source has more rows than there are functions, its triangle mixes them. So they are computed again
/// for a bounded sample, which content chooses: what it costs does not grow with the project.
struct PointwiseRows {
  let problem: FitProblem
  let options: FitOptions
  let data: FitProblem.Data

  /// Rows of whole configurations in the order of their lots until there are enough, shape [rows][columns].
  func rows(_ configurations: [SourceArtifact], _ context: StageContext) throws -> Matrix {
    struct Place {
      var source: Int
      var frame: FeatureIndex.Frame
      var lot: Digest
    }
    var places: [Place] = []
    for (number, (source, index)) in problem.indices.enumerated() {
      for frame in index.frames where data == .all || !problem.isHeldOut(source, frame) {
        places.append(
          Place(source: number, frame: frame, lot: FitProblem.lot("pointwise", source.digest, frame.frame)))
      }
    }
    places.sort { $0.lot < $1.lot }
    var chosen: [Int: [FeatureIndex.Frame]] = [:]
    var count = 0
    for place in places where count < options.pointwiseRows {
      chosen[place.source, default: []].append(place.frame)
      count += 3 * place.frame.atoms + 7
    }
    let byDigest = Dictionary(uniqueKeysWithValues: configurations.map { ($0.source.digest, $0.artifact) })
    let layout = problem.layout
    var storage: [Double] = []
    for number in chosen.keys.sorted() {
      let source = problem.indices[number].source
      guard let artifact = byDigest[source.digest] else { continue }
      var reader = ExtendedXYZReader(
        MemoryByteSource(try context.bytes(artifact, "configurations.extxyz")), name: source.name)
      let all = try reader.readAll()
      let frames = chosen[number]!.sorted { $0.frame < $1.frame }
      let parts = try concurrentMap(frames.count, threads: context.threads) { k in
        try context.checkCancellation()
        return try rows(of: all[frames[k].frame], group: frames[k].group)
      }
      for part in parts { storage += part }
    }
    return Matrix(rows: storage.count / layout.columns, columns: layout.columns, storage: storage)
  }

  /// As the featurize stage makes them, times the fit's weights; shape [any][columns], row by row.
  private func rows(of configuration: Configuration, group: String) throws -> [Double] {
    try TrainingRows.all(of: configuration, problem.evaluator).flatMap { kind, rows in
      let weight = problem.weights.multiplier(group: group, kind: kind)
      return weight > 0 ? rows.storage.map { $0 * weight } : []
    }
  }
}
