/// A table for the terminal, with columns aligned by what a terminal shows.
public struct TextTable: Sendable {
  public enum Alignment: Sendable {
    case left
    case right
  }

  /// Where a cell loses text when the table is wider than the terminal.
  public enum Cut: Sendable {
    case never
    case atEnd
    /// For paths, whose last part says most.
    case atStart
  }

  public struct Column: Sendable {
    public var title: String
    public var alignment: Alignment
    public var cut: Cut

    public init(_ title: String, _ alignment: Alignment = .left, cut: Cut = .never) {
      self.title = title
      self.alignment = alignment
      self.cut = cut
    }
  }

  public enum Style: Sendable {
    case plain
    /// Bold titles and a dim rule.
    case ansi
  }

  public var columns: [Column]
  public private(set) var rows: [[String]] = []

  public init(columns: [Column]) { self.columns = columns }

  /// Adds a row of one cell per column; control and direction characters will be written out.
  public mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count, "one cell per column")
    rows.append(cells.map { $0.visible() })
  }

  /// Lines that end in "\n": titles, a rule, the rows. Columns that may be cut give way from the longest
  /// on until a line fits in `width` cells of the terminal, down to 12 cells each.
  public func text(width: Int? = nil, style: Style = .plain) -> String {
    let titles = columns.map { $0.title.visible() }
    var widths = titles.indices.map { column in
      rows.reduce(terminalWidth(titles[column])) { max($0, terminalWidth($1[column])) }
    }
    if let width { shrink(&widths, to: width) }
    let (bold, dim, plain) =
      style == .ansi ? ("\u{1B}[1m", "\u{1B}[2m", "\u{1B}[0m") : ("", "", "")
    var text = bold + line(titles, widths) + plain + "\n"
    text += dim + widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ") + plain
    text += "\n"
    for row in rows { text += line(row, widths) + "\n" }
    return text
  }

  private func shrink(_ widths: inout [Int], to limit: Int) {
    let least = 12
    var excess = widths.reduce(2 * (widths.count - 1), +) - limit
    while excess > 0 {
      let flexible = widths.indices.filter { columns[$0].cut != .never && widths[$0] > least }
      guard let widest = flexible.max(by: { widths[$0] < widths[$1] }) else { return }
      widths[widest] -= 1
      excess -= 1
    }
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var text = ""
    for (index, cell) in cells.enumerated() {
      let shown = cut(cell, to: widths[index], columns[index].cut)
      let padding = String(repeating: " ", count: widths[index] - terminalWidth(shown))
      text += columns[index].alignment == .right ? padding + shown : shown + padding
      if index < cells.count - 1 { text += "  " }
    }
    while text.last == " " { text.removeLast() }
    return text
  }

  private func cut(_ cell: String, to width: Int, _ cut: Cut) -> String {
    if terminalWidth(cell) <= width { return cell }
    let scalars = Array(cell.unicodeScalars)
    var kept: [Unicode.Scalar] = []
    var used = 0
    for scalar in cut == .atStart ? scalars.reversed() : scalars {
      if used + scalar.terminalWidth > width - 1 { break }
      used += scalar.terminalWidth
      kept.append(scalar)
    }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: cut == .atStart ? kept.reversed() : kept)
    return cut == .atStart ? "…" + String(text) : String(text) + "…"
  }
}

/// Cells of a terminal that the text takes.
package func terminalWidth(_ text: String) -> Int {
  text.unicodeScalars.reduce(0) { $0 + $1.terminalWidth }
}

extension Unicode.Scalar {
  /// 0 for combining marks, 2 for wide East Asian scalars and pictographs, else 1.
  fileprivate var terminalWidth: Int {
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return 0
    default: break
    }
    switch value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF,
      0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}
