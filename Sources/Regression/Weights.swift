/// What rows are multiplied by, by kind of label, with exceptions by group. The convention of
/// ACEpotentials: energies and stresses as totals over √N, weights multiply rows (not their squares).
public struct Weights: Sendable, Equatable, Codable {
  /// A group's own weights; nil takes the general one.
  public struct Group: Sendable, Equatable, Codable {
    public var energy: Double?
    public var forces: Double?
    public var stress: Double?

    public init(energy: Double? = nil, forces: Double? = nil, stress: Double? = nil) {
      self.energy = energy
      self.forces = forces
      self.stress = stress
    }

    /// Leaves a group out.
    public static let none = Group(energy: 0, forces: 0, stress: 0)
  }

  public var energy: Double
  public var forces: Double
  public var stress: Double
  public var groups: [String: Group]

  public init(
    energy: Double = 30, forces: Double = 1, stress: Double = 1, groups: [String: Group] = [:]
  ) {
    self.energy = energy
    self.forces = forces
    self.stress = stress
    self.groups = groups
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let defaults = Weights()
    energy = try container.decodeIfPresent(Double.self, forKey: .energy) ?? defaults.energy
    forces = try container.decodeIfPresent(Double.self, forKey: .forces) ?? defaults.forces
    stress = try container.decodeIfPresent(Double.self, forKey: .stress) ?? defaults.stress
    groups = try container.decodeIfPresent([String: Group].self, forKey: .groups) ?? [:]
  }

  /// What rows of `kind` in `group` are multiplied by, >= 0; 0 leaves them out.
  public func multiplier(group: String, kind: RowKind) -> Double {
    let own = groups[group]
    return switch kind {
    case .energy: own?.energy ?? energy
    case .force: own?.forces ?? forces
    case .stress: own?.stress ?? stress
    }
  }

  /// Weight 1 for one group and kind, 0 for all else: the rows whose residuals are wanted.
  public static func only(group: String, kind: RowKind) -> Weights {
    Weights(
      energy: 0, forces: 0, stress: 0,
      groups: [
        group: Group(
          energy: kind == .energy ? 1 : 0, forces: kind == .force ? 1 : 0,
          stress: kind == .stress ? 1 : 0)
      ])
  }

  /// The same weights without a group.
  public func excluding(group: String) -> Weights {
    var result = self
    result.groups[group] = Group.none
    return result
  }

  /// The same weights for some groups, nothing for the others.
  public func restricted(to kept: Set<String>) -> Weights {
    var result = Weights(energy: 0, forces: 0, stress: 0)
    for group in kept {
      result.groups[group] = Group(
        energy: multiplier(group: group, kind: .energy), forces: multiplier(group: group, kind: .force),
        stress: multiplier(group: group, kind: .stress))
    }
    return result
  }

  /// What is wrong with these weights, nil if nothing is.
  public var problem: String? {
    let all =
      [energy, forces, stress]
      + groups.values.flatMap { [$0.energy, $0.forces, $0.stress].compactMap { $0 } }
    return all.allSatisfy { $0 >= 0 && $0.isFinite } ? nil : "weights are finite and not negative"
  }
}

/// Turns down frames far above the ground state, whose errors would otherwise rule the fit (an
/// equation-of-state tail may lie 28 eV/atom up). The form follows pacemaker's energy-based weights,
/// (ΔE + δ)⁻² for squared residuals.
public struct EnergyCap: Sendable, Equatable, Codable {
  /// Energy above the reference from which frames count less, eV/atom.
  public var onset: Double
  /// Softness δ of the decline, eV/atom.
  public var softness: Double
  /// Energy above the reference from which frames are left out, eV/atom; nil for never.
  public var cutoff: Double?

  public init(onset: Double = 1, softness: Double = 1, cutoff: Double? = nil) {
    self.onset = onset
    self.softness = softness
    self.cutoff = cutoff
  }

  /// What all rows of a frame are multiplied by: 1 up to the onset, then
  /// (onset + δ)/(ΔE + δ), continuous.
  ///
  /// `lowest` must be fixed for the project (the pipeline's own number, not "the lowest so far"):
  /// otherwise one new source would change the rows of all others.
  /// - Parameters:
  ///   - energyPerAtom: of the frame, eV/atom.
  ///   - lowest: the reference for its composition, eV/atom.
  public func multiplier(energyPerAtom: Double, lowest: Double) -> Double {
    let above = energyPerAtom - lowest
    if let cutoff, above > cutoff { return 0 }
    return above <= onset ? 1 : (onset + softness) / (above + softness)
  }
}
