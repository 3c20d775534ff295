import CKernels
import PortableKernels
import TestSupport
import Testing

/// What the processor at hand runs against what any x86-64 processor runs. Sums are fused in one and not in the
/// other, so they agree to rounding, not to the bit.
@Suite struct KernelTests {
  /// Memory as the kernels want it. Never freed: structures of the kernels point to it, which keeps no object alive.
  private final class Buffer {
    let pointer: UnsafeMutablePointer<Double>
    let count: Int

    init(_ values: [Double]) {
      count = values.count
      let raw = UnsafeMutableRawPointer.allocate(byteCount: 8 * (count + 16), alignment: 64)
      pointer = raw.bindMemory(to: Double.self, capacity: count + 16)
      pointer.initialize(from: values, count: count)
    }

    convenience init(zeros count: Int) { self.init(Array(repeating: 0, count: count)) }

    var values: [Double] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
  }

  private static func random(_ count: Int, _ range: ClosedRange<Double> = -1...1, seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in .random(in: range, using: &generator) }
  }

  private static func expectClose(
    _ a: [Double], _ b: [Double], _ label: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let scale = b.map(abs).max() ?? 0
    #expect(scale > 0 && a.count == b.count, "\(label) is empty", sourceLocation: sourceLocation)
    let worst = zip(a, b).map { abs($0 - $1) }.max() ?? 0
    #expect(worst <= 1e-13 * scale, "\(label): \(worst) of \(scale)", sourceLocation: sourceLocation)
  }

  /// Recursion constants that are good enough to compare paths: what they mean is tested elsewhere.
  private static let harmonics: sluice_ace_harmonics = {
    var h = sluice_ace_harmonics()
    withUnsafeMutableBytes(of: &h) { bytes in
      let doubles = bytes.bindMemory(to: Double.self)
      for (k, value) in random(doubles.count, 0.2...1, seed: 1).enumerated() { doubles[k] = value }
    }
    return h
  }()

  private static let sizes = [1, 7, 8, 9, 24, 55]

  @Test(arguments: 0..<4) func radialFunctions(_ kind: Int) {
    for count in Self.sizes {
      let padded = (count + 7) / 8 * 8
      let distances = Buffer(Self.random(padded, 0.8...4.9, seed: UInt64(count)))
      let constants = Buffer(Self.random(18, 0.5...1.5, seed: 3))
      var radial = sluice_ace_radial(
        kind: Int32(kind), count: 6, cutoff: 5, lambda: 3, shell: 0.4, inner_cutoff: 1.5, inner_width: 0.5,
        constants: constants.pointer)
      let results = (0..<3).map { _ in (g: Buffer(zeros: 6 * padded), dg: Buffer(zeros: 6 * padded)) }
      let n = Int32(count)
      let p = Int32(padded)
      sluice_ace_radial_functions(&radial, distances.pointer, n, p, p, results[0].g.pointer, results[0].dg.pointer)
      sluice_ace_radial_functions(&radial, distances.pointer, n, p, p, results[1].g.pointer, nil)
      portable_radial_functions(&radial, distances.pointer, n, p, p, results[2].g.pointer, results[2].dg.pointer)
      // Projections must not depend on whether forces are wanted too.
      #expect(results[0].g.values == results[1].g.values, "kind \(kind), \(count) distances")
      Self.expectClose(results[0].g.values, results[2].g.values, "kind \(kind), \(count) values")
      Self.expectClose(results[0].dg.values, results[2].dg.values, "kind \(kind), \(count) slopes")
      for k in 0..<6 {
        let padding = results[0].g.values[(k * padded + count)..<((k + 1) * padded)]
        #expect(padding.allSatisfy { $0 == 0 })
      }
    }
  }

  @Test func neighboursAreGatheredByElement() {
    let coordinates = Self.random(3 * 60, -4...4, seed: 4)
    var pairs: [sluice_ace_pair] = []
    for k in 0..<60 {
      let d = (coordinates[3 * k], coordinates[3 * k + 1], coordinates[3 * k + 2])
      pairs.append(sluice_ace_pair(displacement: d, image: (0, 0, 0), index: Int32(k % 11)))
    }
    let elements = (0..<11).map { Int32($0 % 3) }
    for (element, cutoff) in [(0, 4.5), (1, 3.0), (2, Double.infinity)] {
      for portable in [false, true] {
        let columns = (0..<5).map { _ in Buffer(zeros: 72) }
        var atoms = [Int32](repeating: 0, count: 72)
        var sources = atoms
        var nearest = Double.infinity
        let count = atoms.withUnsafeMutableBufferPointer { atoms in
          sources.withUnsafeMutableBufferPointer { sources in
            var out = sluice_ace_columns(
              x: columns[0].pointer, y: columns[1].pointer, z: columns[2].pointer, inverse: columns[3].pointer,
              distance: columns[4].pointer, atoms: atoms.baseAddress, sources: sources.baseAddress)
            return Int(
              (portable ? portable_gather : sluice_ace_gather)(
                pairs, 60, 100, elements, Int32(element), cutoff, &out, &nearest))
          }
        }
        func square(_ k: Int) -> Double {
          let (x, y, z) = (coordinates[3 * k], coordinates[3 * k + 1], coordinates[3 * k + 2])
          return x * x + y * y + z * z
        }
        let expected = (0..<60).filter { ($0 % 11) % 3 == element && square($0) < cutoff * cutoff }
        #expect(sources[..<count].map { Int($0) - 100 } == expected)
        #expect(atoms[..<count].map(Int.init) == expected.map { $0 % 11 })
        for (k, pair) in expected.enumerated() {
          let r = square(pair).squareRoot()
          #expect(abs(columns[4].values[k] - r) < 1e-14 * r)
          #expect(abs(columns[3].values[k] - 1 / r) < 1e-14 / r)
          for d in 0..<3 { #expect(abs(columns[d].values[k] - coordinates[3 * pair + d] / r) < 1e-14) }
        }
        for k in count..<(count + 7) / 8 * 8 {
          #expect(columns.map { $0.values[k] } == [0, 0, 1, 1, 1] && atoms[k] == -1 && sources[k] == -1)
        }
        #expect(abs(nearest - expected.map { square($0).squareRoot() }.min()!) < 1e-14 || nearest == 1)
      }
    }
  }

  /// Every tile shape: 1 to 7 functions of each l.
  @Test(arguments: 1...7) func oneParticleSumsAndTheirContraction(_ functions: Int) {
    var channel = sluice_ace_channel()
    channel.lmax = 4
    channel.first_count = Int32(functions)
    channel.first_base = 0
    var base = functions
    var counts: [Int] = []
    for l in 0...4 {
      let count = max(1, functions - l)
      counts.append(count)
      withUnsafeMutableBytes(of: &channel.counts) {
        $0.storeBytes(of: Int32(count), toByteOffset: 4 * l, as: Int32.self)
      }
      withUnsafeMutableBytes(of: &channel.bases) { $0.storeBytes(of: Int32(base), toByteOffset: 4 * l, as: Int32.self) }
      base += (2 * l + 1) * count
    }
    // Places in another order than components.
    let place = (0..<base).map { Int32(base - 1 - $0) }
    var harmonics = Self.harmonics
    for count in Self.sizes {
      let padded = (count + 7) / 8 * 8
      let p = Int32(padded)
      let columns = (0..<4).map { Buffer(Self.random(padded, seed: UInt64(10 + $0))) }
      let g = Buffer(Self.random(7 * padded, seed: 20))
      let dg = Buffer(Self.random(7 * padded, seed: 21))
      var neighbors = sluice_ace_neighbors(
        x: columns[0].pointer, y: columns[1].pointer, z: columns[2].pointer, inverse: columns[3].pointer,
        g: g.pointer, dg: dg.pointer, padded: p, stride: p)
      let scratch = Buffer(zeros: 25 * padded)
      let sums = (0..<2).map { _ in Buffer(zeros: 8 * base) }
      sluice_ace_accumulate(&channel, &harmonics, &neighbors, place, 3, scratch.pointer, sums[0].pointer)
      let (values, radial, result) = (scratch.values, g.values, sums[0].values)
      portable_accumulate(&channel, &harmonics, &neighbors, place, 3, scratch.pointer, sums[1].pointer)
      Self.expectClose(sums[0].values, sums[1].values, "\(functions) functions, \(count) neighbours")
      // The plain sums, from the harmonics that the kernel left.
      var component = functions
      for l in 0...4 {
        for m in 0...2 * l {
          for n in 0..<counts[l] {
            var plain = 0.0
            for j in 0..<padded { plain += values[(l * l + m) * padded + j] * radial[n * padded + j] }
            #expect(abs(result[8 * Int(place[component]) + 3] - plain) < 1e-12, "l \(l), m \(m), n \(n)")
            component += 1
          }
        }
      }
      for members in [1, 6] {
        let adjoint = Buffer(Self.random(base * members, seed: 22))
        let f = (0..<2).map { _ in Buffer(zeros: 3 * members * padded) }
        sluice_ace_contract(&channel, &harmonics, &neighbors, Int32(members), adjoint.pointer, f[0].pointer)
        portable_contract(&channel, &harmonics, &neighbors, Int32(members), adjoint.pointer, f[1].pointer)
        Self.expectClose(f[0].values, f[1].values, "\(functions) functions, \(members) members")
      }
    }
  }

  @Test func productsAdjointsAndRows() {
    // Node 0...2 and 3...5 couple to 6...8 by a full table; functions: 0·6 (three terms), 4 alone.
    let starts: [Int32] = [0, 3]
    let rows: [Int32] = [0, 9, 18, 27]
    var pairs: [Int32] = []
    for k in 0..<27 { pairs.append(Int32((k % 3) | ((k / 3 % 3) << 16))) }
    let coefficients = Self.random(27, seed: 30)
    let op = sluice_ace_op(out: 6, x: 0, y: 3, table: 0, table_x: 0, table_y: 0)
    let list = [
      sluice_ace_function(x: 0, y: 6, count: 3, unused: 0, scale: 1.5),
      sluice_ace_function(x: 4, y: -1, count: 1, unused: 0, scale: 1),
    ]
    let weights = Self.random(2, seed: 31)
    var out: [[[Double]]] = []
    for portable in [false, true] {
      let nodes = Buffer(Self.random(72, seed: 32))
      let (values, adjoint, slopes) = (Buffer(zeros: 16), Buffer(zeros: 72), Buffer(Self.random(8, seed: 33)))
      coefficients.withUnsafeBufferPointer { c in
        starts.withUnsafeBufferPointer { s in
          rows.withUnsafeBufferPointer { r in
            pairs.withUnsafeBufferPointer { p in
              var tables = sluice_ace_tables(
                starts: s.baseAddress, rows: r.baseAddress, pairs: p.baseAddress, values: c.baseAddress)
              var op = op
              (portable ? portable_forward : sluice_ace_forward)(&op, 1, &tables, nodes.pointer)
              (portable ? portable_values : sluice_ace_values)(list, 2, nodes.pointer, values.pointer)
              (portable ? portable_backward : sluice_ace_backward)(
                &op, 1, &tables, list, 2, nodes.pointer, 9, weights, 1, slopes.pointer, adjoint.pointer)
            }
          }
        }
      }
      let n = nodes.values
      for lane in 0..<8 {
        var third = [0.0, 0.0, 0.0]
        for k in 0..<3 {
          for e in 0..<9 {
            let product: Double = n[8 * (e % 3) + lane] * n[8 * (3 + e / 3) + lane]
            third[k] += coefficients[9 * k + e] * product
          }
        }
        for k in 0..<3 { #expect(abs(n[8 * (6 + k) + lane] - third[k]) < 1e-13) }
        var value = 0.0
        for k in 0..<3 { value += 1.5 * n[8 * k + lane] * third[k] }
        #expect(abs(values.values[lane] - value) < 1e-13)
        #expect(values.values[8 + lane] == n[32 + lane])
      }
      let packed = Buffer(zeros: 16)
      (portable ? portable_rows : sluice_ace_rows)(values.pointer, 2, 8, packed.pointer, 2)
      let terms = [
        sluice_ace_term(node: 6, leaf: 0, count: 3, unused: 0, scale: 1.5),
        sluice_ace_term(node: -1, leaf: 4, count: 1, unused: 0, scale: 1),
      ]
      let (lane, panel) = (Buffer(zeros: 9), Buffer(Self.random(6 * 32, seed: 34)))
      (portable ? portable_lane : sluice_ace_lane)(nodes.pointer, 9, 5, lane.pointer)
      let design = Buffer(zeros: 20)
      var target = [Int32](repeating: -1, count: 32)
      for k in 0..<32 where k % 3 != 0 { target[k] = Int32(k % 10) }
      (portable ? portable_design : sluice_ace_design)(
        terms, [0, 1, 2], 2, lane.pointer, panel.pointer, 6, 32, target, design.pointer, 2)
      out.append([nodes.values, values.values, adjoint.values, packed.values, design.values])
    }
    for (k, name) in ["nodes", "values", "adjoint", "rows", "design"].enumerated() {
      Self.expectClose(out[0][k], out[1][k], name)
    }
  }
}
