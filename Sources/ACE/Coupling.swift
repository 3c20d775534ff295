// Angular momenta come in, the numbers that couple them to rotation invariants go out.

/// Standard real Clebsch-Gordan coefficients <j1 m1 j2 m2 | J M>, integer angular momenta.
enum ClebschGordan {
  static let factorials: [Double] = (1...80).reduce(into: [1.0]) {
    $0.append($0.last! * Double($1))
  }

  static func binomial(_ n: Int, _ k: Int) -> Int {
    guard k >= 0, k <= n else { return 0 }
    var value = 1
    for i in 0..<min(k, n - k) { value = value * (n - i) / (i + 1) }
    return value
  }

  /// Racah's formula with its alternating sum in integers (three binomials per term), so that a
  /// coefficient that vanishes is exactly 0. For j up to 10 nothing overflows.
  static func value(_ j1: Int, _ m1: Int, _ j2: Int, _ m2: Int, _ j: Int, _ m: Int) -> Double {
    guard m1 + m2 == m, abs(m1) <= j1, abs(m2) <= j2, abs(m) <= j else { return 0 }
    guard j >= abs(j1 - j2), j <= j1 + j2 else { return 0 }
    let (a, b, c) = (j1 + j2 - j, j + j1 - j2, j - j1 + j2)
    var sum = 0
    for k in 0...a {
      let term = binomial(a, k) * binomial(b, j1 - m1 - k) * binomial(c, j2 + m2 - k)
      sum += k % 2 == 0 ? term : -term
    }
    if sum == 0 { return 0 }
    let f = factorials
    let above =
      Double(2 * j + 1) * f[j + m] * f[j - m] * f[j1 - m1] * f[j1 + m1] * f[j2 - m2] * f[j2 + m2]
    return Double(sum) * (above / (f[j1 + j2 + j + 1] * f[a] * f[b] * f[c])).squareRoot()
  }
}

/// The fixed binary tree that couples r angular momenta to zero: leaves are paired (0,1), (2,3), …,
/// results are paired again in order, an odd last one waits; the last step is the root with L = 0.
/// Nodes 0..<rank are leaves, rank + s is the result of step s.
struct CouplingTree {
  struct Step {
    let left: Int
    let right: Int
  }

  let rank: Int
  /// In order of creation; the last is the root. Empty at rank 1.
  let steps: [Step]

  init(rank: Int) {
    self.rank = rank
    var steps: [Step] = []
    var current = Array(0..<rank)
    while current.count > 1 {
      var next: [Int] = []
      for pair in stride(from: 0, to: current.count - 1, by: 2) {
        next.append(rank + steps.count)
        steps.append(Step(left: current[pair], right: current[pair + 1]))
      }
      if current.count % 2 == 1 { next.append(current.last!) }
      current = next
    }
    self.steps = steps
  }

  /// All lists of intermediate angular momenta (root excluded) that the triangle rules admit, in
  /// lexicographic order.
  func intermediates(_ ls: [Int]) -> [[Int]] {
    guard rank > 1 else { return ls == [0] ? [[]] : [] }
    var found: [[Int]] = []
    var momenta = ls
    func descend(_ step: Int) {
      let (l, r) = (momenta[steps[step].left], momenta[steps[step].right])
      if step == steps.count - 1 {
        if l == r { found.append(Array(momenta[rank...])) }
        return
      }
      for momentum in abs(l - r)...(l + r) {
        momenta.append(momentum)
        descend(step + 1)
        momenta.removeLast()
      }
    }
    descend(0)
    return found
  }

  /// The product of Clebsch-Gordan coefficients along the tree, or nil where a selection rule
  /// (|M| ≤ L at some node, or sum of m not zero) excludes the m-vector.
  func coupling(_ ls: [Int], _ intermediates: [Int], _ ms: [Int]) -> Double? {
    if rank == 1 { return ls[0] == 0 ? 1 : nil }
    var momenta = ls
    var projections = ms
    var product = 1.0
    for (s, step) in steps.enumerated() {
      let momentum = s < intermediates.count ? intermediates[s] : 0
      let projection = projections[step.left] + projections[step.right]
      guard abs(projection) <= momentum else { return nil }
      if product != 0 {
        product *= ClebschGordan.value(
          momenta[step.left], projections[step.left], momenta[step.right],
          projections[step.right], momentum, projection)
      }
      momenta.append(momentum)
      projections.append(projection)
    }
    return product
  }

  /// Calls `body` for every m-vector whose sum is zero, the first index running fastest.
  static func forEachProjection(_ ls: [Int], _ body: ([Int]) -> Void) {
    var ms = ls.map { -$0 }
    func descend(_ index: Int, _ sum: Int) {
      if index == 0 {
        guard abs(sum) <= ls[0] else { return }
        ms[0] = -sum
        body(ms)
        return
      }
      for m in -ls[index]...ls[index] {
        ms[index] = m
        descend(index - 1, sum + m)
      }
    }
    descend(ls.count - 1, 0)
  }

  /// The half basis with its couplings as the files define it: m-vectors whose first non-zero entry
  /// is negative are left out and those with a positive one doubled. Values that vanish are dropped.
  func halfBasis(_ ls: [Int], _ intermediates: [Int]) -> [(ms: [Int], value: Double)] {
    var list: [(ms: [Int], value: Double)] = []
    Self.forEachProjection(ls) { ms in
      let first = ms.first { $0 != 0 } ?? 0
      guard first >= 0, let value = coupling(ls, intermediates, ms), value != 0 else { return }
      list.append((ms, first > 0 ? 2 * value : value))
    }
    return list
  }
}
