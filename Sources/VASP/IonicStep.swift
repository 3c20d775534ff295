import Configurations

/// What one file says of one ionic step, in VASP's own units and signs, before it is judged.
package struct IonicStep: Sendable, Equatable {
  /// Of the step within its file, from 0, machine-learned steps counted.
  package var index: Int
  package var line: Int?
  /// Of the run within its file, from 0: several runs may have been written into one file.
  package var part = 0
  /// Of the run the step belongs to; a file can hold several.
  package var species: [Element] = []
  /// Shape [atoms * 3]; true where the atom may move along that lattice vector.
  package var selective: [Bool]?
  /// Rows are lattice vectors, Å.
  package var cell: Matrix3?
  /// Cartesian, Å.
  package var positions: [Vector3]?
  /// eV/Å; NaN where the file prints NaN or asterisks.
  package var forces: [Vector3]?
  /// kB, compression positive, as printed.
  package var stress: Matrix3?
  /// eV.
  package var freeEnergy: Double?
  package var energyWithoutEntropy: Double?
  package var energySigmaZero: Double?
  /// PSTRESS times volume, eV: in none of these energies, but in OSZICAR's.
  var pressureWork = 0.0
  package var converged: Bool?
  /// Electronic iterations, those of response loops counted.
  package var electronicSteps: Int?
  package var machineLearned = false
  /// Per atom, μB, `momentColumns` numbers each.
  package var moments: [Double]?
  package var momentColumns = 1
  /// Of the cell, μB: one number, or three where magnetism is non-collinear.
  package var totalMoment: [Double]?
  /// True where the arrays were dropped because the step was not selected.
  var isStripped = false
  /// Which of the restarts of its calculation the step belongs to, from 0.
  var run = 0
  /// Of the step as it was read.
  var key: StepKey?
  /// Files that agree on its energy.
  var witnesses = 1
  /// Files of the run that contradict each other: which one is right cannot be told.
  var contradiction: Diagnostic?

  package init(index: Int) { self.index = index }
}

/// What holds for all ionic steps of a run.
package struct RunDescription: Sendable, Equatable {
  package var species: [Element] = []
  package var settings = CalculationSettings()
  package var kind: CalculationKind?
  /// INCAR's tags as they were written, where the source quotes them.
  package var written: [String: String] = [:]

  package init() {}
}

extension IonicStep {
  /// 1 eV/Å^3 in kB, from the charge of the electron (CODATA 2014) as in ASE and VASP 5.
  package static let kilobarPerElectronvoltPerCubicAngstrom = 1602.1766208

  /// What OSZICAR prints as F=, eV.
  var enthalpy: Double? { freeEnergy.map { $0 + pressureWork } }

  /// kB Å^3 per eV by VASP's own charge of the electron: what the "P V=" of OUTCARs of 5.3 to 6.3 come from.
  static let pressureUnit = 1602.17733

  /// The configuration this step labels, or the reason why it labels none.
  /// - Parameter carried: properties of the run that every configuration takes along.
  package func configuration(source: String, carrying carried: [String: PropertyValue] = [:])
    throws(Diagnostic) -> Configuration
  {
    func left(
      _ code: String, _ cause: String, _ remedy: String = "Copy the file again, or rerun that step if it is wanted."
    ) -> Diagnostic {
      Diagnostic(
        .warning, code: code, place: .init(file: source, line: line, ionicStep: index),
        cause: cause + " The step was left out.", remedy: remedy)
    }
    if let contradiction { throw contradiction }
    guard !species.isEmpty else {
      throw left(
        "species-unknown",
        "the file does not say which elements the atoms are: POTCAR titles, types and numbers of atoms are missing or "
          + "do not agree.",
        "Copy the file again from its origin, or give the other output of the run.")
    }
    guard let positions else { throw left("no-positions", "the file gives no positions for it.") }
    guard let cell else { throw left("no-positions", "the file prints no lattice vectors that could be read for it.") }
    guard positions.count == species.count else {
      throw left(
        "atom-count", "positions for \(positions.count) of \(species.count) atoms.")
    }
    guard cell.isFinite, cell.determinant != 0, positions.allSatisfy(\.isFinite) else {
      throw left("not-finite", "its lattice or positions are not finite numbers.")
    }
    guard let freeEnergy else { throw left("no-energy", "it has no final energy.") }
    guard freeEnergy.isFinite else {
      throw left("not-finite", "its energy is not a finite number.")
    }
    if let forces {
      guard forces.count == positions.count else {
        throw left("atom-count", "forces for \(forces.count) of \(positions.count) atoms.")
      }
      guard forces.allSatisfy(\.isFinite) else {
        throw left("not-finite", "its forces are NaN, overflowed their columns (****) or are damaged.")
      }
    }
    var labels = Labels()
    labels.energy = freeEnergy
    labels.energyWithoutEntropy = energyWithoutEntropy.flatMap { $0.isFinite ? $0 : nil }
    labels.energySigmaZero = energySigmaZero.flatMap { $0.isFinite ? $0 : nil }
    labels.forces = forces
    if let stress, stress.isFinite {
      // The triangles may differ in the last digits and, in a few runs, by more: take the mean.
      labels.stress =
        (-0.5 / Self.kilobarPerElectronvoltPerCubicAngstrom) * (stress + stress.transpose)
    }
    labels.electronicallyConverged = converged
    labels.machineLearned = machineLearned
    var properties = carried
    if let electronicSteps, electronicSteps > 0, !machineLearned {
      properties["electronic_steps"] = .integer(electronicSteps)
    }
    if let totalMoment, totalMoment.allSatisfy(\.isFinite), !machineLearned {
      properties["magmom"] = totalMoment.count == 1 ? .real(totalMoment[0]) : .reals(totalMoment)
    }
    if let moments, moments.count == positions.count * momentColumns, moments.allSatisfy(\.isFinite) {
      properties["magmoms"] = .perAtomReals(moments, columns: momentColumns)
    }
    if let selective = selective, selective.count == positions.count * 3 {
      properties["move_mask"] = .perAtomLogicals(selective, columns: 3)
    }
    return Configuration(
      species: species, positions: positions, cell: Cell(vectors: cell), labels: labels,
      provenance: Provenance(source: source, ionicStep: index), properties: properties)
  }
}

extension Vector3 {
  var isFinite: Bool { x.isFinite && y.isFinite && z.isFinite }
}

extension Matrix3 {
  var isFinite: Bool { x.isFinite && y.isFinite && z.isFinite }
}

/// The element a POTCAR title speaks of: "PAW_PBE Zr_sv 04Jan2005" gives Zr, "PAW H1.25" gives H.
func element(ofTitle title: String) -> Element? {
  let words = title.split(separator: " ")
  guard words.count >= 2 else { return nil }
  return Element(symbol: words[1].prefix { $0.isASCII && $0.isLetter })
}
