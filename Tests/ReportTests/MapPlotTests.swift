import Foundation
import Report
import TestSupport
import Testing

@Suite struct MapPlotTests {
  private static func map(_ count: Int) -> ConfigurationMap {
    var random = SeededGenerator(seed: 3)
    func value() -> Double { .random(in: -5...5, using: &random) }
    return ConfigurationMap(
      training: (0..<count).map { .init(x: value(), y: value(), cluster: $0 % 3) },
      candidates: (0..<count).map { .init(x: value(), y: value(), rank: $0 < 20 ? $0 + 1 : nil) })
  }

  /// Start points ("M x y") of all marks of a class.
  private static func starts(_ figure: HTML, class style: String) -> [(x: Double, y: Double)] {
    var points: [(x: Double, y: Double)] = []
    let drawing = figure.text.components(separatedBy: "</svg>")[0]
    for path in drawing.components(separatedBy: "<path class=\"\(style)\" d=\"").dropFirst() {
      let data = path.components(separatedBy: "\"")[0]
      for piece in data.components(separatedBy: "M").dropFirst() {
        let numbers = piece.split(whereSeparator: { !"-.0123456789".contains($0) })
        points.append((Double(numbers[0])!, Double(numbers[1])!))
      }
    }
    return points
  }

  @Test(arguments: [300, 5000])
  func everyMarkLiesInTheFrame(_ count: Int) {
    let figure = MapPlot.figure(Self.map(count), [])
    for style in ["points k0", "points k1", "points k2", "others", "listed"] {
      let points = Self.starts(figure, class: style)
      #expect(points.count >= min(count / 3, 20), "\(style): \(points.count)")
      let inside = points.filter { (52...756).contains($0.x) && (4...460).contains($0.y) }
      #expect(inside.count == points.count, "\(style) with \(count) points")
      let spread = points.map(\.y).max()! - points.map(\.y).min()!
      #expect(spread > 300, "\(style) fills the frame")
    }
  }

  /// Two clusters in one cell: the one with more points gives it its colour.
  @Test func cellsTakeTheirMostFrequentCluster() {
    var training: [ConfigurationMap.TrainingPoint] = []
    for index in 0..<1600 {
      training.append(.init(x: 0, y: 0, cluster: index % 4 == 0 ? 7 : 9))
      training.append(.init(x: 1, y: 1, cluster: index % 4 == 0 ? 9 : 7))
    }
    let figure = MapPlot.figure(ConfigurationMap(training: training, candidates: []), [])
    let first = Self.starts(figure, class: "points k0")
    let second = Self.starts(figure, class: "points k1")
    #expect(first.count == 1 && second.count == 1)
    #expect(first[0].x > second[0].x && first[0].y < second[0].y, "7 up right, 9 down left")
  }
}
