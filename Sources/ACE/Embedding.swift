import Glibc

/// How the densities of an atom become its energy: sum over p of w_p F(rho_p; m_p).
public struct Embedding: Sendable, Equatable {
  public enum Kind: String, Sendable {
    case finnisSinclair = "FinnisSinclair"
    case finnisSinclairShiftedScaled = "FinnisSinclairShiftedScaled"
  }

  public var kind: Kind
  /// Weight w and exponent m of each density.
  public var terms: [(weight: Double, exponent: Double)]
  /// Where core repulsion (eV) switches ACE off, and over which width.
  public var coreCutoff: Double
  public var coreWidth: Double

  public init(
    kind: Kind, terms: [(weight: Double, exponent: Double)], coreCutoff: Double = 100_000,
    coreWidth: Double = 250
  ) {
    self.kind = kind
    self.terms = terms
    self.coreCutoff = coreCutoff
    self.coreWidth = coreWidth
  }

  /// E = rho exactly.
  public static let linear = Embedding(
    kind: .finnisSinclairShiftedScaled, terms: [(weight: 1, exponent: 1)])

  public static func == (a: Embedding, b: Embedding) -> Bool {
    a.kind == b.kind && a.coreCutoff == b.coreCutoff && a.coreWidth == b.coreWidth
      && a.terms.elementsEqual(b.terms, by: ==)
  }

  public var densityCount: Int { terms.count }

  /// Whether the energy is the single density itself.
  public var isLinear: Bool {
    kind == .finnisSinclairShiftedScaled && terms.count == 1 && terms[0].weight == 1
      && abs(terms[0].exponent - 1) < 1e-10
  }

  /// Energy; its derivative by each density goes to `slopes`. Density p is densities[p * stride], its slope likewise.
  func energy(
    _ densities: UnsafePointer<Double>, slopes: UnsafeMutablePointer<Double>, stride: Int
  ) -> Double {
    var energy = 0.0
    for (p, term) in terms.enumerated() {
      let rho = densities[p * stride]
      let (f, slope) =
        kind == .finnisSinclair
        ? Self.plain(rho, term.exponent) : Self.shiftedScaled(rho, term.exponent)
      energy += term.weight * f
      slopes[p * stride] = term.weight * slope
    }
    return energy
  }

  private static func plain(_ rho: Double, _ m: Double) -> (Double, Double) {
    let w = 1e6
    let linear = pow(w, 1 - m)
    let a = abs(rho)
    if a <= 1e-10 { return (linear * rho, linear) }
    let sign: Double = rho < 0 ? -1 : 1
    let cube = w * a * (w * a) * (w * a)
    let g = cube > 30 ? 0 : exp(-cube)
    let slopeOfG = cube > 30 ? 0 : -3 * cube / a * g
    let value = (1 - g) * pow(a, m) + linear * g * a
    let slope =
      (1 - g) * m * pow(a, m - 1) - slopeOfG * pow(a, m) + linear * (slopeOfG * a + g)
    return (sign * value, slope)
  }

  private static func shiftedScaled(_ rho: Double, _ m: Double) -> (Double, Double) {
    if abs(m - 1) < 1e-10 { return (rho, 1) }
    let a = abs(rho)
    let sign: Double = rho < 0 ? -1 : 1
    let q = 1 / m
    let fade = exp(-a)
    let x = pow(q, q / (1 - q)) * fade
    let y = pow(q, 1 / (1 - q)) * fade
    return (sign * (pow(x + a, m) - y), m * pow(x + a, m - 1) * (1 - x) + y)
  }
}

/// The polynomial step that falls from 1 to 0 over `width` before `edge` (C2), and its derivative.
func smoothStep(_ x: Double, edge: Double, width: Double) -> (Double, Double) {
  if x <= edge - width { return (1, 0) }
  if x >= edge { return (0, 0) }
  let u = 1 - 2 * (1 + (x - edge) / width)
  let u2 = u * u
  let value = 0.5 + 3.75 * u * (0.25 - u2 / 6 + u2 * u2 / 20)
  return (value, -2 / width * 0.9375 * (1 - u2) * (1 - u2))
}
