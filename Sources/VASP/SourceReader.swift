// An input with a name comes in: a file, an archive or a run folder. Its configurations come out, grouped by source.

import Configurations
import Platform

/// Reads everything that VASP leaves behind, and whatever formats the caller registers, by content.
///
/// Each file is one source; vasprun.xml and OUTCAR of one run in one directory are one together.
/// A content that was met before in the same input is not read twice. Files beside a run (INCAR,
/// CHGCAR, ...) are passed over; a lone file of no known format is a source with an error.
public struct SourceReader {
  /// Formats asked before the content is called unknown, in this order.
  public var formats: [any FrameFormat.Type]
  public var limits: SourceLimits
  public var steps: StepSelection
  /// Whether vasprun.xml and OUTCAR of one run become one source.
  public var pairsRuns: Bool

  /// Takes each configuration of a source as it is known to be good.
  public typealias Deliver = (Configuration) throws(Diagnostic) -> Void

  public init(
    formats: [any FrameFormat.Type] = [], limits: SourceLimits = SourceLimits(),
    steps: StepSelection = .all, pairsRuns: Bool = true
  ) {
    if case .every(let n) = steps { precondition(n > 0, "every n-th step needs n > 0") }
    self.formats = formats
    self.limits = limits
    self.steps = steps
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

  /// As `read(_:name:)`, but hands the configurations to `deliver` and keeps none. Of a lone plain or
  /// compressed file only one step is in memory at a time, and what was delivered counts only if the
  /// source that comes back at the end has no error; within archives the runs of one directory are.
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
