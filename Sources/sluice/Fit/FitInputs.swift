// Paths as typed come in; units go out as an inbox would give them.

import Configurations
import Engine
import Foundation
import Platform
import StageKit

/// Data files of `fit`, found as `convert` finds them, handed over as drops.
struct FitInputs: DropProvider {
  private struct Unit: Sendable {
    var drop: DropUnit
    var signatures: [(path: String, signature: FileSignature)]
  }

  private var units: [Unit] = []
  private var problems: [Diagnostic] = []
  private(set) var passedOver: [PassedOver] = []
  private let fileSystem: any FileSystem
  /// What stands for a file that a stage's parameters name.
  private(set) var attached: Attachment?

  init(_ operands: [String], _ fileSystem: any FileSystem, threads: Int) throws {
    self.fileSystem = fileSystem
    guard !operands.isEmpty else { return }
    let list = try InputList(operands, fileSystem: fileSystem, output: nil, pairsRuns: true, threads: threads)
    passedOver = list.passedOver
    let found = concurrentMap(list.units.count, threads: threads) { index in
      Result { try Self.unit(list.units[index], operands, fileSystem) }
    }
    for (input, result) in zip(list.units, found) {
      do {
        if let unit = try result.get() {
          units.append(unit)
        } else {
          passedOver.append(PassedOver(input.name, .noFrames, "structures without labels"))
        }
      } catch let error as Diagnostic {
        problems.append(error)
      } catch let error as FileSystemError {
        problems.append(error.diagnostic(file: input.name))
      }
    }
  }

  /// These and others as one inbox.
  func joined(_ other: FitInputs) -> FitInputs {
    var result = self
    result.units += other.units
    result.problems += other.problems
    result.passedOver += other.passedOver
    return result
  }

  /// From now on a stage that names this file gets these bytes.
  mutating func attach(_ bytes: [UInt8], as name: String) {
    attached = Attachment(path: name, name: Path.name(name), bytes: bytes)
  }

  // MARK: DropProvider

  func scan(_ stage: PlannedStage) -> DropScan {
    stage.description.name == "ingest" ? DropScan(units: units.map(\.drop), problems: problems) : DropScan()
  }

  func attachments(_ stage: PlannedStage) throws -> [Attachment] {
    try stage.attachments.map { named, path in
      if let attached, attached.path == named { return attached }
      return Attachment(path: named, name: Path.name(path), bytes: try fileSystem.readFile(path))
    }
  }

  func hasChanged(_ unit: DropUnit) throws -> Bool {
    guard let own = units.first(where: { $0.drop.name == unit.name && $0.drop.digest == unit.digest }) else {
      return true
    }
    return try own.signatures.contains { try FileSignature(fileSystem.status(of: $0.path)) != $0.signature }
  }

  // MARK: Units

  /// nil for what holds no labels.
  private static func unit(
    _ input: InputUnit, _ operands: [String], _ fileSystem: any FileSystem
  ) throws -> Unit? {
    switch input {
    case .failed(_, let diagnostic): throw diagnostic
    case .file(let file):
      switch file.kind {
      case .structures, .runStructure, .companion: return nil
      case .vasprun, .outcar, .archive, .extendedXYZ, .unreadable, .other: break
      }
      let inside = below(file.name, operands[file.operand])
      // As in an inbox, the folder of a run is the run itself, and its group what that lies in.
      let plain = Path.name(file.name).lowercased()
      let isRun = plain.hasPrefix("vasprun.xml") || plain.hasPrefix("outcar")
      let folder = inside.map(Path.parent) ?? ""
      return try unit(file.name, group: isRun ? Path.parent(folder) : folder, [(file.name, file)], fileSystem)
    case .runs(let folder, let files):
      let name = folder.isEmpty ? "." : folder
      let inside = below(folder, operands[files[0].operand]) ?? ""
      return try unit(
        name, group: Path.parent(inside), files.map { (name + "/" + Path.name($0.name), $0) }, fileSystem)
    }
  }

  /// The path below a folder that was named; nil for what was named itself.
  private static func below(_ name: String, _ operand: String) -> String? {
    var operand = operand
    while operand.count > 1, operand.hasSuffix("/") { operand.removeLast() }
    return name.hasPrefix(operand + "/") ? String(name.dropFirst(operand.count + 1)) : nil
  }

  private static func unit(
    _ name: String, group: String, _ files: [(name: String, file: InputFile)], _ fileSystem: any FileSystem
  ) throws -> Unit {
    var builder = DigestBuilder()
    var signatures: [(path: String, signature: FileSignature)] = []
    var dropped: [DroppedFile] = []
    for (fileName, file) in files {
      let status = try fileSystem.status(of: file.path)
      let source = DigestingSource(try fileSystem.open(file.path, .read))
      try source.drain()
      builder.add(String(fileName.dropFirst(name.count)))
      builder.add(source.builder.finish())
      signatures.append((file.path, FileSignature(status)))
      dropped.append(
        DroppedFile(name: fileName, size: status.size) { [path = file.path] in try fileSystem.open(path, .read) })
    }
    return Unit(
      drop: DropUnit(digest: builder.finish(), name: name, group: group.isEmpty ? nil : group, files: dropped),
      signatures: signatures)
  }
}
