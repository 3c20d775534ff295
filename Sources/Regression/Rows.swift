import LinearAlgebra

/// The label that a row is about.
public enum RowKind: String, Sendable, Codable, CaseIterable, Comparable {
  /// One row per configuration: totals divided by √N.
  case energy
  /// Three rows per atom, eV/Å.
  case force
  /// Six rows per configuration (xx yy zz yz xz xy): dE/dstrain = V · stress, divided by √N.
  case stress

  public static func < (a: RowKind, b: RowKind) -> Bool {
    a.order < b.order
  }

  private var order: Int {
    switch self {
    case .energy: 0
    case .force: 1
    case .stress: 2
    }
  }
}

/// What rows of a source are kept apart by, so that any weights can be applied to them later.
public struct RowKey: Hashable, Comparable, Sendable, Codable {
  /// Index of the set of statistically independent units within the source.
  public var block: Int
  /// The user's label (`config_type`, folder).
  public var group: String
  public var kind: RowKind
  /// How far above the source's own lowest energies the frames lie (see `EnergyLevel`): the grain of
  /// weights by energy.
  public var level: Int
  /// Atoms of each frame, for energies and stresses, which are divided by its root; 0 where frames of
  /// different sizes share a factor.
  public var atoms: Int

  public init(block: Int, group: String, kind: RowKind, level: Int = 0, atoms: Int = 0) {
    self.block = block
    self.group = group
    self.kind = kind
    self.level = level
    self.atoms = atoms
  }

  public static func < (a: RowKey, b: RowKey) -> Bool {
    if a.block != b.block { return a.block < b.block }
    if a.group != b.group { return a.group.utf8.lexicographicallyPrecedes(b.group.utf8) }
    return (a.kind, a.level, a.atoms) < (b.kind, b.level, b.atoms)
  }
}

/// The columns of every row: [basis functions, all elements' blocks | atoms per element | target].
public struct ColumnLayout: Hashable, Sendable, Codable {
  public var basis: Int
  public var elements: Int

  public init(basis: Int, elements: Int) {
    precondition(basis > 0 && elements > 0, "a basis and at least one element")
    self.basis = basis
    self.elements = elements
  }

  public var columns: Int { basis + elements + 1 }

  /// The energy row of a configuration, shape [1][columns].
  /// - Parameters:
  ///   - basisSums: Σ_i B_v(i), shape [basis].
  ///   - composition: atoms of each element, shape [elements].
  ///   - energy: total, eV.
  public func energyRow(basisSums: [Double], composition: [Int], energy: Double) -> Matrix {
    precondition(basisSums.count == basis && composition.count == elements, "one entry per column")
    let scale = 1 / Double(composition.reduce(0, +)).squareRoot()
    let row =
      basisSums.map { $0 * scale } + composition.map { Double($0) * scale } + [energy * scale]
    return Matrix(rows: 1, columns: columns, storage: row)
  }

  /// The force rows of a configuration, shape [3 atoms][columns].
  /// - Parameters:
  ///   - basis: -d(Σ_i B_v(i))/dr, shape [3 atoms][basis], atoms slowest.
  ///   - forces: eV/Å, shape [3 atoms].
  public func forceRows(basis rows: Matrix, forces: [Double]) -> Matrix {
    withoutComposition(rows, targets: forces, scale: 1)
  }

  /// The stress rows of a configuration, shape [6][columns].
  /// - Parameters:
  ///   - basis: d(Σ_i B_v(i))/dstrain in the order xx yy zz yz xz xy, shape [6][basis].
  ///   - stress: eV/Å³, tension positive, the same order, shape [6].
  ///   - volume: of the cell, Å³.
  ///   - atoms: number of atoms.
  public func stressRows(basis rows: Matrix, stress: [Double], volume: Double, atoms: Int) -> Matrix {
    withoutComposition(
      rows, targets: stress.map { $0 * volume }, scale: 1 / Double(atoms).squareRoot())
  }

  private func withoutComposition(_ rows: Matrix, targets: [Double], scale: Double) -> Matrix {
    precondition(rows.columns == basis && rows.rows == targets.count, "one target per row")
    var storage: [Double] = []
    storage.reserveCapacity(rows.rows * columns)
    for i in 0..<rows.rows {
      for value in rows.storage[i * basis..<(i + 1) * basis] { storage.append(value * scale) }
      for _ in 0..<elements { storage.append(0) }
      storage.append(targets[i] * scale)
    }
    return Matrix(rows: rows.rows, columns: columns, storage: storage)
  }
}
