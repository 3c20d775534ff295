import LinearAlgebra
import Platform

/// The block, in `0..<blocks`, of a statistically independent unit (a run, or a frame of a file of
/// independent frames): a function of the unit's content alone.
public func blockIndex(unit: Digest, blocks: Int) -> Int {
  precondition(blocks > 0, "at least one block")
  return Int(unit.leadingBits.multipliedFullWidth(by: UInt64(blocks)).high)
}

/// What one source is reduced to: one unweighted factor for each block, group and kind of label, so
/// that any weights, held-out blocks and resampling can be applied later without features.
public struct SourceFactors: Sendable, Equatable {
  /// The rows of one block, group and kind.
  public struct Leaf: Sendable, Equatable {
    public let key: RowKey
    public let factor: TriangularFactor
    public let statistics: LeafStatistics
  }

  public let layout: ColumnLayout
  /// In ascending order of their keys; none is empty.
  public let leaves: [Leaf]

  package init(layout: ColumnLayout, leaves: [Leaf]) {
    self.layout = layout
    self.leaves = leaves
  }

  /// The digest of all bits of all factors.
  public var digest: Digest {
    var builder = DigestBuilder()
    builder.add("source factors 1")
    builder.add(layout.basis)
    builder.add(layout.elements)
    for leaf in leaves {
      builder.add(leaf.key.block)
      builder.add(leaf.key.group)
      builder.add(leaf.key.kind.rawValue)
      builder.add(leaf.key.level)
      builder.add(leaf.key.atoms)
      leaf.statistics.add(to: &builder)
      builder.add(leaf.factor.rowCount)
      builder.add(leaf.factor.matrix.storage)
    }
    return builder.finish()
  }
}

/// Counts that a factor alone does not tell.
public struct LeafStatistics: Sendable, Equatable, Codable {
  /// Configurations that gave rows.
  public var frames: Int
  public var rows: Int
  /// Smallest and largest number of atoms of a configuration.
  public var fewestAtoms: Int
  public var mostAtoms: Int
  /// Σ over rows of the squared frame multiplier; equals `rows` where no frame was weighted down.
  public var weightSquares: Double
  /// Σ over rows of the squared target as it stands in the row.
  public var targetSquares: Double

  package func add(to builder: inout DigestBuilder) {
    for number in [frames, rows, fewestAtoms, mostAtoms] { builder.add(number) }
    builder.add(weightSquares)
    builder.add(targetSquares)
  }
}

/// Rows of one source come in, frame by frame, its factors go out. Memory stays at about two triangles
/// for each block, group and kind.
public struct SourceFactorsBuilder {
  private struct Pending {
    var reducer: RowReducer
    var statistics: LeafStatistics
  }

  private let layout: ColumnLayout
  private var pending: [RowKey: Pending] = [:]

  public init(layout: ColumnLayout) { self.layout = layout }

  /// Adds the rows of one kind that one configuration gives, shape [any][layout.columns], as
  /// `ColumnLayout` makes them. A label that is missing adds nothing.
  /// - Parameters:
  ///   - atoms: number of atoms of the configuration.
  ///   - multiplier: what all its rows are multiplied by for good; 0 leaves them out.
  ///   - continues: whether they belong to the frame of the rows appended last, which is not counted again.
  public mutating func append(
    _ rows: Matrix, key: RowKey, atoms: Int, multiplier: Double = 1, continues: Bool = false
  ) throws(RegressionError) {
    precondition(rows.columns == layout.columns, "rows of the layout's width")
    precondition(multiplier >= 0 && multiplier < 1e50 && atoms > 0, "atoms, and a sane multiplier")
    guard rows.rows > 0, multiplier > 0 else { return }
    var scaled = rows
    var isFinite = true
    scaled.storage.withUnsafeMutableBufferPointer { values in
      for i in values.indices {
        values[i] *= multiplier
        isFinite = isFinite && abs(values[i]) < 1e100  // so that squares are finite, too
      }
    }
    guard isFinite else { throw .notFinite(group: key.group, kind: key.kind) }
    var entry =
      pending.removeValue(forKey: key)
      ?? Pending(
        reducer: RowReducer(columns: layout.columns),
        statistics: LeafStatistics(
          frames: 0, rows: 0, fewestAtoms: atoms, mostAtoms: atoms, weightSquares: 0,
          targetSquares: 0))
    entry.reducer.append(scaled)
    entry.statistics.frames += continues ? 0 : 1
    entry.statistics.rows += rows.rows
    entry.statistics.fewestAtoms = min(entry.statistics.fewestAtoms, atoms)
    entry.statistics.mostAtoms = max(entry.statistics.mostAtoms, atoms)
    entry.statistics.weightSquares += Double(rows.rows) * multiplier * multiplier
    for i in 0..<scaled.rows {
      let target = scaled[i, layout.columns - 1]
      entry.statistics.targetSquares += target * target
    }
    pending[key] = entry
  }

  public consuming func finish() -> SourceFactors {
    let leaves = pending.sorted { $0.key < $1.key }.map { key, entry in
      SourceFactors.Leaf(key: key, factor: entry.reducer.finish(), statistics: entry.statistics)
    }
    return SourceFactors(layout: layout, leaves: leaves)
  }
}
