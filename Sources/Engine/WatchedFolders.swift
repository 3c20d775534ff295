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
  /// Folders that other stages read, below which a folder's own units do not lie.
  private let pools: [String]
  private let state: Mutex<State>

  private struct State {
    var registries: [String: UnitRegistry] = [:]
  }

  /// A change of what is known of one folder, as the journal keeps it.
  struct FolderChange: Codable {
    var folder: String
    var change: RegistryChange
  }

  public init(
    _ fileSystem: any FileSystem, journal: Journal, records: [JournalRecord], pipeline: PipelineFile, plan: Plan
  ) {
    self.fileSystem = fileSystem
    self.journal = journal
    settle = .nanoseconds(Int64(pipeline.settle * 1e9))
    truncatedAfter = .nanoseconds(Int64(pipeline.truncatedAfter * 1e9))
    threads = pipeline.threads > 0 ? pipeline.threads : availableProcessors()
    pools = plan.stages.flatMap(\.folders).filter { $0 != pipeline.inbox }
    var registries: [String: UnitRegistry] = [:]
    for record in records {
      guard case .folder(let known)? = JournalEntry.decode(record.payload) else { continue }
      registries[known.folder, default: UnitRegistry()].apply(known.change)
    }
    state = Mutex(State(registries: registries))
  }

  public func scan(_ stage: PlannedStage) throws -> DropScan {
    var result = DropScan()
    for folder in stage.folders {
      let one = try scan(folder: folder)
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
        let path = Path.join(folder, Self.path(of: file, in: record))
        return try fileSystem.statusIfPresent(of: path).map(FileSignature.init) == file.signature
      }
      if isSame { return false }
    }
    return true
  }

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

  /// What is known of a folder now, for the watcher.
  public func registry(of folder: String) -> UnitRegistry {
    state.withLock { $0.registries[folder] ?? UnitRegistry() }
  }

  private func scan(folder path: String) throws -> DropScan {
    // A pool may be a single file: then its folder is scanned and the rest is passed over.
    let isFile = try fileSystem.statusIfPresent(of: path)?.kind == .file
    let folder = isFile ? Path.parent(path) : path
    let inbox = Inbox(fileSystem, folder: folder.isEmpty ? "." : folder)
    let found = try inbox.scan()
    let registry = registry(of: folder)
    let difference = try registry.difference(found, inbox: folder)
    let hidden = pools.filter { $0 != path && $0.hasPrefix(path + "/") }.map { $0.dropFirst(path.count + 1) }
    func isWanted(_ unit: String) -> Bool {
      isFile ? unit == Path.name(path) : !hidden.contains { unit == $0 || unit.hasPrefix($0 + "/") }
    }
    var result = DropScan(problems: found.notes.filter { isWanted($0.place.file) })
    // By the clock of the disk that holds the state: the inbox itself is never written to.
    let now = try fileSystem.currentTime(in: journal.folder)
    let fresh = difference.fresh.filter { isWanted($0.path) }
    let (settled, unsettled) = SettleTracker.settledByAge(fresh, now: now, settle: settle)
    result.unsettled = unsettled.map(\.path)
    let readings = try concurrentMap(settled.count, threads: threads) { index in
      try inbox.digest(settled[index])
    }
    var records = difference.unchanged.filter { isWanted($0.path) }
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
    if registry.rootInode != found.rootInode { changes.append(.inbox(inode: found.rootInode)) }
    try learn(changes, of: folder)
    result.units = records.sorted { bytewiseLess($0.path, $1.path) }.map { drop($0, inbox, now) }
    return result
  }

  private func learn(_ changes: [RegistryChange], of folder: String) throws {
    guard !changes.isEmpty else { return }
    try journal.append(
      changes.map { JournalEntry.folder(FolderChange(folder: folder, change: $0)).encoded })
    state.withLock { state in
      for change in changes { state.registries[folder, default: UnitRegistry()].apply(change) }
    }
  }

  private func drop(_ record: UnitRecord, _ inbox: Inbox, _ now: Timestamp) -> DropUnit {
    let files = record.files.map { file in
      let path = Self.path(of: file, in: record)
      return DroppedFile(name: path, size: file.signature.size) { [fileSystem] in
        let opened: any OpenFile
        do throws(FileSystemError) { opened = try fileSystem.open(path, beneath: inbox.folder, .read) } catch {
          switch error.code {
          case .notFound, .notAFolder, .symbolicLink, .notRegularFile, .isAFolder:
            throw UnitChanged(name: path)
          default: throw error
          }
        }
        return CheckedSource(opened, name: path, digest: file.digest)
      }
    }
    let youngest = record.files.map(\.signature.changed).max() ?? now
    return DropUnit(
      digest: Self.identity(of: record), name: record.path, group: record.group, files: files,
      acceptsIncomplete: now - youngest >= truncatedAfter)
  }

  /// What a unit is to the stages: its content, not its name. The same file under another name is the
  /// same unit, unless the name hints at another format where content alone does not tell. Within a
  /// run folder names say which file is which.
  private static func identity(of record: UnitRecord) -> Digest {
    guard record.kind == .file, let file = record.files.first else { return record.digest }
    var builder = DigestBuilder()
    builder.add("sluice file 1")
    builder.add(file.digest)
    builder.add(StructureReader.recognise([UInt8(ascii: "#")], name: record.path)?.rawValue ?? "")
    return builder.finish()
  }

  /// Relative to the watched folder.
  private static func path(of file: UnitRecord.File, in record: UnitRecord) -> String {
    record.kind == .file ? record.path : Path.join(record.path, file.name)
  }
}

/// Passes a file's bytes on and checks, at their end, that they are the ones that were recorded.
private final class CheckedSource: ByteSource {
  private let base: DigestingSource
  private let name: String
  private let digest: Digest

  init(_ base: any ByteSource, name: String, digest: Digest) {
    self.base = DigestingSource(base)
    self.name = name
    self.digest = digest
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try base.read(into: buffer)
    if count == 0, !buffer.isEmpty, base.builder.finish() != digest { throw UnitChanged(name: name) }
    return count
  }
}
