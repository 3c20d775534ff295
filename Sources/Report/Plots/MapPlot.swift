/// Training points by cluster on two principal components, with the pool and the list on top.
package enum MapPlot {
  private static let named = 12

  package static func figure(_ map: ConfigurationMap, _ clusters: [ClusterSummary]) -> HTML {
    let xs = map.training.map(\.x) + map.candidates.map(\.x)
    let ys = map.training.map(\.y) + map.candidates.map(\.y)
    guard let (xLeast, xMost) = range(xs), let (yLeast, yMost) = range(ys) else {
      return "<p class=\"quiet\">There are no points to draw.</p>"
    }
    let listed = map.candidates.filter { $0.rank != nil }.sorted { $0.rank! < $1.rank! }
    let others = map.candidates.filter { $0.rank == nil }
    var plot = Plot(
      x: .linear(title("First", map.explained?.x), from: xLeast, to: xMost, ticks: 7),
      y: .linear(title("Second", map.explained?.y), from: yLeast, to: yMost, ticks: 6),
      label: "Map of configuration space on two principal components: \(map.training.count) "
        + "training points in \(Set(map.training.map(\.cluster)).count) clusters, "
        + "\(listed.count) listed and \(others.count) other pool structures.")
    plot.width = 760
    plot.height = 500
    let ids = Set(map.training.map(\.cluster)).sorted()
    addTraining(&plot, map, ids)
    addOthers(&plot, others.compactMap { plot.pixel($0.x, $0.y) })
    var labels = LabelPlacer(plot)
    addListed(&plot, &labels, listed)
    for (index, id) in ids.enumerated() {
      let points = map.training.filter { $0.cluster == id }.compactMap { plot.pixel($0.x, $0.y) }
      guard !points.isEmpty else { continue }
      let x = points.reduce(0) { $0 + $1.x } / Double(points.count)
      let y = points.reduce(0) { $0 + $1.y } / Double(points.count)
      plot.text("c\(id)", x, y + 5, class: "cluster k\(index % 8)", anchor: "middle")
    }
    return """
      <figure class="wide"><figcaption><b>Configuration space</b>. \(marks(map)), on the \
      first two principal components of the standardised descriptors\(note(map))</figcaption>\
      \(plot.svg())\(legend(ids, clusters, map))</figure>
      """
  }

  private static func marks(_ map: ConfigurationMap) -> String {
    map.training.count <= largestScatter
      ? "One mark per \(map.unit)" : "Cells in the colour of their most frequent cluster"
  }

  private static func note(_ map: ConfigurationMap) -> String {
    let lost =
      map.training.filter { !($0.x.isFinite && $0.y.isFinite) }.count
      + map.candidates.filter { !($0.x.isFinite && $0.y.isFinite) }.count
    return lost == 0 ? "" : ". \(lost) without finite coordinates, not drawn"
  }

  private static func range(_ values: [Double]) -> (Double, Double)? {
    let finite = values.filter(\.isFinite)
    guard let least = finite.min(), let most = finite.max() else { return nil }
    let margin = max((most - least) * 0.04, 1e-6)
    return (least - margin, most + margin)
  }

  private static func title(_ which: String, _ share: Double?) -> String {
    let part = share.map { " (\(NumberText(.typeset).fixed($0 * 100, 0)) % of variance)" } ?? ""
    return which + " principal component" + part
  }

  private static func addTraining(_ plot: inout Plot, _ map: ConfigurationMap, _ ids: [Int]) {
    if map.training.count > largestScatter {
      addCells(&plot, map, ids)
      return
    }
    for (index, id) in ids.enumerated() {
      let glyph = Glyph(rawValue: index % 4)!
      var path = ""
      for training in map.training where training.cluster == id {
        if let point = plot.pixel(training.x, training.y) { path += glyph.path(point, 2.6) }
      }
      plot.path(path, class: "points k\(index % 8)")
    }
  }

  /// One square per occupied cell, in the colour of the cluster that has most points there (the first of
  /// equals), which bounds the size whatever the number of points and clusters.
  private static func addCells(_ plot: inout Plot, _ map: ConfigurationMap, _ ids: [Int]) {
    var keys: [(cell: Int, cluster: Int)] = []
    for (index, id) in ids.enumerated() {
      for training in map.training where training.cluster == id {
        guard let point = plot.pixel(training.x, training.y) else { continue }
        keys.append(((Int(point.y / 3) << 16) | Int(point.x / 3), index))
      }
    }
    keys.sort { ($0.cell, $0.cluster) < ($1.cell, $1.cluster) }
    var paths = Array(repeating: "", count: ids.count)
    var start = 0
    while start < keys.count {
      let cell = keys[start].cell
      var best = (cluster: 0, count: 0)
      while start < keys.count && keys[start].cell == cell {
        let cluster = keys[start].cluster
        var end = start
        while end < keys.count && keys[end] == (cell, cluster) { end += 1 }
        if end - start > best.count { best = (cluster, end - start) }
        start = end
      }
      paths[best.cluster] += "M\((cell & 0xFFFF) * 3) \((cell >> 16) * 3)h2.6v2.6h-2.6z"
    }
    for (index, path) in paths.enumerated() { plot.path(path, class: "points k\(index % 8)") }
  }

  private static func addOthers(_ plot: inout Plot, _ points: [(x: Double, y: Double)]) {
    var path = ""
    let side = points.count > largestScatter ? 6 : 2
    for cell in cells(points, side) {
      path += "M\(cell.x * side - 3) \(cell.y * side - 3)l6 6m0 -6l-6 6"
    }
    plot.path(path, class: "others")
  }

  private static func addListed(
    _ plot: inout Plot, _ labels: inout LabelPlacer, _ listed: [ConfigurationMap.CandidatePoint]
  ) {
    var path = ""
    for candidate in listed.reversed() {
      guard let point = plot.pixel(candidate.x, candidate.y) else { continue }
      path += Glyph.diamond.path(point, 4.2)
    }
    plot.path(path, class: "listed")
    for candidate in listed.prefix(named) {
      guard let point = plot.pixel(candidate.x, candidate.y), let rank = candidate.rank else {
        continue
      }
      if let place = labels.place("#\(rank)", near: point) {
        plot.text("#\(rank)", place.x, place.y, class: "rank")
      }
    }
  }

  private static func cells(
    _ points: [(x: Double, y: Double)], _ side: Int
  ) -> [(x: Int, y: Int)] {
    let keys = Set(points.map { ((Int($0.y) / side) << 16) | (Int($0.x) / side) })
    return keys.sorted().map { ($0 & 0xFFFF, $0 >> 16) }
  }

  private static func legend(
    _ ids: [Int], _ clusters: [ClusterSummary], _ map: ConfigurationMap
  ) -> HTML {
    let listed = map.candidates.filter { $0.rank != nil }.count
    let others = map.candidates.count - listed
    let isDense = map.training.count > largestScatter
    var html: HTML = "<ul class=\"legend\">"
    if listed > 0 {
      html += """
        <li>\(swatch(.diamond, "listed"))on the list (\(listed)), the first \
        \(min(listed, named)) by rank</li>
        """
    }
    if others > 0 { html += "<li>\(cross())other pool structures (\(others))</li>" }
    for (index, id) in ids.enumerated().prefix(24) {
      let label = clusters.first { $0.id == id }?.label ?? ""
      html += """
        <li>\(swatch(isDense ? .square : Glyph(rawValue: index % 4)!, "points k\(index % 8)"))\
        c\(id) \(label)</li>
        """
    }
    if ids.count > 24 { html += "<li>and \(ids.count - 24) more clusters</li>" }
    html += "</ul>"
    return html
  }

  private static func swatch(_ glyph: Glyph, _ style: String) -> HTML {
    """
    <svg class="key" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">\
    <path class="\(style)" d="\(HTML(pathData: glyph.path((7, 7), 4.2)))"/></svg>
    """
  }

  private static func cross() -> HTML {
    """
    <svg class="key" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">\
    <path class="others" d="M4 4l6 6m0 -6l-6 6"/></svg>
    """
  }
}

/// Finds room for short labels beside marks, first come first served.
struct LabelPlacer {
  private var taken: [(x: Double, y: Double, width: Double)] = []
  private let plot: Plot

  init(_ plot: Plot) { self.plot = plot }

  /// The start of the base line, or nil where every place beside the point is taken.
  mutating func place(_ text: String, near point: (x: Double, y: Double)) -> (
    x: Double, y: Double
  )? {
    let width = Double(text.unicodeScalars.count) * 7.5
    let places = [
      (point.x + 7, point.y - 5), (point.x + 7, point.y + 14), (point.x - 7 - width, point.y - 5),
      (point.x - 7 - width, point.y + 14), (point.x + 9, point.y + 4),
      (point.x - 9 - width, point.y + 4),
    ]
    for (x, y) in places {
      let fits =
        x >= plot.left && x + width <= plot.left + plot.innerWidth && y - 12 >= plot.top
        && y <= plot.top + plot.innerHeight
      let free = taken.allSatisfy {
        x + width < $0.x || $0.x + $0.width < x || abs(y - $0.y) > 13
      }
      if fits && free {
        taken.append((x, y, width))
        return (x, y)
      }
    }
    return nil
  }
}
