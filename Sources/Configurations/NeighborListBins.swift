/// Lattice vectors completed to a basis: directions that do not repeat get unit vectors
/// perpendicular to those that do.
struct BinningFrame {
  let vectors: Matrix3
  let inverse: Matrix3
  let periodic: SIMD3<Int32>
  /// Distance between the planes that bound the frame in each direction, Å.
  let heights: Vector3

  init(_ cell: Cell?) throws(NeighborListError) {
    var vectors = Matrix3.zero
    var directions: [Int] = []
    var periodic = SIMD3<Int32>.zero
    if let cell {
      for d in 0..<3 where cell.periodic.contains(direction: d) {
        vectors[d] = cell.vectors[d]
        periodic[d] = 1
        directions.append(d)
      }
    }
    for d in directions {
      guard length(vectors[d]).isFinite, length(vectors[d]) > 0 else { throw .singularCell }
    }
    let free = (0..<3).filter { !directions.contains($0) }
    switch directions.count {
    case 0:
      vectors = .identity
    case 1:
      let a = vectors[directions[0]] / length(vectors[directions[0]])
      let steepest = (0..<3).min { abs(a[$0]) < abs(a[$1]) }!
      var e = Vector3.zero
      e[steepest] = 1
      let b = cross(a, e) / length(cross(a, e))
      vectors[free[0]] = b
      vectors[free[1]] = cross(a, b)
    case 2:
      let normal = cross(vectors[directions[0]], vectors[directions[1]])
      guard length(normal) > 0 else { throw .singularCell }
      vectors[free[0]] = normal / length(normal)
    default: break
    }
    let volume = abs(vectors.determinant)
    let product = length(vectors.x) * length(vectors.y) * length(vectors.z)
    guard volume.isFinite, volume > 1e-10 * product, let inverse = vectors.inverse else {
      throw .singularCell
    }
    self.vectors = vectors
    self.inverse = inverse
    self.periodic = periodic
    self.heights = Vector3(
      volume / length(cross(vectors.y, vectors.z)), volume / length(cross(vectors.z, vectors.x)),
      volume / length(cross(vectors.x, vectors.y)))
  }
}

/// Atoms sorted into boxes about half as thick as the cutoff: few candidates that are too far away.
struct AtomBins {
  private let frame: BinningFrame
  private let positions: [Vector3]
  /// Lattice translations that bring each atom into the cell.
  private let wraps: [SIMD3<Int32>]
  private let wrapped: [Vector3]
  /// The largest coordinate as given, Å: what wrapping rounds by.
  private let largest: Double
  private let homes: [SIMD3<Int32>]
  private let counts: SIMD3<Int32>
  private let reach: SIMD3<Int32>
  private let starts: [Int]
  private let members: [Int32]
  /// Wrapped positions in the order of `members`.
  private let binned: [Vector3]

  init(_ positions: [Vector3], frame: BinningFrame, cutoff: Double, limit: Int)
    throws(NeighborListError)
  {
    self.positions = positions
    self.frame = frame
    var wraps: [SIMD3<Int32>] = []
    var fractional: [Vector3] = []
    var low = Vector3(repeating: .infinity)
    var high = Vector3(repeating: -.infinity)
    for position in positions {
      var s = position * frame.inverse
      var wrap = SIMD3<Int32>.zero
      for d in 0..<3 where frame.periodic[d] == 1 {
        let whole = s[d].rounded(.down)
        guard abs(whole) < 1e9 else { throw .singularCell }
        wrap[d] = Int32(-whole)
        s[d] -= whole
      }
      for d in 0..<3 {
        low[d] = min(low[d], s[d])
        high[d] = max(high[d], s[d])
      }
      wraps.append(wrap)
      fractional.append(s)
    }
    var spans = Vector3(repeating: 1)
    for d in 0..<3 {
      if frame.periodic[d] == 1 {
        low[d] = 0
      } else {
        spans[d] = positions.isEmpty ? 1 : max(high[d] - low[d], 1e-6)
      }
    }
    var counts = SIMD3<Int32>.one
    for d in 0..<3 {
      counts[d] = Int32(min(max((2 * spans[d] * frame.heights[d] / cutoff).rounded(.down), 1), 1e6))
    }
    while Double(counts.x) * Double(counts.y) * Double(counts.z) > Double(2 * positions.count + 8) {
      let largest = counts.x >= counts.y && counts.x >= counts.z ? 0 : counts.y >= counts.z ? 1 : 2
      counts[largest] = (counts[largest] + 1) / 2
    }
    var reach = SIMD3<Int32>.zero
    var images = 1.0
    for d in 0..<3 {
      // A hair more than the cutoff, so that rounding of fractional coordinates loses no pair.
      let steps = (cutoff / (frame.heights[d] * spans[d]) * Double(counts[d]) + 1e-9).rounded(.up)
      images *= frame.periodic[d] == 1 ? 2 * steps / Double(counts[d]) + 1 : 1
      guard images <= 64 * Double(limit) else { throw .cellTooThin(images: images) }
      reach[d] = frame.periodic[d] == 1 ? Int32(steps) : min(Int32(min(steps, 1e6)), counts[d] - 1)
    }
    var homes: [SIMD3<Int32>] = []
    for s in fractional {
      var home = SIMD3<Int32>.zero
      for d in 0..<3 {
        let place = ((s[d] - low[d]) / spans[d] * Double(counts[d])).rounded(.down)
        home[d] = min(max(Int32(place), 0), counts[d] - 1)
      }
      homes.append(home)
    }
    var starts = [Int](repeating: 0, count: Int(counts.x) * Int(counts.y) * Int(counts.z) + 1)
    func bin(_ home: SIMD3<Int32>) -> Int {
      (Int(home.x) * Int(counts.y) + Int(home.y)) * Int(counts.z) + Int(home.z)
    }
    for home in homes { starts[bin(home) + 1] += 1 }
    for b in 1..<starts.count { starts[b] += starts[b - 1] }
    var next = starts
    var members = [Int32](repeating: 0, count: positions.count)
    for (atom, home) in homes.enumerated() {
      members[next[bin(home)]] = Int32(atom)
      next[bin(home)] += 1
    }
    self.wraps = wraps
    largest = positions.reduce(0) { max($0, abs($1.x), abs($1.y), abs($1.z)) }
    let wrapped = zip(positions, wraps).map { $0 + Vector3($1) * frame.vectors }
    self.wrapped = wrapped
    self.binned = members.map { wrapped[Int($0)] }
    self.homes = homes
    self.counts = counts
    self.reach = reach
    self.starts = starts
    self.members = members
  }

  /// A pair as found: the image of the neighbour and its index. Sixteen bytes.
  private struct Found {
    private let packed: SIMD4<Int32>

    init(_ index: Int32, _ image: SIMD3<Int32>) { packed = SIMD4(image, index) }

    var image: SIMD3<Int32> { SIMD3(packed.x, packed.y, packed.z) }
    var index: Int { Int(packed.w) }
  }

  /// All pairs, in the order of the list. Each atom's neighbours are found box by box; handing every pair
  /// to its other atom, atoms in ascending order, sorts all lists without comparing anything.
  func pairs(
    cutoff: Double, limit: Int
  ) throws(NeighborListError) -> (offsets: [Int], neighbors: [NeighborList.Neighbor]) {
    var offsets = [0]
    offsets.reserveCapacity(positions.count + 1)
    var found: [Found] = []
    var hits: [Int32] = []
    for atom in positions.indices {
      try search(atom, cutoff, limit, &found, &hits)
      // The first atom's count is a fair guess of the others'.
      if atom == 0 { found.reserveCapacity(min(positions.count * (found.count + found.count / 8), 1 << 22)) }
      if found.count > NeighborList.largestTotal {
        throw .tooManyPairs(limit: NeighborList.largestTotal)
      }
      offsets.append(found.count)
    }
    return (offsets, handOver(found, offsets))
  }

  /// Appends the neighbours of one atom; those of one index come with ascending images.
  @inline(__always)
  private func search(
    _ atom: Int, _ cutoff: Double, _ limit: Int, _ found: inout [Found], _ hits: inout [Int32]
  ) throws(NeighborListError) {
    let home = homes[atom]
    let before = found.count
    for dx in -reach.x...reach.x {
      guard let (bx, ix) = box(home.x + dx, direction: 0) else { continue }
      for dy in -reach.y...reach.y {
        guard let (by, iy) = box(home.y + dy, direction: 1) else { continue }
        let row = (bx * Int(counts.y) + by) * Int(counts.z)
        var z = home.z - reach.z
        while z <= home.z + reach.z {
          guard let (bz, iz) = box(z, direction: 2) else {
            z += 1
            continue
          }
          // Boxes of one image that follow each other along z are one range of atoms.
          let run = min(Int(home.z + reach.z - z), Int(counts.z) - 1 - bz)
          let range = starts[row + bz]..<starts[row + bz + run + 1]
          append(atom, range, SIMD3(ix, iy, iz), cutoff, &found, &hits)
          if found.count - before > limit { throw .tooManyNeighbors(atom: atom, limit: limit) }
          z += Int32(run + 1)
        }
      }
    }
  }

  /// Pair i→j becomes the entry j→i. Entries of i are taken backwards, so that their opposite images
  /// ascend.
  private func handOver(_ found: [Found], _ offsets: [Int]) -> [NeighborList.Neighbor] {
    var places = offsets
    return [NeighborList.Neighbor](unsafeUninitializedCapacity: found.count) { list, count in
      places.withUnsafeMutableBufferPointer { next in
        for atom in positions.indices {
          let position = positions[atom]
          for pair in found[offsets[atom]..<offsets[atom + 1]].reversed() {
            let image = 0 &- pair.image
            let centre = pair.index
            // From the positions as given, so that i→j and j→i agree to the last bit.
            let displacement = (position - positions[centre]) + Vector3(image) * frame.vectors
            // Both sides of a pair are decided by the same numbers; this guards memory, not physics.
            precondition(next[centre] < offsets[centre + 1], "a pair found from one side only")
            list.initializeElement(
              at: next[centre], to: .init(displacement: displacement, image: image, index: Int32(atom)))
            next[centre] += 1
          }
        }
      }
      // Every pair was found from both sides, so every place is taken.
      count = found.count
    }
  }

  /// The box at a position of the endless grid and the image it belongs to; nil beyond the atoms
  /// along a direction that does not repeat.
  @inline(__always)
  private func box(_ place: Int32, direction d: Int) -> (Int, Int32)? {
    let count = counts[d]
    if place >= 0, place < count { return (Int(place), 0) }
    guard frame.periodic[d] == 1 else { return nil }
    let image = place >= 0 ? place / count : -((count - 1 - place) / count)
    return (Int(place - image * count), image)
  }

  @inline(__always)
  private func append(
    _ atom: Int, _ range: Range<Int>, _ boxImage: SIMD3<Int32>, _ cutoff: Double, _ found: inout [Found],
    _ hits: inout [Int32]
  ) {
    let centre =
      boxImage == .zero ? wrapped[atom] : wrapped[atom] - Vector3(boxImage) * frame.vectors
    // Wrapped positions decide but for a shell of doubt, wider than their rounding, where those as given do.
    let margin = cutoff * cutoff * 1e-6 + 1e-6 + 1e-14 * cutoff * largest
    let (inner, outer) = (cutoff * cutoff - margin, cutoff * cutoff + margin)
    while hits.count < range.count { hits.append(0) }
    let count = binned.withUnsafeBufferPointer { binned in
      hits.withUnsafeMutableBufferPointer { hits in
        var count = 0
        for k in range {
          let rough = binned[k] - centre
          hits[count] = Int32(truncatingIfNeeded: k)
          // Whether one is near is anyone's guess: counting without a branch is faster.
          count += dot(rough, rough) < outer ? 1 : 0
        }
        return count
      }
    }
    for h in 0..<count {
      let k = Int(hits[h])
      let other = Int(members[k])
      let image = boxImage &+ wraps[other] &- wraps[atom]
      if other == atom, image == .zero { continue }
      let rough = binned[k] - centre
      if dot(rough, rough) > inner {
        let exact = (positions[other] - positions[atom]) + Vector3(image) * frame.vectors
        guard dot(exact, exact) < cutoff * cutoff else { continue }
      }
      found.append(Found(Int32(other), image))
    }
  }
}
