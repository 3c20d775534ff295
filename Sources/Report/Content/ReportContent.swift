// Everything a report shows, as plain values. In: what the other modules found, already in house units
// (Å, eV, eV/Å, eV/Å³). Out: `ReportPage` makes HTML of it, `CandidateFiles` CSV and JSON, `TextTable`
// lines for the terminal. No dates, hosts or paths of the machine belong here: equal content gives
// equal bytes.

/// What one run has to show. Parts that a run lacks stay empty or nil and are left out, or said to be missing.
public struct ReportContent: Sendable, Equatable {
  public var project: String
  /// Symbols, in the order of the pipeline file.
  public var elements: [String] = []
  public var run = RunFacts()
  /// What a reader must know before anything else ("These labels are not DFT").
  public var notes: [String] = []
  /// What went less well than it should, one sentence each.
  public var warnings: [String] = []
  /// nil where there is no earlier run to compare with.
  public var changes: RunChanges?
  public var ranking = RankingFacts()
  /// The list, best first.
  public var candidates: [Candidate] = []
  /// Structures whose geometry is broken (close pairs, grades beyond the window); not part of the list.
  public var listedApart: [Candidate] = []
  public var sources: [DataSource] = []
  public var screening: [ScreeningReason] = []
  public var quarantine: [QuarantinedInput] = []
  public var settingsGroups: [SettingsGroup] = []
  public var fit: FitSummary?
  public var errors: [GroupErrors] = []
  /// By element, then by composition.
  public var partErrors: [PartErrors] = []
  /// Sources, worst first, then groups.
  public var leftOut: [LeftOutErrors] = []
  public var learningCurve: [LearningPoint] = []
  /// Of energies, forces and stresses, as far as there is an ensemble and something held out.
  public var calibration: [CalibrationLine] = []
  public var parity: [ParityData] = []
  public var clusters: [ClusterSummary] = []
  public var grades: [GradeDistribution] = []
  public var map: ConfigurationMap?
  public var provenance: [ProvenanceEntry] = []

  public init(project: String) { self.project = project }
}

/// Facts of the run that follow from its inputs alone.
public struct RunFacts: Sendable, Equatable {
  /// nil where the report is to be the same whatever runs came before.
  public var number: Int?
  public var pipeline: String
  public var program: String

  public init(number: Int? = nil, pipeline: String = "", program: String = "Sluice") {
    self.number = number
    self.pipeline = pipeline
    self.program = program
  }
}

/// How this run differs from an earlier one.
public struct RunChanges: Sendable, Equatable {
  public var previousRun: Int?
  public var sourcesAdded = 0
  public var sourcesRemoved = 0
  public var framesAdded = 0
  public var framesRemoved = 0
  /// Entries of the list that the earlier list lacked, and the reverse.
  public var candidatesEntered = 0
  public var candidatesLeft = 0
  /// Held-out RMSE of the earlier run over all groups: eV/atom and eV/Å.
  public var previousEnergyError: Double?
  public var previousForceError: Double?
  /// Further changes in words ("weights changed for group surface").
  public var statements: [String] = []

  public init(previousRun: Int? = nil) { self.previousRun = previousRun }
}

/// One dropped source, or one pool.
public struct DataSource: Sendable, Equatable {
  public var name: String
  /// What it is in words ("vasprun.xml", "extended XYZ").
  public var kind: String
  public var framesUsed: Int
  public var framesSetAside: Int
  /// Short content digest; may be empty.
  public var digest: String
  public var isNew: Bool

  public init(
    name: String, kind: String = "", framesUsed: Int, framesSetAside: Int = 0, digest: String = "",
    isNew: Bool = false
  ) {
    self.name = name
    self.kind = kind
    self.framesUsed = framesUsed
    self.framesSetAside = framesSetAside
    self.digest = digest
    self.isNew = isNew
  }
}

/// Frames set aside for one reason.
public struct ScreeningReason: Sendable, Equatable {
  public var reason: String
  public var count: Int
  /// A few places ("bulk/OUTCAR, step 3").
  public var examples: [String]

  public init(reason: String, count: Int, examples: [String] = []) {
    self.reason = reason
    self.count = count
    self.examples = examples
  }
}

/// An input that could not be read.
public struct QuarantinedInput: Sendable, Equatable {
  public var file: String
  /// Line, byte or ionic step in words; may be empty.
  public var place: String
  public var cause: String
  public var remedy: String

  public init(file: String, place: String = "", cause: String, remedy: String = "") {
    self.file = file
    self.place = place
    self.cause = cause
    self.remedy = remedy
  }
}

/// Frames computed with one set of settings, so that their energies may be compared.
public struct SettingsGroup: Sendable, Equatable {
  public var name: String
  public var frames: Int
  public var isUsed: Bool
  /// Name and value in the order to show ("ENCUT", "520 eV").
  public var settings: [ProvenanceEntry]

  public init(name: String, frames: Int, isUsed: Bool = true, settings: [ProvenanceEntry] = []) {
    self.name = name
    self.frames = frames
    self.isUsed = isUsed
    self.settings = settings
  }
}

/// A name with a value in words.
public struct ProvenanceEntry: Sendable, Equatable {
  public var name: String
  public var value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}
