import Platform

/// What lies in a `features` artifact (its part `index.json`). Beside it, for each element X that the
/// source holds: `environments-X.npy`, B rows of shape [rows][functions], `sites-X.npy`, int32 of shape
/// [rows][2]: position in `frames` and atom; `factors.npz`, the triangular factors; and
/// `basis.json`, the basis specification.
public struct FeatureIndex: Sendable, Codable, Equatable {
  /// One configuration that was featurized.
  public struct Frame: Sendable, Codable, Equatable {
    /// Index within the source's `configurations.extxyz`.
    public var frame: Int
    public var ionicStep: Int
    public var atoms: Int
    public var group: String
    /// Set of statistically independent units that it belongs to, or a stretch of a long run; the grain of
    /// bootstraps.
    public var block: Int
    /// Blocks of one run are not independent of each other; nil for a block that depends on no other.
    public var run: Int?
    /// Class of its energy above the source's own lowest, or that of isolated atoms: with block and group the
    /// grain of weights.
    public var level: Int
    /// Atoms of each of the pipeline's elements, in their order.
    public var composition: [Int]
    /// eV; nil where there is none.
    public var energyPerAtom: Double?

    public init(
      frame: Int, ionicStep: Int, atoms: Int, group: String, block: Int, run: Int? = nil, level: Int,
      composition: [Int],
      energyPerAtom: Double?
    ) {
      self.frame = frame
      self.ionicStep = ionicStep
      self.atoms = atoms
      self.group = group
      self.block = block
      self.run = run
      self.level = level
      self.composition = composition
      self.energyPerAtom = energyPerAtom
    }
  }

  /// B rows of one element.
  public struct Environments: Sendable, Codable, Equatable {
    public var element: String
    public var rows: Int
    public var functions: Int

    public init(element: String, rows: Int, functions: Int) {
      self.element = element
      self.rows = rows
      self.functions = functions
    }
  }

  public var frames: [Frame]
  public var environments: [Environments]
  /// Of the encoded basis specification: equal for features that may be mixed.
  public var basis: Digest
  /// How near atoms of each pair of elements ("Al-Ti") come in these frames, Å.
  public var shortestDistances: [String: Double]
  /// The largest core repulsion that an atom of each element feels in these frames, eV; what rows were
  /// made of has the repulsion subtracted. Empty without one.
  public var coreEnergies: [String: Double]
  /// The lowest energy of a lone atom of each element in these frames, eV.
  public var isolatedAtoms: [String: Double]

  public init(
    frames: [Frame], environments: [Environments], basis: Digest, shortestDistances: [String: Double],
    coreEnergies: [String: Double] = [:], isolatedAtoms: [String: Double] = [:]
  ) {
    self.frames = frames
    self.environments = environments
    self.basis = basis
    self.shortestDistances = shortestDistances
    self.coreEnergies = coreEnergies
    self.isolatedAtoms = isolatedAtoms
  }

  public static func environmentsPart(_ element: String) -> String { "environments-\(element).npy" }
  public static func sitesPart(_ element: String) -> String { "sites-\(element).npy" }
  /// Blocks that a file of independent frames is divided into; stretches of long runs are numbered on from here.
  public static let blocks = 10
  /// Distances beyond this are not short, Å.
  public static let shortDistance = 4.0
}
