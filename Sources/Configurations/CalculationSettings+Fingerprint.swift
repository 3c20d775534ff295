import Platform

/// One setting in the words that the screen and the report use.
public struct SettingValue: Sendable, Equatable, Codable {
  /// "ENCUT", "functional", "POTCAR of W".
  public var name: String
  /// In one spelling, whichever file it was read from: "520", "PBE", "Gamma 4 4 4".
  public var value: String
  /// Whether energies of calculations that differ in it may not be mixed. The k-point mesh and the
  /// smearing follow the cell, PREC is a matter of accuracy: they are told but do not separate.
  public var mustAgree: Bool

  public init(name: String, value: String, mustAgree: Bool) {
    self.name = name
    self.value = value
    self.mustAgree = mustAgree
  }
}

extension CalculationSettings {
  /// What must agree before energies may be compared, POTCARs aside. The k-point mesh and the smearing are
  /// not among it: they follow the cell; nor is PREC, which sets how exact a calculation is.
  private static let compared: [(name: String, value: @Sendable (CalculationSettings) -> String?)] = [
    ("functional", { $0.functional }),
    // OUTCAR prints one decimal.
    ("ENCUT", { $0.planeWaveCutoff.map { plain(($0 * 10).rounded() / 10) } }),
    ("spin polarisation", { onOff($0.spinPolarised) }),
    ("non-collinear magnetism", { onOff($0.nonCollinear) }),
    ("spin-orbit coupling", { onOff($0.spinOrbit) }),
    ("van der Waals correction", { $0.dispersion }),
    ("Hubbard U", { $0.hubbardU.map { $0.isEmpty ? "none" : $0.sorted().joined(separator: ", ") } }),
    ("LASPH", { $0.other["LASPH"] }),
  ]

  /// Names of the settings that must agree; POTCARs come beside them, one by element ("POTCAR of W").
  public static var comparedNames: [String] { compared.map(\.name) }

  private static func onOff(_ value: Bool?) -> String? { value.map { $0 ? "on" : "off" } }

  /// Everything that is stated, in a fixed order; a setting that the source does not state is absent.
  /// The same run gives the same values from vasprun.xml and from OUTCAR, as far as both state them.
  public var values: [SettingValue] {
    var values: [SettingValue] = []
    func add(_ name: String, _ value: String?, mustAgree: Bool = true) {
      if let value { values.append(SettingValue(name: name, value: value, mustAgree: mustAgree)) }
    }
    for field in Self.compared { add(field.name, field.value(self)) }
    for (element, title) in pseudopotentialsByElement.sorted(by: { $0.key < $1.key }) {
      add("POTCAR of \(element)", title)
    }
    add("PREC", other["PREC"], mustAgree: false)
    add("k-points", kPoints, mustAgree: false)
    add("smearing", smearing, mustAgree: false)
    return values
  }

  /// Sixteen hexadecimal digits of the values that must agree. Equal fingerprints mean equal settings;
  /// where they differ, `differences(from:)` says in what, or that one source states less.
  public var fingerprint: String {
    var builder = DigestBuilder()
    builder.add("settings 1")
    for value in values where value.mustAgree {
      builder.add(value.name)
      builder.add(value.value)
    }
    return String(builder.finish().description.prefix(16))
  }

  private static func plain(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? value.description
  }
}
