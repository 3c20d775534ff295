import CKernels
import Configurations

/// The radial functions of a bond from their formulas.
struct RadialFormulas: Sendable {
  let bond: Bond
  private let constants: ConstantBuffer<Double>

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
  }

  /// Values and, where asked for, derivatives, shape [functions][padded] each.
  func evaluate(
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
}

/// The radial functions of a bond as the kernels take them. An object, not a value: threads that copy one and the
/// same references in turn spend their time on counting them.
final class BondKernel: Sendable {
  private let formulas: RadialFormulas
  private let mixing: ConstantBuffer<Double>?
  /// Width of the bins that LAMMPS would use, Å; nil for exact functions.
  let binWidth: Double?
  /// Values and slopes at the ends of the bins; nil for exact functions and where they would not fit.
  private let table: RadialTable?

  var bond: Bond { formulas.bond }

  /// `spline`: the bin width of a potential file where its tables are to be imitated. Tables larger than
  /// `tableBytes` are not kept: the ends of each distance's bin are then evaluated when they are needed.
  init(_ bond: Bond, spline: Double?, tableBytes: Int) {
    formulas = RadialFormulas(bond)
    binWidth = spline.map { bond.cutoff / max((bond.cutoff / $0).rounded(.down), 1) }
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
    let formulas = formulas
    table = binWidth.flatMap { RadialTable(formulas, binWidth: $0, atMost: tableBytes) }
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
    if let table {
      table.lookUp(distances, count, padded, values, slopes)
    } else if let width = binWidth {
      // Interpolation needs the slopes at the ends of the bins in any case.
      let slopes = slopes ?? workspace.pairs.reserve(bond.functionCount * padded)
      let size = bond.functionCount * padded
      let ends = workspace.radialEnds.reserve(2 * size + 2 * padded)
      let (start, end) = (ends + 2 * size, ends + 2 * size + padded)
      for j in 0..<padded {
        start[j] = width * max((distances[j] / width).rounded(.down), 1)
        end[j] = start[j] + width
      }
      formulas.evaluate(start, count, padded, values, slopes)
      formulas.evaluate(end, count, padded, ends, ends + size)
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
      formulas.evaluate(distances, count, padded, values, slopes)
    }
    guard let mixing else { return }
    let stride = Int32(padded)
    let rows = Int32((bond.angularLimit + 1) * bond.radialLimit)
    let start = bond.functionCount * padded
    let k = Int32(bond.functionCount)
    sluice_ace_mix(mixing.pointer, rows, k, stride, stride, values, values + start)
    if let slopes { sluice_ace_mix(mixing.pointer, rows, k, stride, stride, slopes, slopes + start) }
  }

  /// Core repulsion of an atom by its neighbours of one element, eV, and its slope by each distance, eV/Å;
  /// slopes of padding are zero.
  func core(
    _ a: Element, _ b: Element, _ distances: UnsafePointer<Double>, count: Int, padded: Int,
    slopes: UnsafeMutablePointer<Double>
  ) -> Double {
    if let sum = table?.lookUpCore(distances, count, padded, slopes) { return sum }
    if bond.innerCutoffKind == .density, binWidth == nil {
      return sluice_ace_core(
        abs(bond.corePrefactor), abs(bond.coreExponent), bond.cutoff, distances, Int32(count), Int32(padded), slopes)
    }
    slopes.update(repeating: 0, count: padded)
    var sum = 0.0
    for j in 0..<count {
      let (value, slope) = core(a, b, distances[j])
      sum += value
      slopes[j] = slope
    }
    return sum
  }

  /// Core repulsion at one distance with its derivative, eV and eV/Å: plain, for a few distances and as a reference.
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
