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

  /// In which settings two calculations differ, in plain words ("ENCUT 400 vs 520"). A setting that one
  /// of them does not state is no difference; POTCARs are compared element by element.
  public func differences(from other: CalculationSettings) -> [String] {
    var found: [String] = []
    for field in Self.comparable {
      if let mine = field.value(self), let theirs = field.value(other), mine != theirs {
        found.append("\(field.name) \(mine) vs \(theirs)")
      }
    }
    let (mine, theirs) = (pseudopotentialsByElement, other.pseudopotentialsByElement)
    for (element, title) in mine.sorted(by: { $0.key < $1.key }) {
      if let otherTitle = theirs[element], otherTitle != title {
        found.append("POTCAR of \(element) '\(title)' vs '\(otherTitle)'")
      }
    }
    return found
  }

  /// The settings that count, in words; "not stated" where there are none.
  public var summary: String {
    var words = Self.comparable.compactMap { field in field.value(self).map { "\(field.name) \($0)" } }
    words += pseudopotentialsByElement.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
    return words.isEmpty ? "not stated" : words.joined(separator: ", ")
  }

  /// Fills what this one leaves open from the other.
  public func completed(by other: CalculationSettings) -> CalculationSettings {
    var result = self
    result.functional = functional ?? other.functional
    result.planeWaveCutoff = planeWaveCutoff ?? other.planeWaveCutoff
    result.spinPolarised = spinPolarised ?? other.spinPolarised
    result.nonCollinear = nonCollinear ?? other.nonCollinear
    result.spinOrbit = spinOrbit ?? other.spinOrbit
    result.dispersion = dispersion ?? other.dispersion
    result.hubbardU = hubbardU ?? other.hubbardU
    let known = pseudopotentialsByElement
    let added = other.pseudopotentialsByElement.filter { known[$0.key] == nil }
    let titles = (pseudopotentials ?? []) + added.sorted { $0.key < $1.key }.map(\.value)
    result.pseudopotentials = titles.isEmpty ? nil : titles
    return result
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
