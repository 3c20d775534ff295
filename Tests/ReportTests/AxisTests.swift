import Report
import Testing

@Suite struct AxisTests {
  @Test func ticksAreRoundAndInside() {
    let ranges = [(0.0, 1.0), (-8.93, -7.51), (-0.0004, 0.0011), (0, 23.7), (1e6, 3e6), (5, 5)]
    for (from, to) in ranges {
      let axis = Axis.linear("x", from: from, to: to)
      #expect((3...10).contains(axis.ticks.count), "\(from)...\(to): \(axis.ticks)")
      #expect(axis.ticks.allSatisfy { $0.value >= axis.lower - 1e-9 * abs(axis.lower) })
      #expect(axis.ticks.allSatisfy { $0.value <= axis.upper + 1e-9 * abs(axis.upper) })
      #expect(Set(axis.ticks.map(\.label)).count == axis.ticks.count, "labels tell ticks apart")
    }
  }

  @Test func rangeReachesTicks() {
    let axis = Axis.linear("%", from: 0, to: 22.7, reachingTicks: true)
    #expect(axis.lower == 0)
    #expect(axis.upper == 25)
    #expect(axis.ticks.map(\.label) == ["0", "5", "10", "15", "20", "25"])
  }

  @Test func decades() {
    let axis = Axis.logarithmic("γ", from: 0.02, to: 700)
    #expect(axis.lower == 0.01 && axis.upper == 1000)
    #expect(axis.ticks.map(\.label) == ["0.01", "0.1", "1", "10", "100", "1000"])
    #expect(abs(axis.fraction(1) - 0.4) < 1e-12)
    let wide = Axis.logarithmic("γ", from: 1e-3, to: 1e15)
    #expect(wide.ticks.count <= 8)
  }

  @Test func notFiniteRangesStillGiveAnAxis() {
    for axis in [
      Axis.linear("x", from: .nan, to: 1), .linear("x", from: -.infinity, to: .infinity),
    ] {
      #expect(axis.lower < axis.upper && !axis.ticks.isEmpty)
    }
  }

  @Test func histogramCountsEveryNumberOnce() {
    let axis = Axis.linear("x", from: 0, to: 10, reachingTicks: true)
    let histogram = Histogram([-5, 0, 1, 9.99, 10, 400, .infinity, .nan], axis, bins: 10)
    #expect(abs(histogram.shares.reduce(0, +) + histogram.outside - 100) < 1e-9)
    #expect(abs(histogram.shares[0] - 200.0 / 7) < 1e-9, "-5 and 0")
    #expect(abs(histogram.shares[9] - 300.0 / 7) < 1e-9, "9.99, 10 and 400")
    #expect(abs(histogram.outside - 100.0 / 7) < 1e-9)
  }

  @Test func cellsCountLikeAPlainLoop() {
    let plot = Plot(
      x: .linear("x", from: 0, to: 1), y: .linear("y", from: 0, to: 1), label: "test")
    var cells = DensityCells(plot)
    for _ in 0..<12 { cells.count((plot.left + 1, plot.top + 1)) }
    cells.count((plot.left + 5, plot.top + 1))
    cells.count((plot.left + 9, plot.top + 1))
    let paths = cells.paths()
    #expect(paths[2] == "M\(pixels(plot.left)) \(pixels(plot.top))h4v4h-4z", "12 in one cell")
    #expect(paths[0] == "M\(pixels(plot.left + 4)) \(pixels(plot.top))h8v4h-8z", "a run of two")
    #expect(paths[1].isEmpty && paths[3].isEmpty && paths[4].isEmpty)
  }
}
