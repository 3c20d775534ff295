import Platform

/// Why a frame may not become training data.
public enum ScreenReason: String, Sendable, Codable, CaseIterable {
  case machineLearned = "machine-learned"
  case unconverged
  case notFinite = "not-finite"
  case noEnergy = "no-energy"
  case noForces = "no-forces"
  case largeForce = "large-force"
  case foreignElement = "foreign-element"
  case inconsistentSettings = "inconsistent-settings"
  case duplicate

  public var words: String {
    switch self {
    case .machineLearned: "labels of a machine-learned force field, not of the electronic structure"
    case .unconverged: "the electronic loop did not converge"
    case .notFinite: "an energy, force or stress is not a finite number"
    case .noEnergy: "no energy"
    case .noForces: "no forces"
    case .largeForce: "a force above maxForce"
    case .foreignElement: "an element that the pipeline does not name"
    case .inconsistentSettings: "calculation settings that disagree with the group used"
    case .duplicate: "an exact copy of another frame"
    }
  }
}

/// Which frames of a source may become training data (part `selection.json` of a `selection`).
public struct FrameSelection: Sendable, Codable, Equatable {
  /// Indices into `configurations.extxyz`, ascending.
  public var kept: [Int]
  public var setAside: [SetAside]

  public init(kept: [Int], setAside: [SetAside]) {
    self.kept = kept
    self.setAside = setAside
  }
}

/// One frame that was set aside.
public struct SetAside: Sendable, Codable, Equatable {
  public var frame: Int
  public var ionicStep: Int
  public var reason: ScreenReason

  public init(frame: Int, ionicStep: Int, reason: ScreenReason) {
    self.frame = frame
    self.ionicStep = ionicStep
    self.reason = reason
  }
}

/// The screen's totals (part `screening.json` of a `screening`).
public struct Screening: Sendable, Codable, Equatable {
  public struct Count: Sendable, Codable, Equatable {
    public var reason: ScreenReason
    public var words: String
    public var frames: Int
    /// The first few.
    public var examples: [Example]

    public init(reason: ScreenReason, words: String, frames: Int, examples: [Example]) {
      self.reason = reason
      self.words = words
      self.frames = frames
      self.examples = examples
    }
  }

  public struct Example: Sendable, Codable, Equatable {
    public var source: Digest
    public var ionicStep: Int

    public init(source: Digest, ionicStep: Int) {
      self.source = source
      self.ionicStep = ionicStep
    }
  }

  /// Sources whose settings agree.
  public struct SettingsGroup: Sendable, Codable, Equatable {
    /// By which settings it can be told from the others, as a pipeline file can name it: "ENCUT=520".
    public var name: String
    /// In words.
    public var settings: String
    /// In digest order.
    public var sources: [Digest]
    /// Frames that nothing but the settings may speak against.
    public var frames: Int
    /// Whether its frames may become training data.
    public var isUsed: Bool
    /// From the group used, or from the largest where all are, in words: "ENCUT 400 vs 520"; empty for that group.
    public var differences: [String]

    public init(
      name: String, settings: String, sources: [Digest], frames: Int, isUsed: Bool, differences: [String]
    ) {
      self.name = name
      self.settings = settings
      self.sources = sources
      self.frames = frames
      self.isUsed = isUsed
      self.differences = differences
    }
  }

  public var frames: Int
  public var kept: Int
  public var reasons: [Count] = []
  /// Largest first.
  public var settingsGroups: [SettingsGroup] = []

  public init(frames: Int, kept: Int) {
    self.frames = frames
    self.kept = kept
  }
}
