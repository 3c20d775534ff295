import CKernels

/// Everything the kernels need to know of one centre element. Immutable once made.
struct ElementProgram: Sendable {
  let functionCount: Int
  /// One per neighbour element.
  let channels: ConstantBuffer<sluice_ace_channel>
  /// Per neighbour element: node component of each one-particle sum.
  let places: [ConstantBuffer<Int32>]
  let leafComponents: Int
  let forwardComponents: Int
  let components: Int
  let forwardOps: Int
  let ops: ConstantBuffer<sluice_ace_op>
  let functions: ConstantBuffer<sluice_ace_function>
  let terms: ConstantBuffer<sluice_ace_term>
  let termStarts: ConstantBuffer<Int32>
  private let tableStarts: ConstantBuffer<Int32>
  private let tableRows: ConstantBuffer<Int32>
  private let tablePairs: ConstantBuffer<Int32>
  private let tableValues: ConstantBuffer<Double>
  let bonds: [BondKernel]

  init(functions list: [BasisFunction], bonds: [Bond]) {
    let built = ProgramBuilder(functions: list, bonds: bonds)
    functionCount = list.count
    channels = ConstantBuffer(built.channels)
    places = built.place.map(ConstantBuffer.init)
    leafComponents = built.leafComponents
    forwardComponents = built.forwardComponents
    components = built.components
    forwardOps = built.forwardOps
    ops = ConstantBuffer(built.ops)
    functions = ConstantBuffer(built.functions)
    terms = ConstantBuffer(built.terms)
    termStarts = ConstantBuffer(built.termStarts)
    tableStarts = ConstantBuffer(built.tableStarts)
    tableRows = ConstantBuffer(built.tableRows)
    tablePairs = ConstantBuffer(built.tablePairs)
    tableValues = ConstantBuffer(built.tableValues)
    self.bonds = bonds.map(BondKernel.init)
  }

  var tables: sluice_ace_tables {
    .init(
      starts: tableStarts.pointer, rows: tableRows.pointer, pairs: tablePairs.pointer,
      values: tableValues.pointer)
  }

  /// Fills all couplings (`gradients`: also those that only gradients need) of eight atoms.
  func multiply(_ nodes: UnsafeMutablePointer<Double>, gradients: Bool) {
    var tables = tables
    sluice_ace_forward(ops.pointer, Int32(gradients ? ops.count : forwardOps), &tables, nodes)
  }

  /// Largest number of one-particle sums of one neighbour element.
  var largestChannel: Int { places.map(\.count).max() ?? 0 }
}

/// The radial functions of a bond as the kernels take them.
struct BondKernel: Sendable {
  let bond: Bond
  private let constants: ConstantBuffer<Double>
  private let mixing: ConstantBuffer<Double>?

  init(_ bond: Bond) {
    self.bond = bond
    var constants: [Double] = []
    if case .sBessel = bond.radial {
      var previous = 1.0
      for n in 0..<bond.functionCount {
        let (a, b) = (Double(n + 1), Double(n + 2))
        let prefactor =
          (n % 2 == 0 ? 1 : -1) * 2.0.squareRoot() * Double.pi
          / (bond.cutoff * bond.cutoff.squareRoot()) * a * b / (a * a + b * b).squareRoot()
        let x = Double(n)
        let e = x * x * (x + 2) * (x + 2) / (4 * (x + 1) * (x + 1) * (x + 1) * (x + 1) + 1)
        let d = n == 0 ? 1 : 1 - e / previous
        constants += [prefactor, n == 0 ? 0 : (e / previous).squareRoot(), 1 / d.squareRoot()]
        previous = d
      }
    }
    self.constants = ConstantBuffer(constants)
    // Rows by l, then n: how channels lay mixed functions out.
    mixing = bond.mixing.map { _ in
      var rows: [Double] = []
      for l in 0...bond.angularLimit {
        for n in 0..<bond.radialLimit {
          for k in 0..<bond.functionCount {
            rows.append(bond.mixingCoefficient(n: n + 1, l: l, k: k + 1))
          }
        }
      }
      return ConstantBuffer(rows)
    }
  }

  /// Rows of radial functions per neighbour: g_k, and R_nl behind them where they are mixed.
  var rowCount: Int {
    bond.functionCount + (mixing == nil ? 0 : (bond.angularLimit + 1) * bond.radialLimit)
  }

  /// Values and derivatives, shape [rowCount][padded] each.
  func evaluate(
    _ distances: UnsafePointer<Double>, count: Int, padded: Int,
    values: UnsafeMutablePointer<Double>, slopes: UnsafeMutablePointer<Double>
  ) {
    let fades = bond.innerCutoffKind == .distance
    var radial = sluice_ace_radial(
      kind: bond.radial.code, count: Int32(bond.functionCount), cutoff: bond.cutoff,
      lambda: bond.radialParameters.first ?? bond.radial.lambda, shell: bond.shell,
      inner_cutoff: fades ? bond.innerCutoff : 0, inner_width: bond.innerCutoffWidth,
      constants: constants.pointer)
    let stride = Int32(padded)
    sluice_ace_radial_functions(&radial, distances, Int32(count), stride, stride, values, slopes)
    guard let mixing else { return }
    let rows = Int32((bond.angularLimit + 1) * bond.radialLimit)
    let start = bond.functionCount * padded
    let k = Int32(bond.functionCount)
    sluice_ace_mix(mixing.pointer, rows, k, stride, stride, values, values + start)
    sluice_ace_mix(mixing.pointer, rows, k, stride, stride, slopes, slopes + start)
  }
}

extension sluice_ace_harmonics {
  /// Recursion constants, normalised to Y00 = 1, Condon-Shortley phase, √2 for m > 0.
  static let standard: sluice_ace_harmonics = {
    var h = sluice_ace_harmonics()
    let width = Int(SLUICE_ACE_MAX_L) + 1
    var diagonal = [Double](repeating: 0, count: width)
    var a = [Double](repeating: 0, count: width * width)
    var ab = a
    var current = 1.0
    for m in 0..<width {
      // F_mm / F_m-1,m-1 = -sqrt((2m + 1) / 2m), times √2 once.
      if m > 0 { current *= -(Double(2 * m + 1) / Double(2 * m)).squareRoot() }
      diagonal[m] = m == 0 ? current : current * 2.0.squareRoot()
      for l in (m + 1)..<max(width, m + 1) {
        let (x, y) = (Double(l * l), Double(m * m))
        let first = ((4 * x - 1) / (x - y)).squareRoot()
        let z = Double((l - 1) * (l - 1))
        a[l * width + m] = first
        ab[l * width + m] = first * ((z - y) / (4 * z - 1)).squareRoot()
      }
    }
    withUnsafeMutableBytes(of: &h.diagonal) { target in diagonal.withUnsafeBytes { target.copyMemory(from: $0) } }
    withUnsafeMutableBytes(of: &h.a) { target in a.withUnsafeBytes { target.copyMemory(from: $0) } }
    withUnsafeMutableBytes(of: &h.ab) { target in ab.withUnsafeBytes { target.copyMemory(from: $0) } }
    return h
  }()
}
