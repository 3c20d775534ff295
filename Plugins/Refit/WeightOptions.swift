import Regression
import StageKit

/// How rows are weighted, as a pipeline file says it.
struct WeightOptions: Sendable {
  /// The stress weight is 1 where the data choose it.
  let weights: Weights
  /// Whether stresses count less where they contradict energies and forces.
  let choosesStressWeight: Bool
  /// nil for the same weights at all energies.
  let energy: EnergyWeights?
  let outliers: OutlierRule?

  init(_ parameters: inout ParameterDecoder) throws(ParameterError) {
    (weights, choosesStressWeight, energy) = try parameters.object(
      "weights", "What rows are multiplied by: energies and stresses as 'normalisation' says, forces by component."
    ) { (inner: inout ParameterDecoder) throws(ParameterError) in
      let energy = try inner.number("energy", default: 30, in: .notNegative, "Of energies.")
      let forces = try inner.number("forces", default: 1, in: .notNegative, "Of forces.")
      let stress = try inner.numberOrAuto(
        "stress", in: .notNegative, "Of stresses; auto is 1, or 1/32 where they contradict energies and forces.")
      let normalisation = try inner.choice(
        "normalisation", of: Weights.Normalisation.allCases.map(\.rawValue), default: "root",
        "Energies and stresses as totals over the root of the number of atoms, over the number, or as they are.")
      let groups = try inner.objectsByName("groups", "Exceptions by group (config_type or folder).") {
        (group: inout ParameterDecoder) throws(ParameterError) in
        Weights.Group(
          energy: try group.number("energy", default: energy, in: .notNegative, "Of energies."),
          forces: try group.number("forces", default: forces, in: .notNegative, "Of forces."),
          stress: try group.numberOrAuto("stress", in: .notNegative, "Of stresses; auto is what the others have."))
      }
      let weights = Weights(
        energy: energy, forces: forces, stress: stress ?? 1, groups: groups,
        normalisation: Weights.Normalisation(rawValue: normalisation)!)
      return (weights, stress == nil, try Self.byEnergy(&inner))
    }
    outliers = try parameters.object("outliers", "Runs whose errors are far beyond those of the others.") {
      (inner: inout ParameterDecoder) throws(ParameterError) in
      let method = try inner.choice(
        "method", of: ["none", "downweight"], default: "none",
        "Nothing, or less weight for energies, forces or stresses of a run (a tenth of a collection) that stand out.")
      let threshold = try inner.number(
        "threshold", default: 4, in: .between(1, 100),
        "How far out, in robust standard deviations of the logarithm of the root mean square error.")
      return method == "none" ? nil : OutlierRule(threshold: threshold)
    }
  }

  private static func byEnergy(_ parameters: inout ParameterDecoder) throws(ParameterError) -> EnergyWeights? {
    try parameters.object("byEnergy", "Less weight for configurations far above the ground state.") {
      (inner: inout ParameterDecoder) throws(ParameterError) in
      let reference = try inner.choice(
        "above", of: ["none", "hull", "lowest"], default: "none",
        "What energies are counted from: no such weights, the convex hull, or the lowest of the same composition.")
      let onset = try inner.number(
        "onset", default: 0, in: .notNegative, unit: "eV/atom", "Up to here the weight is full.")
      let softness = try inner.number(
        "softness", default: 1, in: .positive, unit: "eV/atom",
        "The δ of the decline (onset + δ)/(energy + δ) of what rows are multiplied by.")
      let cutoff = try inner.number(
        "cutoff", default: 0, in: .notNegative, unit: "eV/atom",
        "From here on configurations are left out; 0 for never.")
      return EnergyWeights.Reference(rawValue: reference).map {
        EnergyWeights(reference: $0, onset: onset, softness: softness, cutoff: cutoff > 0 ? cutoff : nil)
      }
    }
  }

  /// - Parameter weights: as used.
  func words(_ weights: Weights) -> String {
    var text = "energy \(weights.energy), forces \(weights.forces), stress \(weights.stress)"
    switch weights.normalisation {
    case .rootOfAtoms: break
    case .atoms: text += ", per atom"
    case .total: text += ", of totals"
    }
    if !weights.groups.isEmpty { text += ", \(weights.groups.count) groups of their own" }
    if let energy {
      let whence = energy.reference == .hull ? "the convex hull" : "the lowest energy"
      text += ", less with the energy above \(whence)"
    }
    return outliers == nil ? text : text + ", outliers less"
  }
}
