extension ReportPage {
  /// Three cards: is the list right, what changed, can I trust it; and what the run warned of.
  func summary() -> HTML {
    let all = TrustCheck.all(content)
    let checks = all.filter { !$0.isInOrder } + all.filter(\.isInOrder)
    var html: HTML = """
      <div class="cards">
      \(card("Is the list right?", listFigures(), listSentences()))
      \(card("What changed?", changeFigures(), changeSentences()))
      \(card("Can I trust it?", trustFigures(), all.isEmpty ? ["There is nothing to judge."] : nil, checks))
      </div>

      """
    if !content.warnings.isEmpty {
      html += """
        <h3>Warnings</h3>
        <ul class="warnings">\(content.warnings.prefix(50).map { "<li>\($0)</li>" as HTML })</ul>

        """
      if content.warnings.count > 50 {
        html += "<p class=\"quiet\">\(content.warnings.count - 50) more are not shown.</p>"
      }
    }
    return html
  }

  private func card(
    _ title: String, _ figures: [(value: String, meaning: String)], _ sentences: [HTML]?,
    _ checks: [TrustCheck] = []
  ) -> HTML {
    var html: HTML = "<article class=\"card\"><h3>\(title)</h3>"
    if !figures.isEmpty {
      let parts = figures.map {
        "<div><dt>\($0.meaning)</dt><dd>\($0.value)</dd></div>" as HTML
      }
      html += "<dl class=\"figures\">\(parts)</dl>"
    }
    for sentence in sentences ?? [] { html += "<p>\(sentence)</p>" }
    if !checks.isEmpty { html += "<ul class=\"checks\">\(checks.map(checkHTML))</ul>" }
    return html + "</article>"
  }

  private func checkHTML(_ check: TrustCheck) -> HTML {
    """
    <li class="\(check.isInOrder ? "good" : "look")"><b>\(check.isInOrder ? "✓ In order" : "▲ Look")\
    </b> \(check.sentence)</li>
    """
  }

  private func listFigures() -> [(value: String, meaning: String)] {
    let pooled = max(content.ranking.pooled, content.candidates.count)
    let new = content.candidates.filter { $0.localGrade > content.ranking.noveltyGrade }.count
    return [
      (numbers.count(content.candidates.count), "listed of \(numbers.count(pooled)) in the pool"),
      (
        numbers.count(new),
        "with a local grade above \(numbers.short(content.ranking.noveltyGrade))"
      ),
    ]
  }

  private func listSentences() -> [HTML] {
    guard let first = content.candidates.first else {
      return ["No structure of the pool is on the list."]
    }
    var sentences: [HTML] = [
      """
      First stands \(foreign(first.formula)) from \(foreign(first.source)), frame \
      \(first.frame)\(first.localGrade.isFinite ? ", with local grade \(grades.grade(first.localGrade))" : "").
      """
    ]
    let outside = content.candidates.filter(\.isOutside).count
    if outside > 0 {
      sentences.append(
        """
        \(counted(outside, "entry lies", "entries lie")) outside what the training data span: \
        no grade can be given, only that they are new.
        """)
    }
    for distribution in content.grades.prefix(2) {
      let medians = [distribution.training, distribution.candidates].map(Self.median)
      if let training = medians[0], let pool = medians[1] {
        sentences.append(
          """
          \(distribution.name): median \(grades.grade(training)) in training structures, \
          \(grades.grade(pool)) in the pool.
          """)
      }
    }
    if let distribution = content.grades.prefix(2).last,
      let most = distribution.training.filter({ !$0.isNaN }).max()
    {
      let above = distribution.candidates.filter { $0 > most }.count
      sentences.append(
        """
        \(counted(above, "pool structure has", "pool structures have")) a higher grade than any \
        training structure.
        """)
    }
    if content.ranking.nearDuplicates > 0 {
      let count = counted(content.ranking.nearDuplicates, "structure")
      sentences.append("\(count) left out as near copies of entries above them.")
    }
    return sentences
  }

  private func changeFigures() -> [(value: String, meaning: String)] {
    guard let changes = content.changes else { return [] }
    func signed(_ plus: Int, _ minus: Int) -> String {
      minus == 0
        ? "+\(numbers.count(plus))" : "+\(numbers.count(plus)) \u{2212}\(numbers.count(minus))"
    }
    return [
      (signed(changes.sourcesAdded, changes.sourcesRemoved), "sources"),
      (signed(changes.framesAdded, changes.framesRemoved), "frames"),
      (signed(changes.candidatesEntered, changes.candidatesLeft), "entries of the list"),
    ]
  }

  private func changeSentences() -> [HTML] {
    guard let changes = content.changes else {
      return ["There is no earlier run to compare with."]
    }
    var sentences: [HTML] = []
    if let run = changes.previousRun { sentences.append("Compared with run \(run).") }
    let held = content.total(.heldOut)
    if let before = changes.previousEnergyError, let now = held?.energy?.rootMeanSquare {
      sentences.append(
        """
        Held-out energy RMSE: \(numbers.significant(before * 1000)) → \
        <span class="unit">\(numbers.significant(now * 1000)) meV/atom.</span>
        """)
    }
    if let before = changes.previousForceError, let now = held?.force?.rootMeanSquare {
      sentences.append(
        """
        Held-out force RMSE: \(numbers.significant(before * 1000)) → \
        <span class="unit">\(numbers.significant(now * 1000)) meV/Å.</span>
        """)
    }
    sentences += changes.statements.map { "\($0)" }
    return sentences
  }

  private func trustFigures() -> [(value: String, meaning: String)] {
    let part: DataPart = content.total(.heldOut) == nil ? .training : .heldOut
    guard let total = content.total(part) else { return [] }
    var figures: [(value: String, meaning: String)] = []
    for quantity in [ErrorQuantity.energy, .force] {
      if let measures = quantity.measures(total) {
        figures.append(
          (
            numbers.significant(measures.rootMeanSquare * quantity.factor),
            "\(quantity.unit): \(quantity == .energy ? "energy" : "force") RMSE, \(part.rawValue)"
          ))
      }
    }
    return figures
  }

  private static func median(_ values: [Double]) -> Double? {
    let known = values.filter { !$0.isNaN }.sorted()
    return known.isEmpty ? nil : known[known.count / 2]
  }
}

extension ReportContent {
  /// The row over all groups, or the only row there is.
  func total(_ part: DataPart) -> GroupErrors? {
    let rows = errors.filter { $0.part == part }
    return rows.first(where: \.isTotal) ?? (rows.count == 1 ? rows[0] : nil)
  }
}

/// Something that must hold before a list can be trusted, judged from the content alone.
package struct TrustCheck: Sendable, Equatable {
  package var isInOrder: Bool
  package var sentence: String

  package static func all(_ content: ReportContent) -> [TrustCheck] {
    [
      errors(content), conditioning(content), known(content), clusters(content),
      quarantine(content),
    ].compactMap { $0 }
  }

  /// Held-out errors should not be much larger than those of the fit.
  private static func errors(_ content: ReportContent) -> TrustCheck? {
    guard let training = content.total(.training)?.force ?? content.total(.training)?.energy
    else { return nil }
    guard let held = content.total(.heldOut)?.force ?? content.total(.heldOut)?.energy else {
      return TrustCheck(
        isInOrder: false, sentence: "No data were held out: errors are those of the fit itself.")
    }
    let ratio = held.rootMeanSquare / training.rootMeanSquare
    let text = NumberText(.typeset).fixed(ratio, 2)
    return TrustCheck(
      isInOrder: ratio <= 1.5,
      sentence: "Held-out errors are \(text) times those of training data.")
  }

  private static func conditioning(_ content: ReportContent) -> TrustCheck? {
    guard let fit = content.fit else { return nil }
    let condition = NumberText(.typeset).significant(fit.conditionNumber, 2)
    let isFull = fit.effectiveRank >= fit.columns
    return TrustCheck(
      isInOrder: fit.conditionNumber < 1e12,
      sentence: "Condition number \(condition); the data determine "
        + (isFull ? "all" : "\(fit.effectiveRank) of") + " \(fit.columns) columns"
        + (isFull ? "." : ", the prior the rest."))
  }

  /// The grade must call known what it was trained on.
  private static func known(_ content: ReportContent) -> TrustCheck? {
    guard let grades = content.grades.first, !grades.training.isEmpty else { return nil }
    let limit = content.ranking.noveltyGrade * 1.05
    let known = grades.training.filter { $0 <= limit }.count
    let share = 100 * Double(known) / Double(grades.training.count)
    return TrustCheck(
      isInOrder: share >= 95,
      sentence: "\(NumberText(.typeset).fixed(share, 1)) % of the training structures are graded "
        + "as known.")
  }

  private static func clusters(_ content: ReportContent) -> TrustCheck? {
    guard !content.clusters.isEmpty else { return nil }
    let thin = content.clusters.filter { $0.rows < 3 * $0.rank }.map { "c\($0.id)" }
    if thin.isEmpty {
      return TrustCheck(isInOrder: true, sentence: "Every cluster has rows enough for its rank.")
    }
    return TrustCheck(
      isInOrder: false,
      sentence: "Fewer than three rows per rank in \(thin.prefix(8).joined(separator: ", ")): "
        + "local grades there are loose.")
  }

  private static func quarantine(_ content: ReportContent) -> TrustCheck? {
    let count = content.quarantine.count
    if content.sources.isEmpty && count == 0 { return nil }
    return TrustCheck(
      isInOrder: count == 0,
      sentence: count == 0
        ? "Every input could be read."
        : "\(counted(count, "input")) could not be read; see Data.")
  }
}
