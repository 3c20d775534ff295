import LinearAlgebra
import Platform
import Regression
import TestSupport

/// A made-up project whose rows are all kept, so that everything can be compared with dense algebra.
struct Project {
  struct Rows {
    var source: Digest
    var key: RowKey
    var atoms: Int
    var rows: Matrix
  }

  let layout: ColumnLayout
  var rows: [Rows] = []
  var factors: [Digest: SourceFactors] = [:]

  /// - Parameters:
  ///   - frames: per source; frame f of source s belongs to block f % blocks and to a group.
  ///   - stoichiometries: atoms per element that frames may have, taken in turn.
  init(
    basis: Int = 9, sources: Int = 6, frames: Int = 5, blocks: Int = 1,
    groups: [String] = ["bulk", "liquid"], stoichiometries: [[Int]] = [[2, 1], [1, 1], [0, 2]],
    noise: Double = 0.05, seed: UInt64 = 1
  ) throws {
    layout = ColumnLayout(basis: basis, elements: stoichiometries[0].count)
    var generator = SeededGenerator(seed: seed)
    func random() -> Double { Double.random(in: -1...1, using: &generator) }
    let truth = (0..<basis).map { _ in random() }
    let energies = (0..<layout.elements).map { -3 - 2 * Double($0) }
    for s in 0..<sources {
      let source = Digest(of: "source \(seed) \(s)")
      var builder = SourceFactorsBuilder(layout: layout)
      for f in 0..<frames {
        let composition = stoichiometries[(s + f) % stoichiometries.count]
        let atoms = composition.reduce(0, +)
        let group = groups[(s + f / 2) % groups.count]
        // Columns of very different size, as in a real basis.
        func features(_ rows: Int) -> Matrix {
          var matrix = Matrix(rows: rows, columns: basis)
          for i in 0..<rows {
            for j in 0..<basis { matrix[i, j] = random() / Double(1 + j * j) }
          }
          return matrix
        }
        func targets(_ matrix: Matrix) -> [Double] {
          matrix.times(truth).map { $0 + noise * random() }
        }
        func add(_ kind: RowKind, _ matrix: Matrix) throws {
          let key = RowKey(
            block: f % blocks, group: group, kind: kind, level: f % 2, atoms: kind == .force ? 0 : atoms)
          rows.append(Rows(source: source, key: key, atoms: atoms, rows: matrix))
          try builder.append(matrix, key: key, atoms: atoms)
        }
        let sums = features(1)
        let one = zip(energies, composition).reduce(0) { $0 + $1.0 * Double($1.1) }
        try add(
          .energy,
          layout.energyRow(
            basisSums: sums.row(0), composition: composition, energy: targets(sums)[0] + one))
        let forces = features(3 * atoms)
        try add(.force, layout.forceRows(basis: forces, forces: targets(forces)))
        if f % 2 == 0 {
          let strains = features(6)
          try add(
            .stress,
            layout.stressRows(
              basis: strains, stress: targets(strains).map { $0 / 20 }, volume: 20, atoms: atoms))
        }
      }
      factors[source] = builder.finish()
    }
  }

  var sources: [Digest] { factors.keys.sorted() }

  func tree(_ sources: [Digest]? = nil) throws -> FactorTree {
    try FactorTree(
      layout: layout,
      sources: (sources ?? self.sources).map { TreeSource(source: $0, factors: factors[$0]!) })
  }

  @Sendable func load(_ source: Digest) throws -> SourceFactors { factors[source]! }

  /// All selected rows, weighted and repeated, one below the other.
  func dense(_ selection: Selection) -> Matrix {
    var all = Matrix(rows: 0, columns: layout.columns)
    for entry in rows {
      let weight = selection.multiplier(of: entry.key, in: entry.source)
      guard weight > 0 else { continue }
      var scaled = entry.rows
      for i in scaled.storage.indices { scaled.storage[i] *= weight }
      for _ in 0..<selection.multiplicity(entry.source, entry.key.block) {
        all = all.stacked(on: scaled)
      }
    }
    return all
  }

  func factor(_ selection: Selection) throws -> TriangularFactor {
    try tree().factor(selection, cache: NoFactorCache(), load: load)
  }
}

let plainWeights = Weights(
  energy: 5, forces: 1, stress: 0.5, groups: ["liquid": .init(energy: 2, stress: 1)])

/// min |A x - y|² + Σ_j (penalty_j x_j)² over [basis | composition], by SVD of the stacked rows;
/// minimum norm where undetermined.
func denseSolution(_ rows: Matrix, penalties: [Double]) throws -> [Double] {
  let n = rows.columns - 1
  var a = rows.selecting(columns: Array(0..<n))
  var penalty = Matrix(rows: n, columns: n)
  for j in 0..<n { penalty[j, j] = penalties[j] }
  a = a.stacked(on: penalty)
  let y = rows.column(n) + Array(repeating: 0, count: n)
  let svd = try SingularValues(a)
  let along = svd.left.transposedTimes(y)
  let scaled = zip(along, svd.values).map { $1 > 1e-12 * svd.values[0] ? $0 / $1 : 0 }
  return svd.right.transposedTimes(scaled)
}

func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

func largestDifference(_ a: Matrix, _ b: Matrix) -> Double {
  a.rows == b.rows ? largestDifference(a.storage, b.storage) : .infinity
}

func sumOfSquares(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 } }

extension Fit {
  /// √λ Γ for the basis, nothing for the reference energies.
  var penalties: [Double] {
    scales.map { $0 * lambda.squareRoot() } + referenceEnergies.map { _ in 0 }
  }
}
