import Platform
import Regression
import StageKit

/// How to fit, as a pipeline file says it.
struct FitOptions: Sendable {
  let weighting: WeightOptions
  let heldOutFraction: Double
  let heldOutSeed: Int
  let tests: TestSelection
  let prior: String
  let regularisation: Regularisation
  let references: ReferenceOptions
  let ensembleMethod: String
  let ensembleMembers: Int
  let pointwiseRows: Int
  let leaveOut: Int
  let leaveGroupsOut: Bool
  let errorAtoms: Int
  let shortRangeWeight: Double

  init(_ parameters: inout ParameterDecoder) throws(ParameterError) {
    weighting = try WeightOptions(&parameters)
    heldOutFraction = try parameters.number(
      "heldOut", default: 0.1, in: .between(0, 0.9),
      "Share of frames that test the fit, whole runs at a time (blocks of frames, for collections); 0 for none.")
    heldOutSeed = try parameters.integer("heldOutSeed", default: 0, in: 0...Int.max, "Another number, another choice.")
    tests = try TestSelection(&parameters)
    prior = try parameters.choice(
      "prior", of: ["evidence", "smoothness", "ridge", "automatic-relevance"], default: "evidence",
      "What coefficients are expected to be like: small for rough functions, small for all, what the data prefer of "
        + "these, or each with a size of its own (functions that the data do without are dropped).")
    let method = try parameters.choice(
      "regularisation", of: ["evidence", "gcv", "fixed"], default: "evidence", "How the prior's strength is chosen.")
    let lambda = try parameters.number("lambda", default: 1e-6, in: .notNegative, "The strength, if it is fixed.")
    regularisation =
      method == "evidence" ? .evidence : method == "gcv" ? .generalisedCrossValidation : .fixed(lambda)
    references = try ReferenceOptions(&parameters)
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
    errorAtoms = try parameters.integer(
      "errorAtoms", default: 10_000, in: 1...Int.max,
      "About how many atoms of training frames, and of held-out ones, the error table looks at; frames are chosen by "
        + "their content, where there are more.")
    leaveOut = try parameters.integer(
      "leaveOut", default: 16, in: 0...Int.max,
      "Most sources whose errors are measured with a fit that never saw them, chosen by their content; 0 for none.")
    leaveGroupsOut = try parameters.logical(
      "leaveGroupsOut", default: false,
      "Measure the errors of each group with a fit that never saw it, too: merges all sources again, group by group.")
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

  var weights: Weights { weighting.weights }
}

/// What tests the fit and is never learned from, whatever the share that is held out.
struct TestSelection: Sendable {
  let groups: Set<String>
  /// Beginnings of digests of sources.
  private let sources: [String]

  init(_ parameters: inout ParameterDecoder) throws(ParameterError) {
    (groups, sources) = try parameters.object("test", "What is never learned from and tests the fit instead.") {
      (inner: inout ParameterDecoder) throws(ParameterError) in
      let groups = try inner.texts("groups", default: [], "Groups (config_type or folder).")
      let sources = try inner.texts("sources", default: [], "Sources, by their digests or the first 8 digits or more.")
      guard sources.allSatisfy({ $0.count >= 8 && $0.allSatisfy(\.isHexDigit) }) else {
        throw inner.refuse("sources", "must be hexadecimal digests, 8 digits or more of each")
      }
      return (Set(groups), sources.sorted())
    }
  }

  var isEmpty: Bool { groups.isEmpty && sources.isEmpty }

  func contains(_ source: Digest, group: String) -> Bool {
    guard !isEmpty else { return false }
    if groups.contains(group) { return true }
    let name = source.description
    return sources.contains { name.hasPrefix($0.lowercased()) }
  }
}

/// Where the energies of lone atoms come from.
struct ReferenceOptions: Sendable {
  let given: [String: Double]
  let takesIsolatedAtoms: Bool

  init(_ parameters: inout ParameterDecoder) throws(ParameterError) {
    given =
      try parameters.numbersByName(
        "referenceEnergies", unit: "eV", "Energies of isolated atoms by element; the others as referenceMethod says.")
      ?? [:]
    takesIsolatedAtoms =
      try parameters.choice(
        "referenceMethod", of: ["isolated-atoms", "least-squares"], default: "isolated-atoms",
        "Reference energies that are not given: of lone atoms in the data where there are such, or by least squares.")
      == "isolated-atoms"
  }

  /// One entry per element; nil is fitted.
  func energies(_ elements: [String], isolatedAtoms: [String: Double]) -> [Double?] {
    elements.map { given[$0] ?? (takesIsolatedAtoms ? isolatedAtoms[$0] : nil) }
  }

  /// How the energies of these elements were found.
  func words(_ elements: [String], isolatedAtoms: [String: Double]) -> String {
    let kinds = elements.map { element in
      given[element] != nil
        ? "given" : takesIsolatedAtoms && isolatedAtoms[element] != nil ? "isolated atoms" : "least squares"
    }
    guard Set(kinds).count > 1 else { return kinds.first ?? "least squares" }
    return zip(elements, kinds).map { "\($0): \($1)" }.joined(separator: ", ")
  }
}
