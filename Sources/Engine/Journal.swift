// Payloads come in and are on the disk when `append` returns; after any crash the journal holds
// every record that was returned from, and of the last append a prefix.
//
// A journal is a folder of generations `000001`, `000002`, ... of which the highest counts and the
// one before it is kept. A generation is text around the payloads, so that it can be read by eye:
//
//   sluice-journal 1 <generation> <first sequence> <base records> <check>
//   record <sequence> <batch> <length> <SHA-256 of "generation sequence batch length\n" + payload>
//   <payload, length bytes>
//
// `batch` is the sequence number of the first record of the same append. The base records were
// synchronized before the generation got its name; later ones were appended and then synchronized,
// batch by batch. So what is unreadable can be a torn tail only when it lies behind the base and
// no later batch was ever written.

import Configurations
import Platform
import Synchronization

/// What can go wrong with the journal.
public enum JournalError: Error, Sendable, Equatable, CustomStringConvertible {
  case fileSystem(FileSystemError)
  /// Records in the middle are unreadable although later ones are whole.
  case damaged(path: String, byte: Int, cause: String)

  public var description: String {
    switch self {
    case .fileSystem(let error): error.description
    case .damaged(let path, let byte, let cause):
      "\(printable(path)): byte \(byte): the journal is damaged: \(cause). Run `sluice repair`: it "
        + "keeps every whole record; what was lost is ingested again from the inbox."
    }
  }
}

/// One record.
public struct JournalRecord: Sendable, Equatable {
  /// Counts from 1 through all generations.
  public var sequence: Int
  public var payload: [UInt8]

  public init(sequence: Int, payload: [UInt8]) {
    self.sequence = sequence
    self.payload = payload
  }
}

/// Append-only truth: what was ingested and published. One writer at a time (see `RunLock`); any
/// number of readers.
public final class Journal: Sendable {
  struct State: Sendable {
    var generation: Int
    var nextSequence: Int
    /// Bytes that are known to be good.
    var length: Int
    /// Nil after a failed append: the next one first cuts off what it left.
    var file: (any OpenFile)?
  }

  let fileSystem: any FileSystem
  let folder: String
  let state: Mutex<State>

  init(_ fileSystem: any FileSystem, _ folder: String, _ state: State) {
    self.fileSystem = fileSystem
    self.folder = folder
    self.state = Mutex(state)
  }

  /// Opens `<state>/journal` for writing, creating it when missing. A torn tail is cut off and
  /// reported.
  public static func open(
    _ fileSystem: any FileSystem, state: String,
    report: @Sendable (Diagnostic) -> Void = { _ in }
  ) throws(JournalError) -> (journal: Journal, records: [JournalRecord]) {
    let opened = try open(fileSystem, state: state, from: nil, report: report)
    return (opened.journal, opened.records)
  }

  /// As the other; where the journal still is what was marked, only the records behind the mark are read.
  static func open(
    _ fileSystem: any FileSystem, state: String, from mark: JournalMark?, report: @Sendable (Diagnostic) -> Void
  ) throws(JournalError) -> (journal: Journal, records: [JournalRecord], isResumed: Bool) {
    let folder = Path.join(state, "journal")
    do throws(FileSystemError) { try fileSystem.createFolders(folder) } catch {
      throw .fileSystem(error)
    }
    let found = try JournalFolder(fileSystem, folder).read(report, from: mark)
    guard let text = found.text, !found.isFallback else {
      // No journal yet, or the newest generation is an empty husk: begin a new one.
      let payloads = found.text?.records.map(\.payload) ?? []
      let next = (found.text?.records.last?.sequence ?? 0) + 1
      let state = try JournalFolder(fileSystem, folder).begin(
        generation: found.highest + 1, first: next, payloads)
      let records = payloads.enumerated().map {
        JournalRecord(sequence: next + $0.offset, payload: $0.element)
      }
      return (Journal(fileSystem, folder, state), records, false)
    }
    let state = State(
      generation: text.generation, nextSequence: text.nextSequence, length: text.length, file: nil)
    let journal = Journal(fileSystem, folder, state)
    if text.isTorn { try journal.reopen() }
    return (journal, text.records, text.isResumed)
  }

  /// All that is in the journal now.
  func mark() throws(JournalError) -> JournalMark {
    let (generation, length, next) = state.withLock { ($0.generation, $0.length, $0.nextSequence) }
    let bytes = try JournalFolder(fileSystem, folder).load(generation)
    guard bytes.count >= length else {
      let path = JournalFolder(fileSystem, folder).path(generation)
      throw .damaged(path: path, byte: bytes.count, cause: "it is cut off")
    }
    return JournalMark(generation: generation, length: length, next: next, digest: Digest(of: bytes[..<length]))
  }

  /// Sequence number of the next record.
  var nextSequence: Int { state.withLock { $0.nextSequence } }

  /// The records as they stand, for commands that hold no lock. Nothing is changed.
  public static func records(
    _ fileSystem: any FileSystem, state: String,
    report: @Sendable (Diagnostic) -> Void = { _ in }
  ) throws(JournalError) -> [JournalRecord] {
    try JournalFolder(fileSystem, Path.join(state, "journal")).read(report).text?.records ?? []
  }

  /// Appends the payloads as one batch. When this returns they are on the disk; when it throws they
  /// count as not written, and the journal can be used again.
  @discardableResult
  public func append(_ payloads: [[UInt8]]) throws(JournalError) -> [JournalRecord] {
    if payloads.isEmpty { return [] }
    if state.withLock({ $0.file == nil }) { try reopen() }
    return try state.withLock { state throws(JournalError) in
      let batch = state.nextSequence
      var bytes: [UInt8] = []
      var records: [JournalRecord] = []
      for payload in payloads {
        let sequence = batch + records.count
        bytes += JournalText.encode(
          generation: state.generation, sequence: sequence, batch: batch, payload)
        records.append(JournalRecord(sequence: sequence, payload: payload))
      }
      do throws(FileSystemError) {
        try state.file!.write(bytes)
        try state.file!.synchronize()
      } catch {
        // Cut off at once if possible, else before the next append or at the next start.
        do throws(FileSystemError) { try state.file!.truncate(to: state.length) } catch {}
        state.file = nil
        throw .fileSystem(error)
      }
      state.length += bytes.count
      state.nextSequence += records.count
      return records
    }
  }

  /// Appends one payload.
  @discardableResult
  public func append(_ payload: [UInt8]) throws(JournalError) -> JournalRecord {
    try append([payload])[0]
  }

  /// Writes `payloads`, which say all that still matters, into a new generation. The present one is
  /// kept; older ones are removed.
  @discardableResult
  public func compact(_ payloads: [[UInt8]]) throws(JournalError) -> [JournalRecord] {
    let folder = JournalFolder(fileSystem, folder)
    let (generation, first) = state.withLock { ($0.generation, $0.nextSequence) }
    // Should it fail half way, `reopen` removes what it left before anything else is appended.
    state.withLock { $0.file = nil }
    let fresh = try folder.begin(generation: generation + 1, first: first, payloads)
    state.withLock { $0 = fresh }
    try folder.removeGenerations(below: generation)
    return payloads.enumerated().map {
      JournalRecord(sequence: first + $0.offset, payload: $0.element)
    }
  }

  /// Bytes of the present generation, to decide when to compact.
  public var size: Int { state.withLock { $0.length } }

  /// Opens the present generation and cuts off whatever lies behind the last good record.
  private func reopen() throws(JournalError) {
    do throws(FileSystemError) {
      try state.withLock { state throws(FileSystemError) in
        let place = JournalFolder(fileSystem, folder)
        for number in try place.generations() where number > state.generation {
          try fileSystem.removeFile(place.path(number))
          try fileSystem.synchronizeFolder(folder)
        }
        let path = place.path(state.generation)
        // Without this a vanished file would silently be created anew.
        _ = try fileSystem.status(of: path)
        let file = try fileSystem.open(path, .append)
        if try file.status().size != state.length {
          try file.truncate(to: state.length)
          try file.synchronize()
        }
        state.file = file
      }
    } catch { throw .fileSystem(error) }
  }
}
