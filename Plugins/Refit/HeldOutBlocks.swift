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
  package let blocks: [BlockName]
  private var frames: [BlockName: Int] = [:]
  /// Blocks that stand or fall together, by the first of them.
  private var units: [BlockName: [BlockName]] = [:]

  private static let fewest = 5

  package init(_ sources: [(source: Digest, frames: [FeatureIndex.Frame])]) {
    for (source, own) in sources {
      var runs: [Int: Set<Int>] = [:]
      var single: Set<Int> = []
      for frame in own {
        frames[BlockName(source: source, block: frame.block), default: 0] += 1
        if let run = frame.run { runs[run, default: []].insert(frame.block) } else { single.insert(frame.block) }
      }
      for unit in runs.values.map({ $0.sorted() }) + single.map({ [$0] }) {
        units[BlockName(source: source, block: unit[0])] = unit.map { BlockName(source: source, block: $0) }
      }
    }
    blocks = frames.keys.sorted()
  }

  /// Units in an order that content decides, until the share of frames is reached; the smallest of those that are all
  /// too large.
  package func chosen(share: Double, seed: Int) -> (blocks: Set<BlockName>, splitsRuns: Bool) {
    guard share > 0, blocks.count >= Self.fewest else { return ([], false) }
    let splitsRuns = units.count < Self.fewest
    let units = splitsRuns ? Dictionary(uniqueKeysWithValues: blocks.map { ($0, [$0]) }) : units
    let order = units.map { (blocks: $1, lot: $0.lot(seed)) }.sorted { $0.lot < $1.lot }.map(\.blocks)
    func size(_ unit: [BlockName]) -> Int { unit.reduce(0) { $0 + frames[$1]! } }
    let wanted = share * Double(frames.values.reduce(0, +))
    var chosen: Set<BlockName> = []
    var held = 0
    for unit in order where Double(held + size(unit)) <= wanted {
      chosen.formUnion(unit)
      held += size(unit)
    }
    return (chosen.isEmpty ? Set(order.min { size($0) < size($1) }!) : chosen, splitsRuns)
  }
}
