// A folder or file with the members of an ensemble comes in, their coefficients go out.

import ACE
import Configurations
import Foundation
import LinearAlgebra
import Platform
import StageKit

/// Linear potentials that share the basis of another one.
struct EnsembleInput: Sendable {
  /// Shape [members][columns].
  let coefficients: Matrix
  /// eV, shape [members][elements].
  let referenceEnergies: Matrix
  /// What its deviations say of the potential's errors.
  let errorBars: ErrorBars

  var count: Int { coefficients.rows }

  /// `path`: an `ensemble.npz` of a fit, a folder that holds one (or whose `potential` does), or a folder of potential
  /// files. The fit's summary, `fit.json`, lies beside an `ensemble.npz` or above its folder.
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
      let published = Path.join(path, "potential")
      for folder in FileManager.default.fileExists(atPath: published) ? [published, path] : [path] {
        for entry in try fileSystem.entries(of: folder).sorted(by: { bytewiseLess($0.name, $1.name) }) {
          let name = entry.name.lowercased()
          if name.hasSuffix("ensemble.npz") { archive = Path.join(folder, entry.name) }
          let isMember = name.hasSuffix(".yaml") || name.hasSuffix(".yace")
          if isMember, folder == path { members.append(Path.join(folder, entry.name)) }
        }
      }
    } else {
      archive = path
    }
    if let archive {
      let bytes = try fileSystem.readFile(archive)
      (coefficients, referenceEnergies) = try Self.read(archive, bytes, potential)
      errorBars = Self.errorBars(archive, bytes, potential, fileSystem)
    } else {
      errorBars = .unavailable("a folder of potentials has no fit.json that says how its deviations relate to errors")
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
    _ archive: String, _ bytes: [UInt8], _ potential: Potential
  ) throws -> (Matrix, Matrix) {
    func failure(_ cause: String) -> Diagnostic {
      Diagnostic(
        .error, code: "bad-ensemble", place: .init(file: archive), cause: cause,
        remedy: "Give the ensemble.npz that was published with this potential.")
    }
    let basis = potential.basis
    let parts: [(name: String, bytes: [UInt8])]
    do throws(NumPyFormatError) { parts = try NumPyArchive.decode(bytes) } catch { throw failure("\(error).") }
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

  /// From the summary of the fit that made this ensemble and this potential; one of another fit would lie.
  private static func errorBars(
    _ archive: String, _ bytes: [UInt8], _ potential: Potential, _ fileSystem: PosixFileSystem
  ) -> ErrorBars {
    let folder = Path.parent(archive)
    let own = Digest(of: bytes)
    var reason = "there is no fit.json beside \(printable(archive)), nor above its folder"
    for file in [Path.join(folder, "fit.json"), Path.join(folder, "../fit.json")] {
      guard let text = try? fileSystem.readFile(file) else { continue }
      guard let fit = try? CanonicalJSON.decode(FitSummary.self, text) else {
        reason = "\(printable(file)) is no summary of a fit, or is damaged"
        continue
      }
      guard let digest = fit.ensembleDigest else {
        reason = "\(printable(file)) does not say which ensemble it is about; fit again with this version"
        continue
      }
      guard digest == own else {
        reason = "\(printable(file)) is about another ensemble"
        continue
      }
      guard fit.describes(potential) else {
        reason = "\(printable(file)) is about another potential than the one given"
        continue
      }
      return fit.calibration.isEmpty
        ? .unavailable("nothing was held out from the fit, so that nothing could be calibrated") : ErrorBars(fit)
    }
    return .unavailable(reason)
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

  /// The potential's own numbers, and the deviations of the members.
  func evaluate(
    _ potential: Potential, _ configuration: Configuration, _ evaluator: Evaluator, inverses: [Matrix?]?,
    threads: Int, _ workspace: Workspace
  ) throws(ACEError) -> (evaluation: Evaluation, deviation: EnsembleDeviation, grades: [Double]?) {
    let (evaluation, members, grades) = try evaluator.evaluate(
      potential, members: coefficients, configuration, inverses: inverses, threads: threads, workspace: workspace)
    let deviation = try EnsembleDeviation(
      members, of: configuration, basis: evaluator.basis, referenceEnergies: referenceEnergies)
    return (evaluation, deviation, grades)
  }
}

extension FitSummary {
  /// Whether the potential can be the one that the fit gave: a `.yace` has other functions, but its reference energies.
  fileprivate func describes(_ potential: Potential) -> Bool {
    elements == potential.basis.elements.map(\.symbol) && referenceEnergies.count == elements.count
      && zip(referenceEnergies, potential.referenceEnergies).allSatisfy { abs($0 - $1) <= 1e-9 * max(1, abs($0)) }
  }
}
