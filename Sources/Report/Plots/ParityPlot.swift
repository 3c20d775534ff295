/// Predicted against reference values, training and held out side by side on the same axes, and how
/// the errors are distributed.
package enum ParityPlot {
  package static func figures(_ data: ParityData) -> HTML {
    let finite = data.reference.filter(\.isFinite)
    guard let least = finite.min(), let most = finite.max() else {
      return "<p class=\"quiet\">There are no \(data.quantity.title) to compare.</p>"
    }
    var html: HTML = ""
    for part in [DataPart.training, .heldOut] {
      html += parity(data, part, least, most)
    }
    html += errors(data)
    return html
  }

  private static func indices(_ data: ParityData, _ part: DataPart) -> [Int] {
    data.reference.indices.filter { data.isHeldOut[$0] == (part == .heldOut) }
  }

  private static func parity(
    _ data: ParityData, _ part: DataPart, _ least: Double, _ most: Double
  ) -> HTML {
    let chosen = indices(data, part)
    let quantity = data.quantity
    let title: HTML = "<b>\(quantity.heading), \(part.rawValue)</b>"
    if chosen.isEmpty {
      return """
        <figure><figcaption>\(title)</figcaption>\
        <p class="quiet">No \(part.rawValue) values.</p></figure>
        """
    }
    let margin = max((most - least) * 0.06, 1e-9 * abs(most))
    let unit = quantity.unit
    var plot = Plot(
      x: .linear("Reference (\(unit))", from: least - margin, to: most + margin),
      y: .linear("Predicted (\(unit))", from: least - margin, to: most + margin),
      label: "Parity plot of \(chosen.count) \(part.rawValue) \(quantity.title): predicted against "
        + "reference in \(unit).")
    plot.height = 360
    let style = part == .training ? "training" : "heldout"
    var moved = 0
    var lost = 0
    var points: [(x: Double, y: Double)] = []
    for index in chosen {
      let predicted = data.predicted[index]
      guard let point = plot.clampedPixel(data.reference[index], predicted) else {
        lost += 1
        continue
      }
      if predicted < plot.y.lower || predicted > plot.y.upper { moved += 1 }
      points.append(point)
    }
    if let start = plot.pixel(plot.x.lower, plot.x.lower),
      let end = plot.pixel(plot.x.upper, plot.x.upper)
    {
      plot.line(start.x, start.y, end.x, end.y, class: "diagonal")
    }
    let legend = add(points, to: &plot, style)
    var caption = title
    let numbers = NumberText(.typeset)
    caption += " (\(numbers.count(chosen.count)))"
    if moved > 0 { caption += ". \(numbers.count(moved)) beyond the frame, drawn on its edge" }
    if lost > 0 { caption += ". \(numbers.count(lost)) without a finite value, not drawn" }
    return "<figure><figcaption>\(caption)</figcaption>\(plot.svg())\(legend)</figure>"
  }

  /// Single marks or cells; returns the legend.
  private static func add(
    _ points: [(x: Double, y: Double)], to plot: inout Plot, _ style: String
  ) -> HTML {
    if points.count <= largestScatter {
      var path = ""
      for point in points { path += "M\(pixels(point.x)) \(pixels(point.y))h0" }
      plot.path(path, class: "dots \(style)")
      return """
        <ul class="legend"><li><span class="swatch \(style)"></span>one mark per value</li></ul>
        """
    }
    var cells = DensityCells(plot)
    for point in points { cells.count(point) }
    var legend: HTML = "<ul class=\"legend\"><li>values per cell:</li>"
    for (level, path) in cells.paths().enumerated() where !path.isEmpty {
      plot.path(path, class: "cells \(style) l\(level)")
      legend += """
        <li><span class="swatch \(style) l\(level)"></span>\(DensityCells.classNames[level])</li>
        """
    }
    legend += "</ul>"
    return legend
  }

  private static func errors(_ data: ParityData) -> HTML {
    let factor = data.quantity.errorFactor
    func errors(_ part: DataPart) -> [Double] {
      indices(data, part).map { (data.predicted[$0] - data.reference[$0]) * factor }
    }
    let training = errors(.training)
    let heldOut = errors(.heldOut)
    let sizes = (training + heldOut).filter(\.isFinite).map(abs).sorted()
    guard !sizes.isEmpty else { return "" }
    let reach = max(sizes[(sizes.count - 1) * 99 / 100], 1e-6)
    let unit = data.quantity.errorUnit
    let x = Axis.linear("Predicted − reference (\(unit))", from: -reach, to: reach)
    let first = Histogram(training.filter(\.isFinite), x, bins: 41)
    let second = Histogram(heldOut.filter(\.isFinite), x, bins: 41)
    let y = Axis.linear(
      "Share of values (%)", from: 0, to: max(first.highest, second.highest, 1),
      reachingTicks: true)
    let median = NumberText(.plain).significant(sizes[sizes.count / 2])
    var plot = Plot(
      x: x, y: y,
      label: "Histogram of errors of \(data.quantity.title), \(training.count) training and "
        + "\(heldOut.count) held out. Median size \(median) \(unit).")
    plot.height = 360
    if let zero = plot.pixel(0, 0) {
      plot.line(zero.x, plot.top, zero.x, plot.top + plot.innerHeight, class: "diagonal")
    }
    plot.path(first.outline(plot), class: "hist training")
    plot.path(second.outline(plot), class: "hist heldout")
    return """
      <figure><figcaption><b>\(data.quantity.heading), errors</b></figcaption>\(plot.svg())<ul class="legend">\
      <li><span class="swatch training"></span>training</li>\
      <li><span class="swatch heldout"></span>held out</li>\
      <li>the largest 1 % count in the outermost bins</li></ul></figure>
      """
  }
}

extension ParityData.Quantity {
  var heading: String {
    switch self {
    case .energy: "Energies"
    case .force: "Force components"
    case .stress: "Stress components"
    }
  }

  var title: String { heading.lowercased() }

  var unit: String {
    switch self {
    case .energy: "eV/atom"
    case .force: "eV/Å"
    case .stress: "eV/Å³"
    }
  }

  var errorUnit: String {
    switch self {
    case .energy: "meV/atom"
    case .force: "meV/Å"
    case .stress: "GPa"
    }
  }

  var errorFactor: Double { self == .stress ? ErrorQuantity.stress.factor : 1000 }
}
