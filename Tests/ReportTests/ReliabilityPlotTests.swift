import Report
import TestSupport
import Testing

@Suite struct ReliabilityPlotTests {
  private func line(_ coverage: [(Double, Double)], isCalibrated: Bool = true) -> CalibrationLine {
    CalibrationLine(
      quantity: .force, scale: 6.28, floor: 0.00044, rawRatio: 2.5, checkedRatio: coverage.isEmpty ? nil : 1.02,
      withinOne: coverage.isEmpty ? nil : 0.73, withinTwo: coverage.isEmpty ? nil : 0.954, values: 4321, runs: 17,
      isCalibrated: isCalibrated, coverage: coverage.map { .init(expected: $0.0, observed: $0.1) })
  }

  @Test func aFigureSaysItsSharesAndHasTheDiagonal() {
    let text = ReliabilityPlot.figures([line([(0.38, 0.41), (0.68, 0.73), (0.95, 0.954)])]).text
    #expect(text.contains("38 %: 41 %; 68 %: 73 %; 95 %: 95 %"))
    #expect(text.contains("class=\"diagonal\"") && text.contains("Force components, reliability"))
    #expect(ReliabilityPlot.figures([line([])]).text.isEmpty)
  }

  @Test func thePageSaysWhetherBarsHold() {
    var content = SampleReport.content(points: 50)
    content.calibration = []
    #expect(!ReportPage(content).html().contains("calibration-table"))
    content.calibration = [line([(0.68, 0.73), (0.95, 0.954)]), line([], isCalibrated: false)]
    let page = ReportPage(content).html()
    #expect(page.contains("0.44") && page.contains("73 %") && page.contains("95 %") && page.contains("6.28"))
    #expect(page.contains(">calibrated<") && page.contains("not calibrated: no error bars"))
  }
}
