// An atom's neighbours come in, a short list of numbers that no rotation changes goes out.

/// A cheap description of an atom's surroundings, for telling whether two of them are alike.
///
/// For each element Z of the neighbours and each of six radial windows k, three numbers: the weight of the
/// neighbours there, and how uneven they are in the first and second order,
///
///     a = sum_j w_k(r_j),   b = |sum_j w_k(r_j) u_j|,   c = sqrt(3/2) |sum_j w_k(r_j) (u_j u_j' - 1/3)|
///
/// with r_j and u_j the distance and direction of neighbour j, w_k(r) = (1 - ((r - k h) / 2h)²)² (1 - (r/R)²)² for
/// |r - k h| < 2h, else 0; h = R/6, k = 1…6, R = 5 Å. These are the roots of the atomic cluster
/// expansion's invariants with l = 0, 1, 2 and equal radial functions, up to constants (Drautz 2019,
/// doi:10.1103/PhysRevB.99.014104): they change in proportion to small displacements.
///
/// The distance of two atoms of one element is |a - b| / max(|a|, |b|): 0 for equal surroundings, at most √2, as
/// no number is negative; it has no unit. Surroundings of different elements are never compared.
public enum EnvironmentDescriptor {
  /// R, Å.
  public static let cutoff = 5.0
  static let windows = 6
  /// Numbers per element of the neighbours.
  static let blockLength = 3 * windows
  /// Two distances are always below or equal to this.
  public static let largestDistance = 2.0.squareRoot()

  /// Descriptors of all atoms, one block per element in the order of `elements`, which holds all of the
  /// configuration's. Shape [atoms][elements * 18].
  public static func descriptors(
    of configuration: Configuration, elements: [Element]
  ) throws(NeighborListError) -> [[Double]] {
    let neighbors = try NeighborList(configuration, cutoff: cutoff)
    let places = Dictionary(uniqueKeysWithValues: elements.enumerated().map { ($1, $0) })
    let place = configuration.species.map { places[$0]! }
    let width = cutoff / Double(windows)
    var moments = [Moments](repeating: Moments(), count: elements.count * windows)
    return (0..<configuration.count).map { atom in
      for index in moments.indices { moments[index] = Moments() }
      for neighbor in neighbors[atom] {
        let r = neighbor.distance
        // Atoms on top of each other have no direction; their weight is that of the smallest distance.
        let direction = r > 0 ? (1 / r) * neighbor.displacement : Vector3(0, 0, 0)
        let smooth = 1 - (r / cutoff) * (r / cutoff)
        for k in 0..<windows {
          let offset = (r - Double(k + 1) * width) / (2 * width)
          guard abs(offset) < 1 else { continue }
          let bump = 1 - offset * offset
          moments[place[Int(neighbor.index)] * windows + k].add(bump * bump * smooth * smooth, direction)
        }
      }
      return moments.flatMap(\.invariants)
    }
  }

  /// Sums over neighbours within one window.
  private struct Moments {
    var weight = 0.0
    var vector = Vector3(0, 0, 0)
    /// xx, yy, zz, and xy, yz, zx.
    var diagonal = Vector3(0, 0, 0)
    var mixed = Vector3(0, 0, 0)

    mutating func add(_ w: Double, _ u: Vector3) {
      weight += w
      vector = vector + w * u
      diagonal = diagonal + w * Vector3(u.x * u.x, u.y * u.y, u.z * u.z)
      mixed = mixed + w * Vector3(u.x * u.y, u.y * u.z, u.z * u.x)
    }

    var invariants: [Double] {
      let trace = (diagonal.x + diagonal.y + diagonal.z) / 3
      let uneven = diagonal - Vector3(trace, trace, trace)
      return [weight, length(vector), (1.5 * squared(uneven) + 3 * squared(mixed)).squareRoot()]
    }
  }
}

private func squared(_ v: Vector3) -> Double { v.x * v.x + v.y * v.y + v.z * v.z }

/// Surroundings that were met in a trajectory, thinned so that no two of one element are closer than a distance.
///
/// A configuration is new where one of its atoms is farther than the distance from all that are known. Then
/// those of its atoms that are, one after the other, become known too. So the known ones never outnumber the
/// balls of that radius that the surroundings of the trajectory fill, whatever its length; where even these are too
/// many for the memory, the oldest are forgotten, and a return to them counts as new.
package struct KnownEnvironments {
  private let threshold: Double
  /// Numbers that may be kept for an element: 8 MB.
  private let capacity: Int
  /// In order of their first appearance, so that a new one only adds a block.
  private var elements: [Element] = []
  private var known: [Element: Pool] = [:]
  /// For each atom of the last configuration, which known one was near: often it still is.
  private var hints: [Int] = []

  private struct Pool {
    var rows: [[Double]] = []
    var squares: [Double] = []
    /// Where the next one goes once all room is taken.
    var oldest = 0
  }

  package init(distance: Double, capacity: Int = 1 << 20) {
    threshold = distance * distance
    self.capacity = capacity
  }

  /// How many are known.
  package var count: Int { known.values.reduce(0) { $0 + $1.rows.count } }

  /// Whether the configuration is new; nil where its atoms have no neighbour list.
  package mutating func isNew(_ configuration: Configuration) -> Bool? {
    var all = elements
    for element in configuration.species where !all.contains(element) { all.append(element) }
    guard let rows = try? EnvironmentDescriptor.descriptors(of: configuration, elements: all) else { return nil }
    if all.count > elements.count { widen(to: all) }
    if hints.count != rows.count { hints = [Int](repeating: 0, count: rows.count) }
    var isNew = false
    for (atom, row) in rows.enumerated() {
      let square = row.reduce(0) { $0 + $1 * $1 }
      let element = configuration.species[atom]
      if let near = nearOne(row, square, element, hint: hints[atom]) {
        hints[atom] = near
      } else {
        isNew = true
        hints[atom] = add(row, square, element)
      }
    }
    return isNew
  }

  /// An element that was not met before: nothing known had it for a neighbour.
  private mutating func widen(to all: [Element]) {
    let zeros = [Double](repeating: 0, count: (all.count - elements.count) * EnvironmentDescriptor.blockLength)
    for element in elements {
      guard var pool = known.removeValue(forKey: element) else { continue }
      for index in pool.rows.indices { pool.rows[index] += zeros }
      known[element] = pool
    }
    elements = all
  }

  private func nearOne(_ row: [Double], _ square: Double, _ element: Element, hint: Int) -> Int? {
    guard let pool = known[element] else { return nil }
    if hint < pool.rows.count, isNear(row, square, pool.rows[hint], pool.squares[hint]) { return hint }
    return pool.rows.indices.first { isNear(row, square, pool.rows[$0], pool.squares[$0]) }
  }

  private func isNear(_ a: [Double], _ aa: Double, _ b: [Double], _ bb: Double) -> Bool {
    let limit = threshold * max(aa, bb)
    var sum = 0.0
    for index in a.indices {
      let difference = a[index] - b[index]
      sum += difference * difference
      if sum > limit { return false }
    }
    return true
  }

  private mutating func add(_ row: [Double], _ square: Double, _ element: Element) -> Int {
    let room = max(1, capacity / max(1, row.count))
    var pool = known.removeValue(forKey: element) ?? Pool()
    defer { known[element] = pool }
    guard pool.rows.count >= room else {
      pool.rows.append(row)
      pool.squares.append(square)
      return pool.rows.count - 1
    }
    let place = pool.oldest % room
    pool.rows[place] = row
    pool.squares[place] = square
    pool.oldest = place + 1
    return place
  }
}
