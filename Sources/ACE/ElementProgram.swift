import CKernels
import Configurations

/// Everything the kernels need to know of one centre element. Immutable once made, and an object as `BondKernel` is.
final class ElementProgram: Sendable {
  let functionCount: Int
  /// One per neighbour element.
  let channels: ConstantBuffer<sluice_ace_channel>
  /// Node component of each one-particle sum, neighbour element by neighbour element in the order of the channels.
  private let places: ConstantBuffer<Int32>
  /// First sum of each neighbour element, and their number behind the last.
  let leafOffsets: ConstantBuffer<Int>
  let leafComponents: Int
  let forwardComponents: Int
  let components: Int
  let forwardOps: Int
  let ops: ConstantBuffer<sluice_ace_op>
  let functions: ConstantBuffer<sluice_ace_function>
  let terms: ConstantBuffer<sluice_ace_term>
  let termStarts: ConstantBuffer<Int32>
  /// The terms by sum: sums of all neighbour elements one after the other, each in its channel's order.
  let leafTerms: ConstantBuffer<sluice_ace_leaf_term>
  let leafStarts: ConstantBuffer<Int32>
  private let tableStarts: ConstantBuffer<Int32>
  private let tableRows: ConstantBuffer<Int32>
  private let tablePairs: ConstantBuffer<Int32>
  private let tableValues: ConstantBuffer<Double>
  let bonds: [BondKernel]

  init(functions list: [BasisFunction], bonds: [Bond], spline: Double?, tableBytes: Int) {
    let built = ProgramBuilder(functions: list, bonds: bonds)
    functionCount = list.count
    channels = ConstantBuffer(built.channels)
    places = ConstantBuffer(Array(built.place.joined()))
    leafOffsets = ConstantBuffer(built.place.reduce(into: [0]) { $0.append($0.last! + $1.count) })
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
    var byLeaf = [[sluice_ace_leaf_term]](repeating: [], count: built.leafComponents)
    for function in list.indices {
      for term in built.terms[Int(built.termStarts[function])..<Int(built.termStarts[function + 1])] {
        for k in 0..<term.count {
          byLeaf[Int(term.leaf + k)].append(
            sluice_ace_leaf_term(
              function: Int32(function), node: term.node < 0 ? -1 : term.node + k, scale: Float(term.scale)))
        }
      }
    }
    let ordered = built.place.joined().map { byLeaf[Int($0)] }
    leafTerms = ConstantBuffer(Array(ordered.joined()))
    leafStarts = ConstantBuffer(ordered.reduce(into: [0]) { $0.append($0.last! + Int32($1.count)) })
    self.bonds = bonds.map { BondKernel($0, spline: spline, tableBytes: tableBytes) }
  }

  /// Node components of the sums over one neighbour element.
  func places(_ element: Int) -> UnsafeBufferPointer<Int32> {
    let first = leafOffsets.pointer[element]
    return UnsafeBufferPointer(start: places.pointer + first, count: leafOffsets.pointer[element + 1] - first)
  }

  /// One-particle sums in all.
  var leafCount: Int { leafOffsets.pointer[bonds.count] }

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
    for k in bonds.indices { largest = max(largest, Int(channels.pointer[k].lmax)) }
    return (largest + 1) * (largest + 1)
  }

  /// Largest number of one-particle sums of one neighbour element.
  var largestChannel: Int { bonds.indices.reduce(0) { max($0, places($1).count) } }
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
