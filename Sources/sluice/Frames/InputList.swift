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
  var name: String
  var reason: String
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

  private enum Found {
    case file(InputFile)
    case failed(name: String, Diagnostic)
  }

  init(
    _ operands: [String], fileSystem: any FileSystem, output: String?, pairsRuns: Bool, threads: Int
  ) throws {
    self.fileSystem = fileSystem
    self.output = output.flatMap { try? fileSystem.status(of: $0) }
    for (index, operand) in operands.enumerated() { look(at: operand, index) }
    try classify(threads: threads)
    group(pairsRuns: pairsRuns)
  }

  // MARK: walking

  private mutating func look(at operand: String, _ index: Int) {
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
      } else {
        found.append(.file(InputFile(name: name, path: path, isNamed: true, operand: index)))
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
        passedOver.append(PassedOver(name: entryName, reason: "its name is not UTF-8"))
        continue
      }
      switch entry.status.kind {
      case .folder:
        do throws(FileSystemError) { try walk(entryPath, name: entryName, operand) } catch {
          found.append(.failed(name: entryName, error.diagnostic(file: entryName)))
        }
      case .file:
        if let output, output.inode == entry.status.inode, output.device == entry.status.device {
          passedOver.append(PassedOver(name: entryName, reason: "it is the output"))
        } else {
          found.append(.file(InputFile(name: entryName, path: entryPath, isNamed: false, operand: operand)))
        }
      case .symbolicLink:
        passedOver.append(PassedOver(name: entryName, reason: "a symbolic link in a folder is not followed"))
      case .special:
        passedOver.append(PassedOver(name: entryName, reason: "it is a pipe, socket or device"))
      }
    }
  }

  // MARK: what they are

  private mutating func classify(threads: Int) throws {
    let (found, fileSystem) = (self.found, self.fileSystem)
    let paths = found.map { item -> (path: String, name: String)? in
      if case .file(let file) = item { return (file.path, file.name) }
      return nil
    }
    let kinds = try concurrentMap(paths.count, threads: threads) { index in
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
            passedOver.append(
              PassedOver(
                name: file.name,
                reason: file.kind == .companion ? "it holds no frames" : "a structure beside the run it belongs to"))
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
        passedOver.append(PassedOver(name: file.name, reason: "a structure beside the run it belongs to"))
      case .other where !file.isNamed:
        passedOver.append(PassedOver(name: file.name, reason: "it holds no frames"))
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
