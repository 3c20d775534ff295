/// Markup that is safe to put into a page. Only literals of this source are taken as they are: every
/// string that comes in by interpolation is escaped, in text and in double-quoted attributes alike.
package struct HTML: Sendable, ExpressibleByStringInterpolation {
  package private(set) var text: String

  package init() { text = "" }

  package init(stringLiteral value: String) { text = value }

  package init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

  package struct Interpolation: StringInterpolationProtocol {
    fileprivate var text: String

    package init(literalCapacity: Int, interpolationCount: Int) {
      text = ""
      text.reserveCapacity(literalCapacity + 16 * interpolationCount)
    }

    package mutating func appendLiteral(_ literal: String) { text += literal }
    package mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }
    package mutating func appendInterpolation(_ value: Int) { text += String(value) }
    package mutating func appendInterpolation(_ value: HTML) { text += value.text }
    package mutating func appendInterpolation(_ parts: [HTML]) {
      for part in parts { text += part.text }
    }
  }

  /// Path data of a drawing, which can be long and holds only commands and numbers.
  package init(pathData: String) {
    precondition(
      pathData.utf8.allSatisfy {
        ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")) || "MLHVAZmlhvaz .-".utf8.contains($0)
      }, "path data hold commands and numbers")
    text = pathData
  }

  package static func += (left: inout HTML, right: HTML) { left.text += right.text }

  /// Escaped text with what could deceive a reader written out.
  package static func escaped(_ string: String) -> String {
    var text = ""
    for scalar in string.visible().unicodeScalars {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "\"": text += "&quot;"
      case "'": text += "&#39;"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
