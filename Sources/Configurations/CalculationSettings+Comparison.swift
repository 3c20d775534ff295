extension CalculationSettings {
  /// A setting in words, or nil where the source does not say.
  private typealias Field = (name: String, value: @Sendable (CalculationSettings) -> String?)

  /// The settings that must agree before energies may be compared. The k-point mesh and the smearing
  /// are not among them: they follow the cell.
  private static let comparable: [Field] = [
    ("functional", { $0.functional }),
    ("ENCUT", { $0.planeWaveCutoff.map { Int(exactly: $0).map(String.init) ?? "\($0)" } }),
    ("spin polarisation", { $0.spinPolarised.map { $0 ? "on" : "off" } }),
    ("non-collinear magnetism", { $0.nonCollinear.map { $0 ? "on" : "off" } }),
    ("spin-orbit coupling", { $0.spinOrbit.map { $0 ? "on" : "off" } }),
    ("van der Waals correction", { $0.dispersion }),
    ("Hubbard U", { $0.hubbardU.map { $0.isEmpty ? "none" : $0.sorted().joined(separator: ", ") } }),
  ]

  /// Names of the settings that must agree; POTCARs come beside them, one by element ("POTCAR of W").
  public static var comparedNames: [String] { comparable.map(\.name) }

  /// What the source states of the settings that must agree, as name and value in words, in a fixed order.
  public var comparedSettings: [(name: String, value: String)] {
    Self.comparable.compactMap { field in field.value(self).map { (field.name, $0) } }
      + pseudopotentialsByElement.sorted { $0.key < $1.key }.map { ("POTCAR of \($0.key)", $0.value) }
  }

  /// A setting that need not agree, by its INCAR name; KPOINTS and VERSION too. Nil where the source does not say.
  /// OUTCAR gives the k-points without their centring, which is no statement on the mesh.
  public func carriedSetting(_ name: String) -> String? {
    switch name {
    case "KPOINTS":
      kPoints.flatMap { $0.hasPrefix("mesh ") || $0.hasSuffix("point") || $0.hasSuffix("points") ? nil : $0 }
    case "VERSION": version
    case "ISMEAR", "SIGMA": smearing
    default: other[name]
    }
  }

  /// POTCAR titles by the element in their second word ("PAW_PBE W_pv 06Sep2000" is W's).
  private var pseudopotentialsByElement: [String: String] {
    var titles: [String: String] = [:]
    for title in pseudopotentials ?? [] {
      let words = title.split(separator: " ")
      guard words.count > 1 else { continue }
      titles[String(words[1].prefix { $0 != "_" && $0 != "." })] = title
    }
    return titles
  }
}
