// The folders of a pipeline come in; settled units with the digests of their bytes go out.

import Configurations
import Foundation
import Platform
import StageKit
import Synchronization

/// The pipeline's inbox and pools on a file system. What was read once is known by size, times and
/// inode in the journal, so that unchanged files are not read again.
public final class WatchedFolders: DropProvider {
  private let fileSystem: any FileSystem
  private let journal: Journal
  private let settle: Duration
  private let truncatedAfter: Duration
  private let threads: Int
  /// Every folder that the pipeline reads, once.
  public let all: [WatchedFolder]
  private let state: Mutex<State>

  private struct State {
    var registries: [String: UnitRegistry] = [:]
    var acceptsNewFolders = false
    /// Units that a watcher found settled and that have not been read yet, by folder and path.
    var trusted: [String: [String: InboxUnit]] = [:]
    var settling = Settling.byAge
    /// When each folder was last scanned, by the clock of the disk that holds the state.
    var scanned: [String: Timestamp] = [:]
  }

  /// What decides that a unit has settled.
  public enum Settling: Sendable {
    /// Its age by the clock of the disk that holds the state, or a watcher's word: for single passes.
    case byAge
    /// A watcher's word alone: for folders on other machines, whose clocks may go wrong.
    case byTrust
  }

  /// A change of what is known of one folder, as the journal keeps it.
  struct FolderChange: Codable {
    var folder: String
    var change: RegistryChange
  }

  public convenience init(
    _ fileSystem: any FileSystem, journal: Journal, records: [JournalRecord], pipeline: PipelineFile, plan: Plan
  ) {
    self.init(fileSystem, journal: journal, records: records, after: [:], pipeline: pipeline, plan: plan)
  }

  /// - Parameter known: what the journal's records before those given add up to.
  init(
    _ fileSystem: any FileSystem, journal: Journal, records: [JournalRecord], after known: [String: UnitRegistry],
    pipeline: PipelineFile, plan: Plan
  ) {
    self.fileSystem = fileSystem
    self.journal = journal
    settle = .nanoseconds(Int64(pipeline.settle * 1e9))
    truncatedAfter = .nanoseconds(Int64(pipeline.truncatedAfter * 1e9))
    threads = pipeline.threads > 0 ? pipeline.threads : availableProcessors()
    all = WatchedFolder.all(of: plan, inbox: pipeline.inbox)
    var registries = known
    for record in records {
      guard case .folder(let known)? = JournalEntry.decode(record.payload) else { continue }
      registries[known.folder, default: UnitRegistry()].apply(known.change)
    }
    state = Mutex(State(registries: registries))
  }

  public func scan(_ stage: PlannedStage) throws -> DropScan {
    try scan(stage, checkCancellation: {})
  }

  /// As `scan`, which may read much, until `checkCancellation` throws.
  func scan(_ stage: PlannedStage, checkCancellation: @Sendable () throws -> Void) throws -> DropScan {
    var result = DropScan()
    for folder in all where stage.folders.contains(folder.path) {
      let one = try scan(folder, checkCancellation)
      result.units += one.units
      result.problems += one.problems
      result.unsettled += one.unsettled
    }
    return result
  }

  public func hasChanged(_ unit: DropUnit) throws -> Bool {
    for (folder, registry) in state.withLock({ $0.registries }) {
      guard let record = registry.records[unit.name], Self.identity(of: record) == unit.digest else { continue }
      let isSame = try record.files.allSatisfy { file in
        let path = Path.join(folder, record.path(of: file))
        return try fileSystem.statusIfPresent(of: path).map(FileSignature.init) == file.signature
      }
      if isSame { return false }
    }
    return true
  }

  /// From now on an empty folder in a known one's place is taken for what it is, not for a missing mount.
  public func acceptNewFolders() { state.withLock { $0.acceptsNewFolders = true } }

  public func attachments(_ stage: PlannedStage) throws -> [Attachment] {
    try stage.attachments.flatMap { named, path in
      guard try fileSystem.status(of: path).kind == .folder else {
        return [Attachment(path: named, name: Path.name(path), bytes: try fileSystem.readFile(path))]
      }
      return try fileSystem.entries(of: path).filter { $0.status.kind == .file }.map { entry in
        Attachment(path: named, name: entry.name, bytes: try fileSystem.readFile(Path.join(path, entry.name)))
      }
    }
  }

  // MARK: For a watcher

  /// What is known of a folder now. A single file is known under its parent.
  public func registry(of folder: String) -> UnitRegistry {
    state.withLock { $0.registries[folder] ?? UnitRegistry() }
  }

  /// All that is known.
  var registries: [String: UnitRegistry] { state.withLock { $0.registries } }

  /// The next scans take these units for settled as long as they look the same.
  public func trust(_ units: [InboxUnit], of folder: String) {
    state.withLock { state in
      for unit in units { state.trusted[folder, default: [:]][unit.path] = unit }
    }
  }

  /// What decides from now on that a unit has settled.
  public func settle(_ settling: Settling) { state.withLock { $0.settling = settling } }

  /// Whether one of the units of these names breaks off, was too young to be taken so when it was last
  /// scanned, and no longer is.
  func acceptsIncomplete(anyOf names: Set<String>) throws -> Bool {
    guard !names.isEmpty else { return false }
    let now = try fileSystem.currentTime(in: journal.folder)
    let (registries, scanned) = state.withLock { ($0.registries, $0.scanned) }
    return registries.contains { folder, registry in
      names.contains { name in
        guard let record = registry.records[name], let last = scanned[folder] else { return false }
        return acceptsIncomplete(record, now) && !acceptsIncomplete(record, last)
      }
    }
  }

  // MARK: Scanning

  private func scan(_ watched: WatchedFolder, _ checkCancellation: @Sendable () throws -> Void) throws -> DropScan {
    let look = try watched.look(fileSystem)
    let inbox = look.inbox
    let (registry, trusted, settling) = state.withLock {
      ($0.registries[inbox.folder] ?? UnitRegistry(), $0.trusted[inbox.folder] ?? [:], $0.settling)
    }
    let difference = try look.difference(registry, acceptsNewFolder: state.withLock { $0.acceptsNewFolders })
    var result = DropScan(problems: look.scan.notes)
    // By the clock of the disk that holds the state: the inbox itself is never written to.
    let now = try fileSystem.currentTime(in: journal.folder)
    var settled = difference.fresh.filter { trusted[$0.path] == $0 }
    var unsettled = difference.fresh.filter { trusted[$0.path] != $0 }
    if settling == .byAge {
      let aged = SettleTracker.settledByAge(unsettled, now: now, settle: settle)
      settled += aged.settled
      unsettled = aged.unsettled
    }
    result.unsettled = unsettled.map(\.path)
    let readings = try concurrentMap(settled.count, threads: threads) { [settled] index in
      try checkCancellation()
      return try inbox.digest(settled[index], checkCancellation: checkCancellation)
    }
    var records = difference.unchanged
    var changes: [RegistryChange] = []
    for (unit, reading) in zip(settled, readings) {
      switch reading {
      case .changed: result.unsettled.append(unit.path)
      case .read(let record):
        records.append(record)
        changes.append(.learned(record))
      }
    }
    changes += difference.removed.map { .forgotten(path: $0.path) }
    if registry.rootInode != look.scan.rootInode { changes.append(.inbox(inode: look.scan.rootInode)) }
    try learn(changes, of: inbox.folder)
    state.withLock { $0.scanned[inbox.folder] = now }
    if !changes.isEmpty { records.sort { bytewiseLess($0.path, $1.path) } }
    result.units = concurrentShares(records.count, threads: threads) { [records] share in
      records[share].map { drop($0, inbox, now) }
    }
    return result
  }

  private func learn(_ changes: [RegistryChange], of folder: String) throws {
    guard !changes.isEmpty else { return }
    try journal.append(
      changes.map { JournalEntry.folder(FolderChange(folder: folder, change: $0)).encoded })
    state.withLock { state in
      for change in changes {
        state.registries[folder, default: UnitRegistry()].apply(change)
        switch change {
        case .learned(let record): state.trusted[folder]?[record.path] = nil
        case .forgotten(let path): state.trusted[folder]?[path] = nil
        case .inbox: break
        }
      }
    }
  }

  private func acceptsIncomplete(_ record: UnitRecord, _ now: Timestamp) -> Bool {
    let youngest = record.files.lazy.map(\.signature.changed).max() ?? now
    return now - youngest >= truncatedAfter
  }

  private func drop(_ record: UnitRecord, _ inbox: Inbox, _ now: Timestamp) -> DropUnit {
    DropUnit(
      UnitDescription(
        folder: inbox.folder, record: record, digest: Self.identity(of: record),
        acceptsIncomplete: acceptsIncomplete(record, now)), fileSystem)
  }

  /// What a unit is to the stages: its content, not its name. The same file under another name is the
  /// same unit, unless the name hints at another format where content alone does not tell. Within a
  /// run folder names say which file is which.
  private static func identity(of record: UnitRecord) -> Digest {
    guard record.kind == .file, let file = record.files.first else { return record.digest }
    var builder = DigestBuilder()
    builder.add("sluice file 1")
    builder.add(file.digest)
    builder.add(StructureReader.hint(record.path)?.rawValue ?? "")
    return builder.finish()
  }
}

/// The folders as one pass sees them: it can be stopped while they are read.
struct CancellableFolders: DropProvider {
  let folders: WatchedFolders
  let checkCancellation: @Sendable () throws -> Void

  func scan(_ stage: PlannedStage) throws -> DropScan {
    try folders.scan(stage, checkCancellation: checkCancellation)
  }
  func hasChanged(_ unit: DropUnit) throws -> Bool { try folders.hasChanged(unit) }
  func attachments(_ stage: PlannedStage) throws -> [Attachment] { try folders.attachments(stage) }
}

extension Inbox {
  /// Reads a unit for its digest alone, until `checkCancellation` throws.
  fileprivate func digest(_ unit: InboxUnit, checkCancellation: () throws -> Void) throws -> UnitReading {
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    return try read(unit) { _, bytes in
      while try chunk.withUnsafeMutableBytes({ try bytes.read(into: $0) }) > 0 { try checkCancellation() }
    }
  }
}
