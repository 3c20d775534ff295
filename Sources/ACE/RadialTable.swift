import CKernels

/// Values and slopes of a bond's radial functions, and of its core repulsion, at the ends of the bins between
/// which LAMMPS interpolates.
final class RadialTable: Sendable {
  /// Knots at whole multiples of the width; up to the first one beyond the cutoff.
  private let knots: Int
  private let width: Double
  private let rows: Int
  private let functions: ConstantBuffer<Double>
  /// Shape [knots][2]; nil where there is none, or where it depends on more than the bond.
  private let core: ConstantBuffer<Double>?
  private let cutoff: Double

  /// nil where it would need more than `bytes`.
  init?(_ formulas: RadialFormulas, binWidth: Double, atMost bytes: Int) {
    let bond = formulas.bond
    let bins = (bond.cutoff / binWidth).rounded()
    let groups = (bond.functionCount + 7) / 8
    guard bins.isFinite, (bins + 2) * Double(groups * 128 + 16) <= Double(bytes) else { return nil }
    knots = Int(bins) + 2
    width = binWidth
    rows = bond.functionCount
    cutoff = bond.cutoff
    let padded = (knots + 7) / 8 * 8
    let size = rows * padded
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 8 * (padded + 2 * size), alignment: 64)
    defer { memory.deallocate() }
    let distances = memory.bindMemory(to: Double.self, capacity: padded + 2 * size)
    // No function is evaluated in the first bin.
    for k in 0..<padded { distances[k] = binWidth * Double(max(k, 1)) }
    let (values, slopes) = (distances + padded, distances + padded + size)
    formulas.evaluate(distances, knots, padded, values, slopes)
    var table = [Double](repeating: 0, count: knots * groups * 16)
    for k in 0..<knots where distances[k] < bond.cutoff * (1 - 1e-9) {
      for row in 0..<rows {
        let at = (k * groups + row / 8) * 16 + row % 8
        table[at] = values[row * padded + k]
        table[at + 8] = slopes[row * padded + k]
      }
    }
    functions = ConstantBuffer(table)
    if bond.corePrefactor == 0 || bond.innerCutoffKind == .zbl {
      core = nil
    } else {
      core = ConstantBuffer(
        (0..<knots).flatMap { k in
          let (value, slope) = CoreRepulsion.alike(bond, distances[k])
          return [value, slope]
        })
    }
  }

  /// As `BondKernel.evaluate`, without mixing.
  func lookUp(
    _ distances: UnsafePointer<Double>, _ count: Int, _ padded: Int, _ values: UnsafeMutablePointer<Double>,
    _ slopes: UnsafeMutablePointer<Double>?
  ) {
    var table = sluice_ace_table(
      rows: Int32(rows), knots: Int32(knots), width: width, values: functions.pointer)
    sluice_ace_look_up(&table, distances, Int32(count), Int32(padded), values, slopes)
  }

  /// As `BondKernel.core`; nil where the table does not hold it.
  func lookUpCore(
    _ distances: UnsafePointer<Double>, _ count: Int, _ padded: Int, _ slopes: UnsafeMutablePointer<Double>
  ) -> Double? {
    guard let core else { return nil }
    var table = sluice_ace_table(rows: 1, knots: Int32(knots), width: width, values: core.pointer)
    return sluice_ace_core_look_up(&table, cutoff, distances, Int32(count), Int32(padded), slopes)
  }
}
