import Novelty
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Error bars from deviations: found, checked on others, and not called calibrated where they are not.
@Suite struct DeviationCalibrationTests {
  private static func normal(_ random: inout SeededGenerator) -> Double {
    (-2 * log(Double.random(in: 1e-12...1, using: &random))).squareRoot()
      * cos(2 * .pi * Double.random(in: 0...1, using: &random))
  }

  /// Errors normal with √(scale² σ² + floor²) times what their unit says, deviations σ spread over two decades.
  private static func values(
    scale: Double, floor: Double, units: Int = 40, each: Int = 50, seed: UInt64 = 3,
    times: (_ unit: Int) -> Double = { _ in 1 }
  ) -> [DeviationCalibration.Value] {
    var random = SeededGenerator(seed: seed)
    return (0..<units).flatMap { unit in
      (0..<each).map { _ in
        let deviation = exp(Double.random(in: -4.6...0, using: &random))
        let bar = (scale * scale * deviation * deviation + floor * floor).squareRoot() * times(unit)
        return DeviationCalibration.Value(
          error: bar * normal(&random), deviation: deviation, unit: 7 * unit, group: unit % 4 == 0 ? "a" : "b")
      }
    }
  }

  @Test(arguments: [(3.0, 0.0), (3, 0.2), (0.5, 0.1), (0, 0.3)])
  func scaleAndFloorAreFound(_ scale: Double, _ floor: Double) throws {
    let values = Self.values(scale: scale, floor: floor)
    let found = try #require(DeviationCalibration(values))
    // Of 2000 values: three standard deviations of what such a fit gives, and the steps of the search.
    #expect(abs(found.scale - scale) < 0.12 * max(scale, 0.5))
    #expect(abs(found.floor - floor) < max(0.12 * floor, 0.05 * scale))
    #expect(found.values == 2000 && found.units == 40)
    #expect(abs(try #require(found.checkedRatio) - 1) < 0.12)
    #expect(abs(try #require(found.withinOne) - 0.683) < 0.04)
    #expect(abs(try #require(found.withinTwo) - 0.954) < 0.02)
    #expect(found.isCalibrated)
    #expect(found.coverage.map(\.bars) == (1...12).map { Double($0) / 4 })
    // Shares of a normal distribution, from a table.
    for (bars, share) in [(0.5, 0.38292), (1, 0.68269), (2, 0.95450), (3, 0.99730)] {
      let own = try #require(found.coverage.first { $0.bars == bars })
      #expect(abs(own.expected - share) < 1e-5 && abs(own.observed - share) < 0.04)
    }
    #expect(found.coverage[3].observed == found.withinOne && found.coverage[7].observed == found.withinTwo)
    #expect(found.groups.map(\.name) == ["a", "b"] && found.groups.map(\.values) == [500, 1500])
    let squares = values.reduce(into: (0.0, 0.0)) {
      $0 = ($0.0 + $1.error * $1.error, $0.1 + $1.deviation * $1.deviation)
    }
    #expect(abs(found.rawRatio - (squares.0 / squares.1).squareRoot()) < 1e-12)
    if scale == 3 { #expect(found.rankCorrelation! > 0.5 && found.largestErrorsAUC! > 0.8) }
    if scale == 0 { #expect(abs(found.rankCorrelation!) < 0.1 && abs(found.largestErrorsAUC! - 0.5) < 0.08) }
  }

  /// Bars fit the values that they are made of, whatever these are. The check must not be fooled.
  @Test func unitsOfAnotherKindAreNoticed() throws {
    // Every other unit has errors five times as large: the halves are of different kinds.
    let found = try #require(DeviationCalibration(Self.values(scale: 2, floor: 0) { $0 % 2 == 0 ? 1 : 5 }))
    // Fivefold in one half, a fifth in the other: the worse of the two counts, and no mean of them.
    let ratio = try #require(found.checkedRatio)
    #expect(max(ratio, 1 / ratio) > 4 && max(ratio, 1 / ratio) < 6)
    #expect(!found.isCalibrated)
    let slightly = try #require(DeviationCalibration(Self.values(scale: 2, floor: 0) { $0 % 2 == 0 ? 1 : 1.4 }))
    #expect(!slightly.isCalibrated)
  }

  @Test func fewUnitsAreNoCheck() throws {
    let three = try #require(DeviationCalibration(Self.values(scale: 2, floor: 0, units: 3, each: 500)))
    #expect(three.checkedRatio != nil && !three.isCalibrated)
    let one = try #require(DeviationCalibration(Self.values(scale: 2, floor: 0, units: 1, each: 500)))
    #expect(
      one.checkedRatio == nil && one.withinOne == nil && one.coverage.isEmpty && !one.isCalibrated && one.groups.isEmpty
    )
    #expect(abs(one.scale - 2) < 0.2)
  }

  @Test func membersThatAgreeSayNothing() {
    let still = (0..<30).map { DeviationCalibration.Value(error: 0.1, deviation: 0, unit: $0, group: "") }
    #expect(DeviationCalibration(still) == nil && DeviationCalibration([]) == nil)
    // Perfect predictions have bars of zero.
    let perfect = (0..<30).map { DeviationCalibration.Value(error: 0, deviation: 0.1, unit: $0, group: "") }
    #expect(DeviationCalibration(perfect)?.scale == 0 && DeviationCalibration(perfect)?.checkedRatio == 0)
  }

  @Test func heavyTailsAreNotNormal() throws {
    // One in twenty errors is thirty times as large: one error bar cannot hold 68 and 95 %.
    var values = Self.values(scale: 1, floor: 0)
    for k in stride(from: 0, to: values.count, by: 20) { values[k].error *= 30 }
    let found = try #require(DeviationCalibration(values))
    #expect(try #require(found.withinOne) > 0.8)
    #expect(!found.isCalibrated)
  }
}
