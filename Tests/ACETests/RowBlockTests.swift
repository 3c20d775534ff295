import ACE
import Configurations
import LinearAlgebra
import TestSupport
import Testing

@Suite struct RowBlockTests {
  private static func bulk(_ symbols: [String], cells: Int) -> Configuration {
    var generator = SeededGenerator(seed: 3)
    var positions: [Vector3] = []
    var species: [Element] = []
    for x in 0..<cells {
      for y in 0..<cells {
        for z in 0..<cells {
          for offset in [0.0, 0.5] {
            var p = 3.1 * (Vector3(Double(x), Double(y), Double(z)) + Vector3(repeating: offset))
            for d in 0..<3 { p[d] += .random(in: -0.2...0.2, using: &generator) }
            species.append(Element(symbol: symbols[positions.count % symbols.count])!)
            positions.append(p)
          }
        }
      }
    }
    let l = 3.1 * Double(cells)
    return Configuration(
      species: species, positions: positions, cell: Cell(vectors: Matrix3([l, 0, 0], [0.3, l, 0], [0, 0, l])))
  }

  /// Cells narrower and wider than the cutoff, so that images of one atom are and are not merged.
  @Test(arguments: [1, 2, 3, 5]) func blocksGiveTheRowsOfTheWhole(_ cells: Int) throws {
    let basis = try Sample.basis(
      ["Cu", "Zr"], order: 3, limits: .init(radial: [3, 2, 1], angular: [0, 2, 1]))
    let c = Self.bulk(["Cu", "Zr", "Zr"], cells: cells)
    let evaluator = Evaluator(basis)
    let whole = try evaluator.designRows(of: c)
    for size in [1, 7, 60, 1000] where c.count / size < 60 {
      var seen: [Int] = []
      let (energy, virial) = try evaluator.forEachRowBlock(of: c, atomsPerBlock: size) { atoms, rows in
        #expect(atoms.count <= size && rows.rows == 3 * atoms.count)
        for (place, atom) in atoms.enumerated() {
          for axis in 0..<3 {
            #expect(rows.row(3 * place + axis) == whole.forces.row(3 * atom + axis), "atom \(atom) of \(c.count)")
          }
        }
        seen += atoms
      }
      #expect(seen.sorted() == Array(0..<c.count))
      // The same terms in another order.
      let scale = whole.virial.storage.map(abs).max()!
      #expect(zip(energy, whole.energy).allSatisfy { abs($0 - $1) <= 1e-12 * max(1, abs($1)) })
      #expect(zip(virial.storage, whole.virial.storage).allSatisfy { abs($0 - $1) <= 1e-12 * scale })
    }
  }

  @Test func threadsFormTheSameBlocksInTheSameOrder() throws {
    let basis = try Sample.basis(
      ["Cu", "Zr"], order: 3, limits: .init(radial: [3, 2, 1], angular: [0, 2, 1]))
    let c = Self.bulk(["Cu", "Zr", "Zr"], cells: 4)
    let evaluator = Evaluator(basis)
    func blocks(_ threads: Int) throws -> (atoms: [[Int]], rows: [Matrix], energy: [Double], virial: Matrix) {
      var (all, rows) = ([[Int]](), [Matrix]())
      let sums = try evaluator.forEachRowBlock(of: c, atomsPerBlock: 20, threads: threads) { atoms, forces in
        all.append(atoms)
        rows.append(forces)
      }
      return (all, rows, sums.energy, sums.virial)
    }
    let one = try blocks(1)
    #expect(one.atoms.count > 4)
    for threads in [2, 3] {
      let several = try blocks(threads)
      #expect(several.atoms == one.atoms && several.rows == one.rows)
      #expect(several.energy == one.energy && several.virial == one.virial)
    }
  }

  /// Memory is bounded by the block: no part of a large structure asks for more rows than a small one.
  @Test func blocksStayCompactAndFull() throws {
    var c = Self.bulk(["W"], cells: 10)
    // No atom across a face, so that coordinates as given tell how far apart atoms are.
    c.positions = c.positions.map { $0 + Vector3(repeating: 0.6) }
    let basis = try Sample.basis(["W"], order: 1, limits: .init(radial: [1], angular: [0]))
    var sizes: [Int] = []
    _ = try Evaluator(basis).forEachRowBlock(of: c, atomsPerBlock: 250) { atoms, rows in
      sizes.append(atoms.count)
      #expect(rows.storage.count == 3 * atoms.count * basis.columnCount)
      let extent = (0..<3).map { d in
        let x = atoms.map { c.positions[$0][d] }
        return x.max()! - x.min()!
      }
      #expect(extent.max()! < 25, "\(extent)")
    }
    #expect(sizes == Array(repeating: 250, count: 8))
  }

  /// Rank 1 only: every stage can be counted by hand.
  @Test func operationsOfTheSimplestBasis() throws {
    let basis = try Sample.basis(["W"], order: 1, limits: .init(radial: [3], angular: [0]))
    let n = Evaluator(basis).operationCounts(element: 0, neighbors: [10])
    #expect(basis.columnCount == 3 && n.sumCount == 3)
    #expect(n.harmonics == 0)
    #expect(n.sums == 10 * 2 * 3)
    #expect(n.products == 3)
    // Three functions, three operations for each weight and one to add it.
    #expect(n.adjoint == 3 * 4)
    #expect(n.projections == n.radial + 63)
    let pairs = try Sample.basis(["W"], order: 2, limits: .init(radial: [1, 1], angular: [0, 1]))
    let two = Evaluator(pairs).operationCounts(element: 0, neighbors: [10])
    // A_1; A_100 squared; A_11m · A_11m.
    #expect(pairs.columnCount == 3 && two.sumCount == 5)
    #expect(two.products == 1 + (2 + 1) + (6 + 1))
  }
}
