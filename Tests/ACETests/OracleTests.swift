import ACE
import Configurations
import Foundation
import LinearAlgebra
import TestSupport
import Testing

/// Linear ACE as the papers write it: complex spherical harmonics from a textbook formula, sums over
/// all m-vectors with Clebsch-Gordan coefficients found by their own recursion, plain loops.
/// Slow and obvious; shares nothing with the fast path but the list of functions.
struct Oracle {
  struct Complex {
    var re: Double
    var im: Double
    static func * (a: Complex, b: Complex) -> Complex {
      Complex(re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re)
    }
    static func += (a: inout Complex, b: Complex) { a = Complex(re: a.re + b.re, im: a.im + b.im) }
  }

  let basis: Basis

  static func factorial(_ n: Int) -> Double { n < 2 ? 1 : Double(n) * factorial(n - 1) }

  /// P_l^m(x) without Condon-Shortley phase, by differentiating (x² - 1)^l: explicit sum.
  static func legendre(_ l: Int, _ m: Int, _ x: Double) -> Double {
    var sum = 0.0
    for k in 0...(l / 2) where l - 2 * k - m >= 0 {
      sum +=
        (k % 2 == 0 ? 1 : -1) * factorial(2 * l - 2 * k)
        / (factorial(k) * factorial(l - k) * factorial(l - 2 * k - m))
        * pow(x, Double(l - 2 * k - m))
    }
    return sum / pow(2, Double(l)) * pow(1 - x * x, Double(m) / 2)
  }

  static func harmonic(_ l: Int, _ m: Int, _ u: Vector3) -> Complex {
    if m < 0 {
      let y = harmonic(l, -m, u)
      let sign: Double = m % 2 == 0 ? 1 : -1
      return Complex(re: sign * y.re, im: -sign * y.im)
    }
    let norm = (Double(2 * l + 1) * factorial(l - m) / factorial(l + m)).squareRoot()
    let value = (m % 2 == 0 ? 1 : -1) * norm * legendre(l, m, max(-1, min(1, u.z)))
    let phi = atan2(u.y, u.x)
    return Complex(re: value * cos(Double(m) * phi), im: value * sin(Double(m) * phi))
  }

  /// Clebsch-Gordan coefficient by lowering from the highest M, as in quantum mechanics courses.
  static func clebschGordan(_ a: Int, _ ma: Int, _ b: Int, _ mb: Int, _ l3: Int, _ m3: Int)
    -> Double
  {
    guard ma + mb == m3, abs(ma) <= a, abs(mb) <= b, abs(m3) <= l3 else { return 0 }
    // |L L> from J+ |L L> = 0, phase: <a a b L-a | L L> > 0.
    var state: [Int: Double] = [:]
    var value = 1.0
    var m1 = a
    while l3 - m1 <= b, m1 >= -a {
      state[m1] = value
      // c(m1 - 1) √((a + m1)(a - m1 + 1)) + c(m1) √((b + m2 + 1)(b - m2)) = 0 with m2 = L - m1
      let m2 = l3 - m1
      let up = Double((a + m1) * (a - m1 + 1)).squareRoot()
      if up == 0 { break }
      value *= -Double((b + m2 + 1) * (b - m2)).squareRoot() / up
      m1 -= 1
    }
    let norm = state.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    state = state.mapValues { $0 / norm }
    var top = l3
    while top > m3 {
      var next: [Int: Double] = [:]
      for (m, c) in state {
        let other = top - m
        next[m - 1, default: 0] += c * Double((a + m) * (a - m + 1)).squareRoot()
        next[m, default: 0] += c * Double((b + other) * (b - other + 1)).squareRoot()
      }
      let scale = Double((l3 + top) * (l3 - top + 1)).squareRoot()
      state = next.mapValues { $0 / scale }
      top -= 1
    }
    return state[ma] ?? 0
  }

  /// g_k(r), k from 1.
  static func radial(_ bond: Bond, _ k: Int, _ r: Double) -> Double {
    let rc = bond.cutoff
    if r >= rc { return 0 }
    func chebyshev(_ n: Int, _ x: Double) -> Double { cos(Double(n) * acos(max(-1, min(1, x)))) }
    var value: Double
    switch bond.radial {
    case .chebExpCos(let lambda, let shell):
      let x = 1 - 2 * (exp(-lambda * r / rc) - exp(-lambda)) / (1 - exp(-lambda))
      value = k == 1 ? 1 : 0.5 * (1 - chebyshev(k - 1, x))
      value *= 0.5 * (1 + cos(.pi * r / rc))
      if r > rc - shell { value *= 0.5 * (1 + cos(.pi * (r - (rc - shell)) / shell)) }
    case .chebPow(let lambda):
      value = 0.5 * (1 - chebyshev(k, 2 * (1 - pow(1 - r / rc, lambda)) - 1))
    case .chebLinear: value = 0.5 * (1 - chebyshev(k, 1 - r / rc))
    case .sBessel:
      func sinc(_ x: Double) -> Double { sin(x) / x }
      func f(_ n: Int) -> Double {
        let (a, b) = (Double(n + 1), Double(n + 2))
        return (n % 2 == 0 ? 1 : -1) * 2.0.squareRoot() * .pi / pow(rc, 1.5) * a * b
          / (a * a + b * b).squareRoot() * (sinc(a * .pi * r / rc) + sinc(b * .pi * r / rc))
      }
      var (g, d) = (f(0), 1.0)
      for n in 1..<max(k, 1) {
        let x = Double(n)
        let e = x * x * (x + 2) * (x + 2) / (4 * pow(x + 1, 4) + 1)
        let next = 1 - e / d
        g = (f(n) + (e / d).squareRoot() * g) / next.squareRoot()
        d = next
      }
      value = g
    }
    if bond.innerCutoffKind == .distance, bond.innerCutoff > 0, r < bond.innerCutoff {
      let x = 1 - 2 * (1 + (r - bond.innerCutoff) / bond.innerCutoffWidth)
      let fc = 0.5 + 3.75 * (x / 4 - pow(x, 3) / 6 + pow(x, 5) / 20)
      value = r <= bond.innerCutoff - bond.innerCutoffWidth ? 0 : value * (1 - fc)
    }
    return value
  }

  func radial(_ bond: Bond, n: Int, l: Int, _ r: Double) -> Double {
    guard let mixing = bond.mixing else { return Self.radial(bond, n, r) }
    return (1...bond.functionCount).reduce(0) { sum, k in
      sum + mixing[((n - 1) * (bond.angularLimit + 1) + l) * bond.functionCount + k - 1]
        * Self.radial(bond, k, r)
    }
  }

  func value(_ f: BasisFunction, _ environment: [(element: Int, r: Vector3)]) -> Double {
    func sum(_ t: Int, _ m: Int) -> Complex {
      var total = Complex(re: 0, im: 0)
      for (element, r) in environment where element == f.neighbors[t] {
        let d = length(r)
        let bond = basis.bonds[f.centre][element]
        if d >= bond.cutoff { continue }
        let y = Self.harmonic(f.ls[t], m, r / d)
        let g =
          f.rank == 1 ? Self.radial(bond, f.ns[t], d) : radial(bond, n: f.ns[t], l: f.ls[t], d)
        total += Complex(re: g * y.re, im: g * y.im)
      }
      return total
    }
    if f.rank == 1 { return sum(0, 0).re }
    let sums = (0..<f.rank).map { t in (-f.ls[t]...f.ls[t]).map { sum(t, $0) } }
    var total = Complex(re: 0, im: 0)
    var ms = f.ls.map { -$0 }
    outer: while true {
      if ms.reduce(0, +) == 0 {
        let c = coupling(f, ms)
        if c != 0 {
          var product = Complex(re: c, im: 0)
          for t in 0..<f.rank { product = product * sums[t][ms[t] + f.ls[t]] }
          total += product
        }
      }
      for t in 0..<f.rank {
        ms[t] += 1
        if ms[t] <= f.ls[t] { continue outer }
        ms[t] = -f.ls[t]
      }
      break
    }
    return total.re
  }

  /// The coupling trees written out by hand.
  private func coupling(_ f: BasisFunction, _ m: [Int]) -> Double {
    let (l, l3) = (f.ls, f.couplings)
    func c(_ a: Int, _ x: Int, _ b: Int, _ y: Int, _ to: Int) -> Double {
      abs(x + y) > to ? 0 : Self.clebschGordan(a, x, b, y, to, x + y)
    }
    switch f.rank {
    case 2: return c(l[0], m[0], l[1], m[1], 0)
    case 3:
      return c(l[0], m[0], l[1], m[1], l3[0]) * c(l3[0], m[0] + m[1], l[2], m[2], 0)
    case 4:
      return c(l[0], m[0], l[1], m[1], l3[0]) * c(l[2], m[2], l[3], m[3], l3[1])
        * c(l3[0], m[0] + m[1], l3[1], m[2] + m[3], 0)
    case 5:
      return c(l[0], m[0], l[1], m[1], l3[0]) * c(l[2], m[2], l[3], m[3], l3[1])
        * c(l3[0], m[0] + m[1], l3[1], m[2] + m[3], l3[2]) * c(l3[2], -m[4], l[4], m[4], 0)
    default:
      return c(l[0], m[0], l[1], m[1], l3[0]) * c(l[2], m[2], l[3], m[3], l3[1])
        * c(l[4], m[4], l[5], m[5], l3[2])
        * c(l3[0], m[0] + m[1], l3[1], m[2] + m[3], l3[3])
        * c(l3[3], -m[4] - m[5], l3[2], m[4] + m[5], 0)
    }
  }

  /// Values of all functions of the centre's element.
  func projections(_ configuration: Configuration, atom: Int) throws -> [Double] {
    let list = try NeighborList(configuration, cutoff: basis.cutoff)
    let environment = list[atom].map {
      (element: basis.index(of: configuration.species[Int($0.index)])!, r: $0.displacement)
    }
    let element = basis.index(of: configuration.species[atom])!
    return basis.functions[element].map { value($0, environment) }
  }
}

/// Small random structures for tests.
enum Sample {
  static func configuration(
    _ symbols: [String], size: Double, seed: UInt64, periodic: Bool = true
  ) -> Configuration {
    var generator = SeededGenerator(seed: seed)
    func jitter(_ x: Double) -> Double { .random(in: -x...x, using: &generator) }
    let cell = Matrix3(
      [size, jitter(0.3), jitter(0.3)], [jitter(0.3), size * 1.1, jitter(0.3)],
      [jitter(0.3), jitter(0.3), size * 0.95])
    var positions: [Vector3] = []
    while positions.count < symbols.count {
      let s = Vector3(
        .random(in: 0..<1, using: &generator), .random(in: 0..<1, using: &generator),
        .random(in: 0..<1, using: &generator))
      let p = s * cell
      if positions.allSatisfy({ length($0 - p) > 1.6 }) { positions.append(p) }
    }
    return Configuration(
      species: symbols.map { Element(symbol: $0)! }, positions: positions,
      cell: periodic ? Cell(vectors: cell) : nil)
  }

  static func basis(
    _ symbols: [String], radial: RadialKind = .sBessel, order: Int = 6, cutoff: Double = 3.6,
    functions: Int? = nil, limits: BasisSpecification.Limits
  ) throws -> Basis {
    try Basis(
      BasisSpecification(
        elements: symbols.map { Element(symbol: $0)! }, cutoff: cutoff, radial: radial,
        order: order,
        limits: [limits], functionsPerElement: functions))
  }

  /// Bonds changed to mixed radial functions and fading inside.
  static func mixed(_ basis: Basis, seed: UInt64, inner: Double = 0) throws -> Basis {
    var generator = SeededGenerator(seed: seed)
    var bonds = basis.bonds
    for i in bonds.indices {
      for j in i..<bonds.count {
        var bond = bonds[i][j]
        bond.mixing = (0..<bond.radialLimit * (bond.angularLimit + 1) * bond.functionCount).map {
          _ in
          .random(in: -1...1, using: &generator)
        }
        bond.innerCutoff = inner
        bond.innerCutoffWidth = 0.4
        (bonds[i][j], bonds[j][i]) = (bond, bond)
      }
    }
    return try Basis(elements: basis.elements, bonds: bonds, functions: basis.functions)
  }
}

@Suite struct OracleTests {
  private func compare(_ basis: Basis, _ configuration: Configuration, _ label: String) throws {
    let oracle = Oracle(basis: basis)
    for group in try Evaluator(basis).projections(of: configuration) {
      for (row, atom) in group.atoms.enumerated().prefix(2) {
        let expected = try oracle.projections(configuration, atom: atom)
        let scale = expected.map(abs).max() ?? 0
        for (k, (value, reference)) in zip(group.values.row(row), expected).enumerated() {
          // Sums of hundreds of products of order `scale`: a few hundred roundings.
          #expect(
            abs(value - reference) <= 1e-10 * max(abs(reference), 1e-2 * scale),
            "\(label): \(basis.functions[group.element][k])")
        }
      }
    }
  }

  @Test func everyRankUpToSix() throws {
    let basis = try Sample.basis(
      ["W"], limits: .init(radial: [4, 3, 2, 2, 1, 1], angular: [0, 3, 3, 2, 2, 1]))
    #expect(Set(basis.functions[0].map(\.rank)) == [1, 2, 3, 4, 5, 6])
    try compare(basis, Sample.configuration(["W", "W", "W", "W"], size: 4, seed: 1), "ranks")
  }

  @Test func highAngularMomenta() throws {
    let basis = try Sample.basis(
      ["W"], order: 3, limits: .init(radial: [2, 1, 1], angular: [0, 8, 5]))
    try compare(basis, Sample.configuration(["W", "W", "W"], size: 4, seed: 2), "l")
  }

  @Test func threeElements() throws {
    let basis = try Sample.basis(
      ["Cu", "Zr", "Al"], radial: .chebExpCos(lambda: 4), order: 4,
      limits: .init(radial: [3, 2, 1, 1], angular: [0, 2, 1, 1]))
    let c = Sample.configuration(["Cu", "Zr", "Al", "Zr", "Al"], size: 4.6, seed: 3)
    try compare(basis, c, "ternary")
    #expect(basis.elements.map(\.symbol) == ["Al", "Cu", "Zr"])
  }

  @Test(arguments: [
    RadialKind.sBessel, .chebExpCos(lambda: 5.25), .chebPow(lambda: 2), .chebPow(lambda: 2.5),
  ]) func radialFamilies(_ radial: RadialKind) throws {
    let basis = try Sample.basis(
      ["Si"], radial: radial, order: 2, limits: .init(radial: [12, 4], angular: [0, 2]))
    let c = Sample.configuration(["Si", "Si", "Si"], size: 4, seed: 4, periodic: false)
    try compare(basis, c, "\(radial)")
    try compare(Sample.mixed(basis, seed: 5, inner: 2.4), c, "\(radial), mixed")
  }

  @Test func environmentsWithoutNeighbours() throws {
    let basis = try Sample.basis(
      ["W", "Mo"], order: 2, limits: .init(radial: [2, 2], angular: [0, 1]))
    let w = Element(symbol: "W")!
    let alone = Configuration(species: [w], positions: [.zero], cell: nil)
    let evaluator = Evaluator(basis)
    let groups = try evaluator.projections(of: alone)
    #expect(groups.count == 1 && groups[0].values.storage.allSatisfy { $0 == 0 })
    #expect(try evaluator.designRows(of: alone).forces.storage.allSatisfy { $0 == 0 })
    let empty = Configuration(species: [], positions: [], cell: nil)
    #expect(try evaluator.projections(of: empty).isEmpty)
    #expect(try evaluator.designRows(of: empty).forces.rows == 0)
    let pair = Configuration(species: [w, w], positions: [.zero, [0, 0, 1e-4]], cell: nil)
    #expect(throws: ACEError.self) { try evaluator.projections(of: pair) }
    let foreign = Configuration(species: [Element(symbol: "H")!], positions: [.zero], cell: nil)
    #expect(throws: ACEError.unknownElement(Element(symbol: "H")!, atom: 0)) {
      try evaluator.projections(of: foreign)
    }
  }
}
