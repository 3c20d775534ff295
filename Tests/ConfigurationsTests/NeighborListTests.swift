import Configurations
import TestSupport
import Testing

/// Every image in a generous box, nothing clever: the oracle.
private func bruteForce(_ c: Configuration, cutoff: Double, range: Int) -> [[NeighborList.Neighbor]] {
  var lists: [[NeighborList.Neighbor]] = []
  let periodic = c.cell?.periodic ?? []
  func images(_ d: Int) -> ClosedRange<Int> {
    periodic.contains(direction: d) ? -range...range : 0...0
  }
  for i in 0..<c.count {
    var list: [NeighborList.Neighbor] = []
    for j in 0..<c.count {
      for x in images(0) {
        for y in images(1) {
          for z in images(2) where !(i == j && x == 0 && y == 0 && z == 0) {
            var t = Vector3.zero
            if let cell = c.cell {
              t = Vector3(Double(x), Double(y), Double(z)) * cell.vectors
            }
            let d = (c.positions[j] - c.positions[i]) + t
            if dot(d, d) < cutoff * cutoff {
              list.append(
                .init(
                  displacement: d, image: SIMD3(Int32(x), Int32(y), Int32(z)), index: Int32(j)))
            }
          }
        }
      }
    }
    lists.append(list)
  }
  return lists
}

private func random(_ count: Int, cell: Cell?, spread: Double, seed: UInt64) -> Configuration {
  var generator = SeededGenerator(seed: seed)
  let positions = (0..<count).map { _ -> Vector3 in
    let s = Vector3(
      .random(in: -0.7...1.6, using: &generator), .random(in: -0.7...1.6, using: &generator),
      .random(in: -0.7...1.6, using: &generator))
    return cell.map { s * $0.vectors } ?? s * spread
  }
  return Configuration(
    species: Array(repeating: Element(symbol: "W")!, count: count), positions: positions, cell: cell
  )
}

@Suite struct NeighborListTests {
  static let cells: [(String, Cell?)] = [
    ("cube", Cell(vectors: Matrix3([7, 0, 0], [0, 7, 0], [0, 0, 7]))),
    ("thin", Cell(vectors: Matrix3([2.1, 0, 0], [0, 1.7, 0], [0, 0, 12]))),
    ("skewed", Cell(vectors: Matrix3([3, 0.2, -0.1], [2.4, 3.1, 0.3], [-1.9, 2.2, 4]))),
    ("left-handed", Cell(vectors: Matrix3([0, 4, 0.5], [4, 0, 0.1], [0.3, 0, 5]))),
    ("slab", Cell(vectors: Matrix3([3, 0, 0], [1, 3.5, 0], [0, 0, 9]), periodic: [.x, .y])),
    ("wire", Cell(vectors: Matrix3([9, 0, 0], [0, 9, 0], [0.5, 0.2, 2.5]), periodic: [.z])),
    (
      "box that does not repeat",
      Cell(vectors: Matrix3([5, 0, 0], [0, 5, 0], [0, 0, 5]), periodic: [])
    ),
    ("cluster", nil),
  ]

  @Test(arguments: 0..<8) func matchesBruteForceInOrder(_ index: Int) throws {
    let (name, cell) = Self.cells[index]
    for (count, cutoff) in [(1, 4.0), (5, 4.0), (9, 2.5)] {
      let c = random(count, cell: cell, spread: 6, seed: UInt64(index * 100 + count))
      let list = try NeighborList(c, cutoff: cutoff)
      let expected = bruteForce(c, cutoff: cutoff, range: 8)
      for atom in 0..<count {
        #expect(
          Array(list[atom]).count == expected[atom].count, "\(name), \(count) atoms, atom \(atom)")
        #expect(Array(list[atom]) == expected[atom], "\(name), \(count) atoms, atom \(atom)")
      }
    }
  }

  @Test func degenerateDirectionsThatDoNotRepeatAreIgnored() throws {
    let cell = Cell(vectors: Matrix3([3, 0, 0], [0, 3, 0], [0, 0, 0]), periodic: [.x, .y])
    let c = Configuration(
      species: [Element(symbol: "W")!], positions: [[0.1, 0.2, 0.3]], cell: cell)
    #expect(try NeighborList(c, cutoff: 3.5).neighbors.count == 4)
  }

  @Test func everyPairIsThereTwiceWithOppositeSigns() throws {
    let c = random(40, cell: Self.cells[2].1, spread: 1, seed: 5)
    let list = try NeighborList(c, cutoff: 3)
    for i in 0..<c.count {
      for n in list[i] {
        let back = list[Int(n.index)].first { Int($0.index) == i && $0.image == 0 &- n.image }
        #expect(back?.displacement == -n.displacement)
      }
    }
  }

  @Test func bigBoxIsBinnedAndAgreesWithPairwiseSearch() throws {
    let cell = Cell(vectors: Matrix3([40, 0, 0], [5, 42, 0], [0, -7, 38]))
    var c = random(1500, cell: cell, spread: 1, seed: 9)
    c.positions[3] += [400, -800, 1200]
    let list = try NeighborList(c, cutoff: 4)
    // Minimum over nearest images of wrapped fractional differences, valid for this wide cell.
    let inverse = cell.vectors.inverse!
    var total = 0
    for i in stride(from: 0, to: 1500, by: 150) {
      var count = 0
      for j in 0..<1500 where j != i {
        var s = (c.positions[j] - c.positions[i]) * inverse
        for d in 0..<3 { s[d] -= s[d].rounded() }
        for x in -1...1 {
          for y in -1...1 {
            for z in -1...1 {
              let t = (s + Vector3(Double(x), Double(y), Double(z))) * cell.vectors
              if dot(t, t) < 16 { count += 1 }
            }
          }
        }
      }
      #expect(list[i].count == count)
      total += count
    }
    #expect(total > 20)
  }

  @Test func threadsChangeNothing() throws {
    let cell = Cell(vectors: Matrix3([40, 0, 0], [5, 42, 0], [0, -7, 38]), periodic: [.x, .z])
    let c = random(3000, cell: cell, spread: 2, seed: 4)
    let list = try NeighborList(c, cutoff: 5)
    for threads in [2, 3, 7] {
      let shared = try NeighborList(c, cutoff: 5, threads: threads)
      #expect(shared.offsets == list.offsets)
      #expect(shared.neighbors == list.neighbors)
    }
    // The first atom that has too many, whoever finds one first.
    let most = (0..<c.count).map { list[$0].count }.max()!
    let crowded = (0..<c.count).first { list[$0].count > most / 2 }!
    for threads in [1, 2, 7] {
      #expect(throws: NeighborListError.tooManyNeighbors(atom: crowded, limit: most / 2)) {
        try NeighborList(c, cutoff: 5, limit: most / 2, threads: threads)
      }
    }
  }

  @Test func refusesWhatCannotBeMeant() {
    let w = Element(symbol: "W")!
    func list(_ positions: [Vector3], _ cell: Cell?, cutoff: Double = 5) throws(NeighborListError) {
      _ = try NeighborList(
        Configuration(
          species: Array(repeating: w, count: positions.count), positions: positions, cell: cell),
        cutoff: cutoff)
    }
    let singular = Cell(vectors: Matrix3([1, 0, 0], [2, 0, 0], [0, 0, 1]))
    #expect(throws: NeighborListError.singularCell) { try list([.zero], singular) }
    let notANumber = Cell(vectors: Matrix3([.nan, 0, 0], [0, 2, 0], [0, 0, 1]))
    #expect(throws: NeighborListError.singularCell) { try list([.zero], notANumber) }
    let tiny = Cell(vectors: Matrix3([1e-3, 0, 0], [0, 1e-3, 0], [0, 0, 1e-3]))
    #expect(throws: NeighborListError.self) { try list([.zero], tiny) }
    let thin = Cell(vectors: Matrix3([0.05, 0, 0], [0, 0.05, 0], [0, 0, 1]))
    #expect(throws: NeighborListError.self) { try list([.zero], thin) }
    #expect(throws: NeighborListError.positionNotFinite(atom: 1)) {
      try list([.zero, [0, .nan, 0]], nil)
    }
    #expect(throws: NeighborListError.positionNotFinite(atom: 0)) {
      try list([[1e300, 0, 0]], nil)
    }
    #expect(throws: NeighborListError.self) { try list([.zero], nil, cutoff: 0) }
    #expect(throws: NeighborListError.self) { try list([.zero], nil, cutoff: .infinity) }
    let pile = [Vector3](repeating: .zero, count: 51_000)
    #expect(throws: NeighborListError.tooManyNeighbors(atom: 0, limit: 50_000)) {
      try list(pile, nil)
    }
  }

  @Test func noAtomsNoPairs() throws {
    let empty = Configuration(species: [], positions: [], cell: nil)
    #expect(try NeighborList(empty, cutoff: 3).neighbors.isEmpty)
  }
}
