import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit

extension RefitStage: DriftMeasuring {
  /// Errors of the present coefficients on the rows of new sources, from their factors, over the held-out
  /// errors of the fit (those of training where nothing was held out): the larger ratio of energies and forces.
  public func drift(of new: StageInputs, from previous: [Artifact], _ context: StageContext) throws -> Drift? {
    guard let potential = previous.first(where: { $0.kind == .potential }) else { return nil }
    let fit = try CanonicalJSON.decode(FitSummary.self, context.bytes(potential, "fit.json"))
    let members = Dictionary(
      uniqueKeysWithValues: try NumPyArchive.decode(context.bytes(potential, Self.coefficientsName)).map {
        ($0.name, $0.bytes)
      })
    guard let coefficients = members["coefficients.npy"], let energies = members["referenceEnergies.npy"] else {
      throw StageError("the kept coefficients are damaged")
    }
    let model = (try Matrix(numPyBytes: coefficients).storage, try Matrix(numPyBytes: energies).storage)

    var squares: [RowKind: (sum: Double, rows: Int)] = [:]
    for item in new.collection(.features) {
      let factors = try FitProblem.factors(item.artifact, context)
      for error in factors.errors(coefficients: model.0, referenceEnergies: model.1)
      where options.weights.multiplier(of: error.key) > 0 && error.key.level != EnergyLevel.isolatedAtom
        && !options.tests.contains(item.source.digest, group: error.key.group)
      {
        let own = error.key.kind == .energy ? error.perAtomSquares ?? error.residualSquares : error.residualSquares
        let sum = squares[error.key.kind, default: (0, 0)]
        squares[error.key.kind] = (sum.sum + own, sum.rows + error.rows)
      }
    }
    var worst: Drift?
    for (kind, name, unit) in [(RowKind.energy, "energies", "meV/atom"), (.force, "forces", "meV/Å")] {
      guard let own = squares[kind], own.rows > 0, let expected = Self.expected(kind.rawValue, fit) else { continue }
      let found = 1000 * (own.sum / Double(own.rows)).squareRoot()
      // A perfect fit expects nothing: rounding would count as drift.
      let ratio = found / max(expected, 1e-6)
      guard ratio > worst?.ratio ?? -1 else { continue }
      let text = { (value: Double) in "\((value * 10).rounded() / 10)" }
      worst = Drift(
        ratio: ratio, words: "\(name) off by \(text(found)) \(unit), \(text(expected)) was expected")
    }
    return worst
  }

  static let coefficientsName = "coefficients.npz"

  /// Root mean square error of all groups together.
  private static func expected(_ quantity: String, _ fit: FitSummary) -> Double? {
    let lines = fit.errors.filter { $0.group == "all" && $0.quantity == quantity }
    return (lines.first { $0.heldOut } ?? lines.first)?.rootMeanSquare
  }
}
