import ACE
import Configurations
import LinearAlgebra
import Novelty
import Platform
import StageKit

/// One candidate structure with its grades.
struct GradedCandidate: Sendable {
  let source: Source
  let frame: Int
  let configuration: Configuration
  /// Per atom; infinite outside the span of the training data.
  let globalGrades: [Double]
  let localGrades: [Double]
  /// What the list is ordered by, per atom; finite.
  let scores: [Double]
  let deviations: MemberDeviations
  /// The atom with the largest score, and the cluster nearest to it.
  let atom: Int
  let cluster: Int
  /// First two coordinates of that atom in its element's map.
  let place: (x: Double, y: Double)
  /// Environments of the most novel atoms, by metric.
  let worst: [SelectionCandidate.Rows]
  /// In words, where atoms come impossibly close; nil for a sound geometry.
  let broken: String?

  var score: Double { scores[atom] }
  var globalGrade: Double { globalGrades.max() ?? 0 }
  var localGrade: Double { localGrades.max() ?? 0 }
  var deviation: Double { deviations.forces.max() ?? 0 }
  /// Error bars were calibrated on runs of known kinds: they say nothing of a structure that extrapolates.
  var interpolates: Bool { broken == nil && localGrade <= RankScore.extrapolation }
  /// Unique, and ordered by source and frame.
  var identifier: String {
    let digits = String(frame)
    return "\(source.digest) " + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
  }
}

/// How far the members of the ensemble are apart in one structure; zeros without an ensemble.
struct MemberDeviations: Sendable {
  /// Standard deviation, eV/atom.
  var energy: Double
  /// Largest distance from the mean, eV/Å³; not a number without a cell.
  var stress: Double
  /// Largest distance from the mean for each atom, eV/Å.
  var forces: [Double]
  /// Standard deviation of a component of the force on each atom, eV/Å.
  var forceComponents: [Double]
}

/// Evaluates candidates, source by source.
struct CandidatePool: Sendable {
  let model: EnsembleModel
  let references: References
  let options: RankOptions
  let context: StageContext

  /// Every candidate that holds an element with references, in the order of sources and frames.
  func graded(_ sources: [SourceArtifact]) throws -> [GradedCandidate] {
    var all: [GradedCandidate] = []
    for (number, item) in sources.enumerated() {
      let text = try context.bytes(item.artifact, "configurations.extxyz")
      var reader = ExtendedXYZReader(MemoryByteSource(text), name: item.source.name)
      let structures = try reader.readAll()
      let rows = try projections(item, structures)
      let deviations = try deviations(item, structures)
      all += try concurrentMap(structures.count, threads: context.threads) { frame in
        try context.checkCancellation()
        return try grade(structures[frame], rows[frame], deviations[frame], item.source, frame)
      }.compactMap { $0 }
      context.progress(Double(number + 1) / Double(sources.count), "\(all.count) candidates graded")
    }
    return all
  }

  /// Projections of all structures of a source; they depend on the basis alone and are kept.
  private func projections(_ item: SourceArtifact, _ structures: [Configuration]) throws -> [[ElementRows]] {
    var key = DigestBuilder()
    key.add("candidate projections 1")
    key.add(model.basisDigest)
    key.add(item.artifact.digest)
    let width = model.potential.basis.functions.map(\.count).max() ?? 0
    // One matrix for all: rows in atom order, as wide as the widest element.
    let bytes = try context.memo(key.finish()) {
      context.count("candidate sources featurized", 1)
      let values = try concurrentMap(structures.count, threads: context.threads) { frame in
        try context.checkCancellation()
        var matrix = Matrix(rows: structures[frame].count, columns: width)
        // What cannot be evaluated (atoms on top of each other) is not a number, and listed apart.
        guard let parts = try? model.evaluator.projections(of: structures[frame]) else {
          return Array(repeating: Double.nan, count: matrix.storage.count)
        }
        for part in parts {
          for (row, atom) in part.atoms.enumerated() {
            for k in 0..<part.values.columns { matrix[atom, k] = part.values[row, k] }
          }
        }
        return matrix.storage
      }
      let rows = structures.reduce(0) { $0 + $1.count }
      return Matrix(rows: rows, columns: width, storage: Array(values.joined())).numPyBytes
    }
    let matrix = try Matrix(numPyBytes: bytes)
    var first = 0
    var all: [[ElementRows]] = []
    for structure in structures {
      all.append(split(matrix, from: first, structure))
      first += structure.count
    }
    return all
  }

  /// One structure's rows of the common matrix, element by element.
  private func split(_ matrix: Matrix, from first: Int, _ structure: Configuration) -> [ElementRows] {
    let basis = model.potential.basis
    var parts: [ElementRows] = []
    for (index, element) in basis.elements.enumerated() {
      let atoms = structure.species.indices.filter { structure.species[$0] == element }
      guard !atoms.isEmpty else { continue }
      let columns = basis.functions[index].count
      var storage: [Double] = []
      storage.reserveCapacity(atoms.count * columns)
      for atom in atoms {
        let start = (first + atom) * matrix.columns
        storage += matrix.storage[start..<start + columns]
      }
      let values = Matrix(rows: atoms.count, columns: columns, storage: storage)
      parts.append(ElementRows(element: index, atoms: atoms, values: values))
    }
    return parts
  }

  private func deviations(_ item: SourceArtifact, _ structures: [Configuration]) throws -> [MemberDeviations] {
    var key = DigestBuilder()
    key.add("candidate deviations 3")
    key.add(model.basisDigest)
    key.add(model.digest)
    key.add(item.artifact.digest)
    // Energy, stress, the atoms' forces and their components, structure by structure.
    let bytes = try context.memo(key.finish()) {
      let values = try concurrentMap(structures.count, threads: context.threads) { frame -> [Double] in
        try context.checkCancellation()
        let atoms = structures[frame].count
        do {
          guard let deviation = try model.deviation(structures[frame], Workspace()) else {
            return Array(repeating: 0, count: 2 * atoms + 2)
          }
          return [deviation.energy, deviation.stress ?? .nan] + deviation.forces + deviation.forceComponentDeviations
        } catch {
          // What cannot be evaluated is listed apart.
          return Array(repeating: .infinity, count: 2 * atoms + 2)
        }
      }
      let all = Array(values.joined())
      return NumPyArray(shape: [all.count], values: all).encoded
    }
    var rest = try NumPyArray<Double>(decoding: bytes).values[...]
    return structures.map { structure in
      let own = Array(rest.prefix(2 * structure.count + 2))
      rest = rest.dropFirst(own.count)
      return MemberDeviations(
        energy: own[0], stress: own[1], forces: Array(own[2..<structure.count + 2]),
        forceComponents: Array(own[(structure.count + 2)...]))
    }
  }

  private func grade(
    _ structure: Configuration, _ projections: [ElementRows], _ deviations: MemberDeviations, _ source: Source,
    _ frame: Int
  ) throws -> GradedCandidate? {
    let count = structure.count
    var global = [Double](repeating: .infinity, count: count)
    var local = global
    var scores = [Double](repeating: 0, count: count)
    var clusters = [Int](repeating: 0, count: count)
    for part in projections {
      guard let reference = references.of(model.potential.basis.elements[part.element].symbol) else {
        // An element without any training environment: everything about it is new.
        for atom in part.atoms { scores[atom] = Double.greatestFiniteMagnitude }
        continue
      }
      let nearest = reference.clustering.nearestClusters(part.values)
      let globals = reference.sets.global.grades(part.values)
      let locals = reference.sets.grades(part.values, rule: options.rule, nearest: nearest)
      let values = try score(part.values, reference, nearest, part.atoms.map { deviations.forces[$0] })
      for (row, atom) in part.atoms.enumerated() {
        global[atom] = globals[row]
        local[atom] = locals.grades[row]
        scores[atom] = values[row].isFinite ? values[row] : Double.greatestFiniteMagnitude
        clusters[atom] = nearest[row]
      }
    }
    guard let worst = scores.indices.max(by: { (scores[$0], $1) < (scores[$1], $0) }) else { return nil }
    return GradedCandidate(
      source: source, frame: frame, configuration: structure, globalGrades: global, localGrades: local,
      scores: scores, deviations: deviations, atom: worst, cluster: clusters[worst],
      place: place(of: worst, projections), worst: worstRows(scores, projections, clusters),
      broken: brokenReason(structure, projections))
  }

  /// Why the geometry is doubted, in words: a pair of atoms closer than the training data by more than
  /// the user allows, or so close that nothing can be computed.
  private func brokenReason(_ structure: Configuration, _ projections: [ElementRows]) -> String? {
    let found: [String: Double]
    do { found = try structure.shortestDistances(within: FeatureIndex.shortDistance) } catch { return "\(error)" }
    for (pair, distance) in found.sorted(by: { $0.key < $1.key }) {
      guard let known = references.shortestDistances[pair], distance < options.closest * known else { continue }
      return "\(pair) atoms \(rounded(distance)) Å apart, in the training data never below \(rounded(known)) Å"
    }
    let isEvaluated = projections.allSatisfy { $0.values.storage.allSatisfy(\.isFinite) }
    return isEvaluated ? nil : "atoms so close that nothing can be computed"
  }

  private func score(
    _ rows: Matrix, _ reference: References.OfElement, _ nearest: [Int], _ deviations: [Double]
  ) throws -> [Double] {
    switch options.score {
    case .novelty:
      let grades = reference.sets.grades(rows, rule: options.rule, nearest: nearest, outside: .byResidual).grades
      return zip(grades, reference.density!.ratios(rows)).map { RankScore.novelty(localGrade: $0, densityRatio: $1) }
    case .localDOptimality:
      return reference.sets.grades(rows, rule: options.rule, nearest: nearest, outside: .byResidual).grades
    case .dOptimality: return reference.sets.global.grades(rows, outside: .byResidual)
    case .ensemble: return deviations
    case .densityRatio: return reference.density!.ratios(rows)
    }
  }

  private func place(of atom: Int, _ projections: [ElementRows]) -> (x: Double, y: Double) {
    for part in projections {
      guard let row = part.atoms.firstIndex(of: atom),
        let reference = references.of(model.potential.basis.elements[part.element].symbol)
      else { continue }
      let point = reference.clustering.coordinates.apply(part.values.selecting(rows: [row]))
      return (point[0, 0], point.columns > 1 ? point[0, 1] : 0)
    }
    return (0, 0)
  }

  /// The environments of the atoms with the largest scores, each measured in its nearest cluster.
  private func worstRows(
    _ scores: [Double], _ projections: [ElementRows], _ clusters: [Int]
  ) -> [SelectionCandidate.Rows] {
    let chosen = Set(
      scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(options.worstAtoms))
    var rows: [SelectionCandidate.Rows] = []
    for part in projections {
      guard let reference = references.of(model.potential.basis.elements[part.element].symbol) else { continue }
      for cluster in 0..<reference.clustering.count {
        let own = part.atoms.indices.filter { chosen.contains(part.atoms[$0]) && clusters[part.atoms[$0]] == cluster }
        guard !own.isEmpty else { continue }
        rows.append(
          SelectionCandidate.Rows(metric: reference.firstMetric + cluster, rows: part.values.selecting(rows: own)))
      }
    }
    return rows
  }
}

/// The environments of a structure's atoms of one element.
struct ElementRows {
  /// Index among the basis' elements.
  let element: Int
  /// Indices in the structure, ascending.
  let atoms: [Int]
  /// Shape [atoms][functions].
  let values: Matrix
}
