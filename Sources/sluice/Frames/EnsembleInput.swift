// A folder or file with the members of an ensemble comes in, their coefficients go out.

import ACE
import Configurations
import Foundation
import LinearAlgebra
import Platform

/// Linear potentials that share the basis of another one.
struct EnsembleInput: Sendable {
  /// Shape [members][columns].
  let coefficients: Matrix
  /// eV, shape [members][elements].
  let referenceEnergies: Matrix

  var count: Int { coefficients.rows }

  /// `path`: an `ensemble.npz` of a fit, a folder that holds one, or a folder of potential files.
  init(_ path: String, of potential: Potential) throws {
    let fileSystem = PosixFileSystem()
    guard potential.columnCoefficients != nil else {
      throw Diagnostic(
        .error, code: "not-linear",
        cause: "the ensemble of a potential with a non-linear embedding cannot be evaluated.",
        remedy: "Give a linear potential.")
    }
    var archive: String?
    var members: [String] = []
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      for entry in try fileSystem.entries(of: path).sorted(by: { bytewiseLess($0.name, $1.name) }) {
        let name = entry.name.lowercased()
        if name.hasSuffix("ensemble.npz") { archive = Path.join(path, entry.name) }
        if name.hasSuffix(".yaml") || name.hasSuffix(".yace") { members.append(Path.join(path, entry.name)) }
      }
    } else {
      archive = path
    }
    if let archive {
      (coefficients, referenceEnergies) = try Self.read(archive, potential, fileSystem)
    } else {
      (coefficients, referenceEnergies) = try Self.read(members, potential)
    }
    guard coefficients.rows >= 2 else {
      throw Diagnostic(
        .error, code: "no-ensemble", place: .init(file: path),
        cause: "an ensemble needs two members at least; here \(coefficients.rows == 1 ? "is one" : "are none").",
        remedy: "Give the ensemble.npz of a fit, or a folder of potentials (.yaml, .yace) that share the basis.")
    }
  }

  private static func read(
    _ archive: String, _ potential: Potential, _ fileSystem: PosixFileSystem
  ) throws -> (Matrix, Matrix) {
    func failure(_ cause: String) -> Diagnostic {
      Diagnostic(
        .error, code: "bad-ensemble", place: .init(file: archive), cause: cause,
        remedy: "Give the ensemble.npz that was published with this potential.")
    }
    let basis = potential.basis
    let parts: [(name: String, bytes: [UInt8])]
    do { parts = try NumPyArchive.decode(try fileSystem.readFile(archive)) } catch let error as NumPyFormatError {
      throw failure("\(error).")
    }
    func matrix(_ name: String, columns: Int) throws -> Matrix {
      guard let bytes = parts.first(where: { $0.name == name })?.bytes else { throw failure("\(name) is missing.") }
      let matrix: Matrix
      do { matrix = try Matrix(numPyBytes: bytes) } catch { throw failure("\(name): \(error).") }
      guard matrix.columns == columns, matrix.storage.allSatisfy(\.isFinite) else {
        throw failure(
          "\(name) must hold \(columns) finite numbers per member, as the potential has; it has \(matrix.columns).")
      }
      return matrix
    }
    let coefficients = try matrix("coefficients.npy", columns: basis.columnCount)
    let energies = try matrix("referenceEnergies.npy", columns: basis.elements.count)
    guard energies.rows == coefficients.rows else {
      throw failure("coefficients and reference energies differ in number.")
    }
    return (coefficients, energies)
  }

  private static func read(_ files: [String], _ potential: Potential) throws -> (Matrix, Matrix) {
    var rows: [[Double]] = []
    var energies: [[Double]] = []
    for file in files {
      let member = try PotentialInput(file).potential
      guard member.basis == potential.basis, let columns = member.columnCoefficients else {
        throw Diagnostic(
          .error, code: "other-basis", place: .init(file: file),
          cause: "this potential is not linear, or its functions are not those of --potential.",
          remedy: "Members of an ensemble share the basis; take this file out of the folder.")
      }
      rows.append(columns)
      energies.append(member.referenceEnergies)
    }
    guard !rows.isEmpty else {
      return (Matrix(rows: 0, columns: potential.basis.columnCount), Matrix(rows: 0, columns: 1))
    }
    return (Matrix(rows), Matrix(energies))
  }

  func deviation(
    _ configuration: Configuration, _ evaluator: Evaluator, embeddings: [Embedding], _ workspace: Workspace
  ) throws(ACEError) -> EnsembleDeviation {
    let evaluation = try evaluator.evaluateEnsemble(
      coefficients, configuration, embeddings: embeddings, precision: .singleDifferences, workspace: workspace)
    return try EnsembleDeviation(
      evaluation, of: configuration, basis: evaluator.basis, referenceEnergies: referenceEnergies)
  }
}
