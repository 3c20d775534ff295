import Platform
import StageKit

/// A block of a source: the grain of bootstraps, and of held-out sets where it is no part of a run.
package struct BlockName: Hashable, Comparable, Sendable {
  package let source: Digest
  package let block: Int

  package init(source: Digest, block: Int) { (self.source, self.block) = (source, block) }

  package static func < (a: BlockName, b: BlockName) -> Bool { (a.source, a.block) < (b.source, b.block) }

  /// A pseudo-random order that depends on content alone.
  fileprivate func lot(_ seed: Int) -> Digest { Digest(of: "held out \(source) \(block) \(seed)") }
}

/// What may be held out: whole runs, and blocks of independent frames.
///
/// A run is never on both sides, as long as there are five runs or blocks to choose from. With fewer (one long
/// trajectory in one file) there would be no errors at all; then stretches of runs are held out, which is told.
package struct HeldOutBlocks {
  /// Ascending.
  package private(set) var blocks: [BlockName] = []
  /// Of each block.
  private var frames: [Int] = []
  /// Blocks that stand or fall together: their places, ascending.
  private var units: [[Int]] = []

  private static let fewest = 5

  package init(_ sources: [(source: Digest, frames: [FeatureIndex.Frame])]) {
    for (source, own) in sources.sorted(by: { $0.source < $1.source }) { add(source, own) }
  }

  private mutating func add(_ source: Digest, _ own: [FeatureIndex.Frame]) {
    if own.count == 1 {  // most sources, where there are many
      units.append([blocks.count])
      blocks.append(BlockName(source: source, block: own[0].block))
      return frames.append(1)
    }
    var counts: [Int: (frames: Int, run: Int?)] = [:]
    for frame in own { counts[frame.block, default: (0, frame.run)].frames += 1 }
    var runs: [Int: Int] = [:]
    for (block, (count, run)) in counts.sorted(by: { $0.key < $1.key }) {
      if let unit = run.flatMap({ runs[$0] }) {
        units[unit].append(blocks.count)
      } else {
        if let run { runs[run] = units.count }
        units.append([blocks.count])
      }
      blocks.append(BlockName(source: source, block: block))
      frames.append(count)
    }
  }

  /// Units in an order that content decides, until the share of frames is reached; the smallest of those that are all
  /// too large.
  package func chosen(share: Double, seed: Int) -> (blocks: Set<BlockName>, splitsRuns: Bool) {
    guard share > 0, blocks.count >= Self.fewest else { return ([], false) }
    let splitsRuns = units.count < Self.fewest
    let units = splitsRuns ? blocks.indices.map { [$0] } : units
    let order = units.map { (unit: $0, lot: blocks[$0[0]].lot(seed)) }.sorted { $0.lot < $1.lot }.map(\.unit)
    func size(_ unit: [Int]) -> Int { unit.reduce(0) { $0 + frames[$1] } }
    let wanted = share * Double(frames.reduce(0, +))
    var chosen: [[Int]] = []
    var held = 0
    for unit in order where Double(held + size(unit)) <= wanted {
      chosen.append(unit)
      held += size(unit)
    }
    if chosen.isEmpty { chosen = [order.min { size($0) < size($1) }!] }
    return (Set(chosen.joined().map { blocks[$0] }), splitsRuns)
  }
}
