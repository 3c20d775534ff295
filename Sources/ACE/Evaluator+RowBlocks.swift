import Configurations
import LinearAlgebra

extension Evaluator {
  /// The design rows of a configuration a block of atoms at a time, so that memory is bounded by the block:
  /// 24 bytes × columns for each of its atoms, besides the neighbour list (2.2 kB per atom at 55
  /// neighbours). `body` gets each block's atoms and their force rows, shape [3 atoms][columns], to the last
  /// bit those of `designRows`; what is returned are its energy and strain rows, summed in another order.
  ///
  /// A force row needs every centre within the cutoff, so centres around a block are formed again for each
  /// block that they touch (their products, not their rows): the larger the blocks, the less of that.
  /// Blocks are compact in space, and every atom is in one of them.
  /// `threads`: so many blocks are formed at a time, and are in memory; `body` sees them one by one, in an order that
  /// does not depend on it.
  public func forEachRowBlock(
    of configuration: Configuration, atomsPerBlock: Int = 256, threads: Int = 1, workspace: Workspace = Workspace(),
    _ body: (_ atoms: [Int], _ forces: Matrix) throws -> Void
  ) throws -> (energy: [Double], virial: Matrix) {
    precondition(atomsPerBlock > 0, "a block needs an atom")
    let threads = max(threads, 1)
    let atoms = try AtomBlocks(configuration, basis: basis, threads: threads)
    let columns = basis.columnCount
    var energy = [Double](repeating: 0, count: columns)
    var virial = [Double](repeating: 0, count: 6 * columns)
    let blocks = Self.compactBlocks(configuration, atMost: atomsPerBlock)
    let workspaces = [workspace] + (1..<threads).map { _ in Workspace() }
    for first in stride(from: 0, to: blocks.count, by: threads) {
      let now = blocks[first..<min(first + threads, blocks.count)]
      let parts = try shared(now.count, workspaces) { (number, workspace) throws(ACEError) in
        try rows(of: now[first + number], atoms, workspace)
      }
      for (members, part) in zip(now, parts) {
        for k in energy.indices { energy[k] += part.energy[k] }
        for k in virial.indices { virial[k] += part.virial.storage[k] }
        try body(members, part.forces)
      }
    }
    return (energy, Matrix(rows: 6, columns: columns, storage: virial))
  }

  /// Force rows of some atoms, and what they are of the sums for energy and strain.
  private func rows(
    of members: [Int], _ atoms: AtomBlocks, _ workspace: Workspace
  ) throws(ACEError) -> DesignRows {
    let columns = basis.columnCount
    var places = [Int32](repeating: -1, count: atoms.elements.count)
    for (place, atom) in members.enumerated() { places[atom] = Int32(place) }
    let targets = RowTargets(places: places, count: members.count)
    var energy = [Double](repeating: 0, count: columns)
    var rows = [Double](repeating: 0, count: (3 * members.count + 6) * columns)
    var none: ProjectionRows?
    for block in atoms.blocks(of: Self.centres(around: members, atoms.list)) {
      try addRows(block, atoms, targets, &energy, &none, workspace, &rows)
    }
    let virial = Array(rows[(3 * members.count * columns)...])
    rows.removeLast(6 * columns)
    return DesignRows(
      energy: energy, forces: Matrix(rows: 3 * members.count, columns: columns, storage: rows),
      virial: Matrix(rows: 6, columns: columns, storage: virial))
  }

  /// A block's atoms and all their neighbours, ascending.
  private static func centres(around members: [Int], _ list: NeighborList) -> [Int] {
    var wanted = [Bool](repeating: false, count: list.atomCount)
    for atom in members {
      wanted[atom] = true
      for neighbor in list[atom] { wanted[Int(neighbor.index)] = true }
    }
    return wanted.indices.filter { wanted[$0] }
  }

  /// Halves the atoms across their longest extent until no part has more than `limit`; each part
  /// ascending. Depends on the positions alone.
  static func compactBlocks(_ configuration: Configuration, atMost limit: Int) -> [[Int]] {
    var points = configuration.positions
    if let cell = configuration.cell, let inverse = cell.vectors.inverse {
      points = points.map { point in
        var s = point * inverse
        for d in 0..<3 where cell.periodic.contains(direction: d) { s[d] -= s[d].rounded(.down) }
        return s * cell.vectors
      }
    }
    func split(_ part: [Int]) -> [[Int]] {
      if part.count <= limit { return part.isEmpty ? [] : [part.sorted()] }
      let extents = (0..<3).map { d in
        part.reduce(-Double.infinity) { max($0, points[$1][d]) }
          - part.reduce(Double.infinity) { min($0, points[$1][d]) }
      }
      let d = (0..<3).max { extents[$0] < extents[$1] }!
      let ordered = part.sorted { (points[$0][d], $0) < (points[$1][d], $1) }
      // Whole multiples of the limit on one side, so that few parts are nearly empty.
      let half = min((part.count + 2 * limit - 1) / (2 * limit) * limit, part.count - 1)
      return split(Array(ordered[..<half])) + split(Array(ordered[half...]))
    }
    return split(Array(points.indices))
  }
}
