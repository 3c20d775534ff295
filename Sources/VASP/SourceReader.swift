// An input with a name comes in: a file, an archive or a run folder. Its configurations come out, grouped by source.

import Configurations
import Platform

/// Reads everything that VASP leaves behind, and whatever formats the caller registers, by content.
///
/// A lone file is one source; in folders and archives all files of one calculation are one together:
/// vasprun.xml and OUTCAR, their restarts, and what OSZICAR, CONTCAR, POSCAR, INCAR, KPOINTS and POTCAR
/// add (see docs/vasp.md). A content that was met before in the same input is not read twice. Other
/// files beside a run are passed over; a lone file of no known format is a source with an error.
public struct SourceReader {
  /// Formats asked before the content is called unknown, in this order.
  public var formats: [any FrameFormat.Type]
  public var limits: SourceLimits
  /// Applied to each source by itself.
  public var steps: StepSelection
  /// Whether steps that VASP's own force field made are given too, marked as such. Frames of other formats
  /// are given whoever labelled them.
  public var keepsMachineLearned: Bool
  /// Whether the files of one run become one source.
  public var pairsRuns: Bool
  /// What the `digest` of each source is: a digest, unless nothing of it is kept.
  public var identity = ContentIdentity.digest

  /// Takes each configuration of a source as it is known to be good.
  public typealias Deliver = (Configuration) throws(Diagnostic) -> Void

  public init(
    formats: [any FrameFormat.Type] = [], limits: SourceLimits = SourceLimits(),
    steps: StepSelection = .all, keepsMachineLearned: Bool = true, pairsRuns: Bool = true
  ) {
    self.formats = formats
    self.limits = limits
    self.steps = steps
    self.keepsMachineLearned = keepsMachineLearned
    self.pairsRuns = pairsRuns
  }

  /// Reads one file or archive. Throws where the input as a whole is refused.
  public func read(_ source: any ByteSource, name: String) throws(Diagnostic) -> [ReadSource] {
    var session = Session(reader: self, deliver: nil)
    try session.read(source, name: name, isAlone: true)
    return try session.close()
  }

  /// Reads a run folder, file by file in order of their paths, each opened when its turn comes.
  public func read(folder name: String, files: [RunFile]) throws(Diagnostic) -> [ReadSource] {
    var session = Session(reader: self, deliver: nil)
    try session.read(folder: name, files: files)
    return try session.close()
  }

  /// As `read(_:name:)`, but hands the configurations to `deliver` and keeps none. Of a lone file only
  /// one step is in memory at a time; of archives and folders all steps until the input ends, because
  /// their members may come in any order. What was delivered counts only if the call returns and the source
  /// it came from has no error. An error that `deliver` throws ends the reading.
  public func read(_ source: any ByteSource, name: String, deliver: Deliver) throws(Diagnostic)
    -> [ReadSource]
  {
    try withoutEscape(deliver) { (deliver) throws(Diagnostic) -> [ReadSource] in
      var session = Session(reader: self, deliver: deliver)
      try session.read(source, name: name, isAlone: true)
      return try session.close()
    }
  }

  /// As `read(folder:files:)`, but hands the configurations to `deliver` and keeps none.
  public func read(folder name: String, files: [RunFile], deliver: Deliver) throws(Diagnostic)
    -> [ReadSource]
  {
    try withoutEscape(deliver) { (deliver) throws(Diagnostic) -> [ReadSource] in
      var session = Session(reader: self, deliver: deliver)
      try session.read(folder: name, files: files)
      return try session.close()
    }
  }

  private func withoutEscape(
    _ deliver: Deliver, _ body: (@escaping Deliver) throws(Diagnostic) -> [ReadSource]
  ) throws(Diagnostic) -> [ReadSource] {
    try withoutActuallyEscaping(deliver) { (deliver) throws(Diagnostic) -> [ReadSource] in
      try body(deliver)
    }
  }
}

extension SourceReader {
  /// Why the input is not whole yet, nil where it is: every compression and archive must have its end,
  /// every vasprun.xml its `</modeling>`, every OUTCAR its timing block. For watchers: nothing is
  /// parsed. Throws where the input must be refused anyway.
  public func incompleteness(of source: any ByteSource, name: String) throws(Diagnostic) -> String? {
    let stream = SourceStream(source, name: name, limits: limits)
    var missing: String?
    while let entry = try stream.next() {
      let format = SourceFormat(head: entry.head(SourceFormat.headLength))
      guard format == .vasprun || format == .outcar else { continue }
      let mark = format == .vasprun ? "</modeling>" : "General timing and accounting"
      // The timing block and what follows it are far shorter than this.
      let tail = try entry.tail(1 << 16)
      let found = tail.withUnsafeBufferPointer {
        format == .vasprun
          ? $0.behind("</modeling>") : $0.behind("General timing and accounting")
      }
      if found == nil { missing = missing ?? "\(entry.name) does not have its \(mark) yet" }
    }
    if let broken = stream.diagnostics.first(where: { $0.code == "truncated" }) {
      return broken.cause
    }
    return missing
  }
}
