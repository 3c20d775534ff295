import LinearAlgebra
import Platform

/// Root mean square error of the rows of one group and kind, from factors alone: exact, without rows.
public struct FactorError: Sendable, Equatable, Codable {
  public var group: String
  public var kind: RowKind
  public var rows: Int
  /// In units of the rows: eV/√atom for energies and V·stress, eV/Å for forces.
  public var rootMeanSquare: Double

  public init(group: String, kind: RowKind, rows: Int, rootMeanSquare: Double) {
    self.group = group
    self.kind = kind
    self.rows = rows
    self.rootMeanSquare = rootMeanSquare
  }
}

extension FactorTree {
  /// Unweighted errors by group and kind over the selected blocks (the selection's weights only say
  /// which groups and kinds are wanted, by being positive). One tree for each group and kind: a new
  /// source costs a path in each of its own.
  ///
  /// Weights by energy and of outliers play no part.
  public func errors(
    coefficients: [Double], referenceEnergies: [Double], selection: Selection,
    cache: some FactorCache, threads: Int = 1, load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> [FactorError] {
    let along = coefficients + referenceEnergies + [-1]
    precondition(along.count == layout.columns, "the model fits the layout")
    let kinds = sources.flatMap { $0.keys }.map { RowKey(block: 0, group: $0.group, kind: $0.kind) }
    let wanted = Set(kinds).sorted().filter {
      selection.weights.multiplier(group: $0.group, kind: $0.kind) > 0
    }
    let errors = try concurrentMap(wanted.count, threads: threads) { index -> FactorError? in
      let key = wanted[index]
      let only = Selection(
        weights: .only(group: key.group, kind: key.kind), multiplicity: selection.multiplicity)
      let factor = try factor(only, cache: cache, load: load)
      guard factor.rowCount > 0 else { return nil }
      let mean = factor.squaredNorm(along: along) / Double(factor.rowCount)
      return FactorError(
        group: key.group, kind: key.kind, rows: factor.rowCount, rootMeanSquare: mean.squareRoot())
    }
    return errors.compactMap { $0 }
  }
}

/// What one leaf of a source says of a model.
public struct LeafError: Sendable, Equatable {
  public var key: RowKey
  public var rows: Int
  /// Σ of squared residuals in units of the rows (eV²/atom, eV²/Å²).
  public var residualSquares: Double
  /// For energies: Σ of squared residuals per atom, (eV/atom)²; nil where configurations of different
  /// sizes share the leaf, and for other kinds.
  public var perAtomSquares: Double?
}

extension SourceFactors {
  /// Unweighted squared residuals of a model over each leaf, in key order.
  public func errors(coefficients: [Double], referenceEnergies: [Double]) -> [LeafError] {
    let along = coefficients + referenceEnergies + [-1]
    precondition(along.count == layout.columns, "the model fits the layout")
    return leaves.map { leaf in
      let squares = leaf.factor.squaredNorm(along: along)
      let isUniform = leaf.statistics.fewestAtoms == leaf.statistics.mostAtoms
      return LeafError(
        key: leaf.key, rows: leaf.statistics.rows, residualSquares: squares,
        perAtomSquares: leaf.key.kind == .energy && isUniform
          ? squares / Double(leaf.statistics.mostAtoms) : nil)
    }
  }
}
