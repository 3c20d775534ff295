/// Weights that decline with the energy above the ground state, whose errors would otherwise rule the fit
/// (an equation-of-state tail may lie 28 eV/atom up). With onset 0 the squares decline as (ΔE + δ)⁻², the form
/// of pacemaker's energy-based weights (Bochkarev et al. 2022, doi:10.1103/PhysRevMaterials.6.013804).
public struct EnergyWeights: Sendable, Equatable, Codable {
  /// What ΔE is counted from.
  public enum Reference: String, Sendable, Codable, CaseIterable {
    /// The convex hull of the lowest energies over composition.
    case hull
    /// The lowest energy of the same composition.
    case lowest
  }

  public var reference: Reference
  /// Energy above the reference from which frames count less, eV/atom.
  public var onset: Double
  /// Softness δ of the decline, eV/atom, > 0.
  public var softness: Double
  /// Energy above the reference from which frames are left out, eV/atom; nil for never.
  public var cutoff: Double?

  public init(reference: Reference = .hull, onset: Double = 0, softness: Double = 1, cutoff: Double? = nil) {
    precondition(softness > 0 && onset >= 0, "a decline needs a scale")
    self.reference = reference
    self.onset = onset
    self.softness = softness
    self.cutoff = cutoff
  }

  /// What rows of frames that lie `above` the reference, eV/atom, are multiplied by: 1 up to the onset, then
  /// (onset + δ)/(ΔE + δ), continuous; 0 beyond the cutoff.
  public func multiplier(above: Double) -> Double {
    if let cutoff, above > cutoff { return 0 }
    return above <= onset ? 1 : (onset + softness) / (above + softness)
  }
}

/// Classes of energy above the lowest of a source, in steps that double: what rows are kept apart by, so that
/// weights by energy can change without the rows being made again.
public enum EnergyLevel {
  /// Of frames that hold a lone atom: these tell reference energies, not interactions.
  public static let isolatedAtom = -1

  /// 0 below 0.25 eV/atom, then one more for each doubling.
  public static func level(above: Double) -> Int {
    var (level, limit) = (0, 0.25)
    while above >= limit, level < 30 {
      level += 1
      limit *= 2
    }
    return level
  }
}
