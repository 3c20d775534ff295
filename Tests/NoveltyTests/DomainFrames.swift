import Foundation
import LinearAlgebra
import TestSupport
import Testing

/// Frames of one file of a heterogeneous set, as positions and a cell.
struct DomainFrame {
  var cell: [SIMD3<Double>]
  var positions: [SIMD3<Double>]
}

enum DomainFrames {
  /// Every k-th frame of a compressed extended XYZ file, at most `limit`.
  static func read(_ path: String, limit: Int) throws -> [DomainFrame] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["xz", "-dc", SharedData.url(path).path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    var starts: [Int] = []
    var at = 0
    while at < lines.count, let count = Int(lines[at]) {
      starts.append(at)
      at += count + 2
    }
    try #require(!starts.isEmpty, "xz could not read the file")
    let step = max(1, (starts.count + limit - 1) / limit)
    return stride(from: 0, to: starts.count, by: step).map { k in
      let start = starts[k]
      let header = lines[start + 1]
      let lattice = header.range(of: "Lattice=\"")!
      let numbers = header[lattice.upperBound...].prefix { $0 != "\"" }.split(separator: " ")
        .map { Double($0)! }
      let cell = (0..<3).map { SIMD3(numbers[3 * $0], numbers[3 * $0 + 1], numbers[3 * $0 + 2]) }
      let positions = (0..<Int(lines[start])!).map { i in
        let fields = lines[start + 2 + i].split(separator: " ")
        return SIMD3(Double(fields[1])!, Double(fields[2])!, Double(fields[3])!)
      }
      return DomainFrame(cell: cell, positions: positions)
    }
  }
}

/// Two- and three-body functions of an environment: Gaussians of the distances, and contractions of the
/// moments Σ R_n(r) r̂ ⊗ … ⊗ r̂ (which are power sums of cosines between neighbours). 10 + 15 · 5 = 85 functions.
struct PlainDescriptors {
  let cutoff = 5.0
  static let count = 85

  func rows(_ frame: DomainFrame) -> Matrix {
    var rows = Matrix(rows: frame.positions.count, columns: Self.count)
    let volume = abs(dot(frame.cell[0], cross(frame.cell[1], frame.cell[2])))
    let repeats = (0..<3).map { k in
      Int(
        (cutoff / (volume / length(cross(frame.cell[(k + 1) % 3], frame.cell[(k + 2) % 3]))))
          .rounded(.up))
    }
    let fractional = frame.positions.map { wrapped($0, frame.cell, volume) }
    for i in fractional.indices {
      var moments = [Double](repeating: 0, count: 5 * 35)
      var radial = [Double](repeating: 0, count: 10)
      for j in fractional.indices {
        for a in -repeats[0]...repeats[0] {
          for b in -repeats[1]...repeats[1] {
            for c in -repeats[2]...repeats[2] {
              let shift =
                frame.cell[0] * Double(a) + frame.cell[1] * Double(b) + frame.cell[2] * Double(c)
              let d = fractional[j] + shift - fractional[i]
              let square = dot(d, d)
              if square < cutoff * cutoff, square > 1e-12 {
                add(d, square.squareRoot(), &radial, &moments)
              }
            }
          }
        }
      }
      fill(&rows, i, radial, moments)
    }
    return rows
  }

  private func add(
    _ d: SIMD3<Double>, _ r: Double, _ radial: inout [Double], _ moments: inout [Double]
  ) {
    let fade = 0.5 * (1 + cos(.pi * r / cutoff))
    for n in 0..<10 {
      let x = (r - (1.8 + 0.33 * Double(n))) / 0.4
      radial[n] += fade * exp(-0.5 * x * x)
    }
    let u = d / r
    var weights: [Double] = []
    for n in 0..<5 {
      let x = (r - (2.0 + 0.65 * Double(n))) / 0.6
      weights.append(fade * exp(-0.5 * x * x))
    }
    var component = 0
    for l in 0..<5 {
      for a in stride(from: l, through: 0, by: -1) {
        for b in stride(from: l - a, through: 0, by: -1) {
          let value = power(u.x, a) * power(u.y, b) * power(u.z, l - a - b)
          for n in 0..<5 { moments[n * 35 + component] += weights[n] * value }
          component += 1
        }
      }
    }
  }

  private func fill(_ rows: inout Matrix, _ i: Int, _ radial: [Double], _ moments: [Double]) {
    for n in 0..<10 { rows[i, n] = radial[n] }
    var column = 10
    for n in 0..<5 {
      for m in n..<5 {
        var component = 0
        for l in 0..<5 {
          var sum = 0.0
          for a in stride(from: l, through: 0, by: -1) {
            for b in stride(from: l - a, through: 0, by: -1) {
              let multiplicity = factorial[l] / (factorial[a] * factorial[b] * factorial[l - a - b])
              sum += multiplicity * moments[n * 35 + component] * moments[m * 35 + component]
              component += 1
            }
          }
          rows[i, column] = sum
          column += 1
        }
      }
    }
  }

  private let factorial = [1.0, 1, 2, 6, 24]

  private func power(_ x: Double, _ exponent: Int) -> Double {
    var result = 1.0
    for _ in 0..<exponent { result *= x }
    return result
  }

  /// The position moved into the cell.
  private func wrapped(_ p: SIMD3<Double>, _ cell: [SIMD3<Double>], _ volume: Double) -> SIMD3<
    Double
  > {
    let determinant = dot(cell[0], cross(cell[1], cell[2]))
    var result = p
    for k in 0..<3 {
      let share = dot(p, cross(cell[(k + 1) % 3], cell[(k + 2) % 3])) / determinant
      result -= cell[k] * share.rounded(.down)
    }
    return result
  }

  private func dot(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double { (a * b).sum() }
  private func length(_ a: SIMD3<Double>) -> Double { dot(a, a).squareRoot() }
  private func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
    SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
  }
}
