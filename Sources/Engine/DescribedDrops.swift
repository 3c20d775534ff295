import Configurations
import Platform
import StageKit

/// Drops that another process has scanned: read under their digests, never scanned anew.
struct DescribedDrops: DropProvider {
  let fileSystem: any FileSystem
  let scans: [String: DropScan]
  let attachments: [String: [Attachment]]

  init(_ fileSystem: any FileSystem, units: [UnitDescription], of stage: String) {
    self.fileSystem = fileSystem
    scans = [stage: DropScan(units: units.map { DropUnit($0, fileSystem) })]
    attachments = [:]
  }

  init(_ fileSystem: any FileSystem, _ situation: WorkShare.Situation) {
    self.fileSystem = fileSystem
    var scans: [String: DropScan] = [:]
    for scan in situation.scans {
      scans[scan.stage] = DropScan(units: scan.units.map { DropUnit($0, fileSystem) }, problems: scan.problems)
    }
    var attachments: [String: [Attachment]] = [:]
    for file in situation.attachments {
      attachments[file.stage, default: []].append(
        Attachment(path: file.path, name: file.name, bytes: [UInt8](file.bytes)))
    }
    self.scans = scans
    self.attachments = attachments
  }

  func scan(_ stage: PlannedStage) throws -> DropScan { scans[stage.id] ?? DropScan() }

  func attachments(_ stage: PlannedStage) throws -> [Attachment] { attachments[stage.id] ?? [] }

  /// Another machine may number files otherwise or see their times later: where signatures differ,
  /// content decides.
  func hasChanged(_ unit: DropUnit) throws -> Bool {
    guard let known = unit.description else { return false }
    return try known.record.files.contains { file in
      let path = Path.join(known.folder, known.record.path(of: file))
      guard let status = try fileSystem.statusIfPresent(of: path) else { return true }
      if FileSignature(status) == file.signature { return false }
      return try status.size != file.signature.size || fileSystem.digestOfFile(path) != file.digest
    }
  }
}

extension DropUnit {
  init(_ description: UnitDescription, _ fileSystem: any FileSystem) {
    self.init(description) {
      description.record.files.map { DroppedFile(description, $0, fileSystem) }
    }
  }
}

extension DroppedFile {
  fileprivate init(_ unit: UnitDescription, _ file: UnitRecord.File, _ fileSystem: any FileSystem) {
    let path = unit.record.path(of: file)
    self.init(name: path, size: file.signature.size) {
      let opened: any OpenFile
      do throws(FileSystemError) {
        opened = try fileSystem.open(path, beneath: unit.folder, .read)
      } catch {
        switch error.code {
        case .notFound, .notAFolder, .symbolicLink, .notRegularFile, .isAFolder:
          throw UnitChanged(name: path)
        default: throw error
        }
      }
      return CheckedSource(opened, name: path, digest: file.digest)
    }
  }
}

extension UnitRecord {
  /// Where one of its files lies, relative to the watched folder.
  func path(of file: File) -> String { kind == .file ? path : Path.join(path, file.name) }
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
