// Paths as typed come in; what is to be read together comes out, in the order of the paths.

import Configurations
import Foundation
import Platform
import VASP

/// A file that was named, or found in a folder that was named.
struct InputFile: Sendable {
  enum Kind: Sendable {
    case vasprun
    case outcar
    case archive
    case extendedXYZ
    /// POSCAR, XDATCAR, LAMMPS dump: frames without labels.
    case structures
    /// POSCAR, CONTCAR: of the run beside it.
    case runStructure
    /// INCAR, KPOINTS, POTCAR header, OSZICAR: what may complete and confirm the run beside it.
    case companion
    /// Its first bytes could not be read.
    case unreadable
    case other
  }

  /// As typed, with the path below a folder that was typed.
  var name: String
  /// What is opened: `name` with a link that was typed followed.
  var path: String
  var kind = Kind.other
  /// Typed itself, so that it may not be passed over in silence.
  var isNamed: Bool
  /// Index of the typed path it belongs to.
  var operand: Int
}

/// Something that was there and not read.
struct PassedOver: Sendable, Encodable {
  enum Kind: String, Sendable, Encodable {
    case sameContent = "same-content"
    case sameFile = "same-file"
    case besideRun = "beside-run"
    case noFrames = "no-frames"
    case output
    case link
    case special
    case name

    /// What several have in common whose reasons differ in their details.
    var words: String {
      switch self {
      case .sameContent: "the same content as another input"
      case .sameFile: "named twice"
      case .besideRun: "a structure beside the run it belongs to"
      case .noFrames: "it holds no frames"
      case .output: "it is the output"
      case .link: "a symbolic link in a folder is not followed"
      case .special: "it is a pipe, socket or device"
      case .name: "its name is not UTF-8"
      }
    }
  }

  var name: String
  var kind: Kind
  var reason: String

  init(_ name: String, _ kind: Kind, _ reason: String? = nil) {
    self.name = name
    self.kind = kind
    self.reason = reason ?? kind.words
  }
}

/// What is read as one thing.
enum InputUnit: Sendable {
  case file(InputFile)
  /// vasprun.xml and OUTCAR files of one folder, among which those of one run are paired.
  case runs(folder: String, files: [InputFile])
  case failed(name: String, Diagnostic)

  var name: String {
    switch self {
    case .file(let file): file.name
    case .runs(let folder, let files): folder.isEmpty ? files[0].name : folder
    case .failed(let name, _): name
    }
  }

  var operand: Int {
    switch self {
    case .file(let file): file.operand
    case .runs(_, let files): files[0].operand
    case .failed: -1
    }
  }
}

/// Finds the files behind typed paths. Folders are walked through in the order of their names' bytes;
/// links inside them are not followed. What a file is, its content says.
struct InputList {
  private(set) var units: [InputUnit] = []
  private(set) var passedOver: [PassedOver] = []

  private let fileSystem: any FileSystem
  /// Never read again where a folder holds it.
  private let output: FileStatus?
  private var found: [Found] = []
  /// Files that were found, by what the file system tells them apart by.
  private var seen: [FileIdentity: String] = [:]

  private struct FileIdentity: Hashable {
    var device: UInt64
    var inode: UInt64
  }

  private enum Found {
    case file(InputFile)
    case failed(name: String, Diagnostic)
  }

  init(
    _ operands: [String], fileSystem: any FileSystem, output: String?, pairsRuns: Bool, threads: Int
  ) throws {
    self.fileSystem = fileSystem
    self.output = output.flatMap { try? fileSystem.status(of: $0) }
    for (index, operand) in operands.enumerated() { expand(operand, index) }
    try classify(threads: threads)
    group(pairsRuns: pairsRuns)
  }

  // MARK: walking

  /// A pattern that no shell has expanded stands for what it matches, unless something has that very name.
  private mutating func expand(_ operand: String, _ index: Int) {
    guard (try? fileSystem.statusIfPresent(of: operand)) ?? nil == nil, let pattern = FilePattern(operand) else {
      return look(at: operand, index, isNamed: true)
    }
    do throws(FileSystemError) {
      let names = try pattern.matches(in: fileSystem)
      for name in names { look(at: name, index, isNamed: false) }
      if names.isEmpty {
        found.append(
          .failed(
            name: operand,
            Diagnostic(
              .error, code: "no-match", place: .init(file: operand), cause: "no file or folder matches this pattern.",
              remedy: "'**' stands for any number of folders, as in 'runs/**/OUTCAR*'.")))
      }
    } catch {
      found.append(.failed(name: operand, error.diagnostic(file: operand)))
    }
  }

  private mutating func look(at operand: String, _ index: Int, isNamed: Bool) {
    var name = operand
    while name.count > 1, name.hasSuffix("/") { name.removeLast() }
    do throws(FileSystemError) {
      var path = name
      var status = try fileSystem.status(of: path)
      if status.kind == .symbolicLink {
        // What the user names may be a link; what lies in a folder may not.
        path = URL(fileURLWithPath: name).resolvingSymlinksInPath().path
        status = try fileSystem.status(of: path)
      }
      if status.kind == .folder {
        try walk(path, name: name, index)
      } else if !isNamed, isOutput(status) {
        passedOver.append(PassedOver(name, .output))
      } else if isNew(status, name) {
        found.append(.file(InputFile(name: name, path: path, isNamed: isNamed, operand: index)))
      }
    } catch {
      found.append(.failed(name: name, error.diagnostic(file: name)))
    }
  }

  private mutating func walk(_ path: String, name: String, _ operand: Int) throws(FileSystemError) {
    for entry in try fileSystem.entries(of: path) {
      let entryName = Path.join(name, entry.name)
      let entryPath = Path.join(path, entry.name)
      if entry.name.hasPrefix(".") || entry.name.hasSuffix("~") || entry.name.hasSuffix(".part")
        || entry.name.hasSuffix(".tmp")
      {
        continue
      }
      guard entry.isNameValid else {
        passedOver.append(PassedOver(entryName, .name))
        continue
      }
      switch entry.status.kind {
      case .folder:
        do throws(FileSystemError) { try walk(entryPath, name: entryName, operand) } catch {
          found.append(.failed(name: entryName, error.diagnostic(file: entryName)))
        }
      case .file:
        if isOutput(entry.status) {
          passedOver.append(PassedOver(entryName, .output))
        } else if isNew(entry.status, entryName) {
          found.append(.file(InputFile(name: entryName, path: entryPath, isNamed: false, operand: operand)))
        }
      case .symbolicLink:
        passedOver.append(PassedOver(entryName, .link))
      case .special:
        passedOver.append(PassedOver(entryName, .special))
      }
    }
  }

  private func isOutput(_ status: FileStatus) -> Bool {
    output.map { $0.inode == status.inode && $0.device == status.device } ?? false
  }

  /// Whether the file was not found before; where it was, it is passed over.
  private mutating func isNew(_ status: FileStatus, _ name: String) -> Bool {
    let identity = FileIdentity(device: status.device, inode: status.inode)
    guard let first = seen[identity] else {
      seen[identity] = name
      return true
    }
    passedOver.append(PassedOver(name, .sameFile, "the same file as \(printable(first))"))
    return false
  }

  /// Refuses an output that exists and is worth more than what would replace it: an input, or a calculation.
  static func check(output: String, against operands: [String], _ fileSystem: any FileSystem) throws {
    func resolved(_ path: String) -> FileStatus? {
      try? fileSystem.status(of: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    }
    guard let target = resolved(output), target.kind == .file else { return }
    for operand in operands {
      if let input = resolved(operand), input.inode == target.inode, input.device == target.device {
        throw UsageError("'\(printable(output))' is an input; name another output")
      }
    }
    switch kind(ofFile: URL(fileURLWithPath: output).resolvingSymlinksInPath().path, name: output, fileSystem) {
    case .vasprun, .outcar, .archive, .structures, .runStructure, .companion:
      throw UsageError(
        "'\(printable(output))' holds a calculation or structures, which frames would replace; name another output, "
          + "or remove it first")
    case .extendedXYZ, .other, .unreadable: return
    }
  }

  // MARK: what they are

  private mutating func classify(threads: Int) throws {
    let (found, fileSystem) = (self.found, self.fileSystem)
    let paths = found.map { item -> (path: String, name: String)? in
      if case .file(let file) = item { return (file.path, file.name) }
      return nil
    }
    let kinds = concurrentMap(paths.count, threads: threads) { index in
      paths[index].map { Self.kind(ofFile: $0.path, name: $0.name, fileSystem) }
    }
    self.found = zip(found, kinds).map { item, kind in
      guard case .file(var file) = item, let kind else { return item }
      file.kind = kind
      return .file(file)
    }
  }

  private static func kind(ofFile path: String, name: String, _ fileSystem: any FileSystem) -> InputFile.Kind {
    do {
      let stream = SourceStream(try fileSystem.open(path, .read), name: name)
      guard let entry = try stream.next() else { return stream.isArchive ? .archive : .other }
      if stream.isArchive { return .archive }
      let head = entry.head(SourceFormat.headLength)
      switch SourceFormat(head: head) {
      case .vasprun: return .vasprun
      case .outcar: return .outcar
      case .oszicar, .incar, .kpoints, .potcar: return .companion
      case .poscar where ["POSCAR", "CONTCAR"].contains(where: { Path.name(name).uppercased().contains($0) }):
        return .runStructure
      default: break
      }
      switch StructureReader.recognise(head, name: name) {
      case .extendedXYZ?: return .extendedXYZ
      case .poscar?, .xdatcar?, .lammpsDump?: return .structures
      case nil: return .other
      }
    } catch {
      return .unreadable
    }
  }

  // MARK: what belongs together

  private mutating func group(pairsRuns: Bool) {
    // Runs in run1, run2, … beside each other may be one calculation.
    func folder(_ file: InputFile) -> String { RunNames.family(ofDirectory: Path.parent(file.name)) }
    var counts: [String: Int] = [:]
    var runFolders: Set<String> = []
    for case .file(let file) in found {
      switch file.kind {
      case .vasprun, .outcar:
        runFolders.insert(Path.parent(file.name))
        counts[folder(file), default: 0] += 1
      case .companion, .runStructure: counts[folder(file), default: 0] += file.isNamed ? 0 : 1
      default: break
      }
    }
    var places: [String: Int] = [:]
    for item in found {
      guard case .file(let file) = item else {
        if case .failed(let name, let diagnostic) = item { units.append(.failed(name: name, diagnostic)) }
        continue
      }
      let isRunFolder = runFolders.contains(Path.parent(file.name))
      switch file.kind {
      case .vasprun, .outcar, .companion, .runStructure:
        let isRun = file.kind == .vasprun || file.kind == .outcar
        guard pairsRuns, isRun || isRunFolder && !file.isNamed, counts[folder(file)]! > 1 else {
          if isRun || file.isNamed || file.kind == .runStructure && !isRunFolder {
            units.append(.file(file))
          } else {
            passedOver.append(PassedOver(file.name, file.kind == .companion ? .noFrames : .besideRun))
          }
          continue
        }
        let family = folder(file)
        if let place = places[family], case .runs(let name, let files) = units[place] {
          units[place] = .runs(folder: name, files: files + [file])
        } else {
          places[family] = units.count
          let parent = Path.parent(file.name)
          units.append(.runs(folder: family == parent ? parent : Path.parent(parent), files: [file]))
        }
      case .structures where isRunFolder && !file.isNamed:
        passedOver.append(PassedOver(file.name, .besideRun))
      case .other where !file.isNamed:
        passedOver.append(PassedOver(file.name, .noFrames))
      default: units.append(.file(file))
      }
    }
  }
}

extension FileSystemError {
  /// The failure of one input.
  func diagnostic(file: String) -> Diagnostic {
    Diagnostic(
      .error, code: code.rawValue, place: .init(file: file), cause: "cannot \(operation.rawValue): \(cause).",
      remedy: remedy)
  }
}
