/// A table of the page: complete without scripts, sortable with them.
struct PageTable {
  struct Column {
    let title: HTML
    let isNumeric: Bool
    let style: String

    init(_ title: HTML, numeric: Bool = false, style: String = "") {
      self.title = title
      self.isNumeric = numeric
      self.style = style
    }
  }

  struct Cell {
    let html: HTML
    /// What the column is sorted by where the text is not it.
    let key: String?
    let style: String

    init(_ html: HTML, key: String? = nil, style: String = "") {
      self.html = html
      self.key = key
      self.style = style
    }

    static func text(_ text: String, style: String = "") -> Cell {
      Cell("\(text)", style: style)
    }

    /// A file name or other foreign text, shielded from its neighbours' writing direction.
    static func name(_ text: String) -> Cell { Cell(foreign(text)) }

    static func number(_ text: String, _ value: Double, style: String = "") -> Cell {
      Cell("\(text)", key: value.isNaN ? "" : value.description, style: style)
    }

    static func count(_ value: Int) -> Cell {
      Cell("\(NumberText(.typeset).count(value))", key: String(value))
    }
  }

  let id: String
  let caption: String
  let columns: [Column]
  /// A row of titles above the columns, each spanning some of them.
  var groups: [(title: HTML, span: Int)] = []
  var rows: [(cells: [Cell], style: String)] = []
  /// Rows beyond the limit are counted, with this sentence on where to find them.
  var limit = 500
  private var left = 0
  var rest = "The files beside this report list them all."
  var hasFilter = false
  /// Index of the column that names its row.
  var heading = 0

  init(id: String, caption: String, columns: [Column]) {
    self.id = id
    self.caption = caption
    self.columns = columns
  }

  mutating func add(_ cells: [Cell], style: String = "") { rows.append((cells, style)) }

  /// One row for each item up to the limit; the others are only counted.
  mutating func add<Item>(
    _ items: [Item], emphasis: KeyPath<Item, Bool>? = nil, _ cells: (Item) -> [Cell]
  ) {
    for item in items.prefix(limit) {
      add(cells(item), style: emphasis.map { item[keyPath: $0] } == true ? "total" : "")
    }
    left = max(0, items.count - limit)
  }

  func html() -> HTML {
    var html: HTML = ""
    if hasFilter {
      html += """
        <p class="tools" hidden data-table="\(id)"><label>Filter <input type="search" \
        placeholder="formula, file, cluster…"></label> <span role="status"></span></p>
        """
    }
    html += """
      <div class="scroll" tabindex="0" role="region" aria-label="\(caption)"><table id="\(id)">\
      <caption>\(caption)</caption><thead>
      """
    if !groups.isEmpty {
      html += "<tr class=\"groups\">"
      for group in groups {
        html +=
          group.title.text.isEmpty
          ? "<td colspan=\"\(group.span)\"></td>"
          : "<th scope=\"colgroup\" colspan=\"\(group.span)\">\(group.title)</th>"
      }
      html += "</tr>"
    }
    html += "<tr>"
    for column in columns {
      html += "<th scope=\"col\"\(classes(style(column)))>\(column.title)</th>"
    }
    html += "</tr></thead>\n<tbody>\n"
    for row in rows {
      html += "<tr\(classes(row.style))>"
      for (index, cell) in row.cells.enumerated() {
        html += cellHTML(cell, index)
      }
      html += "</tr>\n"
    }
    html += "</tbody></table></div>\n"
    if left > 0 {
      html += "<p class=\"quiet\">\(left) more rows are not shown. \(rest)</p>"
    }
    return html
  }

  private func cellHTML(_ cell: Cell, _ index: Int) -> HTML {
    var attributes = classes(style(columns[index]), cell.style)
    if let key = cell.key { attributes += " data-v=\"\(key)\"" }
    return index == heading
      ? "<th scope=\"row\"\(attributes)>\(cell.html)</th>" : "<td\(attributes)>\(cell.html)</td>"
  }

  private func style(_ column: Column) -> String {
    column.isNumeric ? column.style.isEmpty ? "n" : "n " + column.style : column.style
  }

  private func classes(_ names: String...) -> HTML {
    let all = names.filter { !$0.isEmpty }.joined(separator: " ")
    return all.isEmpty ? "" : " class=\"\(all)\""
  }
}

/// Text from outside, shielded from its neighbours' writing direction.
func foreign(_ text: String) -> HTML {
  // Names break after slashes before they break within words.
  let parts = text.visible().split(separator: "/", omittingEmptySubsequences: false)
  let pieces = parts.enumerated().map { index, part in
    "\(index == 0 ? "" : "/<wbr>" as HTML)\(String(part))" as HTML
  }
  let isLong = text.split(whereSeparator: { " /-".contains($0) }).contains { $0.count > 20 }
  return "<bdi\(isLong ? " class=\"long\"" : "" as HTML)>\(pieces)</bdi>"
}

/// "1 frame", "2 frames".
func counted(_ count: Int, _ one: String, _ many: String? = nil) -> String {
  NumberText(.typeset).count(count) + " " + (count == 1 ? one : many ?? one + "s")
}
