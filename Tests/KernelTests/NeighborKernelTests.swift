import CNeighbors
import PortableKernels
import TestSupport
import Testing

/// Both kernels of neighbour lists on this processor and on any, to the last bit, and against all pairs.
@Suite struct NeighborKernelTests {
  private struct Entry: Equatable {
    var x, y, z: Double
    var imageX, imageY, imageZ, index: Int32
  }

  /// One box that repeats along x, two images on either side; in slots backwards.
  private static func list(_ points: [SIMD3<Double>], length: Double, cutoff: Double, portable: Bool) -> [[Entry]] {
    let count = points.count
    let room = count + 8
    var coordinates = [Double](repeating: 0, count: 3 * room)
    var tags = [SIMD4<Int32>](repeating: .zero, count: room)
    let slots = (0..<count).map { Int32(count - 1 - $0) }
    for (atom, slot) in slots.enumerated() {
      for d in 0..<3 { coordinates[d * room + Int(slot)] = points[atom][d] }
      tags[Int(slot)] = SIMD4(0, 0, 0, Int32(atom))
    }
    let zeros = [SIMD3<Int32>](repeating: .zero, count: count)
    let starts = [0, count]
    let margin = 1e-3
    var lists: [[Entry]] = []
    points.withUnsafeBytes { points in
      coordinates.withUnsafeBufferPointer { coordinates in
        tags.withUnsafeBytes { tags in
          zeros.withUnsafeBytes { zeros in
            slots.withUnsafeBufferPointer { slots in
              starts.withUnsafeBufferPointer { starts in
                let positions = points.assumingMemoryBound(to: Double.self).baseAddress
                let homes = zeros.assumingMemoryBound(to: Int32.self).baseAddress
                let x = coordinates.baseAddress!
                var grid = sluice_neighbors_grid(
                  vectors: (length, 0, 0, 0, 1, 0, 0, 0, 1), counts: (1, 1, 1), reach: (2, 0, 0), periodic: (1, 0, 0),
                  positions: positions, wrapped: positions, wraps: homes, homes: homes, starts: starts.baseAddress,
                  x: x,
                  y: x + room, z: x + 2 * room, tags: tags.assumingMemoryBound(to: Int32.self).baseAddress,
                  slots: slots.baseAddress, cutoff: cutoff * cutoff, inner: cutoff * cutoff - margin,
                  outer: cutoff * cutoff + margin)
                var found = [Int32](repeating: 0, count: 4 * 4000)
                var counts = [Int](repeating: 0, count: count)
                let search = portable ? portable_neighbors_search : sluice_neighbors_search
                let done = search(&grid, 0, count, 200, 4000, &found, &counts)
                #expect(done == count)
                let offsets = counts.reduce(into: [0]) { $0.append($0.last! + $1) }
                let list = handedOver(&grid, count, found, offsets, portable: portable)
                for atom in 0..<count { lists.append((offsets[atom]..<offsets[atom + 1]).map { list[$0] }) }
              }
            }
          }
        }
      }
    }
    return lists
  }

  /// In two ranges of centres, each from two ranges of atoms: as threads share the work.
  private static func handedOver(
    _ grid: inout sluice_neighbors_grid, _ count: Int, _ found: [Int32], _ offsets: [Int], portable: Bool
  ) -> [Entry] {
    let half = count / 2
    let later = Array(found.dropFirst(4 * offsets[half]))
    var next = offsets
    let handOver = portable ? portable_neighbors_hand_over : sluice_neighbors_hand_over
    let list = UnsafeMutablePointer<Entry>.allocate(capacity: offsets[count] + 1)
    defer { list.deallocate() }
    for first in [0, half] {
      let last = first == 0 ? half : count
      let one: Int32 = handOver(&grid, 0, half, first, last, found, offsets, &next, list)
      let two: Int32 = handOver(&grid, half, count, first, last, later, offsets, &next, list)
      #expect(one == 0 && two == 0)
    }
    return (0..<offsets[count]).map { list[$0] }
  }

  @Test(arguments: [1, 5, 8, 30]) func allPairsInOrder(_ count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    let (length, cutoff) = (3.0, 2.5)
    var points = (0..<count).map { _ in
      SIMD3<Double>(
        .random(in: 0..<length, using: &generator), .random(in: 0...3, using: &generator),
        .random(in: 0...3, using: &generator))
    }
    // Exactly at the cutoff, where positions as given decide, and at one place.
    if count > 4 {
      points[1] = points[0] + [0, cutoff, 0]
      points[3] = points[2]
    }
    let lists = Self.list(points, length: length, cutoff: cutoff, portable: false)
    #expect(lists == Self.list(points, length: length, cutoff: cutoff, portable: true))
    for i in 0..<count {
      var expected: [Entry] = []
      for j in 0..<count {
        for image in -2...2 where i != j || image != 0 {
          let shift = SIMD3<Double>(Double(image) * length, 0, 0)
          let r = (points[j] - points[i]) + shift
          if r.x * r.x + r.y * r.y + r.z * r.z < cutoff * cutoff {
            expected.append(
              Entry(x: r.x, y: r.y, z: r.z, imageX: Int32(image), imageY: 0, imageZ: 0, index: Int32(j)))
          }
        }
      }
      #expect(lists[i] == expected, "atom \(i)")
    }
  }
}
