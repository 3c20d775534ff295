/// The ranked list as files that other programs read: pure functions from the list to bytes.
public enum CandidateFiles {
  public static let schema = "sluice.candidates"
  public static let schemaVersion = 1

  /// `candidates.csv`: quoted by RFC 4180, lines end in LF, the first line names columns with their
  /// units. Atoms count from 1, frames from 0. Infinite numbers are `inf` with `outside` = `true`;
  /// what is not known is empty.
  public static func csv(_ candidates: [Candidate]) -> String {
    var text =
      "rank,id,formula,atoms,score,gamma_global,gamma_local,outside,"
      + "ensemble_force_deviation_eV_per_A,ensemble_energy_deviation_eV_per_atom,"
      + "ensemble_stress_deviation_eV_per_A3,nearest_cluster,cluster_label,worst_atom_from_1,"
      + "worst_atom_element,source,frame_from_0,reason,folder,"
      + "energy_uncertainty_eV_per_atom,force_uncertainty_eV_per_A\n"
    for entry in candidates {
      let fields: [String] = [
        String(entry.rank), entry.id, entry.formula, String(entry.atomCount), number(entry.score),
        number(entry.globalGrade), number(entry.localGrade), String(entry.isOutside),
        entry.forceDeviation.map(number) ?? "", entry.energyDeviation.map(number) ?? "",
        entry.stressDeviation.map(number) ?? "", entry.nearestCluster.map { String($0) } ?? "",
        entry.clusterLabel, entry.atom.map { String($0) } ?? "", entry.atomElement, entry.source,
        String(entry.frame), entry.reason, entry.folder,
      ]
      let uncertainties: [Double?] = [entry.energyUncertainty, entry.forceUncertainty]
      text += (fields + uncertainties.map { $0.map(number) ?? "" }).map(quoted).joined(separator: ",") + "\n"
    }
    return text
  }

  /// `candidates.json`: an object with `schema`, `version`, units and the list, one entry per line, keys
  /// always in one order, numbers in the shortest form that reads back as the same double. JSON has no
  /// infinity: such numbers are null, and `outside` is true.
  public static func json(
    project: String, candidates: [Candidate], listedApart: [Candidate] = []
  ) -> String {
    var text = "{\n"
    text += "  \"schema\": \(string(schema)),\n  \"version\": \(schemaVersion),\n"
    text += "  \"project\": \(string(project)),\n"
    text += "  \"units\": {\"ensemble_force_deviation\": \"eV/Å\", \"ensemble_energy_deviation\": \"eV/atom\", "
    text += "\"ensemble_stress_deviation\": \"eV/Å³\", \"energy_uncertainty\": \"eV/atom\", "
    text += "\"force_uncertainty\": \"eV/Å\"},\n"
    text += "  \"counting\": {\"worst_atom\": \"from 1\", \"frame\": \"from 0\"},\n"
    text += "  \"candidates\": " + list(candidates) + ",\n"
    text += "  \"listed_apart\": " + list(listedApart) + "\n}\n"
    return text
  }

  private static func list(_ candidates: [Candidate]) -> String {
    if candidates.isEmpty { return "[]" }
    return "[\n" + candidates.map { "    " + object($0) }.joined(separator: ",\n") + "\n  ]"
  }

  private static func object(_ entry: Candidate) -> String {
    let members: [(String, String)] = [
      ("rank", String(entry.rank)),
      ("id", string(entry.id)),
      ("formula", string(entry.formula)),
      ("atoms", String(entry.atomCount)),
      ("score", finite(entry.score)),
      ("gamma_global", finite(entry.globalGrade)),
      ("gamma_local", finite(entry.localGrade)),
      ("outside", String(entry.isOutside)),
      ("ensemble_force_deviation", entry.forceDeviation.map(finite) ?? "null"),
      ("ensemble_energy_deviation", entry.energyDeviation.map(finite) ?? "null"),
      ("ensemble_stress_deviation", entry.stressDeviation.map(finite) ?? "null"),
      ("nearest_cluster", entry.nearestCluster.map { String($0) } ?? "null"),
      ("cluster_label", string(entry.clusterLabel)),
      ("worst_atom", entry.atom.map { String($0) } ?? "null"),
      ("worst_atom_element", string(entry.atomElement)),
      ("source", string(entry.source)),
      ("frame", String(entry.frame)),
      ("reason", string(entry.reason)),
      ("folder", string(entry.folder)),
      ("energy_uncertainty", entry.energyUncertainty.map(finite) ?? "null"),
      ("force_uncertainty", entry.forceUncertainty.map(finite) ?? "null"),
    ]
    return "{" + members.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
  }

  private static func number(_ value: Double) -> String { value.description }

  private static func finite(_ value: Double) -> String {
    value.isFinite ? value.description : "null"
  }

  private static func quoted(_ field: String) -> String {
    guard field.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else {
      return field
    }
    var text = "\""
    for scalar in field.unicodeScalars {
      if scalar == "\"" { text += "\"" }
      text.unicodeScalars.append(scalar)
    }
    return text + "\""
  }

  private static func string(_ value: String) -> String {
    var text = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      default:
        if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
          || scalar.value == 0x2028 || scalar.value == 0x2029
        {
          let hex = String(scalar.value, radix: 16)
          text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    return text + "\""
  }
}
