import Configurations
import Foundation
import Platform
import TestSupport
import Testing
import VASP

/// What the corpus says a file holds, in the units of its manifest (eV, Å, kB with VASP's sign).
private struct ExpectedFile: Decodable {
  struct Frame: Decodable {
    var toten: Double?
    var withoutEntropy: Double?
    var sigmaZero: Double?
    var lattice: [[Double?]]?
    var positions: [[Double?]]?
    var forces: [[Double?]]?
    var stress: [[Double?]]?
    var complete: Bool?
    var hasForces: Bool?
    var nonfinite: Bool?
    var thinned: Bool?
    var hitLimit: Bool?
    var magmom: [String: [Double?]]?

    enum CodingKeys: String, CodingKey {
      case toten
      case withoutEntropy = "e_wo_entropy"
      case sigmaZero = "e_sigma0"
      case lattice
      case positions
      case forces
      case stress = "stress_kB"
      case complete
      case hasForces = "has_forces"
      case nonfinite
      case thinned
      case hitLimit = "scf_hit_nelm"
      case magmom
    }
  }
  var species: [String]
  var frames: [Frame]
  var learned: [Frame]?

  enum CodingKeys: String, CodingKey {
    case species
    case frames
    case learned = "ml_frames"
  }

  /// Steps with an ab initio energy and finite forces: the labels.
  var labelled: [Frame] {
    frames.filter {
      $0.toten != nil && $0.hasForces == true && $0.complete != false && $0.nonfinite != true
    }
  }
}

struct Manifest: Decodable {
  struct File: Decodable {
    var path: String
    var kind: String
    var expected: String?
    var finished: Bool?
  }
  var files: [File]

  static func load() throws -> Manifest {
    let decoder = JSONDecoder()
    // The manifest holds NaN, which plain JSON has no word for.
    decoder.allowsJSON5 = true
    return try decoder.decode(Manifest.self, from: Data(SharedData.bytes("vasp/manifest.json")))
  }
}

/// The decompressed bytes of a file of the corpus.
func corpusBytes(_ path: String) throws -> [UInt8] {
  let stream = SourceStream(MemoryByteSource(try SharedData.bytes(path)), name: path)
  return try stream.next()!.readAll()
}

@Suite(.enabled(if: SharedData.isAvailable, "skipped: no shared data"))
struct CorpusTests {
  /// The comparison of the corpus's own tool, with its tolerances, but stricter in what must be there:
  /// exactly the labelled steps, the machine-learned ones, convergence and completeness.
  private func differences(_ source: ReadSource, _ expected: ExpectedFile) -> [String] {
    var found: [String] = []
    let labelled = source.configurations.filter {
      !$0.labels.machineLearned && $0.labels.forces != nil
    }
    let wanted = expected.labelled
    if labelled.count != wanted.count {
      found.append("\(labelled.count) steps, expected \(wanted.count)")
    }
    for (configuration, frame) in zip(labelled, wanted) {
      found += stepDifferences(configuration, frame, expected.species)
      // A file that breaks off may have lost the final moments of its last step.
      let isLastOfBroken =
        !source.isComplete && configuration.provenance == labelled.last?.provenance
        && configuration.properties["magmoms"] == nil
      if !isLastOfBroken { found += momentDifferences(configuration, frame) }
    }
    let learned = source.configurations.filter(\.labels.machineLearned)
    let wantedLearned = expected.learned ?? []
    if learned.count != wantedLearned.count {
      found.append("\(learned.count) machine-learned steps, expected \(wantedLearned.count)")
    }
    for (configuration, frame) in zip(learned, wantedLearned) {
      found += stepDifferences(configuration, frame, expected.species)
    }
    return found
  }

  private func stepDifferences(
    _ c: Configuration, _ frame: ExpectedFile.Frame, _ species: [String]
  ) -> [String] {
    var found: [String] = []
    if !species.isEmpty, c.species.map(\.symbol) != species { found.append("species") }
    func energy(_ name: String, _ value: Double?, _ wanted: Double?) {
      guard let wanted else { return }
      let got: Double = value ?? .nan
      if !(abs(got - wanted) <= 1e-6) { found.append("\(name) \(got), expected \(wanted)") }
    }
    energy("energy", c.labels.energy, frame.toten)
    energy("without entropy", c.labels.energyWithoutEntropy, frame.withoutEntropy)
    energy("sigma -> 0", c.labels.energySigmaZero, frame.sigmaZero)
    if let hit = frame.hitLimit {
      if c.labels.electronicallyConverged != !hit { found.append("convergence") }
    } else if c.labels.electronicallyConverged == false, !c.labels.machineLearned {
      found.append("convergence claimed to be known")
    }
    if frame.thinned == true { return found }
    guard let lattice = vectors(frame.lattice), let cell = c.cell?.vectors else {
      return found + ["lattice absent"]
    }
    let inverse: Matrix3 = cell.inverse!
    for row in 0..<3 {
      let d: Vector3 = lattice[row] - cell[row]
      if length(d) > 1e-6 { found.append("lattice \(length(d))") }
    }
    if let positions = vectors(frame.positions) {
      for (p, q) in zip(positions, c.positions) {
        let f: Vector3 = (p - q) * inverse
        let d: Vector3 = (f - f.rounded(.toNearestOrEven)) * cell
        if length(d) > 1e-6 {
          found.append("positions")
          break
        }
      }
    }
    if let forces = vectors(frame.forces) {
      var worst = forces.count == c.labels.forces?.count ? 0 : Double.infinity
      for (a, b) in zip(forces, c.labels.forces ?? []) {
        let d: Vector3 = a - b
        worst = max(worst, abs(d.x), abs(d.y), abs(d.z))
      }
      if worst > 1e-5 { found.append("forces \(worst)") }
    }
    if let rows = vectors(frame.stress), rows.count == 3 {
      let printed = Matrix3(rows[0], rows[1], rows[2])
      let mean = 0.5 * (printed + printed.transpose)
      var worst = Double.infinity
      if let stress = c.labels.stress {
        worst = 0
        for row in 0..<3 {
          let d: Vector3 = -1602.1766208 * stress[row] - mean[row]
          worst = max(worst, abs(d.x), abs(d.y), abs(d.z))
        }
      }
      if worst > 1e-3 { found.append("stress \(worst) kB") }
    } else if c.labels.stress != nil, frame.stress == nil {
      found.append("stress from nowhere")
    }
    return found
  }

  private func momentDifferences(_ c: Configuration, _ frame: ExpectedFile.Frame) -> [String] {
    guard let moments = frame.magmom?["x"], moments.count == c.count else { return [] }
    guard case .perAtomReals(let values, let columns) = c.properties["magmoms"] else {
      return moments.contains { $0 == nil } ? [] : ["magnetic moments absent"]
    }
    for (axis, name) in ["x", "y", "z"].prefix(columns).enumerated() {
      for (k, value) in (frame.magmom?[name] ?? []).enumerated() where value != nil {
        if abs(values[k * columns + axis] - value!) > 1e-9 { return ["magnetic moments"] }
      }
    }
    return []
  }

  /// nil where a row is not three finite numbers.
  private func vectors(_ rows: [[Double?]]?) -> [Vector3]? {
    guard let rows else { return nil }
    var all: [Vector3] = []
    for row in rows {
      guard row.count == 3, let x = row[0], let y = row[1], let z = row[2] else { return nil }
      all.append(Vector3(x, y, z))
    }
    return all
  }

  @Test func everyFileAgreesWithItsExpectedValues() throws {
    let manifest = try Manifest.load()
    let inputs = Set(manifest.files.map { String($0.path.split(separator: "!")[0]) }).sorted()
    #expect(inputs.count == 241)
    let files = Dictionary(grouping: manifest.files) { $0.path }
    let wrong = try concurrentMap(inputs.count, threads: 2) { k -> [String] in
      let path = inputs[k]
      // Each file by itself: pairing is tested apart.
      let reader = SourceReader(pairsRuns: false)
      let sources = try reader.read(MemoryByteSource(SharedData.bytes("vasp/" + path)), name: path)
      var wrong: [String] = []
      let members = manifest.files.filter { $0.path.hasPrefix(path + "!") }
      let wanted = members.isEmpty ? files[path]! : members
      for file in wanted {
        guard let name = file.expected else { continue }
        let expected = try JSONDecoder().decode(
          ExpectedFile.self, from: Data(corpusBytes("vasp/" + name)))
        guard
          let source = sources.first(where: {
            $0.name == file.path.replacingOccurrences(of: "!", with: "/")
          })
        else {
          wrong.append("\(file.path): not read")
          continue
        }
        var found = differences(source, expected)
        if let error = source.error { found.append("\(error)") }
        if let finished = file.finished, finished != source.isComplete {
          found.append("complete: \(source.isComplete), expected \(finished)")
        }
        if !found.isEmpty {
          wrong.append("\(file.path): \(found.prefix(4).joined(separator: "; "))")
        }
      }
      return wrong
    }
    #expect(wrong.flatMap { $0 } == [])
  }

  /// vasprun.xml and OUTCAR of one run in the packed archives are one source with both files' steps.
  @Test func archivesOfRunsPairTheirFiles() throws {
    for (name, count) in [
      ("three-runs.zip", 3), ("two-runs.tar.zst", 2), ("two-runs-gz-inside.tar", 2),
    ] {
      let sources = try SourceReader().read(
        MemoryByteSource(SharedData.bytes("vasp/runs/archives/" + name)), name: name)
      #expect(sources.count == count, "\(name): \(sources.map(\.name))")
      for source in sources {
        #expect(source.format == .run, "\(source.name)")
        #expect(source.error == nil && !source.configurations.isEmpty, "\(source.name)")
        #expect(source.files.count == 2)
      }
    }
  }

  /// The digest is of the decompressed bytes, so a file is the same source however it is packed.
  @Test func digestIsOfTheDecompressedContent() throws {
    let packed = try SharedData.bytes("vasp/runs/g024-pyiron_atomistics/OUTCAR_10.xz")
    let plain = try corpusBytes("vasp/runs/g024-pyiron_atomistics/OUTCAR_10.xz")
    let a = try SourceReader().read(MemoryByteSource(packed), name: "a")
    let b = try SourceReader().read(MemoryByteSource(plain, chunk: 977), name: "b")
    #expect(a[0].digest == Digest(of: plain))
    #expect(b[0].digest == a[0].digest)
  }
}
