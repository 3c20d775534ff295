extension ReportPage {
  func novelty() -> HTML {
    var html = block(
      "How grades are distributed",
      content.grades.isEmpty
        ? nil
        : "<div class=\"plots two\">\(content.grades.prefix(20).map(GradePlot.figure))</div>\n",
      otherwise: "No grades were given.")
    html += block(
      "Where the candidates lie",
      content.map.map { MapPlot.figure($0, content.clusters) },
      otherwise: "No map was given.")
    html += block("Clusters", clusters(), otherwise: "The training data form one cluster.")
    return html
  }

  private func clusters() -> HTML? {
    if content.clusters.isEmpty { return nil }
    var table = PageTable(
      id: "cluster-table", caption: "Clusters of training environments",
      columns: [
        .init("Cluster"), .init("Label"), .init("Element"), .init("Rows", numeric: true),
        .init("Rank", numeric: true), .init("Rows per rank", numeric: true),
        .init("Representation", numeric: true),
      ])
    table.add(content.clusters) { cluster in
      let ratio = Double(cluster.rows) / Double(max(cluster.rank, 1))
      return [
        PageTable.Cell("c\(cluster.id)", key: String(cluster.id)), .name(cluster.label),
        .name(cluster.element), .count(cluster.rows), .count(cluster.rank),
        .number(numbers.significant(ratio, 2), ratio),
        .number(numbers.fixed(cluster.representation, 2), cluster.representation),
      ]
    }
    return table.html() + """
      <p class="quiet">Representation is a cluster's share of the global active set over its share of \
      the rows. Below 1 the global grade hardly knows the cluster, and the local grade sees more.</p>

      """
  }
}
