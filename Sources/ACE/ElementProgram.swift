import CKernels
import Configurations

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

  init(functions list: [BasisFunction], bonds: [Bond], spline: Double?) {
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
    self.bonds = bonds.map { BondKernel($0, spline: spline) }
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

  /// Entries of the tables of some couplings: role 0 forward, 1 and 2 by the first and second factor.
  func entries(_ range: Range<Int>, role: Int) -> Int {
    range.reduce(0) { sum, k in
      let op = ops.pointer[k]
      let table = Int(role == 0 ? op.table : role == 1 ? op.table_x : op.table_y)
      let first = tableRows.pointer[Int(tableStarts.pointer[table])]
      return sum + Int(tableRows.pointer[Int(tableStarts.pointer[table + 1])] - first)
    }
  }

  /// Harmonics that any neighbour element needs, at least one.
  var harmonicCount: Int {
    var largest = 0
    for k in places.indices { largest = max(largest, Int(channels.pointer[k].lmax)) }
    return (largest + 1) * (largest + 1)
  }

  /// Largest number of one-particle sums of one neighbour element.
  var largestChannel: Int { places.map(\.count).max() ?? 0 }
}

/// The radial functions of a bond as the kernels take them.
struct BondKernel: Sendable {
  let bond: Bond
  private let constants: ConstantBuffer<Double>
  private let mixing: ConstantBuffer<Double>?
  /// Width of the bins that LAMMPS would use, Å; nil for exact functions.
  private let binWidth: Double?

  /// `spline`: the bin width of a potential file where its tables are to be imitated.
  init(_ bond: Bond, spline: Double?) {
    self.bond = bond
    binWidth = spline.map { bond.cutoff / max((bond.cutoff / $0).rounded(.down), 1) }
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

  /// Values and, where asked for, derivatives, shape [rowCount][padded] each.
  func evaluate(
    _ distances: UnsafePointer<Double>, count: Int, padded: Int,
    values: UnsafeMutablePointer<Double>, slopes: UnsafeMutablePointer<Double>?, workspace: Workspace
  ) {
    if let width = binWidth {
      // Interpolation needs the slopes at the ends of the bins in any case.
      let slopes = slopes ?? workspace.pairs.reserve(bond.functionCount * padded)
      let size = bond.functionCount * padded
      let ends = workspace.radialEnds.reserve(2 * size + 2 * padded)
      let (start, end) = (ends + 2 * size, ends + 2 * size + padded)
      for j in 0..<padded {
        start[j] = width * max((distances[j] / width).rounded(.down), 1)
        end[j] = start[j] + width
      }
      exact(start, count, padded, values, slopes)
      exact(end, count, padded, ends, ends + size)
      for j in 0..<count where end[j] >= bond.cutoff * (1 - 1e-9) {
        for k in 0..<bond.functionCount {
          ends[k * padded + j] = 0
          ends[size + k * padded + j] = 0
        }
      }
      sluice_ace_interpolate(
        distances, start, width, Int32(bond.functionCount), Int32(padded), values, slopes, ends,
        ends + size)
    } else {
      exact(distances, count, padded, values, slopes)
    }
    guard let mixing else { return }
    let stride = Int32(padded)
    let rows = Int32((bond.angularLimit + 1) * bond.radialLimit)
    let start = bond.functionCount * padded
    let k = Int32(bond.functionCount)
    sluice_ace_mix(mixing.pointer, rows, k, stride, stride, values, values + start)
    if let slopes { sluice_ace_mix(mixing.pointer, rows, k, stride, stride, slopes, slopes + start) }
  }

  private func exact(
    _ distances: UnsafePointer<Double>, _ count: Int, _ padded: Int,
    _ values: UnsafeMutablePointer<Double>, _ slopes: UnsafeMutablePointer<Double>?
  ) {
    let fades = bond.innerCutoffKind == .distance
    var radial = sluice_ace_radial(
      kind: bond.radial.code, count: Int32(bond.functionCount), cutoff: bond.cutoff,
      lambda: bond.radial.lambda, shell: bond.radial.shell,
      inner_cutoff: fades ? bond.innerCutoff : 0, inner_width: bond.innerCutoffWidth,
      constants: constants.pointer)
    let stride = Int32(padded)
    sluice_ace_radial_functions(&radial, distances, Int32(count), stride, stride, values, slopes)
  }

  /// Core repulsion at a distance with its derivative, eV and eV/Å.
  func core(_ a: Element, _ b: Element, _ r: Double) -> (Double, Double) {
    guard let width = binWidth else { return CoreRepulsion.pair(bond, a, b, r) }
    if bond.corePrefactor == 0 || r >= bond.cutoff { return (0, 0) }
    let start = width * max((r / width).rounded(.down), 1)
    let (f, df) = CoreRepulsion.pair(bond, a, b, start)
    let (e, de) = CoreRepulsion.pair(bond, a, b, start + width)
    let t = (r - start) / width
    let c2 = 3 * (e - f) - width * (2 * df + de)
    let c3 = 2 * (f - e) + width * (df + de)
    return (
      f + t * (width * df + t * (c2 + t * c3)), (width * df + t * (2 * c2 + 3 * t * c3)) / width
    )
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
    withUnsafeMutableBytes(of: &h.diagonal) { target in
      diagonal.withUnsafeBytes { target.copyMemory(from: $0) }
    }
    withUnsafeMutableBytes(of: &h.a) { target in a.withUnsafeBytes { target.copyMemory(from: $0) } }
    withUnsafeMutableBytes(of: &h.ab) { target in ab.withUnsafeBytes { target.copyMemory(from: $0) }
    }
    return h
  }()
}
