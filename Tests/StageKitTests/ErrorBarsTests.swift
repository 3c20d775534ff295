import StageKit
import Testing

/// What may be called an error, and in which unit.
@Suite struct ErrorBarsTests {
  private func calibration(
    _ quantity: String, _ unit: String, units: Int = 9, ratio: Double? = 1.1, isCalibrated: Bool
  ) -> FitSummary.Calibration {
    .init(
      quantity: quantity, unit: unit, values: 500, units: units, rawRatio: 4, scale: 3, floor: 8, checkedRatio: ratio,
      withinOne: ratio == nil ? nil : 0.7, withinTwo: ratio == nil ? nil : 0.94, coverage: [], rankCorrelation: nil,
      largestErrorsAUC: nil, groups: [], isCalibrated: isCalibrated)
  }

  private func bars(_ calibrations: FitSummary.Calibration...) -> ErrorBars {
    var fit = FitSummary(basis: "", elements: ["W"], functions: [1])
    fit.calibration = calibrations
    return ErrorBars(fit)
  }

  @Test func barsAreInTheUnitsOfDeviations() throws {
    let bars = bars(
      calibration("energy", "meV/atom", isCalibrated: true), calibration("force", "meV/Å", isCalibrated: true),
      calibration("stress", "GPa", isCalibrated: true))
    // √((3 · 0.002)² + 0.008²) is exactly 0.01.
    #expect(abs(try #require(bars.uncertainty(.energy, deviation: 0.002)) - 0.01) < 1e-15)
    #expect(abs(try #require(bars.uncertainty(.force, deviation: 0)) - 0.008) < 1e-15)
    // 8 GPa.
    #expect(abs(try #require(bars.uncertainty(.stress, deviation: 0)) - 8 / 160.2176634) < 1e-12)
    #expect(ErrorBars.Quantity.allCases.allSatisfy { bars.reason($0) == nil })
    // A structure that could not be evaluated has no error bar.
    #expect(bars.uncertainty(.force, deviation: .infinity) == nil && bars.uncertainty(.force, deviation: .nan) == nil)
  }

  @Test func whatFailedItsCheckHasNone() throws {
    let bars = bars(
      calibration("energy", "meV/atom", units: 2, ratio: nil, isCalibrated: false),
      calibration("force", "meV/Å", units: 3, ratio: 1.9, isCalibrated: false))
    #expect(ErrorBars.Quantity.allCases.allSatisfy { bars.uncertainty($0, deviation: 0.1) == nil })
    #expect(try #require(bars.reason(.energy)).contains("not checked"))
    let force = try #require(bars.reason(.force))
    #expect(force.contains("1.9 times") && force.contains("3 runs or blocks") && force.contains("not calibrated"))
    #expect(try #require(bars.reason(.stress)).contains("no held-out frame"))
  }

  @Test func withoutACalibrationThereIsAReason() {
    let bars = ErrorBars.unavailable("nothing was held out")
    #expect(bars.uncertainty(.energy, deviation: 0.1) == nil && bars.reason(.energy) == "nothing was held out")
  }
}
