// The ranking and everything behind it come in; the files of a run folder go out.

import ACE
import Configurations
import LinearAlgebra
import Platform
import Report
import StageKit

/// Writes what users take away: lists, structures ready to run, the potential, the report.
public struct PublishStage: FoldStage {
  public static let description = StageDescription(
    name: "publish", version: 4,
    summary: "Writes the run folder: candidate lists, VASP folders, the potential for LAMMPS, the report.",
    takes: [
      StageInput(.ranking), StageInput(.activeSets), StageInput(.potential), StageInput(.candidates),
      StageInput(.configurations), StageInput(.selection), StageInput(.screening),
    ],
    gives: [.whole(.publication)], showsNames: true)

  public let attachments: [String]
  let writesLAMMPS: Bool
  let structures: String
  let note: String
  let template: String
  let pseudopotentials: [String: String]

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    writesLAMMPS = try parameters.logical(
      "lammps", default: true, "Write the potential as .yaml, .yace and .asi, and its ensemble.")
    structures = try parameters.choice(
      "structures", of: ["vasp", "none"], default: "vasp", "A ready-to-run folder per listed structure, or none.")
    template = try parameters.text(
      "template", default: "", "Folder whose INCAR and KPOINTS go into every VASP folder.")
    pseudopotentials = try parameters.textsByName(
      "potcars", "Your own POTCAR files by element; without them a POTCAR.spec is written.")
    note = try parameters.text("note", default: "", "A sentence to show above everything else in the report.")
    attachments = ([template] + pseudopotentials.sorted { $0.key < $1.key }.map(\.value)).filter { !$0.isEmpty }
  }

  public func process(_ inputs: StageInputs, _ context: StageContext) throws -> FoldResult {
    let published = try PublishedRanking(inputs, context)
    var draft = ArtifactDraft(.publication)
    let candidates = published.candidates(folders: structures == "vasp")
    draft.add("candidates.csv", CandidateFiles.csv(candidates))
    draft.add(
      "candidates.json",
      CandidateFiles.json(project: context.project, candidates: candidates, listedApart: published.broken))
    draft.add("candidates.extxyz", published.extendedXYZ)
    if structures == "vasp" {
      let writer = VASPFolders(inputs, template: template, pseudopotentials: pseudopotentials)
      for (index, candidate) in candidates.enumerated() {
        for file in try writer.files(candidate, published.structures[index]) {
          draft.add("\(candidate.folder)/\(file.name)", file.bytes)
        }
      }
    }
    if writesLAMMPS { try addPotential(inputs, context, to: &draft) }
    draft.add("screening.json", try PublishedScreening(inputs, context).encoded())
    draft.add("fit.json", try fit(inputs, context))
    let report = try ReportBuilder(inputs, context, candidates: candidates, published: published, note: note).content()
    draft.add("report.html", ReportPage(report).html())
    return FoldResult(wholes: [draft])
  }

  /// The fit's summary, with names where it speaks of sources.
  private func fit(_ inputs: StageInputs, _ context: StageContext) throws -> [UInt8] {
    let bytes = try context.bytes(inputs.whole(.potential), "fit.json")
    var fit = try CanonicalJSON.decode(StageKit.FitSummary.self, bytes)
    guard !fit.outliers.isEmpty else { return bytes }
    let names = Dictionary(
      inputs.collection(.configurations).map { ($0.source.digest, $0.source.name) }, uniquingKeysWith: { a, _ in a })
    for (index, outlier) in fit.outliers.enumerated() {
      fit.outliers[index].name = names[outlier.source] ?? outlier.name
    }
    return try CanonicalJSON.encode(fit)
  }

  private func addPotential(_ inputs: StageInputs, _ context: StageContext, to draft: inout ArtifactDraft) throws {
    let yaml = try context.bytes(inputs.whole(.potential), "potential.yaml")
    let potential = try Potential(yaml: yaml)
    draft.add("potential/\(context.project).yaml", yaml)
    draft.add("potential/\(context.project).yace", potential.yace)
    // Members for `sluice predict --ensemble`.
    if let ensemble = inputs.whole(.potential).part("ensemble.npz") {
      draft.add("potential/\(context.project).ensemble.npz", try context.bytes(ensemble))
    }
    let sets = inputs.whole(.activeSets)
    var inverses: [(element: Element, inverse: Matrix)] = []
    for (index, element) in potential.basis.elements.enumerated() {
      if sets.part("global-\(element.symbol).npy") != nil {
        inverses.append(
          (element, try Matrix(numPyBytes: context.bytes(sets, "global-\(element.symbol).npy"))))
      } else {
        // LAMMPS wants a member for every element; one without data has every environment outside.
        let functions = potential.basis.functions[index].count
        var identity = Matrix.identity(functions)
        for k in 0..<functions { identity[k, k] = 1e6 }
        inverses.append((element, identity))
      }
    }
    draft.add("potential/\(context.project).asi", ActiveSetFile(inverses).encoded)
  }
}
