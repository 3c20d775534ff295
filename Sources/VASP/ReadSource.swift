import Configurations
import Platform

/// One source as it was read: a file, an archive member, or the vasprun.xml and OUTCAR of one run.
public struct ReadSource: Sendable {
  /// The input as given, and the member's path behind it: "runs.tar.gz/a/vasprun.xml".
  public var name: String
  /// Of the decompressed content; for a run of both files' digests.
  public var digest: Digest
  public var format: SourceFormat
  /// In the order of their steps; empty where they were handed over one by one.
  public var configurations: [Configuration] = []
  /// Labelled steps or frames that were there to choose from.
  public var offered = 0
  public var settings: CalculationSettings?
  public var diagnostics: [Diagnostic] = []
  /// Whether the file is whole: `</modeling>`, the timing block, and the end of every compression
  /// around it were seen.
  public var isComplete: Bool
  /// Names of all files that went into it.
  public var files: [String]

  public init(
    name: String, digest: Digest, format: SourceFormat, isComplete: Bool, files: [String]
  ) {
    self.name = name
    self.digest = digest
    self.format = format
    self.isComplete = isComplete
    self.files = files
  }

  /// A source of which nothing could be read.
  init(failed name: String, _ diagnostic: Diagnostic) {
    self.init(
      name: name, digest: Digest(of: ""), format: .unknown, isComplete: false, files: [name])
    diagnostics = [diagnostic]
  }

  /// The reason why nothing of the source may be used, nil for none.
  public var error: Diagnostic? { diagnostics.first { $0.severity == .error } }
}

/// One file of a run folder: its path within the folder, and how to open it when its turn comes.
public struct RunFile {
  public var path: String
  public var open: () throws -> any ByteSource

  public init(path: String, open: @escaping () throws -> any ByteSource) {
    self.path = path
    self.open = open
  }
}

/// What one file of VASP told of one run, and later what all files told of one calculation.
struct FileReading {
  var name: String
  var directory: String
  var format: SourceFormat
  /// Of the files that something was taken from, in the order in which they were joined.
  var digests: [Digest]
  var files: [String]
  /// Which run of its file it is, from 0.
  var part = 0
  /// Of each restart; one unless runs were joined.
  var runs = [RunDescription()]
  /// Steps that are not selected keep their energies but not their arrays.
  var steps: [IonicStep] = []
  /// The first and the last step that have positions, whatever was selected.
  var opening: IonicStep?
  var closing: IonicStep?
  /// Of all steps.
  var keys: Set<StepKey> = []
  var diagnostics: [Diagnostic] = []
  var isComplete = false

  init(name: String, directory: String, format: SourceFormat, digest: Digest) {
    self.name = name
    self.directory = directory
    self.format = format
    digests = [digest]
    files = [name]
  }

  var run: RunDescription {
    get { runs[0] }
    set { runs[0] = newValue }
  }

  /// Tells readings of one input apart.
  var id: String { "\(name)#\(part)" }

  /// What is left of the file's name without the words that say its kind: ".relax1".
  var residue: String { RunNames.residue(name) }

  var isFailed: Bool { diagnostics.contains { $0.severity == .error } }

  mutating func append(_ step: IonicStep) {
    var step = step
    step.key = StepKey(step)
    if let key = step.key { keys.insert(key) }
    if step.positions != nil, !step.machineLearned {
      if opening == nil { opening = step }
      closing = step
    }
    steps.append(step)
  }
}

/// Why steps were left out: the first few of each kind one by one, the rest counted.
struct StepRefusals {
  private var kept: [Diagnostic] = []
  private var counts: [String: Int] = [:]

  private static let most = 10

  mutating func append(_ refusal: Diagnostic) {
    counts[refusal.code, default: 0] += 1
    if counts[refusal.code]! <= Self.most { kept.append(refusal) }
  }

  var diagnostics: [Diagnostic] {
    kept
      + counts.filter { $0.value > Self.most }.sorted { $0.key < $1.key }.map { code, count in
        Diagnostic(
          .warning, code: code, place: .init(file: kept.first { $0.code == code }!.place.file),
          cause: "\(count - Self.most) more steps were left out for the same reason.")
      }
  }
}
