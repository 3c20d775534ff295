import Regression
import StageKit

/// How to fit, as a pipeline file says it.
struct FitOptions: Sendable {
  let weights: Weights
  let heldOutFraction: Double
  let heldOutSeed: Int
  let prior: String
  let regularisation: Regularisation
  let givenReferenceEnergies: [String: Double]
  let ensembleMethod: String
  let ensembleMembers: Int
  let errorFrames: Int
  let shortRangeWeight: Double

  init(_ parameters: inout ParameterDecoder) throws(ParameterError) {
    weights = try parameters.object(
      "weights",
      "What rows are multiplied by: energies and stresses as totals over the root of the number of atoms, forces by component."
    ) { (inner: inout ParameterDecoder) throws(ParameterError) in
      let energy = try inner.number("energy", default: 30, in: .notNegative, "Of energies.")
      let forces = try inner.number("forces", default: 1, in: .notNegative, "Of forces.")
      let stress = try inner.number("stress", default: 1, in: .notNegative, "Of stresses.")
      let groups = try inner.objectsByName("groups", "Exceptions by group (config_type or folder).") {
        (group: inout ParameterDecoder) throws(ParameterError) in
        Weights.Group(
          energy: try group.number("energy", default: energy, in: .notNegative, "Of energies."),
          forces: try group.number("forces", default: forces, in: .notNegative, "Of forces."),
          stress: try group.number("stress", default: stress, in: .notNegative, "Of stresses."))
      }
      return Weights(energy: energy, forces: forces, stress: stress, groups: groups)
    }
    heldOutFraction = try parameters.number(
      "heldOut", default: 0.1, in: .between(0, 0.9),
      "Share of frames that test the fit, whole runs at a time (blocks of frames, for collections); 0 for none.")
    heldOutSeed = try parameters.integer("heldOutSeed", default: 0, in: 0...Int.max, "Another number, another choice.")
    prior = try parameters.choice(
      "prior", of: ["evidence", "smoothness", "ridge"], default: "evidence",
      "What coefficients are expected to be like: small for rough functions, small for all, or what the data prefer.")
    let method = try parameters.choice(
      "regularisation", of: ["evidence", "gcv", "fixed"], default: "evidence", "How the prior's strength is chosen.")
    let lambda = try parameters.number("lambda", default: 1e-6, in: .notNegative, "The strength, if it is fixed.")
    regularisation =
      method == "evidence" ? .evidence : method == "gcv" ? .generalisedCrossValidation : .fixed(lambda)
    givenReferenceEnergies =
      try parameters.numbersByName(
        "referenceEnergies", unit: "eV", "Energies of isolated atoms by element; the others are fitted.") ?? [:]
    (ensembleMethod, ensembleMembers) = try parameters.object("ensemble", "Models that differ as the data allow.") {
      (inner: inout ParameterDecoder) throws(ParameterError) in
      (
        try inner.choice(
          "method", of: ["bootstrap", "posterior", "none"], default: "bootstrap",
          "Resampled runs, samples of the posterior, or no ensemble."),
        try inner.integer("members", default: 16, in: 2...256, "How many.")
      )
    }
    errorFrames = try parameters.integer(
      "errorFrames", default: 5000, in: 1...Int.max,
      "Most training frames in the error table; chosen by their content, where there are more.")
    shortRangeWeight = try parameters.number(
      "shortRangeWeight", default: 1, in: .notNegative,
      "How strongly ACE is kept from bending the core repulsion where atoms come closer than all data; 0 for not at "
        + "all. Without core repulsion it does nothing.")
  }

  var regularisationWords: String {
    switch regularisation {
    case .evidence: "evidence"
    case .generalisedCrossValidation: "generalised cross-validation"
    case .fixed: "fixed"
    }
  }

  var weightWords: String {
    let groups = weights.groups.isEmpty ? "" : ", \(weights.groups.count) groups of their own"
    return "energy \(weights.energy), forces \(weights.forces), stress \(weights.stress)\(groups)"
  }

  func referenceWords(_ elements: [String]) -> String {
    let given = elements.filter { givenReferenceEnergies[$0] != nil }
    return given.isEmpty
      ? "least squares" : given.count == elements.count ? "given" : "given for \(given.joined(separator: ", "))"
  }
}
