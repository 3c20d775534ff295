extension ReportPage {
  func fit() -> HTML {
    var html = block(
      "Errors", content.errors.isEmpty ? nil : errors(), otherwise: "No errors were measured.")
    html += block(
      "Predicted against reference",
      content.parity.isEmpty
        ? nil : "<div class=\"plots\">\(content.parity.map(ParityPlot.figures))</div>\n",
      otherwise: "No values to compare.")
    if !content.partErrors.isEmpty { html += block("Errors by element and composition", partErrors(), otherwise: "") }
    if content.leftOut.contains(where: { !$0.isGroup }) {
      html += block("Sources the fit never saw", leftOut(false), otherwise: "")
    }
    if content.leftOut.contains(where: \.isGroup) {
      html += block("Groups the fit never saw", leftOut(true), otherwise: "")
    }
    if content.learningCurve.count > 1 { html += block("Learning curve", learningCurve(), otherwise: "") }
    if !content.calibration.isEmpty { html += block("Error bars of the ensemble", calibration(), otherwise: "") }
    html += block("The linear model", content.fit.map(model), otherwise: "There was no fit.")
    return html
  }

  private func errors() -> HTML {
    var columns: [PageTable.Column] = [.init("Group"), .init("Data")]
    for _ in ErrorQuantity.allCases {
      columns += [
        .init("values", numeric: true, style: "first"), .init("MAE", numeric: true),
        .init("RMSE", numeric: true), .init("max", numeric: true), .init("R²", numeric: true),
      ]
    }
    var table = PageTable(id: "error-table", caption: "Errors per group", columns: columns)
    table.groups =
      [("", 2)]
      + ErrorQuantity.allCases.map {
        ("\($0.title) <small>\($0.unit)</small>" as HTML, 5)
      }
    let places = ErrorQuantity.allCases.map { $0.places(content.errors) }
    table.add(
      content.errors, emphasis: \.isTotal
    ) { row in
      var cells: [PageTable.Cell] = [.name(row.group), .text(row.part.rawValue)]
      for (quantity, places) in zip(ErrorQuantity.allCases, places) {
        guard let measures = quantity.measures(row) else {
          cells += ["–", "–", "–", "–", "–"].map { .text($0) }
          continue
        }
        cells.append(.count(measures.count))
        for value in [measures.meanAbsolute, measures.rootMeanSquare, measures.largest] {
          cells.append(.number(numbers.fixed(value * quantity.factor, places), value))
        }
        cells.append(determination(measures))
      }
      return cells
    }
    return table.html()
  }

  private func model(_ fit: FitSummary) -> HTML {
    var entries: [(HTML, HTML)] = [
      ("Basis", "\(fit.basis)"),
      ("Basis functions", "\(numbers.count(fit.functions))"),
      ("Design matrix", "\(numbers.count(fit.rows)) rows × \(numbers.count(fit.columns)) columns"),
      (
        "Prior λ",
        "\(numbers.significant(fit.lambda))\(fit.lambdaChoice.isEmpty ? "" : ", by \(fit.lambdaChoice)")"
      ),
      ("Condition number", "\(numbers.significant(fit.conditionNumber))"),
      ("Effective rank", "\(numbers.count(fit.effectiveRank)) of \(numbers.count(fit.columns))"),
      ("Effective degrees of freedom", "\(numbers.fixed(fit.effectiveDegreesOfFreedom, 1))"),
    ]
    if fit.prunedFunctions > 0 {
      entries.append(("Functions dropped as irrelevant", "\(numbers.count(fit.prunedFunctions))"))
    }
    if !fit.weights.isEmpty { entries.append(("Weights", named(fit.weights, unit: ""))) }
    if !fit.referenceEnergies.isEmpty {
      entries.append(("Reference energies", named(fit.referenceEnergies, unit: " eV")))
    }
    if !fit.ensemble.isEmpty { entries.append(("Ensemble", "\(fit.ensemble)")) }
    let parts = entries.map { "<dt>\($0.0)</dt><dd>\($0.1)</dd>" as HTML }
    return "<dl class=\"facts-list\">\(parts)</dl>\n"
  }

  private func named(_ values: [NamedValue], unit: String) -> HTML {
    let parts = values.prefix(50).enumerated().map { index, entry in
      let text = unit.isEmpty ? numbers.short(entry.value) : numbers.fixed(entry.value, 4) + unit
      return "\(index == 0 ? "" : "; ")\(foreign(entry.name)) \(text)" as HTML
    }
    return "\(parts)"
  }
}
