/// Held-out errors against the number of training configurations, on logarithmic axes: a straight fall says that
/// more data of these kinds will help, a level line that the basis, not the data, is the limit.
package enum LearningPlot {
  package static func figures(_ points: [LearningPoint]) -> HTML {
    let quantities: [(title: String, unit: String, factor: Double, error: (RootErrors) -> Double?)] = [
      ("Energies", "meV/atom", 1000, \.energy), ("Force components", "meV/Å", 1000, \.force),
    ]
    var html: HTML = ""
    for quantity in quantities {
      let values = points.compactMap { point in
        quantity.error(point.heldOut).map { (x: Double(point.configurations), y: $0 * quantity.factor) }
      }.filter { $0.x > 0 && $0.y > 0 && $0.y.isFinite }
      if values.count > 1 { html += figure(quantity.title, quantity.unit, values) }
    }
    return html
  }

  private static func figure(_ title: String, _ unit: String, _ values: [(x: Double, y: Double)]) -> HTML {
    let numbers = NumberText(.typeset)
    let (xs, ys) = (values.map(\.x), values.map(\.y))
    let told = values.map { "\(NumberText(.plain).count(Int($0.x))): \(NumberText(.plain).significant($0.y))" }
    var plot = Plot(
      x: axis("Training configurations", xs, reach: 1.25), y: axis("Held-out RMSE (\(unit))", ys, reach: 1.4),
      label: "Learning curve of \(title.lowercased()), held-out RMSE in \(unit) by number of training "
        + "configurations. \(told.joined(separator: "; ")).")
    plot.height = 300
    var outline = ""
    var marks = ""
    for value in values {
      guard let point = plot.pixel(value.x, value.y) else { continue }
      outline += "\(outline.isEmpty ? "M" : "L")\(pixels(point.x)) \(pixels(point.y))"
      marks += "M\(pixels(point.x)) \(pixels(point.y))h0"
    }
    plot.path(outline, class: "curve heldout")
    plot.path(marks, class: "knots heldout")
    if let last = values.last, let point = plot.pixel(last.x, last.y) {
      plot.text(numbers.significant(last.y), point.x - 4, point.y - 10, anchor: "end")
    }
    return "<figure><figcaption><b>\(title), learning curve</b></figcaption>\(plot.svg())</figure>"
  }

  /// Logarithmic over just the range of the values: whole decades would leave half of the plot empty.
  private static func axis(_ title: String, _ values: [Double], reach: Double) -> Axis {
    let (least, most) = (values.min()! / reach, values.max()! * reach)
    var axis = Axis(title: title, lower: least, upper: most, isLogarithmic: true)
    var ticks: [Double] = []
    var decade = 1.0
    while decade > least { decade /= 10 }
    while decade < most {
      ticks += [1, 2, 5].map { $0 * decade }
      decade *= 10
    }
    // A narrow range holds too few of 1, 2, 5.
    if ticks.count(where: { $0 >= least && $0 <= most }) < 3 {
      let steps = [1, 1.2, 1.4, 1.7, 2, 2.5, 3, 4, 5, 6, 8]
      ticks = ticks.filter(isPowerOfTen).flatMap { decade in steps.map { $0 * decade } }
    }
    ticks = ticks.filter { $0 >= least && $0 <= most }
    if ticks.count > 7 { ticks = ticks.filter { value in isPowerOfTen(value) } }
    axis.ticks = ticks.map { Axis.Tick(value: $0, label: NumberText(.typeset).significant($0, 2)) }
    return axis
  }

  private static func isPowerOfTen(_ value: Double) -> Bool {
    var rest = value
    while rest >= 10 { rest /= 10 }
    while rest < 1 { rest *= 10 }
    return abs(rest - 1) < 1e-9
  }
}
