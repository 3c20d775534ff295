// Labelled steps come in, files in VASP's layout go out.

import Configurations

/// A series of labelled tungsten configurations, to be written as VASP 6 lays out a run.
///
/// The labels are Finnis-Sinclair's. SYSTEM, the program's build line, the potential's title and a
/// comment in either file say so; settings of an electronic structure calculation are there because
/// the layout has them, and mean nothing.
public struct VASPRun: Sendable {
  /// What the run does with its atoms.
  public enum Kind: Sendable {
    case molecularDynamics
    case relaxation

    var ibrion: Int { self == .molecularDynamics ? 0 : 2 }
    var isif: Int { self == .molecularDynamics ? 2 : 3 }
  }

  /// Said beside `notDFT` in SYSTEM.
  public var title: String
  public var kind: Kind
  /// One per ionic step, all with energy, forces, stress, a periodic cell and equally many atoms.
  public var steps: [Configuration]

  public static let notDFT = "Finnis-Sinclair labels, not DFT"
  static let kilobarPerElectronvolt = 1602.1766208
  static let maximumElectronicSteps = 60

  public init(title: String, kind: Kind, steps: [Configuration]) {
    precondition(!steps.isEmpty, "a run has at least one step")
    precondition(steps.allSatisfy { $0.count == steps[0].count }, "the atoms of a run stay")
    for step in steps {
      precondition(
        step.labels.energy != nil && step.labels.forces != nil && step.labels.stress != nil
          && step.cell?.periodic == .all, "every step is labelled and periodic")
    }
    self.title = title
    self.kind = kind
    self.steps = steps
  }

  var system: String { String("W \(title): \(Self.notDFT)".prefix(40 + Self.notDFT.count)) }
  static let potential = "FS W 1984 not-DFT"
  static let build = "layout only (\(notDFT)) complex"

  /// vasprun.xml.
  public func vasprun() -> [UInt8] {
    var writer = VasprunWriter(self)
    for step in steps { writer.append(step) }
    writer.finish(steps[steps.count - 1])
    return writer.bytes
  }

  /// OUTCAR.
  public func outcar() -> [UInt8] {
    var writer = OutcarWriter(self)
    for step in steps { writer.append(step) }
    writer.finish()
    return writer.bytes
  }

  /// Fractional coordinates in [0, 1).
  static func fractional(_ step: Configuration) -> [Vector3] {
    let inverse = step.cell!.vectors.inverse!
    return step.positions.map { position in
      var f = position * inverse
      for k in 0..<3 { f[k] -= f[k].rounded(.down) }
      return f
    }
  }
}
