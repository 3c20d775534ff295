import CKernels
import Foundation
import PortableKernels
import TestSupport
import Testing

/// Kernels of core repulsion, of tables and of ensembles against plain loops, on this processor and on any.
@Suite struct MemberKernelTests {
  /// Memory as the kernels want it; lives as long as the test.
  /// Never freed: structures of the kernels point to it, which keeps no object alive.
  private final class Buffer<Number: BitwiseCopyable> {
    let pointer: UnsafeMutablePointer<Number>
    let count: Int

    init(_ values: [Number]) {
      count = values.count
      let bytes = MemoryLayout<Number>.stride * (count + 16)
      pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        .bindMemory(to: Number.self, capacity: count + 16)
      pointer.initialize(from: values, count: count)
    }

    var values: [Number] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
  }

  private static func random(_ count: Int, _ range: ClosedRange<Double> = -1...1, seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in .random(in: range, using: &generator) }
  }

  private static func worst(_ a: [Double], _ b: [Double]) -> Double {
    let scale = b.map(abs).max() ?? 0
    return (zip(a, b).map { abs($0 - $1) }.max() ?? 0) / max(scale, 1e-300)
  }

  private static func repulsion(_ p: Double, _ a: Double, _ cutoff: Double, _ r: Double) -> Double {
    r < cutoff && a * r * r < 50 ? p * exp(-a * r * r) / r * 0.5 * (1 + cos(Double.pi * r / cutoff)) : 0
  }

  @Test(arguments: [(800.0, 0.8, 5.5), (60, 9.5, 4.0), (0, 1, 3), (1e5, 400, 20)])
  func coreRepulsion(_ prefactor: Double, _ exponent: Double, _ cutoff: Double) {
    for count in [1, 7, 8, 9, 55] {
      let padded = (count + 7) / 8 * 8
      // Some are beyond the cutoff, and padding repels nobody.
      let r = Buffer(
        Self.random(count, 0.2...(1.1 * cutoff), seed: UInt64(count)) + Array(repeating: 1, count: padded - count))
      let slopes = (0..<2).map { _ in Buffer([Double](repeating: .nan, count: padded)) }
      let sum = sluice_ace_core(
        prefactor, exponent, cutoff, r.pointer, Int32(count), Int32(padded), slopes[0].pointer)
      let portable = portable_core(
        prefactor, exponent, cutoff, r.pointer, Int32(count), Int32(padded), slopes[1].pointer)
      let plain = r.values[..<count].reduce(0) { $0 + Self.repulsion(prefactor, exponent, cutoff, $1) }
      #expect(abs(sum - plain) <= 1e-13 * plain && abs(portable - plain) <= 1e-13 * plain, "\(count)")
      #expect(Self.worst(slopes[0].values, slopes[1].values) < 1e-13)
      #expect(slopes[0].values[count...].allSatisfy { $0 == 0 })
      for j in 0..<count where abs(r.values[j] - cutoff) > 1e-2 {
        let h = 1e-4 * r.values[j]
        let e = [2 * h, h, -h, -2 * h].map { Self.repulsion(prefactor, exponent, cutoff, r.values[j] + $0) }
        let numeric = (-e[0] + 8 * e[1] - 8 * e[2] + e[3]) / (12 * h)
        let scale = e.max()! * (1 + exponent * r.values[j]) / r.values[j]
        // Where the exponent passes 50 the repulsion is cut off.
        if e.contains(0) { continue }
        #expect(abs(slopes[0].values[j] - numeric) < 1e-6 * scale, "at \(r.values[j])")
      }
    }
  }

  @Test(arguments: [1, 8, 11]) func tables(_ rows: Int) {
    let (knots, width, groups) = (60, 0.05, (rows + 7) / 8)
    let plain = Self.random(knots * rows * 2, seed: 5)
    var values = [Double](repeating: 0, count: knots * groups * 16)
    func knot(_ k: Int, _ row: Int, _ slope: Int) -> Double { plain[(k * rows + row) * 2 + slope] }
    for k in 0..<knots {
      for row in 0..<rows {
        for s in 0..<2 { values[((k * groups + row / 8) * 2 + s) * 8 + row % 8] = knot(k, row, s) }
      }
    }
    let data = Buffer(values)
    var table = sluice_ace_table(rows: Int32(rows), knots: Int32(knots), width: width, values: data.pointer)
    func interpolated(_ r: Double, _ row: Int) -> (Double, Double) {
      let k = max(Int(r / width), 1)
      let t = (r - width * Double(k)) / width
      let (a, b) = (knot(k, row, 0), knot(k, row, 1) * width)
      let (c, d) = (knot(k + 1, row, 0), knot(k + 1, row, 1) * width)
      let (t2, t3) = (t * t, t * t * t)
      let value = a * (2 * t3 - 3 * t2 + 1) + b * (t3 - 2 * t2 + t) + c * (3 * t2 - 2 * t3) + d * (t3 - t2)
      let slope = a * (6 * t2 - 6 * t) + b * (3 * t2 - 4 * t + 1) + c * (6 * t - 6 * t2) + d * (3 * t2 - 2 * t)
      return (value, slope / width)
    }
    for (count, portable) in [(1, false), (8, false), (21, false), (21, true)] {
      let padded = (count + 7) / 8 * 8
      let r = Buffer(Self.random(padded, 0.01...2.89, seed: UInt64(count)))
      let g = (0..<3).map { _ in Buffer([Double](repeating: .nan, count: rows * padded)) }
      let look = portable ? portable_look_up : sluice_ace_look_up
      look(&table, r.pointer, Int32(count), Int32(padded), g[0].pointer, g[1].pointer)
      look(&table, r.pointer, Int32(count), Int32(padded), g[2].pointer, nil)
      #expect(g[0].values == g[2].values)
      for row in 0..<rows {
        for j in 0..<padded {
          let expected = j < count ? interpolated(r.values[j], row) : (0, 0)
          #expect(abs(g[0].values[row * padded + j] - expected.0) < 1e-13)
          #expect(abs(g[1].values[row * padded + j] - expected.1) < 1e-11)
        }
      }
      guard rows == 1 else { continue }
      // One row by itself, values and slopes side by side.
      let pairs = Buffer(plain)
      var core = sluice_ace_table(rows: 1, knots: Int32(knots), width: width, values: pairs.pointer)
      let slopes = Buffer([Double](repeating: .nan, count: padded))
      let sum = (portable ? portable_core_look_up : sluice_ace_core_look_up)(
        &core, 2.5, r.pointer, Int32(count), Int32(padded), slopes.pointer)
      let near = (0..<count).filter { r.values[$0] < 2.5 }
      #expect(abs(sum - near.reduce(0) { $0 + interpolated(r.values[$1], 0).0 }) < 1e-12)
      for j in 0..<padded {
        let expected = near.contains(j) ? interpolated(r.values[j], 0).1 : 0
        #expect(abs(slopes.values[j] - expected) < 1e-11)
      }
    }
  }

  @Test func memberWeights() {
    let (leaves, components, functions) = (5, 9, 4)
    let nodes = Buffer(Self.random(8 * components, seed: 1))
    let coefficients = Buffer(Self.random(16 * functions, seed: 2).map(Float.init))
    var terms: [sluice_ace_leaf_term] = []
    var starts: [Int32] = [0]
    for leaf in 0..<leaves {
      for k in 0..<leaf {
        terms.append(
          sluice_ace_leaf_term(
            function: Int32((leaf + k) % functions), node: k == 2 ? -1 : Int32((3 * leaf + k) % components),
            scale: 0.5 + Float(k)))
      }
      starts.append(Int32(terms.count))
    }
    for lanes in [1, 5, 8] {
      for portable in [false, true] {
        let stride = 16 * leaves + 16
        let out = Buffer([Float](repeating: 7, count: 8 * stride))
        let single = Buffer([Float](repeating: 0, count: 8 * components))
        (portable ? portable_member_weights : sluice_ace_member_weights)(
          terms, starts, Int32(leaves), nodes.pointer, Int32(components), coefficients.pointer, Int32(lanes),
          single.pointer, out.pointer, Int64(stride))
        for lane in 0..<8 {
          for leaf in 0..<leaves {
            for m in 0..<16 {
              var sum = 0.0
              for term in terms[Int(starts[leaf])..<Int(starts[leaf + 1])] {
                let node = term.node < 0 ? 1 : nodes.values[8 * Int(term.node) + lane]
                sum += Double(coefficients.values[16 * Int(term.function) + m]) * Double(term.scale) * node
              }
              let found = Double(out.values[lane * stride + 16 * leaf + m])
              #expect(lane < lanes ? abs(found - sum) < 2e-5 : found == 7)
            }
          }
        }
      }
    }
  }

  /// The pair kernel against the contraction in double precision, from both ends of each pair.
  @Test(arguments: 1...8) func memberForces(_ functions: Int) {
    let lmax = 4
    var channel = sluice_ace_channel()
    (channel.lmax, channel.first_count, channel.first_base) = (Int32(lmax), Int32(functions), 0)
    var base = functions
    for l in 0...lmax {
      let count = max(1, functions - l)
      withUnsafeMutableBytes(of: &channel.counts) {
        $0.storeBytes(of: Int32(count), toByteOffset: 4 * l, as: Int32.self)
      }
      withUnsafeMutableBytes(of: &channel.bases) { $0.storeBytes(of: Int32(base), toByteOffset: 4 * l, as: Int32.self) }
      base += (2 * l + 1) * count
    }
    // Recursion constants of parity (-1)^l, as harmonics have; what else they mean does not matter here.
    var harmonics = sluice_ace_harmonics()
    withUnsafeMutableBytes(of: &harmonics) { bytes in
      for (k, value) in Self.random(bytes.count / 8, 0.2...1, seed: 1).enumerated() {
        bytes.storeBytes(of: value, toByteOffset: 8 * k, as: Double.self)
      }
    }
    for count in [1, 8, 13] {
      let padded = (count + 7) / 8 * 8
      var directions: [[Double]] = [[], [], []]
      for k in 0..<padded {
        let v = Self.random(3, seed: UInt64(100 + k))
        let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).squareRoot()
        for d in 0..<3 { directions[d].append(k == 0 ? (d == 2 ? -1 : 0) : v[d] / length) }
      }
      let inverse = Buffer(Self.random(padded, 0.2...0.5, seed: 3))
      let (g, dg) = (
        Buffer(Self.random(functions * padded, seed: 4)), Buffer(Self.random(functions * padded, seed: 5))
      )
      func neighbors(_ sign: Double, _ columns: inout [Buffer<Double>]) -> sluice_ace_neighbors {
        columns = directions.map { Buffer($0.map { sign * $0 }) }
        return sluice_ace_neighbors(
          x: columns[0].pointer, y: columns[1].pointer, z: columns[2].pointer, inverse: inverse.pointer,
          g: g.pointer, dg: dg.pointer, padded: Int32(padded), stride: Int32(padded))
      }
      var keep: [[Buffer<Double>]] = [[], []]
      var forward = neighbors(1, &keep[0])
      var backward = neighbors(-1, &keep[1])
      let own = Buffer(Self.random(16 * base, seed: 6).map(Float.init))
      let others = (0..<count).map { Buffer(Self.random(16 * base, seed: 50 + UInt64($0)).map(Float.init)) }
      // In double precision: dE/dr of the pair by the centre's weights, and by the neighbour's, who sees it
      // in the opposite direction.
      func contracted(_ weights: Buffer<Float>, _ list: inout sluice_ace_neighbors) -> [Double] {
        let adjoint = Buffer(weights.values.map(Double.init))
        let f = Buffer([Double](repeating: 0, count: 48 * padded))
        sluice_ace_contract(&channel, &harmonics, &list, 16, adjoint.pointer, f.pointer)
        return f.values
      }
      let first = contracted(own, &forward)
      let second = others.map { contracted($0, &backward) }
      for portable in [false, true] {
        let (ownForce, radial) = (
          Buffer([Float](repeating: 0, count: 48)), Buffer([Float](repeating: 0, count: 16 * functions))
        )
        let forces = (0..<count).map { _ in Buffer([Float](repeating: 0, count: 48)) }
        let strain = Buffer([Double](repeating: 0, count: 144))
        let pairs = (0..<count).map {
          sluice_ace_member_pair(
            weights: UnsafePointer(others[$0].pointer), forces: forces[$0].pointer, distance: 1.5, entry: Int32($0))
        }
        (portable ? portable_member_forces : sluice_ace_member_forces)(
          &channel, &harmonics, &forward, Int32(functions), pairs, Int32(count), own.pointer, ownForce.pointer,
          radial.pointer, strain.pointer)
        let scale = first.map(abs).max()!
        for m in 0..<16 {
          var (total, tensor) = ([0.0, 0, 0], [Double](repeating: 0, count: 9))
          for k in 0..<count {
            for d in 0..<3 {
              let expected = first[(3 * m + d) * padded + k] - second[k][(3 * m + d) * padded + k]
              #expect(abs(-Double(forces[k].values[16 * d + m]) - expected) < 1e-5 * scale, "pair \(k), member \(m)")
              total[d] += expected
              for a in 0..<3 { tensor[3 * a + d] += 1.5 * directions[a][k] * expected }
            }
          }
          for d in 0..<3 { #expect(abs(Double(ownForce.values[16 * d + m]) - total[d]) < 4e-5 * scale) }
          for a in 0..<9 { #expect(abs(strain.values[16 * a + m] - tensor[a]) < 6e-5 * scale) }
        }
      }
    }
  }

  @Test func slopesAlongTheDirections() {
    let columns = (0..<5).map { Buffer(Self.random(16, seed: UInt64($0))) }
    var neighbors = sluice_ace_neighbors(
      x: columns[0].pointer, y: columns[1].pointer, z: columns[2].pointer, inverse: nil, g: nil, dg: nil, padded: 16,
      stride: 16)
    let start = Self.random(48, seed: 9)
    for add in [sluice_ace_add_radial, portable_add_radial] {
      let f = Buffer(start)
      add(&neighbors, columns[4].pointer, 0.7, f.pointer)
      for d in 0..<3 {
        for j in 0..<16 {
          let expected = start[16 * d + j] + 0.7 * columns[4].values[j] * columns[d].values[j]
          #expect(abs(f.values[16 * d + j] - expected) < 1e-15)
        }
      }
    }
  }
}
