import Configurations
import TestSupport
import Testing

/// Which frames of a collection are one run.
@Suite struct FrameRunsTests {
  /// A cube of simple cubic sites 2.5 Å apart, each moved by up to `amplitude` in every direction.
  private static func crystal(
    _ random: inout SeededGenerator, amplitude: Double, symbol: String = "W", strain: Double = 1
  ) -> Configuration {
    var positions: [Vector3] = []
    for x in 0..<3 {
      for y in 0..<3 {
        for z in 0..<3 {
          let site = 2.5 * Vector3(Double(x), Double(y), Double(z))
          positions.append(
            strain
              * (site
                + Vector3(
                  .random(in: -amplitude...amplitude, using: &random),
                  .random(in: -amplitude...amplitude, using: &random),
                  .random(in: -amplitude...amplitude, using: &random))))
        }
      }
    }
    let l = 7.5 * strain
    return Configuration(
      species: positions.map { _ in Element(symbol: symbol)! }, positions: positions,
      cell: Cell(vectors: Matrix3([l, 0, 0], [0, l, 0], [0, 0, l])))
  }

  private func places(_ frames: [(Configuration, String?)]) -> [FrameRuns.Place] {
    var runs = FrameRuns()
    for (frame, group) in frames { runs.add(frame, group: group) }
    return runs.places
  }

  @Test func aTrajectoryIsOneRunInConsecutiveStretches() {
    var random = SeededGenerator(seed: 1)
    let frames = (0..<47).map { _ in (Self.crystal(&random, amplitude: 0.2), String?.none) }
    let places = places(frames)
    #expect(places.allSatisfy { $0.run == 0 })
    let stretches = places.map { $0.stretch ?? -1 }
    #expect(stretches == stretches.sorted() && Set(stretches) == Set(0..<10))
    let sizes = (0..<10).map { k in stretches.count { $0 == k } }
    #expect(sizes.max()! - sizes.min()! <= 1)
  }

  @Test func atomsThatLeaveTheCellStay() {
    var random = SeededGenerator(seed: 2)
    let first = Self.crystal(&random, amplitude: 0)
    var wrapped = first
    for atom in wrapped.positions.indices { wrapped.positions[atom] += Vector3(7.5, -7.5, 15) }
    var drifting = first
    for atom in drifting.positions.indices { drifting.positions[atom] += Vector3(0.6, 0.6, 0.6) }
    #expect(places([(first, nil), (wrapped, nil), (drifting, nil)]).map(\.run) == [0, 0, 0])
    // Without a cell there are no images.
    func free(_ frame: Configuration) -> Configuration {
      var frame = frame
      frame.cell = nil
      return frame
    }
    #expect(places([(free(first), nil), (free(wrapped), nil)]).map(\.run) == [0, 1])
    #expect(places([(free(first), nil), (free(drifting), nil)]).map(\.run) == [0, 0])
  }

  @Test func strainedCellsAreOneRun() {
    var random = SeededGenerator(seed: 3)
    let frames = [1.0, 1.02, 1.05, 0.97, 1.3].map { (Self.crystal(&random, amplitude: 0, strain: $0), String?("eos")) }
    #expect(places(frames).allSatisfy { $0.run == 0 })
  }

  @Test func otherArrangementsGroupsAndElementsAreOtherRuns() {
    var random = SeededGenerator(seed: 4)
    let plain = Self.crystal(&random, amplitude: 0.1)
    let liquid = Self.crystal(&random, amplitude: 3)
    let other = Self.crystal(&random, amplitude: 3)
    let tantalum = Self.crystal(&random, amplitude: 0.1, symbol: "Ta")
    let list: [(Configuration, String?)] = [
      (plain, "a"), (plain, "a"), (plain, "b"), (tantalum, "b"), (liquid, nil), (other, nil), (plain, nil),
    ]
    #expect(places(list).map(\.run) == [0, 0, 1, 2, 3, 4, 5])
    // A run longer than a tenth of the file is cut, one of a single frame is not.
    #expect(places(list).map(\.stretch) == [0, 1, nil, nil, nil, nil, nil])
  }

  @Test func shortRunsStayWhole() {
    var random = SeededGenerator(seed: 5)
    var list: [(Configuration, String?)] = []
    for run in 0..<20 { list += (0..<5).map { _ in (Self.crystal(&random, amplitude: 0.1), "run \(run)") } }
    let places = places(list)
    #expect(places.map(\.run) == (0..<100).map { $0 / 5 })
    #expect(places.allSatisfy { $0.stretch == nil })
    #expect(FrameRuns().places.isEmpty)
  }
}
