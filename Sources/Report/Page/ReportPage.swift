/// The report as one self-contained HTML file: no script is needed to read it, nothing is fetched, and
/// equal content gives equal bytes.
public struct ReportPage: Sendable {
  let content: ReportContent
  let numbers = NumberText(.typeset)
  let grades = NumberText.grades(.typeset)

  public init(_ content: ReportContent) { self.content = content }

  /// The file, UTF-8.
  public func html() -> String {
    let sections = [
      Section(id: "summary", title: "In short", body: summary()),
      Section(id: "candidates", title: "Candidates", body: candidates()),
      Section(id: "novelty", title: "Novelty", body: novelty()),
      Section(id: "fit", title: "Fit", body: fit()),
      Section(id: "data", title: "Data", body: data()),
      Section(id: "provenance", title: "Provenance", body: provenance()),
    ]
    let page: HTML = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src \
      'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <link rel="icon" href="data:,">
      <title>\(content.project): candidates</title>
      <style>\(PageStyle.css)</style>
      </head>
      <body>
      <a class="skip" href="#candidates">Skip to the list of candidates</a>
      <header>\(header())</header>
      <nav aria-label="Sections"><ul>\(sections.map(link))</ul></nav>
      <main>
      \(sections.map(section))</main>
      <footer><p>Made by \(content.run.program). This file holds everything it shows and fetches \
      nothing.</p></footer>
      <script>\(PageScript.code)</script>
      </body>
      </html>

      """
    return page.text
  }

  private struct Section {
    let id: String
    let title: String
    let body: HTML
  }

  private func link(_ section: Section) -> HTML {
    "<li><a href=\"#\(section.id)\">\(section.title)</a></li>"
  }

  private func section(_ section: Section) -> HTML {
    """
    <section id="\(section.id)" aria-labelledby="\(section.id)-title">
    <h2 id="\(section.id)-title">\(section.title)</h2>
    \(section.body)</section>

    """
  }

  private func header() -> HTML {
    var facts: [HTML] = []
    if !content.elements.isEmpty { facts.append("\(content.elements.joined(separator: ", "))") }
    if !content.run.pipeline.isEmpty { facts.append("pipeline \(foreign(content.run.pipeline))") }
    if let number = content.run.number { facts.append("run \(number)") }
    let project = content.project.isEmpty ? "Report" : content.project
    return """
      <p class="kind">What to compute next</p><h1>\(foreign(project))</h1>\
      <p class="facts">\(facts.map { "<span>\($0)</span>" as HTML })</p>\
      \(content.notes.prefix(20).map { "<p class=\"note\"><b>Note.</b> \($0)</p>" as HTML })
      """
  }

  /// A titled block, or a quiet sentence where there is nothing.
  func block(_ title: String, _ body: HTML?, otherwise: String) -> HTML {
    "<h3>\(title)</h3>\n" + (body ?? "<p class=\"quiet\">\(otherwise)</p>\n")
  }

  func provenance() -> HTML {
    if content.provenance.isEmpty {
      return "<p class=\"quiet\">Nothing was recorded.</p>\n"
    }
    let entries = content.provenance.prefix(300).map {
      "<dt>\(foreign($0.name))</dt><dd>\(foreign($0.value))</dd>" as HTML
    }
    return "<dl class=\"facts-list keys\">\(entries)</dl>\n"
  }
}

extension HTML {
  static func + (left: HTML, right: HTML) -> HTML {
    var sum = left
    sum += right
    return sum
  }
}
