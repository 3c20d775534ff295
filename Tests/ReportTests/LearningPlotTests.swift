import Report
import Testing

@Suite struct LearningPlotTests {
  private func points(_ errors: [Double?]) -> [LearningPoint] {
    errors.enumerated().map { index, error in
      LearningPoint(configurations: 10 << index, heldOut: RootErrors(energy: error, force: 0.1))
    }
  }

  @Test func aCurveHasOneKnotForEachFitAndSaysItsNumbers() {
    let text = LearningPlot.figures(points([0.020, 0.010, 0.0065])).text
    #expect(text.components("<figure>") == 2)
    #expect(text.contains("10: 20.0; 20: 10.0; 40: 6.50"))
    #expect(text.contains("class=\"knots heldout\""))
  }

  @Test func narrowRangesHaveTicks() {
    let text = LearningPlot.figures(points([0.110, 0.115, 0.112])).text
    #expect(text.components("class=\"tick\"") >= 8)
  }

  @Test func onePointIsNoCurve() {
    let text = LearningPlot.figures(points([0.02, nil, nil])).text
    // Of forces there are three.
    #expect(text.components("<figure>") == 1)
    #expect(LearningPlot.figures([]).text.isEmpty)
  }
}

extension String {
  /// How often another string occurs.
  fileprivate func components(_ part: String) -> Int {
    var (count, rest) = (0, self[...])
    while let range = rest.firstRange(of: part) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
