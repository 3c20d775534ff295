import Foundation
import Report
import Testing

/// Colours of the page as a reader gets them, judged by WCAG 2.1: 4.5 to 1 for text, 3 to 1 for marks.
@Suite struct ContrastTests {
  private static let css = ReportPage(ReportContent(project: "")).html()

  /// Variables of the light scheme, or of the dark scheme laid over them.
  private static func colours(dark: Bool) -> [String: Double] {
    let blocks = css.components(separatedBy: ":root{").dropFirst().map {
      $0.components(separatedBy: "}")[0]
    }
    var colours: [String: Double] = [:]
    for block in blocks.prefix(dark ? 2 : 1) {
      for entry in block.components(separatedBy: ";") {
        let parts = entry.components(separatedBy: ":#")
        if parts.count == 2, let luminance = luminance(parts[1]) {
          colours[String(parts[0].dropFirst(2))] = luminance
        }
      }
    }
    return colours
  }

  private static func luminance(_ hex: String) -> Double? {
    let digits = hex.count == 3 ? hex.map { "\($0)\($0)" }.joined() : hex
    guard digits.count == 6, let value = Int(digits, radix: 16) else { return nil }
    func linear(_ channel: Int) -> Double {
      let share = Double(channel & 255) / 255
      return share <= 0.04045 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4)
    }
    return 0.2126 * linear(value >> 16) + 0.7152 * linear(value >> 8) + 0.0722 * linear(value)
  }

  @Test(arguments: [false, true])
  func colourPairsAreLegible(_ dark: Bool) throws {
    let colours = Self.colours(dark: dark)
    func contrast(_ a: String, _ b: String) throws -> Double {
      let (first, second) = (try #require(colours[a], "\(a)"), try #require(colours[b], "\(b)"))
      return (max(first, second) + 0.05) / (min(first, second) + 0.05)
    }
    for ground in ["bg", "card", "faint"] {
      for text in ["ink", "soft", "accent", "good", "look"] {
        #expect(try contrast(text, ground) >= 4.5, "\(text) on \(ground), dark: \(dark)")
      }
    }
    #expect(try contrast("ink", "note") >= 4.5)
    for mark in ["training", "heldout", "pool", "listed"] + (0..<8).map({ "k\($0)" }) {
      #expect(try contrast(mark, "card") >= 3, "\(mark), dark: \(dark)")
    }
  }

  @Test func knownContrasts() {
    #expect(Self.luminance("fff") == 1)
    #expect(Self.luminance("000000") == 0)
    #expect(abs(Self.luminance("777777")! - 0.1845) < 1e-4)
  }
}
