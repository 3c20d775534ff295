// Files of a pool come in; unlabelled structures, one source per file, go out.

import Configurations
import Platform
import StageKit
import VASP

/// Reads structures that might be computed next.
public struct CandidatesStage: ImportStage {
  public static let description = StageDescription(
    name: "candidates", version: 2,
    summary: "Reads unlabelled structures from pools: extended XYZ, POSCAR, CONTCAR, XDATCAR, LAMMPS dumps.",
    takes: [], gives: [.perSource(.candidates)])

  public let folders: ImportFolders
  let types: [Element]
  let every: Int

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    folders = .pools(
      try parameters.texts(
        "pools", default: nil, "Folders or files with candidate structures, relative to the pipeline file."))
    var types: [Element] = []
    for symbol in try parameters.texts(
      "types", default: [], "Elements of LAMMPS atom types 1, 2, …, for dumps without an element column.")
    {
      guard let element = Element(symbol: symbol) else {
        throw parameters.refuse("types", "names '\(symbol)', which is no chemical symbol")
      }
      types.append(element)
    }
    self.types = types
    every = try parameters.integer("every", default: 1, in: 1...Int.max, "Take every n-th frame of a file.")
  }

  public func process(_ drop: Drop, _ context: StageContext) throws -> ImportResult {
    var result = ImportResult()
    for file in drop.files {
      context.count("pool files read", 1)
      let stream = SourceStream(try file.open(), name: file.name)
      while let entry = try stream.next() {
        do throws(Diagnostic) {
          if let source = try read(entry, of: file, in: drop, context) { result.sources.append(source) }
        } catch {
          var told = error
          if told.remedy.isEmpty { told.remedy = "Correct the file, or take it out of the pool." }
          result.diagnostics.append(told)
        }
      }
      result.diagnostics += stream.diagnostics
    }
    if result.sources.isEmpty, let first = result.diagnostics.first(where: { $0.severity == .error }) {
      throw first
    }
    return result
  }

  /// One plain file; nil where it holds no structure of the pipeline's elements.
  private func read(
    _ entry: SourceEntry, of file: DroppedFile, in drop: Drop, _ context: StageContext
  ) throws(Diagnostic) -> ImportedSource? {
    let elements = Dictionary(uniqueKeysWithValues: types.enumerated().map { ($0 + 1, $1) })
    var reader = try StructureReader(entry, name: entry.name, elements: elements)
    let allowed = Set(context.elements)
    var text: [UInt8] = []
    var index = 0
    while var structure = try reader.next() {
      defer { index += 1 }
      guard index % every == 0 else { continue }
      if let foreign = structure.species.first(where: { !allowed.contains($0) }) {
        throw Diagnostic(
          .error, code: "foreign-element", place: .init(file: entry.name, ionicStep: index),
          cause: "the structure holds \(foreign), which the pipeline's elements do not name.",
          remedy: "Add it to 'elements', or take the file out of the pool.")
      }
      structure.labels = Labels()
      structure.provenance = Provenance(source: "", ionicStep: index, group: structure.provenance.group)
      structure.properties = [:]
      ExtendedXYZWriter().append(structure, to: &text)
    }
    guard index > 0 else { return nil }
    var draft = ArtifactDraft(.candidates)
    draft.add("configurations.extxyz", text)
    let member = String(entry.name.dropFirst(drop.name.count).drop { $0 == "/" })
    return ImportedSource(digest: entry.digest, member: member, drafts: [draft])
  }
}
