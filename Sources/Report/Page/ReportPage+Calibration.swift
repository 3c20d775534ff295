extension ReportPage {
  /// Whether deviations may be read as errors, and how.
  func calibration() -> HTML {
    var table = PageTable(
      id: "calibration-table", caption: "Error bars on runs that they were not made of",
      columns: [
        .init("Quantity"), .init("Runs", numeric: true), .init("Values", numeric: true),
        .init("Errors over deviations", numeric: true), .init("Scale", numeric: true), .init("Floor", numeric: true),
        .init("Errors over error bars", numeric: true), .init("Within one <small>68\u{A0}%</small>", numeric: true),
        .init("Within two <small>95\u{A0}%</small>", numeric: true), .init("Verdict"),
      ])
    table.add(content.calibration) { line in
      [
        .text(line.quantity.heading), .count(line.runs), .count(line.values), ratio(line.rawRatio),
        ratio(line.scale),
        .number(
          "\(numbers.significant(line.floor * line.quantity.errorFactor)) \(line.quantity.errorUnit)", line.floor),
        line.checkedRatio.map(ratio) ?? .text("–"), share(line.withinOne), share(line.withinTwo),
        .text(line.isCalibrated ? "calibrated" : "not calibrated: no error bars", style: "why"),
      ]
    }
    let words: HTML = """
      <p class="quiet">An error bar is √(scale² σ² + floor²) of the standard deviation σ of the ensemble's members: of an \
      energy per atom, of a component of a force or of the stress. Scale and floor are those of all held-out runs (or \
      blocks of independent frames); ratios and shares judge each run by error bars of others. What is not calibrated \
      has too few runs or failed that check: its deviations order structures and are no errors. On the diagonal of a \
      figure error bars hold, below it they are too small.</p>

      """
    let figures = ReliabilityPlot.figures(content.calibration)
    return table.html() + (figures.text.isEmpty ? "" : "<div class=\"plots\">\(figures)</div>\n") + words
  }

  private func ratio(_ value: Double) -> PageTable.Cell { .number(numbers.significant(value), value) }

  private func share(_ value: Double?) -> PageTable.Cell {
    value.map { .number("\(numbers.fixed(100 * $0, 0)) %", $0) } ?? .text("–")
  }
}
