/// What rows are multiplied by, by kind of label, with exceptions by group; weights multiply rows, not
/// their squares.
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

  /// How energies and stresses (V·σ) of configurations of different numbers of atoms N compare.
  public enum Normalisation: String, Sendable, Codable, CaseIterable {
    /// Totals over √N: every atom counts the same (ACEpotentials).
    case rootOfAtoms = "root"
    /// Totals over N: every configuration counts the same (FitSNAP, pacemaker).
    case atoms = "atoms"
    /// Totals: large configurations rule.
    case total

    /// What rows that were divided by √N are multiplied by.
    func factor(atoms: Int) -> Double {
      guard atoms > 0 else { return 1 }
      return switch self {
      case .rootOfAtoms: 1
      case .atoms: 1 / Double(atoms).squareRoot()
      case .total: Double(atoms).squareRoot()
      }
    }
  }

  public var energy: Double
  public var forces: Double
  public var stress: Double
  public var groups: [String: Group]
  public var normalisation: Normalisation

  public init(
    energy: Double = 30, forces: Double = 1, stress: Double = 1, groups: [String: Group] = [:],
    normalisation: Normalisation = .rootOfAtoms
  ) {
    self.energy = energy
    self.forces = forces
    self.stress = stress
    self.groups = groups
    self.normalisation = normalisation
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let defaults = Weights()
    energy = try container.decodeIfPresent(Double.self, forKey: .energy) ?? defaults.energy
    forces = try container.decodeIfPresent(Double.self, forKey: .forces) ?? defaults.forces
    stress = try container.decodeIfPresent(Double.self, forKey: .stress) ?? defaults.stress
    groups = try container.decodeIfPresent([String: Group].self, forKey: .groups) ?? [:]
    normalisation =
      try container.decodeIfPresent(Normalisation.self, forKey: .normalisation) ?? defaults.normalisation
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

  /// What the rows under a key are multiplied by, >= 0; 0 leaves them out.
  public func multiplier(of key: RowKey) -> Double {
    let weight = multiplier(group: key.group, kind: key.kind)
    return key.kind == .force ? weight : weight * normalisation.factor(atoms: key.atoms)
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
