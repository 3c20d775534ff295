// What a run says of itself comes in; properties that every configuration of the run carries go out.

import Configurations
import Platform

/// What a run does, told from what was asked of it and never from how far it came.
public enum CalculationKind: String, Sendable, Codable, CaseIterable {
  /// At most one ionic step was asked for (NSW ≤ 1), or the ions do not move (IBRION = -1).
  case isStatic = "static"
  /// IBRION = 1, 2 or 3 (and 40, 44: paths and saddle points without images) with NSW > 1.
  case relaxation
  /// IBRION = 0 with NSW > 1.
  case molecularDynamics = "md"
  /// Force constants by displacements: IBRION = 5 or 6.
  case phonon
  /// IBRION = 7 or 8, LEPSILON, LCALCEPS.
  case linearResponse = "linear-response"
  /// Several images of a path: IMAGES > 0.
  case nudgedElasticBand = "neb"
  /// IBRION = 11 or 12: another program moves the atoms.
  case interactive

  /// Whether each ionic step goes on from the one before.
  var isTrajectory: Bool { self == .relaxation || self == .molecularDynamics || self == .interactive }
}

extension SettingsTable {
  /// nil where neither IBRION nor NSW is stated.
  package var kind: CalculationKind? {
    if let images = integer("IMAGES"), images > 0 { return .nudgedElasticBand }
    let motion = integer("IBRION")
    switch motion {
    case 5, 6: return .phonon
    case 7, 8: return .linearResponse
    default: break
    }
    if flag("LEPSILON") == true || flag("LCALCEPS") == true { return .linearResponse }
    guard let steps = integer("NSW") else { return motion == -1 ? .isStatic : nil }
    if motion == 11 || motion == 12 { return .interactive }
    if steps <= 1 || motion == -1 { return .isStatic }
    switch motion {
    case 0: return .molecularDynamics
    case 1, 2, 3, 40, 44: return .relaxation
    // VASP moves atoms by molecular dynamics where NSW asks for steps and nothing else is said.
    case nil: return .molecularDynamics
    default: return nil
    }
  }
}

extension RunDescription {
  /// The same for every step of the run; see docs/vasp.md for the keys.
  var carried: [String: PropertyValue] {
    var carried: [String: PropertyValue] = [:]
    if let kind { carried["calculation_type"] = .text(kind.rawValue) }
    if let version = settings.version, !version.isEmpty { carried["vasp_version"] = .text(version) }
    if let kPoints = settings.kPoints { carried["kpoints"] = .text(kPoints) }
    if let titles = settings.pseudopotentials, !titles.isEmpty {
      carried["potcar"] = .text(titles.joined(separator: ", "))
    }
    if let id = incarID { carried["incar_id"] = .text(id) }
    if settings.fingerprint != CalculationSettings().fingerprint {
      carried["settings_id"] = .text(settings.fingerprint)
    }
    return carried
  }

  /// Sixteen hexadecimal digits of the tags as they were written, in one spelling; SYSTEM is a comment.
  private var incarID: String? {
    guard !written.isEmpty else { return nil }
    var builder = DigestBuilder()
    builder.add("INCAR 1")
    for (name, value) in written.sorted(by: { $0.key < $1.key }) where name != "SYSTEM" {
      builder.add(name)
      builder.add(IncarText.canonical(value))
    }
    return String(builder.finish().description.prefix(16))
  }
}
