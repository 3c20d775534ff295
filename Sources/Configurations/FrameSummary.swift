import Platform

/// What screening must know of a labelled frame; everything but its coordinates, so that looking at
/// all frames of a project stays cheap.
public struct FrameSummary: Sendable, Equatable, Codable {
  /// Index within its source's `configurations.extxyz`.
  public var frame: Int
  /// Ionic step of the run, or frame of the file, as the source counts it; from 0.
  public var ionicStep: Int
  public var atoms: Int
  /// Symbols, alphabetical.
  public var elements: [String]
  /// `config_type`, or the folder it was dropped in.
  public var group: String?
  /// Frames of one unit are not independent of each other (the steps of one run).
  public var unit: Digest
  /// Where a long run within a collection is cut into consecutive stretches (see `FrameRuns`): which of the file's
  /// stretches this is; nil in a unit that is never split.
  public var stretch: Int?
  /// Of species, cell, positions and labels: equal for copies.
  public var content: Digest
  /// eV per atom.
  public var energyPerAtom: Double?
  /// Largest force on an atom, eV/Å; nil without forces or where one is not finite.
  public var largestForce: Double?
  public var hasForces: Bool
  public var hasStress: Bool
  /// Whether every label that is there is a finite number.
  public var isFinite: Bool
  public var electronicallyConverged: Bool?
  public var machineLearned: Bool

  package init(
    frame: Int, ionicStep: Int, atoms: Int, elements: [String], group: String?, unit: Digest, content: Digest,
    energyPerAtom: Double?, largestForce: Double?, hasForces: Bool, hasStress: Bool, isFinite: Bool,
    machineLearned: Bool, electronicallyConverged: Bool?
  ) {
    (self.frame, self.ionicStep, self.atoms, self.elements) = (frame, ionicStep, atoms, elements)
    (self.group, self.unit, self.content) = (group, unit, content)
    (self.energyPerAtom, self.largestForce) = (energyPerAtom, largestForce)
    (self.hasForces, self.hasStress, self.isFinite) = (hasForces, hasStress, isFinite)
    (self.machineLearned, self.electronicallyConverged) = (machineLearned, electronicallyConverged)
  }

  public init(
    frame: Int, of configuration: Configuration, group: String?, unit: Digest, stretch: Int? = nil,
    content: Digest
  ) {
    let labels = configuration.labels
    let forces = labels.forces?.map(length) ?? []
    let stress = labels.stress.map { [$0.x, $0.y, $0.z].flatMap { [$0.x, $0.y, $0.z] } } ?? []
    let energy = labels.energy
    self.frame = frame
    ionicStep = configuration.provenance.ionicStep
    atoms = configuration.count
    elements = Set(configuration.species.map(\.symbol)).sorted()
    self.group = group
    self.unit = unit
    self.stretch = stretch
    self.content = content
    energyPerAtom = energy.flatMap { $0.isFinite ? $0 / Double(max(1, configuration.count)) : nil }
    hasForces = labels.forces != nil
    hasStress = labels.stress != nil
    isFinite = (energy?.isFinite ?? true) && forces.allSatisfy(\.isFinite) && stress.allSatisfy(\.isFinite)
    largestForce = hasForces && forces.allSatisfy(\.isFinite) ? forces.max() ?? 0 : nil
    electronicallyConverged = labels.electronicallyConverged
    machineLearned = labels.machineLearned
  }
}
