import CNeighbors
import Dispatch
import Synchronization

/// Lattice vectors completed to a basis: directions that do not repeat get unit vectors
/// perpendicular to those that do.
struct BinningFrame: Sendable {
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
struct AtomBins: Sendable {
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
  /// First slot of each box.
  private let starts: [Int]
  /// Slot of each atom.
  private let slots: [Int32]
  /// By slot, with room for a vector of the kernel behind them: wrapped positions, shape [3][slots + 8],
  /// and translations with the atom's index.
  private let coordinates: [Double]
  private let tags: [SIMD4<Int32>]

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
    var slots = [Int32](repeating: 0, count: positions.count)
    for (atom, home) in homes.enumerated() {
      slots[atom] = Int32(next[bin(home)])
      next[bin(home)] += 1
    }
    self.wraps = wraps
    largest = positions.reduce(0) { max($0, abs($1.x), abs($1.y), abs($1.z)) }
    let wrapped = zip(positions, wraps).map { $0 + Vector3($1) * frame.vectors }
    self.wrapped = wrapped
    let room = positions.count + 8
    var coordinates = [Double](repeating: 0, count: 3 * room)
    var tags = [SIMD4<Int32>](repeating: .zero, count: room)
    for (atom, slot) in slots.enumerated() {
      for d in 0..<3 { coordinates[d * room + Int(slot)] = wrapped[atom][d] }
      tags[Int(slot)] = SIMD4(wraps[atom], Int32(atom))
    }
    self.slots = slots
    self.coordinates = coordinates
    self.tags = tags
    self.homes = homes
    self.counts = counts
    self.reach = reach
    self.starts = starts
  }

  /// All pairs, in the order of the list, whatever the threads. Each atom's neighbours are found box by box; handing
  /// every pair to its other atom, atoms in ascending order, sorts all lists without comparing anything.
  func pairs(
    cutoff: Double, limit: Int, threads: Int
  ) throws(NeighborListError) -> (offsets: [Int], neighbors: [NeighborList.Neighbor]) {
    let count = positions.count
    let threads = count < Self.atomsWorthThreads ? 1 : max(threads, 1)
    // A few parts for each thread: atoms at surfaces have less to look at.
    let parts = threads == 1 ? 1 : 4 * threads
    @Sendable func atoms(_ part: Int, of parts: Int) -> Range<Int> { count * part / parts..<count * (part + 1) / parts }
    let found = (0..<parts).map { _ in FoundPairs() }
    var sizes = [Int](repeating: 0, count: count)
    sizes.withUnsafeMutableBufferPointer { sizes in
      nonisolated(unsafe) let sizes = sizes.baseAddress  // every part writes to places of its own
      forEachPart(parts, threads) { find(atoms($0, of: parts), cutoff: cutoff, limit: limit, sizes, found[$0]) }
    }
    let total = found.reduce(0) { $0 + $1.count }
    var failure = found.lazy.compactMap(\.failure).first
    if failure == nil, total > NeighborList.largestTotal { failure = .tooManyPairs(limit: NeighborList.largestTotal) }
    if let failure {
      if parts == 1 { throw failure }
      // What is said must not depend on which thread was first.
      return try pairs(cutoff: cutoff, limit: limit, threads: 1)
    }
    var offsets = [0]
    offsets.reserveCapacity(count + 1)
    for size in sizes { offsets.append(offsets.last! + size) }
    let starts = offsets
    var next = offsets
    let neighbors = [NeighborList.Neighbor](unsafeUninitializedCapacity: total) { list, listed in
      let failures = Atomic(0)
      next.withUnsafeMutableBufferPointer { next in
        // As above. All threads read all pairs, and write the lists of some atoms.
        nonisolated(unsafe) let next = next.baseAddress
        nonisolated(unsafe) let list = list.baseAddress
        forEachPart(threads, threads) { thread in
          let centres = atoms(thread, of: threads)
          for part in 0..<parts {
            let others = atoms(part, of: parts)
            let failure = withGrid(cutoff) {
              sluice_neighbors_hand_over(
                &$0, others.lowerBound, others.upperBound, centres.lowerBound, centres.upperBound, found[part].start,
                starts, next, list)
            }
            failures.add(Int(failure), ordering: .relaxed)
          }
        }
      }
      // Both sides of a pair are decided by the same numbers; this guards memory, not physics.
      precondition(failures.load(ordering: .relaxed) == 0, "a pair found from one side only")
      // Every pair was found from both sides, so every place is taken.
      listed = total
    }
    return (starts, neighbors)
  }

  /// Fewer atoms are not worth waking a thread for.
  private static let atomsWorthThreads = 1024

  /// Finds the neighbours of some atoms; `sizes`: how many each of all atoms has.
  private func find(
    _ atoms: Range<Int>, cutoff: Double, limit: Int, _ sizes: UnsafeMutablePointer<Int>?, _ found: FoundPairs
  ) {
    var done = atoms.lowerBound
    while done < atoms.upperBound {
      let first = done
      let before = first - atoms.lowerBound
      // The first atom's count is a fair guess of the others'.
      let guess = before == 0 ? 0 : found.count / before * (atoms.upperBound - first) / 8 * 9
      let room = found.reserve(limit + 16 + min(guess, NeighborList.largestTotal))
      // The first atom by itself, to have a guess.
      let last = before == 0 ? first + 1 : atoms.upperBound
      done = withGrid(cutoff) { sluice_neighbors_search(&$0, first, last, limit, room.count, room.start, sizes) }
      for atom in first..<done {
        guard sizes![atom] <= limit else {
          found.failure = .tooManyNeighbors(atom: atom, limit: limit)
          return
        }
        found.count += sizes![atom]
      }
      if found.count > NeighborList.largestTotal {
        found.failure = .tooManyPairs(limit: NeighborList.largestTotal)
        return
      }
    }
  }

  /// Hands parts to threads, one after the other.
  private func forEachPart(_ parts: Int, _ threads: Int, _ body: @Sendable (Int) -> Void) {
    if parts == 1 { return body(0) }
    let next = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: min(threads, parts)) { _ in
      while true {
        let part = next.add(1, ordering: .relaxed).oldValue
        if part >= parts { return }
        body(part)
      }
    }
  }

  /// The boxes as the kernels see them, as long as `body` runs.
  private func withGrid<Result>(_ cutoff: Double, _ body: (inout sluice_neighbors_grid) -> Result) -> Result {
    // Wrapped positions decide but for a shell of doubt, wider than their rounding, where those as given do.
    let margin = cutoff * cutoff * 1e-6 + 1e-6 + 1e-14 * cutoff * largest
    let v = frame.vectors
    return positions.withUnsafeBytes { positions in
      wrapped.withUnsafeBytes { wrapped in
        wraps.withUnsafeBytes { wraps in
          homes.withUnsafeBytes { homes in
            coordinates.withUnsafeBufferPointer { coordinates in
              tags.withUnsafeBytes { tags in
                starts.withUnsafeBytes { starts in
                  slots.withUnsafeBufferPointer { slots in
                    let x = coordinates.baseAddress!
                    var grid = sluice_neighbors_grid(
                      vectors: (v.x.x, v.x.y, v.x.z, v.y.x, v.y.y, v.y.z, v.z.x, v.z.y, v.z.z),
                      counts: (counts.x, counts.y, counts.z), reach: (reach.x, reach.y, reach.z),
                      periodic: (frame.periodic.x, frame.periodic.y, frame.periodic.z),
                      positions: positions.assumingMemoryBound(to: Double.self).baseAddress,
                      wrapped: wrapped.assumingMemoryBound(to: Double.self).baseAddress,
                      wraps: wraps.assumingMemoryBound(to: Int32.self).baseAddress,
                      homes: homes.assumingMemoryBound(to: Int32.self).baseAddress,
                      starts: starts.assumingMemoryBound(to: Int.self).baseAddress, x: x,
                      y: x + coordinates.count / 3, z: x + coordinates.count / 3 * 2,
                      tags: tags.assumingMemoryBound(to: Int32.self).baseAddress, slots: slots.baseAddress,
                      cutoff: cutoff * cutoff, inner: cutoff * cutoff - margin, outer: cutoff * cutoff + margin)
                    return body(&grid)
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

/// Pairs as they are found, four numbers each, in memory that is never cleared: most of the room is not used.
/// Unchecked because one thread at a time has it.
private final class FoundPairs: @unchecked Sendable {
  private(set) var start = UnsafeMutablePointer<Int32>.allocate(capacity: 4)
  private var capacity = 1
  var count = 0
  var failure: NeighborListError?

  /// Room for that many more pairs.
  func reserve(_ more: Int) -> (start: UnsafeMutablePointer<Int32>, count: Int) {
    if count + more > capacity {
      capacity = max(count + more, min(2 * capacity, capacity + 1 << 22))
      let larger = UnsafeMutablePointer<Int32>.allocate(capacity: 4 * capacity)
      larger.update(from: start, count: 4 * count)
      start.deallocate()
      start = larger
    }
    return (start + 4 * count, capacity - count)
  }

  deinit { start.deallocate() }
}
