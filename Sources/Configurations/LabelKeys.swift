// How extended XYZ files name the labels.

/// The keys under which a file holds its labels. A key given here is the only one that is read for
/// its label; where none is given, the usual ones are recognised (in any capitalisation):
/// energy, free_energy, REF_energy, dft_energy, energy_dft; forces, force, REF_forces, dft_forces,
/// forces_dft; stress, REF_stress, dft_stress; virial(s), REF_virial(s), dft_virial(s).
public struct LabelKeys: Sendable, Equatable {
  public var energy: String?
  public var forces: String?
  public var stress: String?
  public var virial: String?

  public init(
    energy: String? = nil, forces: String? = nil, stress: String? = nil, virial: String? = nil
  ) {
    self.energy = energy
    self.forces = forces
    self.stress = stress
    self.virial = virial
  }

  enum Label {
    case energy
    case freeEnergy
    case stress
    case virial
  }

  /// Which label a key of the comment line holds, if any.
  func label(of key: String) -> Label? {
    if let energy, key == energy { return .freeEnergy }
    if let stress, key == stress { return .stress }
    if let virial, key == virial { return .virial }
    // All of them begin with one of these letters.
    guard let first = key.utf8.first, key.utf8.count < 14, "efrdsvEFRDSV".utf8.contains(first)
    else { return nil }
    switch key.lowercased() {
    case "energy": return energy == nil ? .energy : nil
    case "free_energy", "ref_energy", "dft_energy", "energy_dft":
      return energy == nil ? .freeEnergy : nil
    case "stress", "ref_stress", "dft_stress": return stress == nil ? .stress : nil
    case "virial", "virials", "ref_virial", "ref_virials", "dft_virial", "dft_virials":
      return virial == nil ? .virial : nil
    default: return nil
    }
  }

  func isForces(_ column: String) -> Bool {
    if let forces { return column == forces }
    switch column.lowercased() {
    case "forces", "force", "ref_forces", "ref_force", "dft_forces", "dft_force", "forces_dft":
      return true
    default: return false
    }
  }
}
