// The radial functions of a bond and what else a bond carries in the files.

/// The family of radial functions g_k(r), k = 1.... All vanish at the cutoff and beyond,
/// but for `chebLinear`, which jumps there and is meant for reading old potentials only.
public enum RadialKind: Sendable, Hashable {
  /// Simplified spherical Bessel functions: smooth at the cutoff, no parameters. The default.
  case sBessel
  /// Chebyshev polynomials of an exponentially scaled distance times a cosine envelope; `shell` is
  /// the width (Å) of a second envelope before the cutoff (`dcut`).
  case chebExpCos(lambda: Double, shell: Double = 0.01)
  /// Chebyshev polynomials of (1 - r/cutoff)^lambda.
  case chebPow(lambda: Double)
  case chebLinear

  /// The name in `.yaml` and `.yace` files.
  public var name: String {
    switch self {
    case .sBessel: "SBessel"
    case .chebExpCos: "ChebExpCos"
    case .chebPow: "ChebPow"
    case .chebLinear: "ChebLinear"
    }
  }

  /// The kernel's number for the family.
  var code: Int32 {
    switch self {
    case .sBessel: 0
    case .chebExpCos: 1
    case .chebPow: 2
    case .chebLinear: 3
    }
  }

  var lambda: Double {
    switch self {
    case .chebExpCos(let lambda, _), .chebPow(let lambda): lambda
    case .sBessel, .chebLinear: 0
    }
  }

  var shell: Double {
    if case .chebExpCos(_, let shell) = self { return shell }
    return 0.01
  }
}

extension RadialKind: Codable {
  private enum Keys: String, CodingKey { case kind, lambda, shell }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Keys.self)
    let kind = try values.decode(String.self, forKey: .kind)
    switch kind {
    case "SBessel": self = .sBessel
    case "ChebExpCos":
      self = .chebExpCos(
        lambda: try values.decodeIfPresent(Double.self, forKey: .lambda) ?? 5.25,
        shell: try values.decodeIfPresent(Double.self, forKey: .shell) ?? 0.01)
    case "ChebPow":
      self = .chebPow(lambda: try values.decodeIfPresent(Double.self, forKey: .lambda) ?? 2)
    case "ChebLinear": self = .chebLinear
    default:
      throw DecodingError.dataCorruptedError(
        forKey: .kind, in: values,
        debugDescription: "'\(kind)' is none of SBessel, ChebExpCos, ChebPow, ChebLinear")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Keys.self)
    try values.encode(name, forKey: .kind)
    switch self {
    case .sBessel, .chebLinear: break
    case .chebPow(let lambda): try values.encode(lambda, forKey: .lambda)
    case .chebExpCos(let lambda, let shell):
      try values.encode(lambda, forKey: .lambda)
      try values.encode(shell, forKey: .shell)
    }
  }
}

/// How short distances are treated.
public enum InnerCutoffKind: String, Sendable, Hashable {
  /// ACE fades as the core repulsion of an atom grows.
  case density
  /// Radial functions fade inside the inner cutoff.
  case distance
  /// Screened nuclear repulsion, mixed in by the nearest neighbour.
  case zbl
}

/// What holds for an ordered pair of elements: radial functions, their mixing, short range.
public struct Bond: Sendable, Equatable {
  public internal(set) var radial: RadialKind
  /// As the file gave them; only the first is used, and not by every family.
  public internal(set) var radialParameters: [Double]
  /// Å.
  public var cutoff: Double
  /// Width before the cutoff as files call it `dcut`, Å.
  public package(set) var shell: Double
  /// Number of g_k: the largest n at rank 1.
  public var functionCount: Int
  /// Largest n and l above rank 1.
  public var radialLimit: Int
  public var angularLimit: Int
  /// R_nl = sum_k mixing[n][l][k] g_k, shape [radialLimit][angularLimit + 1][functionCount]; nil for
  /// R_nl = g_n.
  public var mixing: [Double]?
  public var innerCutoffKind: InnerCutoffKind
  /// Å.
  public var innerCutoff: Double
  /// Å.
  public var innerCutoffWidth: Double
  /// Prefactor and exponent of the core repulsion; prefactor 0 for none.
  public var corePrefactor: Double
  public var coreExponent: Double

  public init(
    radial: RadialKind, cutoff: Double, functionCount: Int, radialLimit: Int, angularLimit: Int
  ) {
    self.radial = radial
    self.cutoff = cutoff
    self.functionCount = functionCount
    self.radialLimit = radialLimit
    self.angularLimit = angularLimit
    radialParameters = [radial.lambda]
    shell = radial.shell
    innerCutoffKind = .distance
    innerCutoff = 0
    innerCutoffWidth = 0
    corePrefactor = 0
    coreExponent = 1
  }

  /// The mixing as written in files, with the identity spelt out.
  func mixingCoefficient(n: Int, l: Int, k: Int) -> Double {
    guard let mixing else { return n == k ? 1 : 0 }
    return mixing[((n - 1) * (angularLimit + 1) + l) * functionCount + k - 1]
  }
}
