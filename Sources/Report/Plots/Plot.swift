/// A frame with two axes that draws marks as SVG; colours come from the page's style by class name.
package struct Plot {
  package var width = 400.0
  package var height = 340.0
  package var left = 62.0
  package var right = 14.0
  package var top = 12.0
  package var bottom = 50.0
  package let x: Axis
  package let y: Axis
  /// What a reader who does not see the plot is told.
  package let label: String
  private var marks: HTML = ""

  package init(x: Axis, y: Axis, label: String) {
    self.x = x
    self.y = y
    self.label = label
  }

  package var innerWidth: Double { width - left - right }
  package var innerHeight: Double { height - top - bottom }

  /// Pixels of a point; nil where it is not finite.
  package func pixel(_ xValue: Double, _ yValue: Double) -> (x: Double, y: Double)? {
    let (fx, fy) = (x.fraction(xValue), y.fraction(yValue))
    guard !fx.isNaN && !fy.isNaN && xValue.isFinite && yValue.isFinite else { return nil }
    return (left + held(fx) * innerWidth, top + (1 - held(fy)) * innerHeight)
  }

  /// Far outside is outside: keeps lengths printable.
  private func held(_ fraction: Double) -> Double { min(max(fraction, -100), 100) }

  /// The same, moved onto the frame where it lies outside.
  package func clampedPixel(_ xValue: Double, _ yValue: Double) -> (x: Double, y: Double)? {
    guard let point = pixel(xValue, yValue) else { return nil }
    return (
      min(max(point.x, left), left + innerWidth), min(max(point.y, top), top + innerHeight)
    )
  }

  package mutating func add(_ mark: HTML) { marks += mark }

  package mutating func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, class style: String
  ) {
    add(
      """
      <line class="\(style)" x1="\(pixels(x1))" y1="\(pixels(y1))" x2="\(pixels(x2))" \
      y2="\(pixels(y2))"/>
      """)
  }

  package mutating func path(_ data: String, class style: String) {
    if !data.isEmpty {
      add("<path class=\"\(style)\" d=\"\(HTML(pathData: data))\"/>")
    }
  }

  package mutating func text(
    _ text: String, _ x: Double, _ y: Double, class style: String = "", anchor: String = "start"
  ) {
    add(
      """
      <text class="\(style)" x="\(pixels(x))" y="\(pixels(y))" text-anchor="\(anchor)">\(text)</text>
      """)
  }

  /// The whole drawing, with its own scale so that text keeps its size.
  package func svg() -> HTML {
    """
    <svg viewBox="0 0 \(Int(width)) \(Int(height))" width="\(Int(width))" height="\(Int(height))" \
    role="img" aria-label="\(label)">\(frame())\(marks)\(titles())</svg>
    """
  }

  private func frame() -> HTML {
    var html: HTML = """
      <rect class="area" x="\(pixels(left))" y="\(pixels(top))" width="\(pixels(innerWidth))" \
      height="\(pixels(innerHeight))"/>
      """
    for tick in x.ticks {
      guard let point = pixel(tick.value, y.lower) else { continue }
      html += """
        <path class="grid" d="M\(pixels(point.x)) \(pixels(top))V\(pixels(top + innerHeight))"/>\
        <text class="tick" x="\(pixels(point.x))" y="\(pixels(top + innerHeight + 16))" \
        text-anchor="middle">\(tick.label)</text>
        """
    }
    for tick in y.ticks {
      guard let point = pixel(x.lower, tick.value) else { continue }
      html += """
        <path class="grid" d="M\(pixels(left)) \(pixels(point.y))H\(pixels(left + innerWidth))"/>\
        <text class="tick" x="\(pixels(left - 6))" y="\(pixels(point.y + 4))" \
        text-anchor="end">\(tick.label)</text>
        """
    }
    return html
  }

  private func titles() -> HTML {
    let middle = top + innerHeight / 2
    return """
      <text class="axis" x="\(pixels(left + innerWidth / 2))" y="\(pixels(height - 10))" \
      text-anchor="middle">\(x.title)</text>\
      <text class="axis" transform="translate(14 \(pixels(middle))) rotate(-90)" \
      text-anchor="middle">\(y.title)</text>
      """
  }
}

/// A length in pixels with at most one decimal.
package func pixels(_ value: Double) -> String {
  let tenths = Int((value * 10).rounded())
  let whole = tenths.magnitude / 10
  let rest = tenths.magnitude % 10
  return (tenths < 0 ? "-" : "") + String(whole) + (rest == 0 ? "" : ".\(rest)")
}
