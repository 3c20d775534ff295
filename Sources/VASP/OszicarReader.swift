// The bytes of an OSZICAR come in; energy and moment of each ionic step go out.

import Configurations
import Platform

/// What OSZICAR says of one ionic step: "  3 F= -.34272018E+03 E0= -.34270858E+03  d E =... mag= 1.0".
struct OszicarStep: Equatable {
  /// As printed, from 1; it starts again where runs were appended.
  var number: Int
  var line: Int
  /// Free energy of the electrons (TOTEN), eV; printed with eight digits.
  var freeEnergy: Double
  /// μB: one number, or three.
  var moment: [Double]?

  /// Half of the last printed digit and what vasprun.xml rounds, eV.
  var tolerance: Double {
    var unit = 1e-8
    var size = abs(freeEnergy)
    while size >= 1 {
      unit *= 10
      size /= 10
    }
    return unit + 2e-6
  }
}

enum OszicarReader {
  /// No run comes near this.
  private static let mostSteps = 10_000_000

  static func steps(_ source: any ByteSource, name: String) throws(Diagnostic) -> [OszicarStep] {
    let lines = LineScanner(source, file: name)
    var steps: [OszicarStep] = []
    while let line = try lines.next() {
      guard steps.count < mostSteps, let step = step(line, lines.line) else { continue }
      steps.append(step)
    }
    return steps
  }

  private static func step(_ line: UnsafeBufferPointer<UInt8>, _ place: Int) -> OszicarStep? {
    var at = 0
    while at < line.count, line[at] == 0x20 { at += 1 }
    let first = at
    var number = 0
    // A counter that overflowed its columns is printed as asterisks.
    while at < line.count, at - first < 12, line[at] &- 0x30 <= 9 || line[at] == 0x2A {
      number = line[at] == 0x2A ? -1 : number * 10 + Int(line[at] &- 0x30)
      at += 1
    }
    guard at > first, var from = line.behind(" F=", from: at), line.behind("E0=", from: at) != nil else { return nil }
    guard let energy = DecimalScanner.next(line, &from), energy.isFinite else { return nil }
    var moment: [Double] = []
    if var behind = line.behind("mag=", from: from) {
      while moment.count < 3, let value = DecimalScanner.next(line, &behind) { moment.append(value) }
    }
    return OszicarStep(
      number: number, line: place, freeEnergy: energy,
      moment: moment.count == 1 || moment.count == 3 ? moment : nil)
  }
}
