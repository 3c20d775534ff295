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

/// What one file of VASP gave, before files of one run are brought together.
struct FileReading {
  var name: String
  var directory: String
  var format: SourceFormat
  var digest: Digest
  var run = RunDescription()
  /// Steps that are not selected keep their energies but not their arrays.
  var steps: [IonicStep] = []
  var diagnostics: [Diagnostic] = []
  var isComplete = false

  /// What is left of the file's name without the words that say its kind: ".relax1".
  var residue: String {
    var text = name.split(separator: "/").last.map(String.init) ?? name
    for word in [".gz", ".xz", ".bz2", ".zst", ".lzma"] where text.hasSuffix(word) {
      text.removeLast(word.count)
    }
    for word in ["vasprun.xml", "vasprun", "OUTCAR", ".xml"] {
      if let found = text.firstRange(of: word) { text.removeSubrange(found) }
    }
    return text
  }

  var isFailed: Bool { diagnostics.contains { $0.severity == .error } }
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
