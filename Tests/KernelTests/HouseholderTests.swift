import CHouseholder
import PortableKernels
import TestSupport
import Testing

/// The panel of a QR factorisation, compiled for the processor at hand and for any, against reflections by the
/// definition.
@Suite struct HouseholderTests {
  private struct Panel {
    var rows: [Double]
    var triangle: [Double]
    var t = Array(repeating: 0.0, count: 64)
  }

  private typealias Kernel = (
    UnsafeMutablePointer<Double>?, Int64, Int64, UnsafeMutablePointer<Double>?, Int64, UnsafeMutablePointer<Double>?,
    Int64, Int32
  ) -> Void

  private func run(_ kernel: Kernel, _ panel: Panel, width: Int) -> Panel {
    var panel = panel
    kernel(&panel.rows, Int64(panel.rows.count / 8), 8, &panel.triangle, 8, &panel.t, 8, Int32(width))
    return panel
  }

  private func sample(rows: Int, width: Int) -> Panel {
    var generator = SeededGenerator(seed: UInt64(rows * 10 + width))
    var panel = Panel(rows: Array(repeating: 0, count: rows * 8), triangle: Array(repeating: 0, count: 64))
    for i in 0..<rows { for j in 0..<width { panel.rows[i * 8 + j] = .random(in: -1...1, using: &generator) } }
    for i in 0..<width { for j in i..<width { panel.triangle[i * 8 + j] = .random(in: -1...1, using: &generator) } }
    return panel
  }

  @Test(arguments: [(1, 1), (2, 3), (7, 8), (40, 5), (301, 8)])
  func bothBuildsEliminate(_ size: (rows: Int, width: Int)) {
    let before = sample(rows: size.rows, width: size.width)
    let own = run(sluice_householder_panel, before, width: size.width)
    let portable = run(portable_householder_panel, before, width: size.width)
    for (a, b) in [(own.rows, portable.rows), (own.triangle, portable.triangle), (own.t, portable.t)] {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-12 }, "\(size)")
    }
    for after in [own, portable] { expectReflection(before, after, size.width) }
  }

  /// Q = I - [I; V] T [I; V]ᵀ is orthogonal, and Qᵀ [R; P] = [R'; 0].
  private func expectReflection(_ before: Panel, _ after: Panel, _ width: Int) {
    let rows = before.rows.count / 8
    let size = width + rows
    func v(_ i: Int, _ k: Int) -> Double { i < width ? (i == k ? 1 : 0) : after.rows[(i - width) * 8 + k] }
    func old(_ i: Int, _ j: Int) -> Double {
      i < width ? before.triangle[i * 8 + j] : before.rows[(i - width) * 8 + j]
    }
    for j in 0..<width {
      // Column j of [I; V]ᵀ [R; P], times Tᵀ.
      let w = (0..<width).map { k in (0..<size).reduce(0) { $0 + v($1, k) * old($1, j) } }
      let tw = (0..<width).map { k in (0...k).reduce(0) { $0 + after.t[$1 * 8 + k] * w[$1] } }
      for i in 0..<size {
        let reflected = old(i, j) - (0..<width).reduce(0) { $0 + v(i, $1) * tw[$1] }
        let expected = i < width ? (j >= i ? after.triangle[i * 8 + j] : 0) : 0
        #expect(abs(reflected - expected) < 1e-12, "row \(i), column \(j)")
      }
    }
    for k in 0..<width {
      for l in 0..<width {
        // T⁻ᵀ + T⁻¹ = [I; V]ᵀ [I; V] says that Q is orthogonal; multiplied by T from both sides.
        let t = { (a: Int, b: Int) in a <= b ? after.t[a * 8 + b] : 0.0 }
        var sum = 0.0
        for a in 0..<width {
          for b in 0..<width {
            let gram = (0..<size).reduce(0) { $0 + v($1, a) * v($1, b) }
            sum += t(a, k) * gram * t(b, l)
          }
        }
        #expect(abs(sum - t(k, l) - t(l, k)) < 1e-12, "T \(k) \(l)")
      }
    }
  }
}
