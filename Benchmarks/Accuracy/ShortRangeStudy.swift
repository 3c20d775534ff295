// What a fit does to atoms that come closer than the data.

import ACE
import Configurations
import LinearAlgebra
import Regression

struct ShortRangeStudy {
  private let evaluator: Evaluator
  private let rows: [AnchorRow]
  private var shortest: [String: Double] = [:]
  private var cores: [String: Double] = [:]

  init(_ study: Study) throws {
    evaluator = study.evaluator
    rows = try CompressionPath.all(evaluator.basis.elements).flatMap { [evaluator] in try evaluator.anchorRows($0) }
    for configuration in study.data.training + study.data.test {
      shortest.merge(try configuration.shortestDistances(within: 4), uniquingKeysWith: min)
      guard let core = try evaluator.repulsion(of: configuration) else { continue }
      for (element, energy) in zip(configuration.species, core.energies) {
        cores[element.symbol] = max(cores[element.symbol] ?? 0, energy)
      }
    }
  }

  private var handover: Handover { Handover(basis: evaluator.basis, coreEnergies: cores) }

  func factor(_ layout: ColumnLayout, _ weight: Double, beside factor: TriangularFactor) throws -> TriangularFactor {
    let own = AnchorRow.beyond(rows, shortestDistances: shortest, coreEnergies: cores)
    let scale =
      2 * weight
      * (try ReducedProblem(
        factor, layout: layout, references: .leastSquares(elements: layout.elements))).scatter
    print("    \(own.count) of \(rows.count) anchors, scale \(scientific(scale))")
    var reducer = RowReducer(columns: layout.columns)
    reducer.append(
      Matrix(
        own.map { $0.values.map { scale * $0 } + Array(repeating: 0, count: layout.elements + 1) },
        columns: layout.columns))
    return reducer.finish()
  }

  func report(_ fit: Fit, anchored: Bool) throws {
    let plain = try Potential(
      basis: evaluator.basis, columns: fit.coefficients, referenceEnergies: fit.referenceEnergies)
    let own = try handover.widened(for: plain, evaluator)
    let potential = try Potential(
      basis: plain.basis, coefficients: plain.coefficients, embeddings: own.embeddings,
      referenceEnergies: plain.referenceEnergies)
    print(
      "    shortest \(shortest.sorted { $0.key < $1.key }.map { "\($0.key) \(decimals($0.value, 2))" }) core \(own)")
    for (path, distance) in try evaluator.collapses(of: potential, shortestDistances: shortest) {
      print("    COLLAPSE \(path) at \(decimals(distance, 3))")
    }
    for path in CompressionPath.all(evaluator.basis.elements) {
      let distances = (0..<76).map { path.contact * (1 - 0.01 * Double($0)) }
      let points = try evaluator.scan(potential, path, distances: distances)
      let falling = points.filter { $0.slope >= 0 }
      let parts = falling.map { "\(decimals($0.distance, 2)):\(decimals($0.slope, 1))" }
      let nodes = [1.0, 0.85, 0.7, 0.55, 0.4, 0.3].map { share in
        let p = points.min { abs($0.distance - share * path.contact) < abs($1.distance - share * path.contact) }!
        return "\(decimals(p.distance, 2)):\(decimals(p.energy, 2))"
      }
      print(
        "    \(path.name) E \(nodes.joined(separator: " ")) | not repulsive at \(falling.count): \(parts.prefix(12).joined(separator: " "))\(falling.count > 12 ? " ... \(parts.last!)" : "")"
      )
    }
  }
}
