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

  /// The settings that count, in words; "not stated" where there are none.
  public var summary: String {
    let words = values.filter(\.mustAgree).map { value in
      value.name.hasPrefix("POTCAR of ")
        ? "\(value.name.dropFirst("POTCAR of ".count)): \(value.value)" : "\(value.name) \(value.value)"
    }
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
    for name in ["PREC", "LASPH"] { result.other[name] = self.other[name] ?? other.other[name] }
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
