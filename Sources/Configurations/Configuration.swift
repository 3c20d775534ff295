// The one model of atoms in a cell that every reader makes and every stage takes.

/// Lattice vectors and the directions in which the cell repeats.
public struct Cell: Sendable, Hashable {
  /// Rows are lattice vectors, Å.
  public var vectors: Matrix3
  /// Whether the structure repeats along each lattice vector.
  public var periodic: Periodicity

  public init(vectors: Matrix3, periodic: Periodicity = .all) {
    self.vectors = vectors
    self.periodic = periodic
  }

  /// Å³, positive whatever the handedness.
  public var volume: Double { abs(vectors.determinant) }
}

/// Which of the three lattice directions repeat.
public struct Periodicity: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let x = Periodicity(rawValue: 1)
  public static let y = Periodicity(rawValue: 2)
  public static let z = Periodicity(rawValue: 4)
  public static let all: Periodicity = [.x, .y, .z]

  public func contains(direction: Int) -> Bool { rawValue >> UInt8(direction) & 1 == 1 }
}

/// Atoms in a cell, the labels that a calculation gave them, and where they came from.
public struct Configuration: Sendable, Equatable {
  /// Shape [atoms].
  public var species: [Element]
  /// Cartesian, Å, shape [atoms].
  public var positions: [Vector3]
  /// nil for a free cluster.
  public var cell: Cell?
  public var labels: Labels
  public var provenance: Provenance
  /// What else the source said of this frame (`config_type`, magnetic moments…), by key.
  public var properties: [String: PropertyValue]

  public init(
    species: [Element], positions: [Vector3], cell: Cell?, labels: Labels = Labels(),
    provenance: Provenance = Provenance(), properties: [String: PropertyValue] = [:]
  ) {
    precondition(species.count == positions.count, "one position per atom")
    self.species = species
    self.positions = positions
    self.cell = cell
    self.labels = labels
    self.provenance = provenance
    self.properties = properties
  }

  public var count: Int { species.count }

  /// The chemical formula with elements in alphabetical order of their symbols: "Al2Ti6".
  public var formula: String {
    var counts: [String: Int] = [:]
    for element in species { counts[element.symbol, default: 0] += 1 }
    return counts.sorted { $0.key < $1.key }.map { $1 == 1 ? $0 : "\($0)\($1)" }.joined()
  }
}

/// What a calculation says of a configuration. A label that was not given is nil, never zero.
public struct Labels: Sendable, Equatable {
  /// Force-consistent free energy of the cell (VASP's TOTEN), eV.
  public var energy: Double?
  /// Energy without electronic entropy, eV.
  public var energyWithoutEntropy: Double?
  /// Energy extrapolated to zero smearing width, eV.
  public var energySigmaZero: Double?
  /// eV/Å, shape [atoms].
  public var forces: [Vector3]?
  /// eV/Å³, tension positive (ASE's sign; VASP's is the opposite).
  public var stress: Matrix3?
  /// Whether the electronic loop reached its criterion before NELM; nil where the source does not say.
  public var electronicallyConverged: Bool?
  /// True where a machine-learned force field, not the electronic structure, gave the labels.
  public var machineLearned: Bool

  public init(
    energy: Double? = nil, energyWithoutEntropy: Double? = nil, energySigmaZero: Double? = nil,
    forces: [Vector3]? = nil, stress: Matrix3? = nil, electronicallyConverged: Bool? = nil,
    machineLearned: Bool = false
  ) {
    self.energy = energy
    self.energyWithoutEntropy = energyWithoutEntropy
    self.energySigmaZero = energySigmaZero
    self.forces = forces
    self.stress = stress
    self.electronicallyConverged = electronicallyConverged
    self.machineLearned = machineLearned
  }
}

/// Where a configuration came from.
public struct Provenance: Sendable, Equatable {
  /// The input as the user named it, with the archive member behind it: "runs.tar.gz/a/OUTCAR".
  public var source: String
  /// Index of the ionic step within its run, or of the frame within its file; from 0.
  public var ionicStep: Int
  /// The user's label for what this is part of (`config_type`, or the folder it was dropped in).
  public var group: String?

  public init(source: String = "", ionicStep: Int = 0, group: String? = nil) {
    self.source = source
    self.ionicStep = ionicStep
    self.group = group
  }
}

/// A value of an extra property, as extended XYZ can hold it.
public enum PropertyValue: Sendable, Equatable {
  case text(String)
  case integer(Int)
  case real(Double)
  case logical(Bool)
  /// A per-frame array, or a per-atom one of shape [atoms][columns] (then `columns` > 0 and the key
  /// becomes a column block of the file).
  case reals([Double])
  case perAtomReals([Double], columns: Int)
  case perAtomIntegers([Int], columns: Int)
  case perAtomText([String], columns: Int)
  case perAtomLogicals([Bool], columns: Int)

  var isPerAtom: Bool {
    switch self {
    case .perAtomReals, .perAtomIntegers, .perAtomText, .perAtomLogicals: true
    case .text, .integer, .real, .logical, .reals: false
    }
  }
}
