import Configurations

/// What a source, or a group of sources, states of the settings that must agree.
struct SettingsFingerprint: Equatable {
  /// Name and value in words, in the order of the comparison.
  private(set) var entries: [(name: String, value: String)]

  /// `further`: INCAR names of settings that must agree too.
  init(_ settings: CalculationSettings = CalculationSettings(), further: [String] = []) {
    entries =
      settings.comparedSettings + further.compactMap { name in settings.carriedSetting(name).map { (name, $0) } }
  }

  subscript(name: String) -> String? { entries.first { $0.name == name }?.value }

  /// Whether no setting is stated differently. What one of the two does not state separates nobody.
  func agrees(with other: SettingsFingerprint) -> Bool {
    entries.allSatisfy { entry in other[entry.name].map { $0 == entry.value } ?? true }
  }

  /// In which settings another one differs, in plain words: "ENCUT 400 vs 520", its own value first.
  func differences(from other: SettingsFingerprint) -> [String] {
    entries.compactMap { name, value in
      guard let theirs = other[name], theirs != value else { return nil }
      let isTitle = name.hasPrefix("POTCAR")
      return isTitle ? "\(name) '\(value)' vs '\(theirs)'" : "\(name) \(value) vs \(theirs)"
    }
  }

  /// Adds what the other states and this one does not.
  mutating func complete(by other: SettingsFingerprint) {
    entries += other.entries.filter { self[$0.name] == nil }
  }

  /// "functional PBE, ENCUT 520, W: PAW_PBE W_pv 06Sep2000"; "not stated" where there is nothing.
  var summary: String {
    let words = entries.map { name, value in
      name.hasPrefix("POTCAR of ") ? "\(name.dropFirst(10)): \(value)" : "\(name) \(value)"
    }
    return words.isEmpty ? "not stated" : words.joined(separator: ", ")
  }

  static func == (a: SettingsFingerprint, b: SettingsFingerprint) -> Bool {
    a.entries.count == b.entries.count && zip(a.entries, b.entries).allSatisfy { $0 == $1 }
  }
}
