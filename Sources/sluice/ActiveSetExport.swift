// A potential and frames come in, the active set that LAMMPS reads goes out.

import ACE
import Configurations
import Foundation
import LinearAlgebra
import Novelty
import Platform

/// Chooses active sets among the environments of all frames. Holds a row of numbers per atom in memory.
struct ActiveSetExport {
  private let potential: Potential
  private let inputs: [String]
  private let threads: Int

  init(_ potential: Potential, frames: [String], threads: Int) throws {
    guard potential.embeddings.allSatisfy({ $0.densityCount == 1 }) else {
      throw Diagnostic(
        .error, code: "not-linear",
        cause: "an active set of functions belongs to potentials with one density; this has "
          + "\(potential.embeddings.map(\.densityCount).max() ?? 0).",
        remedy: "LAMMPS takes the .asi.nonlinear of pacemaker for such potentials.")
    }
    self.potential = potential
    inputs = frames
    self.threads = threads
  }

  func file() throws -> ExportedFile {
    let basis = potential.basis
    let rows = try environments()
    var notes: [String] = []
    var inverses: [(element: Element, inverse: Matrix)] = []
    for (index, element) in basis.elements.enumerated() {
      let count = basis.functions[index].count
      guard !rows[index].isEmpty, count > 0 else {
        // LAMMPS wants a member for every element; here every environment is outside.
        var identity = Matrix.identity(count)
        for k in 0..<count { identity[k, k] = 1e6 }
        inverses.append((element, identity))
        notes.append("\(element): no environment in the data; every one will count as new.")
        continue
      }
      let environments = Matrix(rows: rows[index].count / count, columns: count, storage: rows[index])
      let set = try ActiveSet(environments, threads: threads)
      let inverse = try set.exportInverse()
      inverses.append((element, inverse.matrix))
      notes.append(
        "\(element): \(environments.rows) environments, rank \(set.rank) of \(count), largest grade "
          + "\(Float(set.largestReferenceGrade)), condition \(Float(inverse.condition))"
          + (inverse.filledDirections > 0 ? ", \(inverse.filledDirections) directions that the data do not have" : ""))
    }
    return ExportedFile(bytes: ActiveSetFile(inverses).encoded, notes: notes)
  }

  /// B values by element, in the order of the frames.
  private func environments() throws -> [[Double]] {
    let evaluator = Evaluator(potential.basis, radial: .tabulated)
    var rows = [[Double]](repeating: [], count: potential.basis.elements.count)
    let pool = OrderedPool<[Configuration], [Projections]>(
      threads: threads, worker: { Workspace() },
      work: { workspace, frames in
        try frames.flatMap { frame throws -> [Projections] in
          do { return try evaluator.projections(of: frame, workspace: workspace) } catch {
            throw Diagnostic(
              .error, code: "not-evaluated",
              place: .init(file: frame.provenance.source, ionicStep: frame.provenance.ionicStep),
              cause: "\(error).", remedy: "Take this frame out of the data.")
          }
        }
      },
      consume: { parts in for part in parts { rows[part.element] += part.values.storage } })
    let list = try InputList(
      inputs, fileSystem: PosixFileSystem(), output: nil, pairsRuns: true, threads: threads)
    for unit in list.units {
      var pending: [Configuration] = []
      var atoms = 0
      let account = try InputReader(keepsMachineLearned: true).read(unit) { configuration in
        pending.append(configuration)
        atoms += configuration.count
        guard atoms >= 512 else { return }
        try pool.submit(pending)
        (pending, atoms) = ([], 0)
      }
      if let error = account.sources.compactMap(\.error).first { throw error }
      if !pending.isEmpty { try pool.submit(pending) }
    }
    try pool.finish()
    return rows
  }
}
