import Foundation
import Report
import TestSupport
import Testing

/// A page under test; failure messages show its name, not its text.
struct SamplePage: CustomStringConvertible, CustomTestStringConvertible, Sendable {
  let description: String
  let html: String
  var testDescription: String { description }

  init(_ name: String, _ content: ReportContent) {
    description = name
    html = ReportPage(content).html()
  }

  func has(_ text: String) -> Bool { html.contains(text) }
  func count(_ text: String) -> Int { html.components(separatedBy: text).count - 1 }
  func tags() throws -> [Tag] { try #require(scanTags(html), "\(self) has torn markup") }
}

@Suite struct ReportPageTests {
  private static let small = SamplePage("small", SampleReport.content())
  private static let large = SamplePage("large", SampleReport.content(points: 100_000))
  private static let empty = SamplePage("empty", ReportContent(project: ""))
  private static let hostile = SamplePage("hostile", HostileReport.content())
  private static let pages = [small, large, empty, hostile]

  /// Writes the samples where `SLUICE_SAMPLE_REPORT` names a folder, to be looked at in a browser.
  @Test(
    .enabled(
      if: ProcessInfo.processInfo.environment["SLUICE_SAMPLE_REPORT"] != nil,
      "skipped: SLUICE_SAMPLE_REPORT names no folder"))
  func writeSamples() throws {
    let folder = URL(
      fileURLWithPath: ProcessInfo.processInfo.environment["SLUICE_SAMPLE_REPORT"]!)
    for page in Self.pages {
      let url = folder.appendingPathComponent("\(page).html")
      try Data(page.html.utf8).write(to: url)
      #expect(try Data(contentsOf: url).count == page.html.utf8.count)
    }
    let content = SampleReport.content()
    let list = TextTable.candidates(content.candidates).text(width: 120)
    let terminal = list + "\n" + TextTable.errors(content.errors).text(width: 120)
    for (name, text) in [
      ("terminal.txt", terminal), ("candidates.csv", CandidateFiles.csv(content.candidates)),
      (
        "candidates.json",
        CandidateFiles.json(project: "tungsten", candidates: content.candidates)
      ),
    ] {
      try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }
  }

  @Test(arguments: pages)
  func markupIsWhole(_ page: SamplePage) throws {
    let tags = try page.tags()
    #expect(unbalanced(tags) == [], "\(page)")
    let ids = tags.flatMap(\.attributes).filter { $0.name == "id" }.map(\.value)
    #expect(Set(ids).count == ids.count, "\(page): identifiers are unique")
    for id in ["summary", "candidates", "novelty", "fit", "data", "provenance"] {
      #expect(ids.contains(id), "\(page) lacks section \(id)")
    }
  }

  @Test(arguments: pages)
  func nothingIsFetchedAndNothingRuns(_ page: SamplePage) throws {
    let tags = try page.tags()
    for tag in tags {
      for attribute in tag.attributes {
        #expect(!attribute.name.hasPrefix("on"), "\(page): \(tag.name) \(attribute.name)")
        #expect(!["src", "srcset", "action", "data", "poster"].contains(attribute.name))
        if attribute.name.hasSuffix("href") {
          #expect(attribute.value.hasPrefix("#") || attribute.value == "data:,")
        }
      }
    }
    #expect(tags.filter { $0.name == "script" && !$0.isEnd }.count == 1)
    #expect(!page.has("url("))
    #expect(page.has("default-src 'none'; style-src 'unsafe-inline'; script-src"))
  }

  @Test(arguments: pages)
  func headingsNestWithoutGaps(_ page: SamplePage) throws {
    let levels = try page.tags().filter { !$0.isEnd && $0.name.first == "h" }
      .compactMap { Int($0.name.dropFirst()) }
    #expect(levels.first == 1)
    #expect(levels.filter { $0 == 1 }.count == 1)
    for (above, below) in zip(levels, levels.dropFirst()) {
      #expect(below <= above + 1, "\(page): h\(above) is followed by h\(below)")
    }
  }

  @Test(arguments: pages)
  func drawingsAndTablesSpeak(_ page: SamplePage) throws {
    let tags = try page.tags().filter { !$0.isEnd }
    for tag in tags where tag.name == "svg" {
      let names = tag.attributes.map(\.name)
      #expect(names.contains("aria-label") || names.contains("aria-hidden"))
    }
    #expect(
      tags.filter { $0.name == "table" }.count == tags.filter { $0.name == "caption" }.count)
    #expect(tags.contains { $0.name == "html" && $0.attributes.contains { $0 == ("lang", "en") } })
  }

  @Test func everyHostileStringIsEscaped() {
    for string in HostileReport.strings(in: HostileReport.content()) {
      #expect(string == HostileReport.text, "the fixture leaves no string harmless")
    }
    let page = Self.hostile
    #expect(!page.has("<img"))
    #expect(page.count("</script") == 1)
    #expect(page.count("</style") == 1)
    #expect(page.count("</title") == 1)
    #expect(!page.has("<!--"))
    let treacherous = page.html.unicodeScalars.filter { $0.isTreacherous && $0 != "\n" }
    #expect(treacherous.isEmpty, "\(treacherous.map(\.escape))")
    #expect(page.has("&lt;img src=x onerror=alert(1)&gt;"))
    #expect(page.has(#"\u{202e}gpj"#))
  }

  /// A field that the page forgot would pass the test above unseen.
  @Test func everyFieldIsShown() {
    var content = HostileReport.content()
    content.project = "field-project"
    content.candidates[0].reason = "field-reason"
    content.candidates[0].source = "field-source"
    content.quarantine[0].remedy = "field-remedy"
    content.quarantine[0].place = "field-place"
    content.screening[0].examples[1] = "field-example"
    content.settingsGroups[0].settings[0].value = "field-setting"
    content.fit?.ensemble = "field-ensemble"
    content.clusters[0].label = "field-label"
    content.changes?.statements = ["field-statement"]
    content.notes = ["field-note"]
    content.warnings = ["field-warning"]
    content.provenance[0].value = "field-key"
    let page = SamplePage("marked", content)
    for field in [
      "project", "reason", "source", "remedy", "place", "example", "setting", "ensemble", "label",
      "statement", "note", "warning", "key",
    ] {
      #expect(page.has("field-\(field)"), "\(field) is not shown")
    }
  }

  @Test func numbersThatAreNoneAreWords() {
    #expect(Self.small.has(">outside</td>"))
    let visible = Self.hostile.html.replacingOccurrences(
      of: #"<[^>]*>"#, with: " ", options: .regularExpression)
    for word in [" inf ", " nan ", " NaN ", "Infinity "] {
      let body = visible.components(separatedBy: "use strict")[0]
      let isAbsent = !body.contains(word)
      #expect(isAbsent, "\(word)")
    }
    let saysUndefined = visible.contains("undefined")
    #expect(saysUndefined)
  }

  @Test func equalContentGivesEqualBytes() {
    let isEqual = ReportPage(SampleReport.content()).html() == Self.small.html
    #expect(isEqual)
    var other = SampleReport.content()
    other.candidates[5].localGrade += 0.5
    let isOther = ReportPage(other).html() != Self.small.html
    #expect(isOther)
  }

  @Test func manyPointsStaySmall() {
    #expect(
      Self.large.html.utf8.count < 1_000_000,
      "\(Self.large.html.utf8.count) bytes for 100,000 points")
    var content = SampleReport.content(points: 1000, candidates: 20_000)
    content.quarantine = Array(
      repeating: QuarantinedInput(file: String(repeating: "x", count: 4096), cause: "c"),
      count: 20_000)
    content.sources = Array(
      repeating: DataSource(name: String(repeating: "y/", count: 2048), framesUsed: 1),
      count: 20_000)
    let page = SamplePage("long", content)
    #expect(page.html.utf8.count < 5_000_000, "\(page.html.utf8.count) bytes for long lists")
    #expect(page.has("19500 more rows are not shown"))
  }

  /// The worst that points can do: spread evenly, in many clusters that lie over each other.
  @Test func evenlySpreadPointsStaySmall() {
    var random = SeededGenerator(seed: 5)
    var content = ReportContent(project: "even")
    func values() -> [Double] { (0..<100_000).map { _ in .random(in: 0...1, using: &random) } }
    let (x, y) = (values(), values())
    let flags = x.indices.map { $0 % 2 == 0 }
    for quantity in [ParityData.Quantity.energy, .force, .stress] {
      content.parity.append(
        ParityData(quantity: quantity, reference: x, predicted: y, isHeldOut: flags))
    }
    content.map = ConfigurationMap(
      training: x.indices.map { .init(x: x[$0], y: y[$0], cluster: $0 % 10) },
      candidates: x.indices.map { .init(x: y[$0], y: x[$0], rank: $0 < 500 ? $0 + 1 : nil) })
    content.grades = (0..<2).map {
      GradeDistribution(name: "Grade \($0)", training: x, candidates: y)
    }
    let page = SamplePage("even", content)
    #expect(page.html.utf8.count < 2_500_000, "\(page.html.utf8.count) bytes")
  }

  @Test func checksFollowTheNumbers() {
    func isInOrder(_ part: String, _ change: (inout ReportContent) -> Void) -> Bool? {
      var content = SampleReport.content(points: 10)
      change(&content)
      return TrustCheck.all(content).first { $0.sentence.contains(part) }?.isInOrder
    }
    #expect(isInOrder("Held-out errors") { _ in } == true)
    #expect(isInOrder("Held-out errors") { $0.errors[7].force?.rootMeanSquare = 0.2 } == false)
    #expect(
      isInOrder("No data were held out") { $0.errors.removeAll { $0.part == .heldOut } } == false)
    #expect(isInOrder("Condition number") { _ in } == true)
    #expect(isInOrder("Condition number") { $0.fit?.conditionNumber = .infinity } == false)
    #expect(isInOrder("in c4:") { _ in } == false)
    #expect(isInOrder("Every cluster") { $0.clusters.removeLast() } == true)
    #expect(isInOrder("could not be read") { _ in } == false)
    #expect(isInOrder("Every input") { $0.quarantine = [] } == true)
    #expect(isInOrder("graded as known") { $0.grades[0].training = [0.5, .infinity] } == false)
  }

  @Test func emptyContentSaysWhatIsMissing() {
    for sentence in [
      "No structure of the pool is on the list.", "There is no earlier run to compare with.",
      "No grades were given.", "No errors were measured.", "There was no fit.",
      "No source was read.", "Nothing was recorded.",
    ] {
      #expect(Self.empty.has(sentence))
    }
    #expect(TrustCheck.all(ReportContent(project: "")).isEmpty)
  }
}
