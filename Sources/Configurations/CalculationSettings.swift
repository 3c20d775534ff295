/// The settings of a calculation that must agree before its energies may be compared with another's.
/// A value that the source does not give is nil.
public struct CalculationSettings: Sendable, Equatable, Codable {
  public var program: String?
  public var version: String?
  /// Exchange-correlation functional in words ("PBE", "HSE06", "SCAN").
  public var functional: String?
  /// Plane-wave cutoff ENCUT, eV.
  public var planeWaveCutoff: Double?
  /// POTCAR titles in species order ("PAW_PBE W_pv 06Sep2000").
  public var pseudopotentials: [String]?
  /// k-point mesh or number of k-points, in words ("Gamma 4 4 4", "32 points").
  public var kPoints: String?
  public var spinPolarised: Bool?
  public var nonCollinear: Bool?
  public var spinOrbit: Bool?
  /// Hubbard corrections in words, one per species; empty for none.
  public var hubbardU: [String]?
  /// van der Waals correction in words ("IVDW 12", "none").
  public var dispersion: String?
  /// ISMEAR and SIGMA/eV.
  public var smearing: String?
  /// What else the source said and a user may want to see, by INCAR name.
  public var other: [String: String]

  public init() { other = [:] }
}
