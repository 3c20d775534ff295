import Platform

/// One setting in the words that the screen and the report use.
public struct SettingValue: Sendable, Equatable, Codable {
  /// "ENCUT", "functional", "POTCAR of W".
  public var name: String
  /// In one spelling, whichever file it was read from: "520", "PBE", "Gamma 4 4 4".
  public var value: String
  /// Whether energies of calculations that differ in it may not be mixed. The k-point mesh and the
  /// smearing follow the cell: they are told but do not separate.
  public var mustAgree: Bool

  public init(name: String, value: String, mustAgree: Bool) {
    self.name = name
    self.value = value
    self.mustAgree = mustAgree
  }
}

extension CalculationSettings {
  /// Everything that is stated, in a fixed order; a setting that the source does not state is absent.
  /// The same run gives the same values from vasprun.xml and from OUTCAR, as far as both state them.
  public var values: [SettingValue] {
    var values: [SettingValue] = []
    func add(_ name: String, _ value: String?, mustAgree: Bool = true) {
      if let value { values.append(SettingValue(name: name, value: value, mustAgree: mustAgree)) }
    }
    func onOff(_ value: Bool?) -> String? { value.map { $0 ? "on" : "off" } }
    add("functional", functional)
    // OUTCAR prints one decimal.
    add("ENCUT", planeWaveCutoff.map { Self.plain(($0 * 10).rounded() / 10) })
    add("PREC", other["PREC"])
    add("spin polarisation", onOff(spinPolarised))
    add("non-collinear magnetism", onOff(nonCollinear))
    add("spin-orbit coupling", onOff(spinOrbit))
    add("van der Waals correction", dispersion)
    add("Hubbard U", hubbardU.map { $0.isEmpty ? "none" : $0.sorted().joined(separator: ", ") })
    add("LASPH", other["LASPH"])
    for (element, title) in pseudopotentialsByElement.sorted(by: { $0.key < $1.key }) {
      add("POTCAR of \(element)", title)
    }
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
