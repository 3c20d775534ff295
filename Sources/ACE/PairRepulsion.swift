// Two elements come in, the repulsion of their atoms at short range goes out. It depends on nothing
// else, so that neither new data nor another project changes the rows of a fit.

import Configurations
import Glibc

/// The short-range repulsion of a pair of elements in the form that potential files hold ("density"
/// core repulsion): each atom of a pair carries prefactor · exp(-exponent r²)/r · ½(1 + cos(π r/cutoff)).
public struct PairRepulsion: Sendable, Equatable, Codable {
  /// eV Å, >= 0.
  public var prefactor: Double
  /// 1/Å², >= 0.
  public var exponent: Double

  public init(prefactor: Double, exponent: Double) {
    self.prefactor = prefactor
    self.exponent = exponent
  }

  /// "Al-Ti": symbols in alphabetical order.
  public static func key(_ a: Element, _ b: Element) -> String {
    [a.symbol, b.symbol].sorted().joined(separator: "-")
  }

  /// For every pair of these elements the repulsion of `init(_:_:)`.
  public static func automatic(_ elements: [Element]) -> [String: PairRepulsion] {
    var pairs: [String: PairRepulsion] = [:]
    for a in elements { for b in elements { pairs[key(a, b)] = PairRepulsion(a, b) } }
    return pairs
  }

  /// Energy of a pair (both atoms) at the contact distance, eV: too little to matter where bonds are.
  static let contactEnergy = 0.2
  /// Share of the contact distance at which the pair has its screened nuclear repulsion.
  static let coreShare = 0.3

  /// The repulsion that equals the screened nuclear one of Ziegler, Biersack and Littmark at 0.3 of the
  /// contact distance (sum of covalent radii) and has fallen to 0.2 eV at contact, both for the pair and
  /// before the cosine. Parameters have six digits, so that every library of functions gives the same.
  public init(_ a: Element, _ b: Element) {
    let contact = a.covalentRadius + b.covalentRadius
    let core = Self.coreShare * contact
    let near = Self.screenedNuclear(a, b, core) * core
    let far = Self.contactEnergy * contact
    exponent = Self.sixDigits(log(near / far) / (contact * contact - core * core))
    prefactor = Self.sixDigits(near / 2 * exp(exponent * core * core))
  }

  /// eV: K Za Zb φ(r/a)/r, the universal potential (Ziegler, Biersack, Littmark 1985).
  static func screenedNuclear(_ a: Element, _ b: Element, _ r: Double) -> Double {
    let (za, zb) = (Double(a.atomicNumber), Double(b.atomicNumber))
    let length = 0.4685 / (pow(za, 0.23) + pow(zb, 0.23))
    let screening = CoreRepulsion.coefficients.reduce(0) { $0 + $1.0 * exp(-$1.1 * r / length) }
    return 14.399645351950543 * za * zb * screening / r
  }

  private static func sixDigits(_ x: Double) -> Double {
    let scale = pow(10, 5 - log10(x).rounded(.down))
    return (x * scale).rounded() / scale
  }
}

extension Element {
  /// Covalent radius, Å: Cordero et al. 2008, doi:10.1039/b801115j (low spin where there is a choice, sp3
  /// carbon); beyond curium Pyykkö and Atsumi 2009, doi:10.1002/chem.200800987.
  var covalentRadius: Double { Self.covalentRadii[Int(atomicNumber) - 1] }

  private static let covalentRadii: [Double] = [
    0.31, 0.28, 1.28, 0.96, 0.84, 0.76, 0.71, 0.66, 0.57, 0.58, 1.66, 1.41, 1.21, 1.11, 1.07, 1.05, 1.02,
    1.06, 2.03, 1.76, 1.70, 1.60, 1.53, 1.39, 1.39, 1.32, 1.26, 1.24, 1.32, 1.22, 1.22, 1.20, 1.19,
    1.20, 1.20, 1.16, 2.20, 1.95, 1.90, 1.75, 1.64, 1.54, 1.47, 1.46, 1.42, 1.39, 1.45, 1.44, 1.42,
    1.39, 1.39, 1.38, 1.39, 1.40, 2.44, 2.15, 2.07, 2.04, 2.03, 2.01, 1.99, 1.98, 1.98, 1.96, 1.94,
    1.92, 1.92, 1.89, 1.90, 1.87, 1.87, 1.75, 1.70, 1.62, 1.51, 1.44, 1.41, 1.36, 1.36, 1.32, 1.45,
    1.46, 1.48, 1.40, 1.50, 1.50, 2.60, 2.21, 2.15, 2.06, 2.00, 1.96, 1.90, 1.87, 1.80, 1.69, 1.68,
    1.68, 1.65, 1.67, 1.73, 1.76, 1.61, 1.57, 1.49, 1.43, 1.41, 1.34, 1.29, 1.28, 1.21, 1.22, 1.36,
    1.43, 1.62, 1.75, 1.65, 1.57,
  ]
}
