import Foundation
import Report
import Testing

@Suite struct ReportPageTests {
  /// Writes the sample where `SLUICE_SAMPLE_REPORT` names a folder, to be looked at in a browser.
  @Test func samplesHaveEverySection() throws {
    let small = ReportPage(SampleReport.content()).html()
    let large = ReportPage(SampleReport.content(points: 100_000)).html()
    let empty = ReportPage(ReportContent(project: "")).html()
    if let folder = ProcessInfo.processInfo.environment["SLUICE_SAMPLE_REPORT"] {
      for (name, page) in [("small", small), ("large", large), ("empty", empty)] {
        let url = URL(fileURLWithPath: folder).appendingPathComponent(name + ".html")
        try Data(page.utf8).write(to: url)
      }
    }
    for id in ["summary", "candidates", "novelty", "fit", "data", "provenance"] {
      #expect(small.contains("<section id=\"\(id)\""))
      #expect(empty.contains("<section id=\"\(id)\""))
    }
    #expect(large.utf8.count < 5_000_000, "\(large.utf8.count) bytes for 100,000 points")
  }
}
