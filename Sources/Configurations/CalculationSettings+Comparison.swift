extension CalculationSettings {
  /// In which settings two calculations differ, in plain words ("ENCUT 400 vs 520"). A setting that one
  /// of them does not state is no difference; POTCARs are compared element by element.
  public func differences(from other: CalculationSettings) -> [String] {
    let theirs = Dictionary(uniqueKeysWithValues: other.values.map { ($0.name, $0.value) })
    return values.compactMap { mine in
      guard mine.mustAgree, let value = theirs[mine.name], value != mine.value else { return nil }
      return mine.name.hasPrefix("POTCAR")
        ? "\(mine.name) '\(mine.value)' vs '\(value)'" : "\(mine.name) \(mine.value) vs \(value)"
    }
  }

  /// What the source states of the settings that must agree, as name and value in words, in a fixed order.
  public var comparedSettings: [(name: String, value: String)] {
    values.filter(\.mustAgree).map { ($0.name, $0.value) }
  }

  /// A setting that need not agree, by its INCAR name; KPOINTS and VERSION too. Nil where the source does not say.
  /// A mere number of k-points is no statement on the mesh.
  public func carriedSetting(_ name: String) -> String? {
    switch name {
    case "KPOINTS": kPoints.flatMap { $0.hasSuffix("point") || $0.hasSuffix("points") ? nil : $0 }
    case "VERSION": version
    case "ISMEAR", "SIGMA": smearing
    default: other[name]
    }
  }

  /// POTCAR titles by the element in their second word ("PAW_PBE W_pv 06Sep2000" is W's).
  var pseudopotentialsByElement: [String: String] {
    var titles: [String: String] = [:]
    for title in pseudopotentials ?? [] {
      let words = title.split(separator: " ")
      guard words.count > 1 else { continue }
      titles[String(words[1].prefix { $0 != "_" && $0 != "." })] = title
    }
    return titles
  }
}
