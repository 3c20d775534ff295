// One unit of the input comes in; its frames go out one by one, and an account of its sources at the end.

import Configurations
import Platform
import Synchronization
import VASP

/// One source as it was read.
struct SourceAccount: Sendable {
  var name: String
  var digest: Digest
  /// "vasprun.xml", "run", "extended XYZ"…
  var format: String
  var isComplete: Bool
  var files: [String]
  /// Steps or frames that there were to choose from.
  var offered = 0
  var settings: CalculationSettings?
  var diagnostics: [Diagnostic]

  var error: Diagnostic? { diagnostics.first { $0.severity == .error } }
}

/// What came of a unit. Frames of sources that are not among `sources`, or have an error there, do not count.
struct UnitAccount: Sendable {
  var operand: Int
  var sources: [SourceAccount]
  var passedOver: [PassedOver] = []
}

/// Reads units. Every frame's provenance is its source's name and the step or frame there.
struct InputReader: Sendable {
  var steps = StepSelection.all
  /// Whether vasprun.xml and OUTCAR of one run become one source.
  var pairsRuns = true
  /// Whether steps that VASP's force field made go out too; their labels are none of the electronic structure.
  var keepsMachineLearned = false
  /// Elements of LAMMPS atom types 1, 2, ….
  var types: [Element] = []
  var fileSystem: any FileSystem = PosixFileSystem()

  typealias Deliver = (Configuration) throws -> Void

  /// `deliver` may throw anything; that ends the reading of the unit and is thrown on.
  func read(_ unit: InputUnit, deliver: @escaping Deliver) throws -> UnitAccount {
    let notes = FrameNotes()
    var account = try read(unit, notes, deliver)
    leaveStructuresBesideRuns(&account, notes)
    return account
  }

  private func read(_ unit: InputUnit, _ notes: FrameNotes, _ deliver: @escaping Deliver) throws -> UnitAccount {
    var account = UnitAccount(operand: unit.operand, sources: [])
    switch unit {
    case .failed(let name, let diagnostic): account.sources = [.failed(name, diagnostic)]
    case .file(let file):
      let context = FrameContext(types: types, hint: file.kind == .archive ? "" : file.name, notes: notes)
      account.sources = try read(context, named: file.name, deliver) { (reader, deliver) throws(Diagnostic) in
        // A lone file streams, and must be something; one that was found may be anything.
        if file.isNamed || file.kind == .unreadable || file.kind == .archive {
          return try reader.read(try open(file), name: file.name, deliver: deliver)
        }
        var alone = reader
        alone.pairsRuns = false
        return try alone.read(try open(file), name: file.name, deliver: deliver)
      }
    case .runs(let folder, let files):
      let context = FrameContext(types: types, hint: "", notes: notes)
      account.sources = try readRuns(context, folder, files, deliver)
    }
    return account
  }

  private func open(_ file: InputFile) throws(Diagnostic) -> any ByteSource {
    do throws(FileSystemError) { return try fileSystem.open(file.path, .read) } catch {
      throw error.diagnostic(file: file.name)
    }
  }

  private func readRuns(
    _ context: FrameContext, _ folder: String, _ files: [InputFile], _ deliver: @escaping Deliver
  ) throws -> [SourceAccount] {
    // A reader of folders needs one with a name; files of the working folder get theirs back.
    let isBare = folder.isEmpty
    func given(_ name: String) -> String { isBare && name.hasPrefix("./") ? String(name.dropFirst(2)) : name }
    let runFiles = files.map { file in
      let path = isBare ? file.name : String(file.name.dropFirst(folder.count + 1))
      return RunFile(path: path, open: { try fileSystem.open(file.path, .read) })
    }
    func deliverGiven(_ configuration: Configuration) throws {
      var configuration = configuration
      configuration.provenance.source = given(configuration.provenance.source)
      try deliver(configuration)
    }
    let accounts = try read(context, named: folder, deliverGiven) { (reader, deliver) throws(Diagnostic) in
      try reader.read(folder: isBare ? "." : folder, files: runFiles, deliver: deliver)
    }
    guard isBare else { return accounts }
    return accounts.map { account in
      var account = account
      account.name = given(account.name)
      account.files = account.files.map(given)
      account.diagnostics = account.diagnostics.map { diagnostic in
        var diagnostic = diagnostic
        diagnostic.place.file = given(diagnostic.place.file)
        return diagnostic
      }
      return account
    }
  }

  private func read(
    _ context: FrameContext, named name: String, _ deliver: @escaping Deliver,
    _ body: (SourceReader, SourceReader.Deliver) throws(Diagnostic) -> [ReadSource]
  ) throws -> [SourceAccount] {
    var reader = SourceReader(
      formats: [ExtendedXYZFrames.self, StructureFrames.self], steps: steps,
      keepsMachineLearned: keepsMachineLearned, pairsRuns: pairsRuns)
    // Nothing is stored: it only matters whether the same content came twice.
    reader.identity = .fingerprint
    var failure: (any Error)?
    var accounts: [SourceAccount] = []
    FrameContext.$current.withValue(context) {
      do throws(Diagnostic) {
        let sources = try body(reader) { (configuration) throws(Diagnostic) in
          if failure == nil {
            do { return try deliver(configuration) } catch { failure = error }
          }
          // Ends the reading; what went wrong is thrown below.
          throw Diagnostic(.error, code: "stopped", cause: "reading was stopped.")
        }
        accounts = sources.map { SourceAccount($0, context.notes) }
      } catch {
        accounts = [.failed(name, error)]
      }
    }
    if let failure { throw failure }
    return accounts
  }

  /// In an archive, too, a POSCAR, CONTCAR or XDATCAR beside a run says nothing that the run does not.
  private func leaveStructuresBesideRuns(_ account: inout UnitAccount, _ notes: FrameNotes) {
    let structures = notes.structures
    let runs = Set(
      account.sources.filter { SourceAccount.runFormats.contains($0.format) }.map { Path.parent($0.name) })
    account.sources.removeAll { source in
      guard structures[source.name] != nil, runs.contains(Path.parent(source.name)) else { return false }
      account.passedOver.append(PassedOver(source.name, .besideRun))
      return true
    }
  }
}

extension SourceAccount {
  static let runFormats = ["vasprun.xml", "OUTCAR", "vasprun.xml + OUTCAR"]

  fileprivate init(_ source: ReadSource, _ notes: FrameNotes) {
    let found = notes.diagnostics(of: source.name)
    let format =
      switch source.format {
      case .vasprun: "vasprun.xml"
      case .outcar: "OUTCAR"
      case .run: "vasprun.xml + OUTCAR"
      case .frames: notes.structures[source.name]?.rawValue ?? "extended XYZ"
      case .oszicar, .poscar, .incar, .kpoints, .potcar: source.format.rawValue.uppercased()
      case .unknown: "unknown"
      }
    self.init(
      name: source.name, digest: source.digest, format: format, isComplete: source.isComplete && found.isEmpty,
      files: source.files, offered: source.offered, settings: source.settings,
      diagnostics: source.diagnostics.map(\.withOption) + found)
  }

  static func failed(_ name: String, _ diagnostic: Diagnostic) -> SourceAccount {
    SourceAccount(
      name: name, digest: Digest(of: name), format: "unknown", isComplete: false, files: [name],
      settings: nil, diagnostics: [diagnostic])
  }
}

extension Diagnostic {
  /// The option that changes what the reader did.
  fileprivate var withOption: Diagnostic {
    guard code == "machine-learned", remedy.isEmpty else { return self }
    var copy = self
    copy.remedy = "--machine-learned keeps them."
    return copy
  }
}
