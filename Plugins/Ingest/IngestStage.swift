// Dropped VASP outputs, archives of them and extended XYZ come in; labelled configurations, one
// artifact per source, go out.

import Configurations
import Platform
import StageKit
import VASP

/// Reads labelled configurations from whatever was dropped.
public struct IngestStage: ImportStage {
  public static let description = StageDescription(
    name: "ingest", version: 4,
    summary: "Reads labelled configurations: vasprun.xml, OUTCAR, extended XYZ; plain, compressed or in archives.",
    takes: [], gives: [.perSource(.configurations)])

  public let folders = ImportFolders.inbox
  let steps: StepSelection

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    steps = try parameters.words(
      "steps", form: StepSelection.syntax, default: StepSelection.all,
      "Which steps of a run or frames of a file to take: by position; or those that differ from the ones taken before "
        + "by more than X: energy in eV/atom, a force component or their root mean square in eV/Å, an atom's "
        + "surroundings on a scale of 0 to 1.4. '+last' also takes the last."
    ) { text throws(ParameterWordError) in
      do throws(StepSelectionError) { return try StepSelection(words: text) } catch {
        throw ParameterWordError("\(error)", word: error.unknownWord, known: StepSelectionError.knownWords)
      }
    }
  }

  public func process(_ drop: Drop, _ context: StageContext) throws -> ImportResult {
    // A rule chooses among steps that can become training data; without one, the screen says what cannot.
    let reader = SourceReader(formats: [LabelledFrames.self], steps: steps, keepsMachineLearned: steps == .all)
    context.count("files read", drop.files.count)
    let sources: [ReadSource]
    if drop.files.count == 1, drop.files[0].name == drop.name {
      sources = try reader.read(try drop.files[0].open(), name: drop.name)
    } else {
      let files = drop.files.map { file in
        RunFile(path: String(file.name.dropFirst(drop.name.count + 1)), open: { try file.open() })
      }
      sources = try reader.read(folder: drop.name, files: files)
    }
    var result = ImportResult()
    for source in sources {
      let told = source.diagnostics.map(\.asTold)
      result.diagnostics += told
      // What is broken cannot be completed by waiting, and does not hold up what lies beside it.
      result.isComplete = result.isComplete && (source.isComplete || told.contains { $0.severity == .error })
      if source.offered > source.configurations.count {
        context.count("steps not chosen", source.offered - source.configurations.count)
      }
      guard source.error == nil, !source.configurations.isEmpty else { continue }
      result.sources.append(try imported(source, in: drop))
    }
    if result.sources.isEmpty {
      if let first = result.diagnostics.first(where: { $0.severity == .error }) { throw first }
      // A file without labels is not broken, but its user should hear why nothing came of it.
      let failure =
        result.diagnostics.first(where: { $0.severity == .warning })?.asError
        ?? Diagnostic(
          .error, code: "no-labels", place: .init(file: drop.name), cause: "no labelled configuration was found.",
          remedy: "Sluice learns from vasprun.xml, OUTCAR and extended XYZ with energies and forces.")
      // A run in its first step may still grow; it is set aside only once it counts as truncated.
      guard !result.isComplete && failure.code == "truncated" else { throw failure }
      result.diagnostics = [failure]
    }
    return result
  }

  private func imported(_ source: ReadSource, in drop: Drop) throws -> ImportedSource {
    var text: [UInt8] = []
    var summaries: [FrameSummary] = []
    let units = Self.units(of: source, in: drop)
    for (index, configuration) in source.configurations.enumerated() {
      let group = configuration.provenance.group ?? drop.group
      summaries.append(
        FrameSummary(
          frame: index, of: configuration, group: group, unit: units[index].unit, stretch: units[index].stretch,
          content: configuration.structureDigest(tolerance: 1e-4)))
      var kept = configuration
      // Names of files are no part of an artifact: the same content may be dropped under another one.
      kept.provenance = Provenance(source: "", ionicStep: configuration.provenance.ionicStep, group: group)
      ExtendedXYZWriter().append(kept, to: &text)
    }
    var draft = ArtifactDraft(.configurations)
    draft.add("configurations.extxyz", text)
    draft.add("frames.json", try CanonicalJSON.encode(summaries))
    draft.add("settings.json", try CanonicalJSON.encode(source.settings ?? CalculationSettings()))
    let member = String(source.name.dropFirst(drop.name.count).drop { $0 == "/" })
    return ImportedSource(digest: source.digest, member: member, drafts: [draft])
  }

  /// What belongs together: the steps of a run; in a collection the frames that name one source, and of those that
  /// do not the runs that their geometry tells.
  private static func units(of source: ReadSource, in drop: Drop) -> [(unit: Digest, stretch: Int?)] {
    guard source.format == .frames else {
      return source.configurations.map { _ in (source.digest, nil) }
    }
    func isNamed(_ configuration: Configuration) -> Bool { configuration.provenance.source != source.name }
    var runs = FrameRuns()
    for frame in source.configurations where !isNamed(frame) {
      runs.add(frame, group: frame.provenance.group ?? drop.group)
    }
    var places = runs.places.makeIterator()
    return source.configurations.map { frame in
      guard !isNamed(frame), let place = places.next() else { return (Digest(of: frame.provenance.source), nil) }
      return (Digest(of: "\(source.digest) run \(place.run)"), place.stretch)
    }
  }
}

/// Extended XYZ as one of the formats that the source reader knows.
enum LabelledFrames: FrameFormat {
  static func recognises(_ head: [UInt8]) -> Bool {
    StructureReader.recognise(head, name: "") == .extendedXYZ
  }

  static func read(
    _ source: any ByteSource, name: String, deliver: (Configuration) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    var reader = ExtendedXYZReader(source, name: name)
    while let configuration = try reader.next() { try deliver(configuration) }
  }
}

extension Diagnostic {
  /// Broken XML is an error also where steps before it could be kept: the file is listed among what
  /// was set aside, so that somebody mends it.
  fileprivate var asTold: Diagnostic { severity == .error || code == "malformed-xml" ? asError : self }

  /// What is set aside always says what to do, also where the reader only knows what is wrong.
  fileprivate var asError: Diagnostic {
    Diagnostic(
      .error, code: code, place: place, cause: cause,
      remedy: remedy.isEmpty ? "Copy the file again from its origin, or take it out of the inbox." : remedy)
  }
}
