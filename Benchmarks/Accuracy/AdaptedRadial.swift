// Radial functions that spend their freedom where neighbours are.

import ACE
import Configurations
import LinearAlgebra

#if canImport(Glibc)
  import Glibc
#endif

/// Mixing of the first `primitives` spherical Bessel functions: the smoothest orthonormal functions under the
/// weight w(r) r^-decay, w rising from 0 to 1 between `from` and `to` times the contact distance.
struct AdaptedRadial: Sendable {
  var primitives: Int
  var from: Double
  var to: Double
  var decay: Double
  /// Share of l(l + 1)/r² in the curvature that counts as roughness.
  var angular: Double
  /// Smooth is r^envelope R.
  var envelope = 0.0
  /// Which derivative's square is roughness, 2 or 3.
  var derivative = 2

  /// K:FROM:TO:DECAY:ANGULAR.
  init(_ text: String) throws {
    let parts = try text.split(separator: ":").map { try number(String($0)) }
    guard parts.count >= 5 else { throw UsageError(description: "adapted radial functions are K:FROM:TO:Q:BETA") }
    (primitives, from, to, decay, angular) = (Int(parts[0]), parts[1], parts[2], parts[3], parts[4])
    if parts.count > 5 { envelope = parts[5] }
    if parts.count > 6 { derivative = Int(parts[6]) }
  }

  func applied(to basis: Basis) throws -> Basis {
    var contacts: [String: Double] = [:]
    for path in CompressionPath.all(basis.elements) {
      let (a, b) = path.pair
      contacts[[a.symbol, b.symbol].sorted().joined()] = path.contact
    }
    var bonds = basis.bonds
    for i in bonds.indices {
      for j in bonds.indices {
        let contact = contacts[[basis.elements[i].symbol, basis.elements[j].symbol].sorted().joined()]!
        var bond = bonds[i][j]
        bond.functionCount = max(bond.functionCount, primitives)
        bond.mixing = try mixing(bond, contact: contact)
        bonds[i][j] = bond
      }
    }
    return try Basis(elements: basis.elements, bonds: bonds, functions: basis.functions)
  }

  private func mixing(_ bond: Bond, contact: Double) throws -> [Double] {
    let steps = 2000
    let h = bond.cutoff / Double(steps)
    let values = (0...steps + 2).map { s in
      let r = Double(s) * h
      let power = s == 0 ? (envelope == 0 ? 1.0 : 0) : exp(envelope * log(r / contact))
      return Self.sphericalBessel(r, bond.cutoff, primitives).map { $0 * power }
    }
    var gram = Matrix(rows: primitives, columns: primitives)
    var mixing = [Double](
      repeating: 0, count: bond.radialLimit * (bond.angularLimit + 1) * bond.functionCount)
    var weights = [Double](repeating: 0, count: steps + 1)
    for s in 1...steps {
      let r = Double(s) * h
      let x = min(1, max(0, (r / contact - from) / (to - from)))
      weights[s] = x * x * x * (10 - 15 * x + 6 * x * x) * exp(-decay * log(r / contact)) * h
      for a in 0..<primitives {
        for b in 0..<primitives { gram[a, b] += weights[s] * values[s][a] * values[s][b] }
      }
    }
    for l in 0...bond.angularLimit {
      var rough = Matrix(rows: primitives, columns: primitives)
      for s in 1...steps {
        let r = Double(s) * h
        // The barrier is cut off inside the core, where nothing is.
        let barrier = angular * Double(l * (l + 1)) / max(r * r, from * from * contact * contact)
        let c = (0..<primitives).map { (k: Int) -> Double in
          let second = (values[s + 1][k] - 2 * values[s][k] + values[s - 1][k]) / (h * h)
          guard derivative == 3 else { return second - barrier * values[s][k] }
          let next = (values[s + 2][k] - 2 * values[s + 1][k] + values[s][k]) / (h * h)
          return (next - second) / h - barrier * (values[s + 1][k] - values[s][k]) / h
        }
        for a in 0..<primitives { for b in 0..<primitives { rough[a, b] += h * c[a] * c[b] } }
      }
      // S^-1/2 M S^-1/2: largest first is smoothest first.
      let inner = try SymmetricEigen(rough)
      var half = inner.vectors
      for k in 0..<primitives {
        for j in 0..<primitives { half[k, j] /= inner.values[k].squareRoot() }
      }
      let eigen = try SymmetricEigen(half.times(gram).timesTransposed(half))
      for n in 0..<min(bond.radialLimit, primitives) {
        let k = primitives - 1 - n
        let v = half.transposedTimes(eigen.vectors.row(k)).map { $0 / eigen.values[k].squareRoot() }
        for m in 0..<primitives { mixing[(n * (bond.angularLimit + 1) + l) * bond.functionCount + m] = v[m] }
      }
    }
    return mixing
  }

  /// docs/ace.md, section 2.
  private static func sphericalBessel(_ r: Double, _ cutoff: Double, _ count: Int) -> [Double] {
    guard r < cutoff else { return Array(repeating: 0, count: count) }
    func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x) / x }
    func f(_ n: Int) -> Double {
      let (a, b) = (Double(n + 1), Double(n + 2))
      return (n % 2 == 0 ? 1 : -1) * 2.0.squareRoot() * .pi / (cutoff * cutoff.squareRoot()) * a * b
        / (a * a + b * b).squareRoot() * (sinc(a * .pi * r / cutoff) + sinc(b * .pi * r / cutoff))
    }
    var g = [f(0)]
    var d = 1.0
    for n in 1..<max(count, 1) {
      let x = Double(n)
      let e = x * x * (x + 2) * (x + 2) / (4 * (x + 1) * (x + 1) * (x + 1) * (x + 1) + 1)
      let next = 1 - e / d
      g.append((f(n) + (e / d).squareRoot() * g[n - 1]) / next.squareRoot())
      d = next
    }
    return g
  }
}
