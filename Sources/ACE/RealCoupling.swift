// Clebsch-Gordan coupling in real components: products of real numbers with real coefficients.
//
// A quantity X_LM whose conjugate is (-1)^M X_L,-M has 2L + 1 real components: x_0 = X_0,
// x_m = √2 Re X_m, x_-m = √2 Im X_m. Coupling two such with odd l1 + l2 - L gives i times such a
// quantity; `ProgramBuilder` keeps track of that factor.

/// The real coupling tensor of (l1, l2 -> L), values[i][j][k] for components i, j of the factors.
struct CouplingTensor: Equatable {
  let l1: Int
  let l2: Int
  let l3: Int
  var values: [Double]

  subscript(i: Int, j: Int, k: Int) -> Double {
    get { values[(i * (2 * l2 + 1) + j) * (2 * l3 + 1) + k] }
    set { values[(i * (2 * l2 + 1) + j) * (2 * l3 + 1) + k] = newValue }
  }

  private init(zero l1: Int, _ l2: Int, _ l3: Int) {
    (self.l1, self.l2, self.l3) = (l1, l2, l3)
    values = Array(repeating: 0, count: (2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1))
  }

  /// From Clebsch-Gordan coefficients, for factors without a factor i.
  init(clebschGordan l1: Int, _ l2: Int, _ l3: Int) {
    self.init(zero: l1, l2, l3)
    let odd = (l1 + l2 - l3) % 2 != 0
    for m1 in -l1...l1 {
      for m2 in -l2...l2 {
        let m3 = m1 + m2
        guard abs(m3) <= l3 else { continue }
        let c = ClebschGordan.value(l1, m1, l2, m2, l3, m3)
        if c == 0 { continue }
        for (i, u) in Self.toComplex(m1) {
          for (j, v) in Self.toComplex(m2) {
            for (k, w) in Self.toReal(m3) {
              let uv = (u.0 * v.0 - u.1 * v.1, u.0 * v.1 + u.1 * v.0)
              // Times -i where the parity is odd: then the real part is the imaginary part.
              let part = odd ? uv.0 * w.1 + uv.1 * w.0 : uv.0 * w.0 - uv.1 * w.1
              self[l1 + i, l2 + j, l3 + k] += c * part
            }
          }
        }
      }
    }
    for index in values.indices where abs(values[index]) < 1e-13 { values[index] = 0 }
  }

  /// One tensor for all orders of the same three momenta, so that couplings that agree up to a
  /// factor share their result. Squares sum to 1.
  init(canonical l1: Int, _ l2: Int, _ l3: Int) {
    self.init(zero: l1, l2, l3)
    let momenta = [l1, l2, l3]
    let order = [0, 1, 2].sorted {
      momenta[$0] != momenta[$1] ? momenta[$0] < momenta[$1] : $0 < $1
    }
    let (a, b, c) = (momenta[order[0]], momenta[order[1]], momenta[order[2]])
    let source = CouplingTensor(clebschGordan: a, b, c)
    let norm = Double(2 * c + 1).squareRoot()
    var index = [0, 0, 0]
    for i in 0...2 * a {
      for j in 0...2 * b {
        for k in 0...2 * c where source[i, j, k] != 0 {
          (index[order[0]], index[order[1]], index[order[2]]) = (i, j, k)
          self[index[0], index[1], index[2]] = source[i, j, k] / norm
        }
      }
    }
  }

  /// This tensor divided by one that it is a multiple of; `permute` maps our indices to its.
  func ratio(to other: CouplingTensor, _ permute: (Int, Int, Int) -> (Int, Int, Int)) -> Double {
    var best = (value: 0.0, ratio: 0.0)
    for i in 0...2 * l1 {
      for j in 0...2 * l2 {
        for k in 0...2 * l3 where abs(self[i, j, k]) > best.value {
          let (a, b, c) = permute(i, j, k)
          best = (abs(self[i, j, k]), self[i, j, k] / other[a, b, c])
        }
      }
    }
    return best.ratio
  }

  private typealias Complex = (Double, Double)

  /// X_M = sum over k of u_k x_k
  private static func toComplex(_ m: Int) -> [(Int, Complex)] {
    let h = 0.5.squareRoot()
    if m == 0 { return [(0, (1, 0))] }
    if m > 0 { return [(m, (h, 0)), (-m, (0, h))] }
    let sign = m % 2 == 0 ? h : -h
    return [(-m, (sign, 0)), (m, (0, -sign))]
  }

  /// x_k = sum over M of v_k X_M: the coefficients of X_M in each component.
  private static func toReal(_ m: Int) -> [(Int, Complex)] {
    let h = 0.5.squareRoot()
    if m == 0 { return [(0, (1, 0))] }
    if m > 0 { return [(m, (h, 0)), (-m, (0, -h))] }
    let sign = m % 2 == 0 ? h : -h
    return [(-m, (sign, 0)), (m, (0, sign))]
  }
}

/// Remembers canonical tensors and the factors between couplings.
struct CouplingTensors {
  struct Key: Hashable {
    let l1: Int
    let l2: Int
    let l3: Int
  }

  private var canonical: [Key: CouplingTensor] = [:]
  private var factors: [Key: Double] = [:]

  mutating func tensor(_ key: Key) -> CouplingTensor {
    if let known = canonical[key] { return known }
    let made = CouplingTensor(canonical: key.l1, key.l2, key.l3)
    canonical[key] = made
    return made
  }

  /// Clebsch-Gordan coupling = factor * canonical coupling.
  mutating func clebschGordanFactor(_ key: Key) -> Double {
    if let known = factors[key] { return known }
    let made = CouplingTensor(clebschGordan: key.l1, key.l2, key.l3)
      .ratio(to: tensor(key)) { ($0, $1, $2) }
    factors[key] = made
    return made
  }

  /// Canonical coupling of (x, y) = factor * canonical coupling of (y, x).
  mutating func exchangeFactor(_ key: Key) -> Double {
    let other = tensor(Key(l1: key.l2, l2: key.l1, l3: key.l3))
    return tensor(key).ratio(to: other) { ($1, $0, $2) }
  }

  /// Derivative by x: contraction of the tensor with a gradient g (momentum L) and y equals factor *
  /// canonical coupling of (g, y) to l1.
  mutating func gradientFactor(_ key: Key) -> Double {
    let other = tensor(Key(l1: key.l3, l2: key.l2, l3: key.l1))
    return tensor(key).ratio(to: other) { ($2, $1, $0) }
  }
}
