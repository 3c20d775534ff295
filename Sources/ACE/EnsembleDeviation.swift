import Configurations
import LinearAlgebra

/// How far the members of an ensemble are apart in one configuration, by the definitions of
/// arXiv:2508.03405: for energies the standard deviation over members, for forces on atoms and for the stress
/// the largest distance of a member from the mean. Beside each the other measure.
public struct EnsembleDeviation: Sendable, Equatable {
  /// Standard deviation over members (of the members, not of a population: divided by their number) and
  /// largest distance from the mean, of the energy per atom, eV/atom, reference energies included.
  public let energy: Double
  public let largestEnergy: Double
  /// Largest distance |F_m - mean| for each atom, eV/Å, and the root of its mean square over members.
  public let forces: [Double]
  public let forceStandardDeviations: [Double]
  /// Largest distance from the mean in the Frobenius norm, eV/Å³, and the root of its mean square;
  /// nil without a cell.
  public let stress: Double?
  public let stressStandardDeviation: Double?

  /// - Parameter referenceEnergies: E0 of each member, eV/atom, shape [members][elements of the basis].
  public init(
    _ evaluation: EnsembleEvaluation, of configuration: Configuration, basis: Basis, referenceEnergies: Matrix
  ) throws(ACEError) {
    let members = evaluation.energies.count
    guard members > 0, referenceEnergies.rows == members, referenceEnergies.columns == basis.elements.count else {
      throw .mismatch("\(referenceEnergies.rows) members with reference energies, \(members) with coefficients")
    }
    var composition = [Double](repeating: 0, count: basis.elements.count)
    for (atom, element) in configuration.species.enumerated() {
      guard let index = basis.index(of: element) else { throw .unknownElement(element, atom: atom) }
      composition[index] += 1
    }
    let one = referenceEnergies.times(composition)
    let atoms = Double(max(1, configuration.count))
    let energies = zip(evaluation.energies, one).map { ($0 + $1) / atoms }
    let mean = energies.reduce(0, +) / Double(members)
    (largestEnergy, energy) = Self.spread(energies.map { abs($0 - mean) })

    var (largest, root) = ([Double](), [Double]())
    for atom in 0..<configuration.count {
      let own = evaluation.forces.map { $0[atom] }
      let mean = (1 / Double(members)) * own.reduce(Vector3.zero, +)
      let (most, typical) = Self.spread(own.map { length($0 - mean) })
      largest.append(most)
      root.append(typical)
    }
    (forces, forceStandardDeviations) = (largest, root)

    guard let cell = configuration.cell else {
      (stress, stressStandardDeviation) = (nil, nil)
      return
    }
    let stresses = evaluation.strainDerivatives.map { m in
      [m.x, m.y, m.z].flatMap { [$0.x, $0.y, $0.z] }.map { $0 / cell.volume }
    }
    let center = (0..<9).map { k in stresses.reduce(0) { $0 + $1[k] } / Double(members) }
    let (most, typical) = Self.spread(
      stresses.map { zip($0, center).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot() })
    (stress, stressStandardDeviation) = (most, typical)
  }

  /// Standard deviation over members of a component of the force on each atom, eV/Å: the three together.
  public var forceComponentDeviations: [Double] { forceStandardDeviations.map { $0 / 3.0.squareRoot() } }
  /// The same of a component of the stress, eV/Å³: the nine together.
  public var stressComponentDeviation: Double? { stressStandardDeviation.map { $0 / 3 } }

  private static func spread(_ distances: [Double]) -> (largest: Double, rootMeanSquare: Double) {
    (
      distances.max() ?? 0,
      (distances.reduce(0) { $0 + $1 * $1 } / Double(max(1, distances.count))).squareRoot()
    )
  }
}
