// The formats of frames that the reader of sources is given beside VASP's own.

import Configurations
import Platform
import Synchronization
import VASP

/// What frame formats must know beside the bytes. A format is a type without a state of its own, so the
/// reading of a unit hands this down.
struct FrameContext: Sendable {
  var types: [Element] = []
  /// The name of the file where there is only one: tells formats apart that look the same.
  var hint = ""
  var notes = FrameNotes()

  @TaskLocal static var current = FrameContext()

  var elements: [Int: Element] {
    Dictionary(uniqueKeysWithValues: types.enumerated().map { ($0 + 1, $1) })
  }
}

/// What frame formats have to say of sources that they read.
final class FrameNotes: Sendable {
  private let state = Mutex((formats: [String: StructureReader.Format](), diagnostics: [Diagnostic]()))

  /// Formats of the sources without labels, by name.
  var structures: [String: StructureReader.Format] { state.withLock { $0.formats.filter { $0.value != .extendedXYZ } } }

  /// Whether `source` is no run of VASP.
  func isOfFrames(_ source: String) -> Bool { state.withLock { $0.formats[source] != nil } }

  func diagnostics(of source: String) -> [Diagnostic] {
    state.withLock { $0.diagnostics.filter { $0.place.file == source } }
  }

  func isOf(_ format: StructureReader.Format, _ source: String) {
    state.withLock { $0.formats[source] = format }
  }

  /// Whether `error` only says that the file breaks off after whole frames: these are kept, and it is noted.
  func excuses(_ error: Diagnostic, of source: String, after frames: Int) -> Bool {
    guard error.code == "truncated", frames > 0 else { return false }
    let cause = error.cause + " \(frames == 1 ? "1 complete frame was" : "\(frames) complete frames were") kept."
    var place = error.place
    place.file = source
    let note = Diagnostic(.warning, code: error.code, place: place, cause: cause)
    state.withLock { $0.diagnostics.append(note) }
    return true
  }
}

/// Extended XYZ, labelled or not.
enum ExtendedXYZFrames: FrameFormat {
  static func recognises(_ head: [UInt8]) -> Bool {
    StructureReader.recognise(head, name: FrameContext.current.hint) == .extendedXYZ
  }

  static func read(
    _ source: any ByteSource, name: String, deliver: (Configuration) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    // A file's own `source` and `ionic_step` stay properties: provenance is where the frame is read now.
    FrameContext.current.notes.isOf(.extendedXYZ, name)
    let source = LineCounter(source)
    var reader = ExtendedXYZReader(source, name: name, restoresProvenance: false)
    try readFrames(name, source, deliver) { () throws(Diagnostic) in
      var frame = try reader.next()
      // What an artifact says instead of a name.
      if frame?.properties["source"] == .text("") {
        frame?.properties["source"] = nil
        frame?.properties["ionic_step"] = nil
      }
      return frame
    }
  }
}

/// POSCAR, XDATCAR and LAMMPS dumps.
enum StructureFrames: FrameFormat {
  static func recognises(_ head: [UInt8]) -> Bool {
    switch StructureReader.recognise(head, name: FrameContext.current.hint) {
    case .poscar?, .xdatcar?, .lammpsDump?: true
    case .extendedXYZ?, nil: false
    }
  }

  static func read(
    _ source: any ByteSource, name: String, deliver: (Configuration) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    let context = FrameContext.current
    let source = LineCounter(source)
    var reader = try StructureReader(source, name: name, elements: context.elements)
    context.notes.isOf(reader.format, name)
    do {
      try readFrames(name, source, deliver) { () throws(Diagnostic) in try reader.next() }
    } catch {
      guard error.code == "unknown-species" else { throw error }
      var said = error
      said.remedy = "Dump the column 'element', or name the elements of the types: --types W,Re"
      throw said
    }
  }
}

private func readFrames(
  _ name: String, _ source: LineCounter, _ deliver: (Configuration) throws(Diagnostic) -> Void,
  next: () throws(Diagnostic) -> Configuration?
) throws(Diagnostic) {
  var frames = 0
  while true {
    let frame: Configuration?
    do {
      frame = try next()
    } catch {
      var error = error
      if source.breaksOff(inLine: error.place.line) {
        error.code = "truncated"
        error.cause = "the file breaks off within this line."
      }
      if FrameContext.current.notes.excuses(error, of: name, after: frames) { return }
      throw error
    }
    guard let frame else { return }
    try deliver(frame)
    frames += 1
  }
}

/// Passes bytes on and counts their lines, to tell a bad line from one in which a file breaks off.
private final class LineCounter: ByteSource {
  private let inner: any ByteSource
  private var lines = 0
  private var endsWithBreak = true

  init(_ inner: any ByteSource) { self.inner = inner }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try inner.read(into: buffer)
    guard count > 0 else { return 0 }
    for byte in buffer[..<count] where byte == 0x0A { lines += 1 }
    endsWithBreak = buffer[count - 1] == 0x0A
    return count
  }

  /// Whether `line` (from 1) is the last one and has no end. Reads what is left.
  func breaksOff(inLine line: Int?) -> Bool {
    guard let line, line > lines else { return false }
    let rest = try? readAll(limit: 1)
    return rest?.isEmpty == true && line == lines + 1 && !endsWithBreak
  }
}
