// Positions and a cell come in, every pair of atoms within a cutoff goes out.

/// A pair list that cannot be made.
public enum NeighborListError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The cutoff is not a positive finite number of Å.
  case invalidCutoff(Double)
  case positionNotFinite(atom: Int)
  /// Periodic lattice vectors that are linearly dependent, zero or not finite.
  case singularCell
  /// The cell is so thin that more periodic images than can be visited lie within the cutoff.
  case cellTooThin(images: Double)
  /// Atoms so close together that no material can be meant.
  case tooManyNeighbors(atom: Int, limit: Int)
  /// More pairs in all than memory should be spent on.
  case tooManyPairs(limit: Int)

  public var description: String {
    switch self {
    case .invalidCutoff(let cutoff): "the cutoff must be positive and finite, not \(cutoff) Å"
    case .positionNotFinite(let atom): "the position of atom \(atom) is not finite"
    case .singularCell: "the periodic lattice vectors are linearly dependent or not finite"
    case .cellTooThin(let images): "the cell is too thin: \(images) images lie within the cutoff"
    case .tooManyNeighbors(let atom, let limit):
      "atom \(atom) has more than \(limit) neighbours within the cutoff"
    case .tooManyPairs(let limit): "more than \(limit) pairs lie within the cutoff"
    }
  }
}

/// For each atom of a configuration, all atoms and periodic images closer than a cutoff, itself
/// excluded. Both directions of a pair are listed. Order: central atom, then neighbour index, then
/// image, so that sums over it never depend on how it was found.
public struct NeighborList: Sendable {
  /// Forty bytes: lists of large cells are long. Displacement, image, index, as the kernels of ACE read it.
  public struct Neighbor: Sendable, Equatable {
    @usableFromInline let x: Double
    @usableFromInline let y: Double
    @usableFromInline let z: Double
    private let imageX: Int32
    private let imageY: Int32
    private let imageZ: Int32
    /// Index of the neighbour in the configuration.
    public let index: Int32

    package init(displacement: Vector3, image: SIMD3<Int32>, index: Int32) {
      (x, y, z) = (displacement.x, displacement.y, displacement.z)
      (imageX, imageY, imageZ) = (image.x, image.y, image.z)
      self.index = index
    }

    /// Position of the neighbour's image minus position of the central atom, Å. The reverse pair
    /// holds exactly the negative.
    @inlinable public var displacement: Vector3 { Vector3(x, y, z) }

    /// Lattice translations added to the neighbour's position as given (atoms outside the cell are
    /// not wrapped); zero along directions that do not repeat.
    public var image: SIMD3<Int32> { SIMD3(imageX, imageY, imageZ) }

    /// Å.
    @inlinable public var distance: Double { (x * x + y * y + z * z).squareRoot() }
  }

  /// Å; a pair is listed when its distance is strictly less.
  public let cutoff: Double
  /// Neighbours of atom i are `neighbors[offsets[i]..<offsets[i + 1]]`; shape [atoms + 1].
  public let offsets: [Int]
  public let neighbors: [Neighbor]

  public var atomCount: Int { offsets.count - 1 }

  public subscript(atom: Int) -> ArraySlice<Neighbor> {
    neighbors[offsets[atom]..<offsets[atom + 1]]
  }

  /// More neighbours than this of one atom, or images of one cell, are refused by default.
  public static let defaultLimit = 50_000

  /// Pairs of all atoms together that a list may hold: 4 GB.
  static let largestTotal = 100_000_000

  /// Finds all pairs in a time proportional to the number of atoms (at given density).
  /// Works for any handedness and skew, cells thinner than the cutoff, cells that repeat in some
  /// directions only (vectors of the others may be anything, even zero) and free clusters.
  /// `threads`: at most so many share the work on a large structure; the list does not depend on them.
  public init(
    _ configuration: Configuration, cutoff: Double, limit: Int = NeighborList.defaultLimit, threads: Int = 1
  ) throws(NeighborListError) {
    guard cutoff.isFinite, cutoff > 0 else { throw .invalidCutoff(cutoff) }
    for (atom, p) in configuration.positions.enumerated() {
      // 1e9 Å also keeps every later conversion to an integer in range.
      guard abs(p.x) < 1e9, abs(p.y) < 1e9, abs(p.z) < 1e9 else {
        throw .positionNotFinite(atom: atom)
      }
    }
    let frame = try BinningFrame(configuration.cell)
    let bins = try AtomBins(configuration.positions, frame: frame, cutoff: cutoff, limit: limit)
    self.cutoff = cutoff
    (offsets, neighbors) = try bins.pairs(cutoff: cutoff, limit: limit, threads: threads)
  }
}
