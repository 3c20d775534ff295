import LinearAlgebra

/// The lowest energies of a data set by composition, and the convex hull below them.
///
/// Lowest energies are rounded down to sixteenths of an eV/atom: a new source that lowers one by less changes
/// no weight, so that nothing has to be merged again for it.
public struct GroundState: Sendable, Equatable {
  public let elements: Int
  /// eV/atom, by numbers of atoms without a common divisor.
  private var lowest: [[Int]: Double] = [:]

  public init(elements: Int) {
    precondition(elements > 0, "at least one element")
    self.elements = elements
  }

  /// - Parameters:
  ///   - composition: atoms of each element, shape [elements], at least one.
  ///   - energyPerAtom: eV.
  public mutating func add(composition: [Int], energyPerAtom: Double) {
    precondition(composition.count == elements && composition.contains { $0 > 0 }, "atoms of the elements")
    let rounded = (energyPerAtom * 16).rounded(.down) / 16
    lowest.merge([Self.reduced(composition): rounded], uniquingKeysWith: min)
  }

  /// The lowest energy of this composition, eV/atom; nil where it does not occur.
  public func lowestEnergy(of composition: [Int]) -> Double? { lowest[Self.reduced(composition)] }

  /// The energy of the hull at each composition that occurs, eV/atom.
  public func hull() -> Hull { Hull(self) }

  fileprivate static func reduced(_ composition: [Int]) -> [Int] {
    var divisor = 0
    for count in composition {
      var (a, b) = (divisor, count)
      while b != 0 { (a, b) = (b, a % b) }
      divisor = a
    }
    return composition.map { $0 / max(1, divisor) }
  }

  /// The lower convex hull over composition: min Σ λ_i E_i with Σ λ_i x_i = x, λ >= 0, at every x that
  /// occurs, by the simplex method. Facets are kept, so each is found once.
  public struct Hull: Sendable {
    private let energies: [[Int]: Double]

    /// nil where the composition does not occur.
    public func energy(of composition: [Int]) -> Double? { energies[GroundState.reduced(composition)] }

    fileprivate init(_ state: GroundState) {
      let points = state.lowest.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      var search = FacetSearch(
        fractions: points.map { point in
          let atoms = Double(point.key.reduce(0, +))
          return point.key.map { Double($0) / atoms }
        }, energies: points.map(\.value))
      var energies: [[Int]: Double] = [:]
      for (index, point) in points.enumerated() { energies[point.key] = search.energy(at: index) }
      self.energies = energies
    }
  }
}

/// Facets of the hull under points, each found once.
private struct FacetSearch {
  private struct Facet {
    /// Inverse of the matrix whose columns are the corners' fractions.
    let inverse: Matrix
    /// Chemical potentials μ, eV: the facet's energy at x is μ·x.
    let potentials: [Double]
  }

  private static let tolerance = 1e-9
  private let fractions: [[Double]]
  private let energies: [Double]
  private let elements: Int
  private var facets: [Facet] = []

  /// The elements themselves, far above everything, come first: a start from which every point is reached.
  init(fractions: [[Double]], energies: [Double]) {
    let count = fractions.first?.count ?? 0
    let ceiling = (energies.max() ?? 0) + 1e4
    let corners = (0..<count).map { k in (0..<count).map { $0 == k ? 1.0 : 0 } }
    elements = count
    self.fractions = corners + fractions
    self.energies = Array(repeating: ceiling, count: count) + energies
  }

  mutating func energy(at index: Int) -> Double {
    let x = fractions[elements + index]
    if let known = facets.first(where: { $0.inverse.times(x).allSatisfy { $0 >= -Self.tolerance } }) {
      return value(known, x, index)
    }
    let facet = search(x)
    facets.append(facet)
    return value(facet, x, index)
  }

  /// Never above the point itself, whatever the rounding.
  private func value(_ facet: Facet, _ x: [Double], _ index: Int) -> Double {
    min(energies[elements + index], zip(facet.potentials, x).reduce(0) { $0 + $1.0 * $1.1 })
  }

  private func facet(_ corners: [Int]) -> Facet? {
    var matrix = Matrix(rows: elements, columns: elements)
    for (column, corner) in corners.enumerated() {
      for k in 0..<elements { matrix[k, column] = fractions[corner][k] }
    }
    guard let inverse = try? matrix.inverse() else { return nil }
    return Facet(inverse: inverse, potentials: inverse.transposedTimes(corners.map { energies[$0] }))
  }

  /// Bland's rule: the first point below the facet comes in, the first corner that blocks goes out.
  private func search(_ x: [Double]) -> Facet {
    var corners = Array(0..<elements)
    var current = facet(corners)!
    while true {
      let below = fractions.indices.first { point in
        let height = zip(current.potentials, fractions[point]).reduce(energies[point]) { $0 - $1.0 * $1.1 }
        return height < -Self.tolerance && !corners.contains(point)
      }
      guard let below else { return current }
      let shares = current.inverse.times(x)
      let change = current.inverse.times(fractions[below])
      var leaving: Int?
      var least = Double.infinity
      for k in corners.indices where change[k] > 1e-7 {
        let ratio = max(0, shares[k]) / change[k]
        if ratio < least - Self.tolerance || (ratio < least + Self.tolerance && corners[k] < corners[leaving!]) {
          (least, leaving) = (min(least, ratio), k)
        }
      }
      guard let leaving else { return current }
      var next = corners
      next[leaving] = below
      guard let better = facet(next) else { return current }
      (corners, current) = (next, better)
    }
  }
}
