// Divisions and shifts, or the irreducible points themselves, come in; one wording for the mesh goes out,
// whichever file tells of it.

import Configurations

/// A regular mesh of k-points: `divisions` along the reciprocal vectors, the first point shifted from
/// Gamma by `shift` steps of the mesh (0 ≤ shift < 1).
package struct KPointMesh: Equatable {
  package var divisions: [Int]
  package var shift: [Double]

  /// - Parameter shift: steps of the mesh, any real numbers; only their fractions matter.
  package init(divisions: [Int], shift: [Double]) {
    self.divisions = divisions
    self.shift = shift.map { value in
      let fraction = value - value.rounded(.down)
      return fraction > 0.999 || fraction < 0.001 ? 0 : (fraction * 1000).rounded() / 1000
    }
  }

  /// The mesh that irreducible `points` (fractions of the reciprocal vectors, six decimals) stand for,
  /// `total` of them in the whole zone. nil where they are no mesh or more than one fits.
  package init?(points: [Vector3], total: Int, divisions known: [Int]? = nil) {
    guard !points.isEmpty, total > 0 else { return nil }
    var axes: [[(divisions: Int, shift: Double)]] = []
    for axis in 0..<3 {
      let values = Set(points.map { abs($0[axis]) })
      let candidates = known.map { [$0[axis]] } ?? (1...total).filter { total % $0 == 0 }
      axes.append(
        candidates.compactMap { n in
          for shift in [0, 0.5] {
            let fits = values.allSatisfy { value in
              let steps = value * Double(n) - shift
              return abs(steps - steps.rounded()) < 2e-6 * Double(n)
            }
            if fits { return (n, shift) }
          }
          return nil
        })
    }
    var found: [KPointMesh] = []
    for x in axes[0] where total % x.divisions == 0 {
      for y in axes[1] where total % (x.divisions * y.divisions) == 0 {
        for z in axes[2] where x.divisions * y.divisions * z.divisions == total {
          found.append(
            KPointMesh(
              divisions: [x.divisions, y.divisions, z.divisions], shift: [x.shift, y.shift, z.shift]))
        }
      }
    }
    guard found.count == 1 else { return nil }
    self = found[0]
  }

  /// "Gamma 4 4 4", "Monkhorst-Pack 4 4 1", "4 4 4 shifted 0.25 0.0 0.0". An odd Monkhorst-Pack mesh holds
  /// Gamma and is called by that name.
  package var words: String {
    let counts = divisions.map(String.init).joined(separator: " ")
    if shift == [0, 0, 0] { return "Gamma \(counts)" }
    let ofMonkhorstAndPack = divisions.map { $0 % 2 == 0 ? 0.5 : 0 }
    if shift == ofMonkhorstAndPack { return "Monkhorst-Pack \(counts)" }
    return "\(counts) shifted \(shift.map(\.description).joined(separator: " "))"
  }

  static func words(points count: Int) -> String { count == 1 ? "1 point" : "\(count) points" }
}

/// A KPOINTS file.
package struct KPointsText: Equatable {
  /// nil for lists and lines of points.
  var mesh: KPointMesh?
  var pointCount: Int?

  package init?(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 3 else { return nil }
    func numbers(_ k: Int) -> [Double] {
      guard k < lines.count else { return [] }
      var found: [Double] = []
      for word in lines[k].split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" }) {
        guard let value = DecimalScanner.number(word) else { break }
        found.append(value)
      }
      return found
    }
    guard let count = numbers(1).first.flatMap({ Int(exactly: $0) }),
      let letter = lines[2].first(where: { $0 != " " && $0 != "\t" })?.lowercased()
    else { return nil }
    if count > 0 {
      if letter != "l" { pointCount = count }
      return
    }
    guard letter == "g" || letter == "m" else { return }
    let counts = numbers(3).prefix(3).compactMap { Int(exactly: $0) }
    guard counts.count == 3, counts.allSatisfy({ $0 > 0 }) else { return nil }
    let user = numbers(4).count >= 3 ? Array(numbers(4).prefix(3)) : [0, 0, 0]
    mesh = KPointMesh(
      divisions: counts,
      shift: zip(counts, user).map { n, s in s + (letter == "m" && n % 2 == 0 ? 0.5 : 0) })
  }

  package var words: String? { mesh?.words ?? pointCount.map(KPointMesh.words(points:)) }
}
