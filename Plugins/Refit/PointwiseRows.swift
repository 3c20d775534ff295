import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit

/// The weighted rows of single configurations, for pointwise optimal parameter sets. Factors do not keep them:
/// where a source has more rows than there are functions, its triangle mixes them. So they are computed again
/// for a bounded sample, which content chooses: what it costs does not grow with the project.
struct PointwiseRows {
  let problem: FitProblem
  let options: FitOptions

  /// Rows of whole configurations in the order of their lots until there are enough, shape [rows][columns].
  func rows(_ configurations: [SourceArtifact], _ context: StageContext) throws -> Matrix {
    struct Place {
      var source: Int
      var frame: FeatureIndex.Frame
      var lot: Digest
    }
    var places: [Place] = []
    for (number, (source, index)) in problem.indices.enumerated() {
      for frame in index.frames {
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
        return try rows(of: all[frames[k].frame], group: frames[k].group, layout)
      }
      for part in parts { storage += part }
    }
    return Matrix(rows: storage.count / layout.columns, columns: layout.columns, storage: storage)
  }

  /// As the featurize stage makes them, times the fit's weights; shape [any][columns], row by row.
  private func rows(of configuration: Configuration, group: String, _ layout: ColumnLayout) throws -> [Double] {
    let evaluator = problem.evaluator
    let rows = try evaluator.features(of: configuration).rows
    let core = try evaluator.repulsion(of: configuration)
    let atoms = configuration.count
    var result: [Double] = []
    func add(_ kind: RowKind, _ make: () -> Matrix) {
      let weight = options.weights.multiplier(group: group, kind: kind)
      if weight > 0 { result += make().storage.map { $0 * weight } }
    }
    if let energy = configuration.labels.energy {
      var composition = [Int](repeating: 0, count: layout.elements)
      for element in configuration.species { composition[evaluator.basis.index(of: element)!] += 1 }
      add(.energy) {
        layout.energyRow(basisSums: rows.energy, composition: composition, energy: energy - (core?.energy ?? 0))
      }
    }
    if let forces = configuration.labels.forces {
      let rest = core.map { core in zip(forces, core.forces).map { $0 - $1 } } ?? forces
      add(.force) { layout.forceRows(basis: rows.forces, forces: rest.flatMap { [$0.x, $0.y, $0.z] }) }
    }
    if let stress = configuration.labels.stress, let cell = configuration.cell {
      let rest = core.map { stress + (-1 / cell.volume) * $0.strainDerivative } ?? stress
      let voigt = [
        rest.x.x, rest.y.y, rest.z.z, (rest.y.z + rest.z.y) / 2, (rest.x.z + rest.z.x) / 2,
        (rest.x.y + rest.y.x) / 2,
      ]
      add(.stress) { layout.stressRows(basis: rows.virial, stress: voigt, volume: cell.volume, atoms: atoms) }
    }
    return result
  }
}
