extension ReportPage {
  /// Forces by element, energies by composition.
  func partErrors() -> HTML {
    var table = PageTable(
      id: "part-table", caption: "Errors by element and composition",
      columns: [
        .init("What"), .init("Quantity"), .init("Data"), .init("values", numeric: true), .init("MAE", numeric: true),
        .init("RMSE", numeric: true), .init("max", numeric: true), .init("R²", numeric: true),
      ])
    table.limit = 120
    table.rest = "fit.json lists them all."
    table.add(content.partErrors) { row in
      var cells: [PageTable.Cell] = [
        .name(row.name), .text(row.quantity), .text(row.part.rawValue), .count(row.measures.count),
      ]
      for value in [row.measures.meanAbsolute, row.measures.rootMeanSquare, row.measures.largest] {
        cells.append(.number(numbers.significant(value * 1000), value))
      }
      cells.append(determination(row.measures))
      return cells
    }
    return table.html() + "<p class=\"quiet\">Energies in meV/atom, forces in meV/Å.</p>\n"
  }

  func determination(_ measures: ErrorMeasures) -> PageTable.Cell {
    measures.determination.map { .number(numbers.fixed($0, 4), $0) } ?? .text("–")
  }

  /// What the fit says of a source, or group, that it never saw.
  func leftOut(_ isGroup: Bool) -> HTML {
    let rows = content.leftOut.filter { $0.isGroup == isGroup }
    var columns: [PageTable.Column] = [
      .init(isGroup ? "Group" : "Source"), .init("configurations", numeric: true),
    ]
    for _ in ErrorQuantity.allCases {
      columns += [.init("fitted", numeric: true, style: "first"), .init("left out", numeric: true)]
    }
    var table = PageTable(
      id: isGroup ? "left-out-groups" : "left-out-sources",
      caption: isGroup ? "Groups, with and without them" : "Sources, with and without them", columns: columns)
    table.groups = [("", 2)] + ErrorQuantity.allCases.map { ("\($0.title) RMSE <small>\($0.unit)</small>" as HTML, 2) }
    table.limit = 40
    table.rest = "fit.json lists them all."
    table.add(rows) { row in
      var cells: [PageTable.Cell] = [.name(row.name), .count(row.configurations)]
      for quantity in ErrorQuantity.allCases {
        for errors in [row.fitted, row.leftOut] {
          let value =
            switch quantity {
            case .energy: errors.energy
            case .force: errors.force
            case .stress: errors.stress
            }
          // Forces that symmetry makes zero are zero, not 10⁻¹¹.
          cells.append(
            value.map { .number($0 < 1e-9 ? "0" : numbers.significant($0 * quantity.factor), $0) } ?? .text("–"))
        }
      }
      return cells
    }
    let words: HTML =
      isGroup
      ? """
      <p class="quiet">Each group is predicted by a fit to all the others, with the same prior. What is far worse left \
      out than fitted is known from this group alone.</p>

      """
      : """
      <p class="quiet">Each source is predicted by a fit that never saw it, with the same prior; the worst stand first. \
      A source that is bad even when fitted may hold wrong labels; one that is bad only when left out is new.</p>

      """
    return table.html() + words
  }

  func learningCurve() -> HTML {
    """
    <div class="plots">\(LearningPlot.figures(content.learningCurve))</div>
    <p class="quiet">Fits to a half, a quarter, … of the training data, parts chosen by content, each with a prior strength \
    of its own, on the same held-out data.</p>

    """
  }
}
