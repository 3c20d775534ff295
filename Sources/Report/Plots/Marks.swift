// Many points in few bytes: single marks up to a limit, counted cells beyond it.

/// Above this number of points a plot shows how many fall into each cell instead of every point.
package let largestScatter = 1500

/// Counts of points per cell, as classes of powers of ten.
package struct DensityCells {
  package static let side = 4.0
  package static let classNames = ["1", "2–9", "10–99", "100–999", "1000 and more"]

  private var counts: [Int]
  private let columns: Int
  private let rows: Int
  private let plot: Plot

  package init(_ plot: Plot) {
    self.plot = plot
    columns = Int((plot.innerWidth / Self.side).rounded(.up))
    rows = Int((plot.innerHeight / Self.side).rounded(.up))
    counts = Array(repeating: 0, count: columns * rows)
  }

  package mutating func count(_ point: (x: Double, y: Double)) {
    let column = min(columns - 1, max(0, Int((point.x - plot.left) / Self.side)))
    let row = min(rows - 1, max(0, Int((point.y - plot.top) / Self.side)))
    counts[row * columns + column] += 1
  }

  /// One path per class of counts; runs of cells in a row become one rectangle.
  package func paths() -> [String] {
    var paths = Array(repeating: "", count: Self.classNames.count)
    for row in 0..<rows {
      var column = 0
      while column < columns {
        let level = Self.level(counts[row * columns + column])
        var end = column + 1
        while end < columns && Self.level(counts[row * columns + end]) == level { end += 1 }
        if let level {
          let x = plot.left + Double(column) * Self.side
          let y = plot.top + Double(row) * Self.side
          let run = min(Double(end - column) * Self.side, plot.left + plot.innerWidth - x)
          let height = min(Self.side, plot.top + plot.innerHeight - y)
          paths[level] +=
            "M\(pixels(x)) \(pixels(y))h\(pixels(run))v\(pixels(height))h\(pixels(-run))z"
        }
        column = end
      }
    }
    return paths
  }

  private static func level(_ count: Int) -> Int? {
    count == 0 ? nil : count == 1 ? 0 : count < 10 ? 1 : count < 100 ? 2 : count < 1000 ? 3 : 4
  }
}

/// Shapes that tell groups of points apart without colour.
package enum Glyph: Int, CaseIterable, Sendable {
  case circle
  case square
  case triangle
  case plus
  case diamond

  /// A closed path around a point; `radius` in pixels.
  package func path(_ point: (x: Double, y: Double), _ radius: Double) -> String {
    let (x, y, r) = (point.x, point.y, radius)
    switch self {
    case .circle:
      let d = pixels(2 * r)
      return "M\(pixels(x - r)) \(pixels(y))a\(pixels(r)) \(pixels(r)) 0 1 0 \(d) 0"
        + "a\(pixels(r)) \(pixels(r)) 0 1 0 -\(d) 0z"
    case .square:
      let s = r * 0.9
      let d = pixels(2 * s)
      return "M\(pixels(x - s)) \(pixels(y - s))h\(d)v\(d)h-\(d)z"
    case .triangle:
      let s = r * 1.15
      return "M\(pixels(x)) \(pixels(y - s))l\(pixels(s)) \(pixels(1.8 * s))h\(pixels(-2 * s))z"
    case .plus:
      let (a, b) = (r * 1.15, r * 0.4)
      let long = pixels(a - b)
      let short = pixels(2 * b)
      return "M\(pixels(x - b)) \(pixels(y - a))h\(short)v\(long)h\(long)v\(short)h-\(long)"
        + "v\(long)h-\(short)v-\(long)h-\(long)v-\(short)h\(long)z"
    case .diamond:
      let s = pixels(r * 1.25)
      return "M\(pixels(x)) \(pixels(y - r * 1.25))l\(s) \(s)l-\(s) \(s)l-\(s) -\(s)z"
    }
  }
}
