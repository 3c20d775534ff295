extension ReportPage {
  func candidates() -> HTML {
    var html: HTML = """
      <p>Best first, chosen one after the other: each entry is what is most new after those above \
      it\(content.ranking.score.isEmpty ? "" : ", by \(content.ranking.score)"). A <b>grade</b> γ \
      says how far an atom's surroundings lie beyond the training data: up to 1 they are inside, \
      well above 1 the potential extrapolates. The <b>local</b> grade judges by the most fitting \
      cluster instead of all data at once. The <b>force deviation</b> is how far ensemble members \
      disagree; it ranks errors and is no error bar. The <b>force error</b> is one: the calibrated \
      standard uncertainty of a component of the force, of the atom where it is largest. It is given where \
      calibration passed its check and the structure does not extrapolate (local grade up to 1.1).</p>

      """
    if content.candidates.isEmpty {
      html +=
        "<p class=\"empty\">The list is empty: no structure of the pool is both new and sound.</p>"
    } else {
      html += table(
        content.candidates, id: "candidate-table", caption: "Ranked candidates", filter: true)
    }
    if !content.listedApart.isEmpty {
      let limit = content.ranking.brokenGrade.map { " or a grade above \(numbers.short($0))" } ?? ""
      html += """
        <h3>Listed apart</h3>
        <p>Close pairs of atoms\(limit): a broken geometry is more likely than a new one. Look before \
        you compute.</p>

        """
      html += table(
        content.listedApart, id: "apart-table", caption: "Structures listed apart", filter: false)
    }
    return html
  }

  private func table(
    _ entries: [Candidate], id: String, caption: String, filter: Bool
  ) -> HTML {
    var table = PageTable(
      id: id, caption: caption,
      columns: [
        .init("Rank", numeric: true), .init("Structure"), .init("Score", numeric: true),
        .init("Global grade", numeric: true), .init("Local grade", numeric: true),
        .init("Force deviation <small>eV/Å</small>", numeric: true),
        .init("Force error <small>eV/Å</small>", numeric: true), .init("Nearest cluster"),
        .init("Atom responsible"), .init("Source, frame", style: "path"),
        .init("Why", style: "why"),
      ])
    table.hasFilter = filter
    table.rest = "candidates.csv and candidates.json hold the whole list."
    let best = entries.map(\.score).filter(\.isFinite).max() ?? 1
    table.add(entries) { cells($0, best, isListed: filter) }
    return table.html()
  }

  private func cells(
    _ entry: Candidate, _ best: Double, isListed: Bool
  ) -> [PageTable.Cell] {
    let share = entry.score.isNaN || best <= 0 ? 0 : min(1, max(0, entry.score / best))
    let bar: HTML = """
      <span class="bar" style="--w:\(numbers.fixed(100 * share, 0))%">\
      \(grades.grade(entry.score))</span>
      """
    let atoms = counted(entry.atomCount, "atom")
    let cluster: HTML =
      entry.nearestCluster.map { "<b>c\($0)</b> \(foreign(entry.clusterLabel))" }
      ?? "\(entry.clusterText)"
    return [
      PageTable.Cell("\(entry.rank)\(isListed ? movement(entry) : "")", key: String(entry.rank)),
      PageTable.Cell("\(foreign(entry.formula)) <small>\(atoms)</small>"),
      PageTable.Cell(bar, key: entry.score.isNaN ? "" : entry.score.description),
      grade(entry.globalGrade), grade(entry.localGrade),
      entry.forceDeviation.map { .number(numbers.significant($0), $0) } ?? .text("–"),
      entry.forceUncertainty.map { .number(numbers.significant($0), $0) } ?? .text("–"),
      PageTable.Cell(cluster, key: entry.nearestCluster.map { String($0) } ?? ""),
      PageTable.Cell("\(foreign(entry.atomText))", key: entry.atom.map { String($0) } ?? ""),
      PageTable.Cell("\(foreign(entry.source)) <small>frame \(entry.frame)</small>"),
      PageTable.Cell("\(foreign(entry.reason))"),
    ]
  }

  private func grade(_ value: Double) -> PageTable.Cell {
    .number(grades.grade(value), value, style: value.isInfinite ? "outside" : "")
  }

  private func movement(_ entry: Candidate) -> HTML {
    guard content.changes != nil else { return "" }
    guard let previous = entry.previousRank else { return " <span class=\"chip\">new</span>" }
    return previous == entry.rank ? "" : " <small class=\"was\">was \(previous)</small>"
  }
}
