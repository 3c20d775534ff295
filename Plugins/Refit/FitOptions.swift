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
  let pointwiseRows: Int
  let leaveOut: Int
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
      "prior", of: ["evidence", "smoothness", "ridge", "automatic-relevance"], default: "evidence",
      "What coefficients are expected to be like: small for rough functions, small for all, what the data prefer of "
        + "these, or each with a size of its own (functions that the data do without are dropped).")
    let method = try parameters.choice(
      "regularisation", of: ["evidence", "gcv", "fixed"], default: "evidence", "How the prior's strength is chosen.")
    let lambda = try parameters.number("lambda", default: 1e-6, in: .notNegative, "The strength, if it is fixed.")
    regularisation =
      method == "evidence" ? .evidence : method == "gcv" ? .generalisedCrossValidation : .fixed(lambda)
    givenReferenceEnergies =
      try parameters.numbersByName(
        "referenceEnergies", unit: "eV", "Energies of isolated atoms by element; the others are fitted.") ?? [:]
    (ensembleMethod, ensembleMembers, pointwiseRows) = try parameters.object(
      "ensemble", "Models that differ as the data allow."
    ) {
      (inner: inout ParameterDecoder) throws(ParameterError) in
      (
        try inner.choice(
          "method", of: ["bootstrap", "leave-group-out", "posterior", "pops", "none"], default: "bootstrap",
          "Resampled runs, fits without one group each, samples of the posterior, pointwise optimal parameter sets "
            + "(what is wrong with the form of the model), or no ensemble."),
        try inner.integer("members", default: 16, in: 2...256, "How many; leave-group-out has one per group."),
        try inner.integer(
          "rows", default: 20_000, in: 100...10_000_000,
          "Rows of the fit that pops looks at, of configurations that their content chooses.")
      )
    }
    errorFrames = try parameters.integer(
      "errorFrames", default: 5000, in: 1...Int.max,
      "Most training frames in the error table; chosen by their content, where there are more.")
    leaveOut = try parameters.integer(
      "leaveOut", default: 200, in: 0...Int.max,
      "Most sources whose errors are measured with a fit that never saw them, chosen by their content; groups likewise; "
        + "0 for none.")
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
