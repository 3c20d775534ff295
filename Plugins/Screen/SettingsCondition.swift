// What a user writes of a setting comes in ("ISPIN=2"), a question that a group can be asked goes out.

import Configurations
import StageKit

/// One setting and the value that it must have.
struct SettingsCondition: Equatable, CustomStringConvertible {
  /// As fingerprints call it.
  let name: String
  /// As it was written.
  let value: String

  /// INCAR tags by the names of the settings that they decide.
  private static let tags = [
    "spin polarisation": "ISPIN", "non-collinear magnetism": "LNONCOLLINEAR", "spin-orbit coupling": "LSORBIT",
    "van der Waals correction": "IVDW", "Hubbard U": "LDAU",
  ]
  private static let synonyms = ["gga": "functional", "metagga": "functional", "enmax": "ENCUT"]
  private static let potcar = "POTCAR of "

  /// The short word for a setting, as messages and pipeline files use it.
  static func tag(_ name: String) -> String {
    name.hasPrefix(potcar) ? "POTCAR.\(name.dropFirst(potcar.count))" : tags[name] ?? name
  }

  /// `further`: names beyond those that always count.
  init(_ word: String, _ value: String, further: [String]) throws(ParameterWordError) {
    let known = CalculationSettings.comparedNames + further
    let lower = word.lowercased()
    if lower.hasPrefix("potcar."), let element = Element(symbol: String(word.dropFirst(7))) {
      name = Self.potcar + element.symbol
    } else if let found = known.first(where: { $0.lowercased() == lower || Self.tag($0).lowercased() == lower }) {
      name = found
    } else if let found = Self.synonyms[lower] {
      name = found
    } else {
      throw ParameterWordError(
        "'\(word)' is no setting that groups differ in", word: word, known: known.map(Self.tag) + ["POTCAR.X"])
    }
    guard !value.isEmpty else { throw ParameterWordError("'\(word)=' names no value") }
    self.value = value
  }

  /// The condition that a group with this setting fulfils.
  init(stating name: String, _ value: String) {
    self.name = name
    switch (name, value) {
    case ("spin polarisation", _): self.value = value == "on" ? "2" : "1"
    case ("non-collinear magnetism", _), ("spin-orbit coupling", _): self.value = value == "on" ? "T" : "F"
    case ("van der Waals correction", "none"): self.value = "0"
    case ("van der Waals correction", _) where value.hasPrefix("IVDW "): self.value = String(value.dropFirst(5))
    case ("Hubbard U", "none"): self.value = "F"
    default: self.value = value
    }
  }

  var description: String { "\(Self.tag(name))=\(value)" }

  /// Whether a group states the setting and has the value.
  func holds(for fingerprint: SettingsFingerprint) -> Bool {
    guard let stated = fingerprint[name] else { return false }
    let wanted = value.lowercased()
    if stated.lowercased() == wanted { return true }
    if let a = Double(stated), let b = Double(value) { return a == b }
    if name.hasPrefix(Self.potcar) { return stated.split(separator: " ").dropFirst().first.map(String.init) == value }
    let isOn = ["on", "t", "true", ".true."].contains(wanted)
    let isOff = ["off", "f", "false", ".false.", "none"].contains(wanted)
    switch name {
    case "spin polarisation": return stated == (isOn || wanted == "2" ? "on" : isOff || wanted == "1" ? "off" : nil)
    case "van der Waals correction":
      return stated == (isOff || wanted == "0" ? "none" : "IVDW \(wanted.uppercased())")
    case "Hubbard U": return isOff ? stated == "none" : isOn && stated != "none"
    default: return isOn && stated == "on" || isOff && stated == "off"
    }
  }
}

/// Which groups of settings may become training data.
enum SettingsPolicy: Equatable, CustomStringConvertible {
  case largest
  case all
  /// The largest group for which all of these hold.
  case named([SettingsCondition])

  static let form = "'largest', 'all', or settings, as { ENCUT: 520 } or 'ENCUT=520, ISPIN=2'"

  init(words: String, further: [String]) throws(ParameterWordError) {
    switch words {
    case "largest": self = .largest
    case "all": self = .all
    default:
      guard words.contains("=") else {
        throw ParameterWordError(
          "'\(words)' is neither a policy nor a setting with its value: \(Self.form)", word: words,
          known: ["largest", "all"])
      }
      // A comma also occurs in values; a new setting begins where an '=' follows.
      var parts: [String] = []
      for piece in words.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
        if piece.contains("=") || parts.isEmpty { parts.append(piece) } else { parts[parts.count - 1] += "," + piece }
      }
      var conditions: [SettingsCondition] = []
      for part in parts {
        let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2 else {
          throw ParameterWordError("'\(part)' must be a setting and its value, as ENCUT=520")
        }
        let condition = try SettingsCondition(Self.trimmed(sides[0]), Self.trimmed(sides[1]), further: further)
        guard !conditions.contains(where: { $0.name == condition.name }) else {
          throw ParameterWordError("\(SettingsCondition.tag(condition.name)) is given twice")
        }
        conditions.append(condition)
      }
      self = .named(conditions)
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    let inner = text.drop { $0 == " " }
    return String(inner[..<(inner.lastIndex { $0 != " " }.map(inner.index(after:)) ?? inner.startIndex)])
  }

  var description: String {
    switch self {
    case .largest: "largest"
    case .all: "all"
    case .named(let conditions): conditions.map(\.description).joined(separator: ", ")
    }
  }
}
