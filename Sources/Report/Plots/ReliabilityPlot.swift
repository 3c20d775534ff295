/// Shares of errors within error bars against those of normal errors: on the diagonal bars hold, below it they are too
/// small, above it too large.
package enum ReliabilityPlot {
  package static func figures(_ lines: [CalibrationLine]) -> HTML {
    var html: HTML = ""
    for line in lines where line.coverage.count > 1 { html += figure(line) }
    return html
  }

  private static func figure(_ line: CalibrationLine) -> HTML {
    let told = line.coverage.map { "\(percent($0.expected)): \(percent($0.observed))" }
    var plot = Plot(
      x: axis("Expected within the error bar (%)"), y: axis("Found on other runs (%)"),
      label: "Reliability of the error bars of \(line.quantity.title): share of normal errors within so many error "
        + "bars, and share found. \(told.joined(separator: "; ")).")
    plot.height = 300
    if let start = plot.pixel(0, 0), let end = plot.pixel(100, 100) {
      plot.line(start.x, start.y, end.x, end.y, class: "diagonal")
    }
    var outline = ""
    var marks = ""
    for share in line.coverage {
      guard let point = plot.pixel(100 * share.expected, 100 * share.observed) else { continue }
      outline += "\(outline.isEmpty ? "M" : "L")\(pixels(point.x)) \(pixels(point.y))"
      marks += "M\(pixels(point.x)) \(pixels(point.y))h0"
    }
    plot.path(outline, class: "curve heldout")
    plot.path(marks, class: "knots heldout")
    return "<figure><figcaption><b>\(line.quantity.heading), reliability</b></figcaption>\(plot.svg())</figure>"
  }

  private static func axis(_ title: String) -> Axis { .linear(title, from: 0, to: 100) }

  private static func percent(_ share: Double) -> String { "\(NumberText(.plain).fixed(100 * share, 0)) %" }
}
