/// How grades of training structures and of the pool are distributed, on a logarithmic axis, with a column
/// of its own for what lies outside the span.
package enum GradePlot {
  package static func figure(_ distribution: GradeDistribution) -> HTML {
    let all = distribution.training + distribution.candidates
    let positive = all.filter { $0.isFinite && $0 > 0 }.sorted()
    let hasOutside = all.contains(.infinity)
    guard !positive.isEmpty || hasOutside else {
      return """
        <figure><figcaption><b>\(distribution.name)</b></figcaption>\
        <p class="quiet">There are no grades to show.</p></figure>
        """
    }
    let drawn = distribution.thresholds.map(\.value).filter { $0.isFinite && $0 > 0 }
    let lowest = positive.isEmpty ? 0.1 : positive[positive.count / 200]
    let from = min(lowest, drawn.min() ?? lowest, 1)
    let to = max(positive.last ?? 1, drawn.max() ?? 1, 1)
    let x = Axis.logarithmic("Extrapolation grade γ", from: max(from, to * 1e-8), to: to)
    let decades = x.ticks.count - 1
    let bins = min(60, max(24, 12 * decades))
    let training = Histogram(distribution.training, x, bins: bins)
    let candidates = Histogram(distribution.candidates, x, bins: bins)
    let y = Axis.linear(
      "Share of structures (%)", from: 0, to: max(training.highest, candidates.highest, 1),
      reachingTicks: true)
    var plot = Plot(x: x, y: y, label: label(distribution))
    plot.width = 560
    if hasOutside { plot.right = 92 }
    if !drawn.isEmpty { plot.top = 28 }
    plot.path(training.outline(plot), class: "hist training")
    plot.path(candidates.outline(plot), class: "hist pool")
    if hasOutside { addOutside(&plot, training.outside, candidates.outside) }
    addThresholds(&plot, distribution.thresholds)
    return """
      <figure><figcaption><b>\(distribution.name)</b></figcaption>\(plot.svg())\
      <ul class="legend">\(trainingKey(distribution))<li><span class="swatch pool"></span>pool \
      (\(count(distribution.candidates.count)))</li></ul></figure>
      """
  }

  /// The key of the training curve, where there is one.
  private static func trainingKey(_ distribution: GradeDistribution) -> HTML {
    distribution.training.isEmpty
      ? "" : "<li><span class=\"swatch training\"></span>training (\(count(distribution.training.count)))</li>"
  }

  private static func addOutside(_ plot: inout Plot, _ training: Double, _ candidates: Double) {
    let base = plot.top + plot.innerHeight
    let start = plot.left + plot.innerWidth + 30
    for (index, share) in [training, candidates].enumerated() where share > 0 {
      let height = plot.y.fraction(share) * plot.innerHeight
      let x = start + Double(index) * 20
      plot.path(
        "M\(pixels(x)) \(pixels(base))v\(pixels(-height))h20v\(pixels(height))z",
        class: index == 0 ? "hist training" : "hist pool")
    }
    plot.path("M\(pixels(start - 4)) \(pixels(base))h48", class: "base")
    plot.text("outside", start + 20, base + 16, class: "tick", anchor: "middle")
  }

  private static func addThresholds(_ plot: inout Plot, _ thresholds: [NamedValue]) {
    for (index, threshold) in thresholds.enumerated() {
      guard threshold.value > 0, let point = plot.pixel(threshold.value, 0) else { continue }
      plot.line(point.x, plot.top, point.x, plot.top + plot.innerHeight, class: "threshold")
      let text = "\(threshold.name) \(NumberText(.typeset).short(threshold.value))"
      plot.text(
        text, point.x, plot.top - (index % 2 == 0 ? 6 : 17), class: "tick", anchor: "middle")
    }
  }

  private static func label(_ distribution: GradeDistribution) -> String {
    func part(_ name: String, _ values: [Double]) -> String {
      let known = values.filter { !$0.isNaN }.sorted()
      guard let last = known.last else { return "no \(name) structures" }
      let grades = NumberText.grades(.plain)
      return "\(known.count) \(name) structures, median \(grades.grade(known[known.count / 2])), "
        + "largest \(grades.grade(last))"
    }
    return "Histogram. \(distribution.name): \(part("training", distribution.training)); "
      + "\(part("pool", distribution.candidates))."
  }

  private static func count(_ value: Int) -> String { NumberText(.typeset).count(value) }
}
