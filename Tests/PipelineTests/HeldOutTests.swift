import Platform
import Refit
import StageKit
import Testing

/// Held-out sets are made of whole runs, unless there are too few of them.
@Suite struct HeldOutTests {
  private func frame(_ number: Int, block: Int, run: Int? = nil) -> FeatureIndex.Frame {
    .init(
      frame: number, ionicStep: number, atoms: 2, group: "", block: block, run: run, level: 0, composition: [2],
      energyPerAtom: -1)
  }

  /// A trajectory of 40 frames in ten stretches.
  private func trajectory() -> [FeatureIndex.Frame] { (0..<40).map { frame($0, block: 10 + $0 / 4, run: 0) } }

  private func digest(_ number: Int) -> Digest { Digest(of: "trajectory \(number)") }

  @Test func noTrajectoryIsOnBothSides() {
    let sources = (0..<12).map { (source: digest($0), frames: trajectory()) }
    let blocks = HeldOutBlocks(sources)
    #expect(blocks.blocks.count == 120)
    var chosen: Set<Set<Digest>> = []
    for seed in 0..<20 {
      let (held, splits) = blocks.chosen(share: 0.2, seed: seed)
      #expect(!splits)
      // Two of twelve are the most that 20 % allow.
      #expect(held.count == 20)
      for source in Set(held.map(\.source)) { #expect(held.count { $0.source == source } == 10) }
      chosen.insert(Set(held.map(\.source)))
    }
    #expect(chosen.count > 5)
  }

  @Test func independentFramesAreChosenByBlock() {
    // A collection with one long run among frames of their own.
    let own = (0..<100).map { frame($0, block: $0 % 10) } + (100..<130).map { frame($0, block: 10 + $0 % 3, run: 0) }
    let blocks = HeldOutBlocks([(digest(0), own)])
    for seed in 0..<20 {
      let (held, splits) = blocks.chosen(share: 0.25, seed: seed)
      #expect(!splits && !held.isEmpty)
      let ofRun = held.count { $0.block >= 10 }
      #expect(ofRun == 0 || ofRun == 3, "seed \(seed)")
    }
  }

  @Test func oneTrajectoryIsSplitByStretchesAndSaysSo() {
    let blocks = HeldOutBlocks([(digest(0), trajectory())])
    let (held, splits) = blocks.chosen(share: 0.2, seed: 0)
    #expect(splits && held.count == 2)
    #expect(blocks.chosen(share: 0, seed: 0).blocks.isEmpty)
    #expect(HeldOutBlocks([(digest(0), Array(trajectory().prefix(16)))]).chosen(share: 0.2, seed: 0).blocks.isEmpty)
  }

  @Test func theSmallestWhereAllAreTooLarge() {
    let sizes = [9, 7, 3, 8, 6]
    let sources = sizes.enumerated().map { number, size in
      (source: digest(number), frames: (0..<size).map { frame($0, block: 0) })
    }
    let held = HeldOutBlocks(sources).chosen(share: 0.05, seed: 3).blocks
    #expect(held == [BlockName(source: digest(2), block: 0)])
  }

  /// The fit reads frames from pages: what is missing there is missing in every decision.
  @Test func whatTheFitKnowsOfFramesSurvivesItsPages() throws {
    let frames = trajectory() + [frame(40, block: 3), frame(41, block: 4, run: 7)]
    let index = FeatureIndex(
      frames: frames, environments: [.init(element: "W", rows: 84, functions: 12)], basis: digest(1),
      shortestDistances: ["W-W": 2.1], coreEnergies: ["W": 0.5], isolatedAtoms: ["W": -4])
    var encoder = CompactEncoder()
    encoder.add(index)
    var decoder = try CompactDecoder(encoder.finish())
    #expect(try decoder.featureIndex() == index)
    #expect(decoder.isAtEnd)
  }
}
