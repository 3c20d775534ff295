import Report
import Testing

@Suite struct TextTableTests {
  @Test func columnsAlign() {
    var table = TextTable(columns: [.init("name"), .init("n", .right)])
    table.add(["a", "1"])
    table.add(["銅", "23"])
    table.add(["e\u{301}t", "4"])
    #expect(
      table.text() == """
        name   n
        ────  ──
        a      1
        銅    23
        e\u{301}t     4

        """)
  }

  @Test func flexibleColumnsGiveWay() {
    var table = TextTable(columns: [
      .init("rank", .right), .init("file", cut: .atStart), .init("why", cut: .atEnd),
    ])
    table.add(["1", String(repeating: "f", count: 60), String(repeating: "w", count: 30)])
    let lines = table.text(width: 50).split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 50 })
    #expect(lines[2].contains("  …f") && lines[2].contains("w…"))
    let narrow = table.text(width: 5).split(separator: "\n")
    #expect(narrow[2].count == 4 + 2 + 12 + 2 + 12, "never below twelve cells")
  }

  @Test func hostileTextCannotReachTheTerminal() {
    var table = TextTable(columns: [.init("file")])
    table.add(["\u{1B}[2J\u{202E}gpj.exe\n\u{7}"])
    let text = table.text()
    #expect(text.contains(#"\u{1b}[2J\u{202e}gpj.exe\n\u{7}"#))
    #expect(text.unicodeScalars.filter { $0.value < 32 }.allSatisfy { $0 == "\n" })
    #expect(text.split(separator: "\n").count == 3)
  }

  @Test func colourOnlyOnRequest() {
    var table = TextTable(columns: [.init("file")])
    table.add(["a"])
    #expect(!table.text().contains("\u{1B}"))
    #expect(table.text(style: .ansi).hasPrefix("\u{1B}[1mfile\u{1B}[0m\n"))
  }

  @Test func candidatesAndErrors() {
    let content = SampleReport.content(points: 10)
    let list = TextTable.candidates(content.candidates, limit: 3).text()
    #expect(list.split(separator: "\n").count == 5)
    #expect(list.contains("outside"))
    let errors = TextTable.errors(content.errors).text()
    let row = errors.split(separator: "\n").first { $0.contains("surface") && $0.contains("held") }
    let words = row?.split(separator: " ").map(String.init)
    // 1.1 × 1.21 × 0.0021 eV/atom = 2.795 meV/atom
    #expect(words?.prefix(6) == ["surface", "held", "out", "30", "2.07", "2.80"])
    #expect(words?.suffix(4) == ["-", "-", "-", "-"])
  }
}
