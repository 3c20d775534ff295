import Configurations
import Glibc

/// Repulsion of one bond as potential files define it.
struct CoreRepulsion {
  /// Repulsion of one bond at distance r, eV, and its derivative.
  static func pair(_ bond: Bond, _ a: Element, _ b: Element, _ r: Double) -> (Double, Double) {
    if bond.corePrefactor == 0 || r >= bond.cutoff { return (0, 0) }
    return bond.innerCutoffKind == .zbl ? screened(bond, a, b, r) : gaussian(bond, r)
  }

  /// The same where it does not depend on the elements, beyond the cutoff too: not for `zbl`.
  static func alike(_ bond: Bond, _ r: Double) -> (Double, Double) {
    r >= bond.cutoff ? (0, 0) : gaussian(bond, r)
  }

  private static func gaussian(_ bond: Bond, _ r: Double) -> (Double, Double) {
    let lambda = abs(bond.coreExponent)
    if lambda * r * r >= 50 { return (0, 0) }
    let f = abs(bond.corePrefactor) * exp(-lambda * r * r) / r
    let df = f * (-2 * lambda * r - 1 / r)
    let k = Double.pi / bond.cutoff
    let fade = 0.5 * (1 + cos(k * r))
    var (value, slope) = (f * fade, df * fade - f * 0.5 * k * sin(k * r))
    if bond.innerCutoffKind == .distance {
      let (s, ds) = smoothStep(r, edge: bond.innerCutoff, width: bond.innerCutoffWidth)
      (value, slope) = (value * s, slope * s + value * ds)
    }
    return (value, slope)
  }

  /// Weights and decays of the universal screening function.
  static let coefficients = [
    (0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162),
  ]

  /// Ziegler, Biersack, Littmark: screened nuclear repulsion, switched to zero before the cutoff.
  private static func screened(_ bond: Bond, _ a: Element, _ b: Element, _ r: Double) -> (
    Double, Double
  ) {
    let (zi, zj) = (Double(a.atomicNumber), Double(b.atomicNumber))
    let length = 0.4685 / (pow(zi, 0.23) + pow(zj, 0.23))
    /// phi(r/a)/r and its first two derivatives.
    func bare(_ r: Double) -> (Double, Double, Double) {
      var (p, d, s) = (0.0, 0.0, 0.0)
      for (c, k) in coefficients {
        let q = k / length
        let e = c * exp(-q * r)
        p += e
        d -= q * e
        s += q * q * e
      }
      return (p / r, (d - p / r) / r, (s - 2 * d / r + 2 * p / (r * r)) / r)
    }
    let (outer, inner) = (bond.cutoff, bond.cutoff - bond.shell)
    let width = outer - inner
    let (e, de, d2e) = bare(outer)
    let cubic = (-3 * de + width * d2e) / (width * width)
    let quartic = (2 * de - width * d2e) / (width * width * width)
    let constant = -e + width * de / 2 - width * width * d2e / 12
    let t = max(r - inner, 0)
    let (v, dv, _) = bare(r)
    let scale = 14.399645351950543 / 2 * zi * zj * bond.corePrefactor
    let value = scale * (v + cubic / 3 * t * t * t + quartic / 4 * t * t * t * t + constant)
    let slope = scale * (dv + cubic * t * t + quartic * t * t * t)
    let (s, ds) = smoothStep(r, edge: outer, width: width)
    return (value * s, slope * s + value * ds)
  }
}
