import Configurations
import Platform
import Report
import StageKit

/// The ranked list with the names that people know files by.
struct PublishedRanking {
  let ranking: Ranking
  /// In the order of the list, with grades per atom.
  let structures: [Configuration]
  private let names: [Digest: String]

  init(_ inputs: StageInputs, _ context: StageContext) throws {
    let artifact = inputs.whole(.ranking)
    ranking = try CanonicalJSON.decode(Ranking.self, context.bytes(artifact, "ranking.json"))
    var reader = ExtendedXYZReader(
      MemoryByteSource(try context.bytes(artifact, "structures.extxyz")), name: "structures.extxyz")
    structures = try reader.readAll()
    names = Dictionary(
      inputs.collection(.candidates).map { ($0.source.digest, $0.source.name) }, uniquingKeysWith: { a, _ in a })
  }

  func name(_ source: Digest) -> String { names[source] ?? source.short }

  /// The list; with `folders` each entry names its own.
  func candidates(folders: Bool) -> [Candidate] {
    zip(ranking.entries, structures).map { entry, structure in
      let id = structure.contentDigest().short
      var candidate = candidate(entry, id: id)
      if folders { candidate.folder = "structures/\(padded(entry.rank, 4))-\(id)" }
      return candidate
    }
  }

  /// Structures listed apart because their geometry is probably broken, most novel first.
  var broken: [Candidate] {
    ranking.broken.sorted { $0.score > $1.score }.enumerated().map { index, entry in
      var candidate = candidate(entry, id: entry.source.short)
      candidate.rank = index + 1
      return candidate
    }
  }

  private func candidate(_ entry: Ranking.Entry, id: String) -> Candidate {
    var candidate = Candidate(
      rank: entry.rank, id: id, formula: entry.formula, atomCount: entry.atoms, score: entry.score,
      globalGrade: entry.globalGrade, localGrade: entry.localGrade, forceDeviation: entry.ensembleForceDeviation,
      energyDeviation: entry.ensembleEnergyDeviation, stressDeviation: entry.ensembleStressDeviation,
      clusterLabel: entry.nearestCluster, atom: entry.atom, atomElement: entry.element, source: name(entry.source),
      frame: entry.frame, reason: entry.reason)
    (candidate.energyUncertainty, candidate.forceUncertainty) = (entry.energyUncertainty, entry.forceUncertainty)
    return candidate
  }

  /// The list as extended XYZ, every frame with its rank and origin.
  var extendedXYZ: [UInt8] {
    var text: [UInt8] = []
    for (entry, structure) in zip(ranking.entries, structures) {
      var structure = structure
      structure.provenance = Provenance(source: name(entry.source), ionicStep: entry.frame)
      structure.properties["gamma_global_max"] = .real(finite(entry.globalGrade))
      structure.properties["gamma_local_max"] = .real(finite(entry.localGrade))
      structure.properties["reason"] = .text(entry.reason)
      ExtendedXYZWriter().append(structure, to: &text)
    }
    return text
  }

  private func finite(_ grade: Double) -> Double { grade.isFinite ? grade : 1e30 }
}

/// A number with leading zeros.
func padded(_ number: Int, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
