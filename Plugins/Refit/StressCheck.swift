import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit
import TrainingRows

/// Whether stress labels contradict energies and forces, decided on a sample of the sources: a function of their set
/// and of the weights. Held-out blocks and what tests the fit have no say.
struct StressCheck: Sendable {
  /// Sources of the smallest digests that have stresses. Ten configurations are enough to tell; see docs/accuracy.md.
  private static let most = 32

  let agreement: StressAgreement
  private let sources: Set<Digest>
  /// Of the sample's tree: what must stay in the cache, so that another source costs a path.
  let cachedKeys: [Digest]

  /// nil where no stress rows count by the general weight, or nothing else does.
  init?(_ problem: FitProblem) throws {
    guard problem.weights.stress > 0 else { return nil }
    let training = problem.selection(.training)
    let own = Set(problem.weights.groups.filter { $1.stress != nil }.keys)
    @Sendable func isAsked(_ key: RowKey) -> Bool { key.kind == .stress && !own.contains(key.group) }
    let sample = problem.tree.sources.lazy.filter { item in
      item.keys.contains {
        isAsked($0) && training.multiplicity(item.source, $0.block) > 0
          && training.multiplier(of: $0, in: item.source) > 0
      }
    }.prefix(Self.most)
    var tree = try FactorTree(layout: problem.layout, sources: Array(sample))
    tree.smallestCachedNode = problem.tree.smallestCachedNode
    let roots = [false, true].map { takesAsked in
      var selection = training
      selection.emphasis = { isAsked($1) == takesAsked ? training.emphasis($0, $1) : 0 }
      return tree.root(selection)
    }
    guard let rest = roots[0].key, let stresses = roots[1].key else { return nil }
    let prior = problem.options.prior == "ridge" ? "ridge" : "smoothness"
    var key = DigestBuilder()
    key.add("stress agreement 1")
    key.add(rest)
    key.add(stresses)
    key.add(Digest(of: problem.basisJSON))
    key.add("\(prior) \(problem.references.fixed)")
    let context = problem.context
    let bytes = try context.memo(key.finish()) {
      context.count("stress weights compared", 1)
      let factors = try roots.map {
        try tree.factor($0, cache: problem.cache, threads: context.threads, load: problem.load)
      }
      let agreement = try StressAgreement(
        rest: factors[0], stresses: factors[1], layout: problem.layout, references: problem.references,
        prior: problem.prior(named: prior))
      return try CanonicalJSON.encode([agreement].compactMap { $0 })
    }
    guard let agreement = try CanonicalJSON.decode([StressAgreement].self, bytes).first else { return nil }
    self.agreement = agreement
    sources = Set(tree.sources.map(\.source))
    cachedKeys = tree.cachedKeys(roots)
  }

  /// For `fit.json`, with what the labels differ by where they contradict.
  func summary(_ problem: FitProblem, _ configurations: [SourceArtifact]) throws -> FitSummary.StressAgreement {
    var summary = FitSummary.StressAgreement(
      contradicts: agreement.contradicts, weight: problem.weights.stress,
      isAutomatic: problem.options.weighting.choosesStressWeight, gain: agreement.gain, sources: sources.count)
    if agreement.contradicts { summary.difference = try difference(problem, configurations) }
    return summary
  }

  // MARK: What the labels differ by

  /// About how many atoms are looked at.
  private static let atoms = 5000

  private func difference(
    _ problem: FitProblem, _ configurations: [SourceArtifact]
  ) throws -> FitSummary.StressAgreement.Difference? {
    let potential = try Potential(
      basis: problem.evaluator.basis, columns: agreement.coefficients, referenceEnergies: agreement.referenceEnergies)
    let byDigest = Dictionary(uniqueKeysWithValues: configurations.map { ($0.source.digest, $0.artifact) })
    var places: [(lot: Digest, source: Source, frame: FeatureIndex.Frame)] = []
    for (source, index) in problem.indices where sources.contains(source.digest) {
      for frame in index.frames where !problem.isHeldOut(source, frame) && frame.level != EnergyLevel.isolatedAtom {
        guard problem.weights.groups[frame.group]?.stress == nil else { continue }
        places.append((FitProblem.lot("stress check", source.digest, frame.frame), source, frame))
      }
    }
    places.sort { $0.lot < $1.lot }
    var atoms = 0
    let chosen = places.prefix { place in
      defer { atoms += place.frame.atoms }
      return atoms < Self.atoms
    }
    var read: [Digest: [Configuration]] = [:]
    for place in chosen where read[place.source.digest] == nil {
      guard let artifact = byDigest[place.source.digest] else { continue }
      var reader = ExtendedXYZReader(
        MemoryByteSource(try problem.context.bytes(artifact, "configurations.extxyz")), name: place.source.name)
      read[place.source.digest] = try reader.readAll()
    }
    let labelled = chosen.compactMap { place in
      read[place.source.digest].map { $0[place.frame.frame] }
    }.filter { $0.labels.stress != nil }
    guard !labelled.isEmpty else { return nil }
    let parts = try concurrentMap(labelled.count, threads: problem.context.threads) {
      [evaluator = problem.evaluator] k in
      let predicted = try evaluator.evaluate(potential, labelled[k]).stress
      return predicted.map { zip(labelled[k].labels.stress!.voigt, $0.voigt).map { ($0 - $1) * 160.2176634 } }
    }.compactMap { $0 }
    return StressDifference.of(parts)
  }
}

/// Statistics and words of stress labels less a fit's stresses.
enum StressDifference {
  /// - Parameter differences: xx yy zz yz xz xy of each configuration, GPa.
  static func of(_ differences: [[Double]]) -> FitSummary.StressAgreement.Difference? {
    guard !differences.isEmpty else { return nil }
    let count = Double(differences.count)
    let means = differences.map { ($0[0] + $0[1] + $0[2]) / 3 }
    let mean = means.reduce(0, +) / count
    let scatter = (means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
    let shape = zip(differences, means).reduce(0.0) { sum, item in
      sum
        + item.0.enumerated().reduce(0.0) {
          let left = $1.offset < 3 ? $1.element - item.1 : $1.element
          return $0 + left * left
        }
    }
    return .init(
      configurations: differences.count, mean: mean, scatter: scatter, shape: (shape / (6 * count)).squareRoot())
  }
}

extension FitSummary.StressAgreement {
  /// nil where stresses agree.
  var diagnostic: Diagnostic? {
    guard contradicts else { return nil }
    func text(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
    var cause = "The stress labels contradict the energies and forces"
    if let difference {
      cause +=
        ": over \(difference.configurations) configurations they differ from what those imply by "
        + "\(text(difference.mean)) GPa, equally in xx, yy and zz (mean; tension positive), with a scatter of "
        + "\(text(difference.scatter)) GPa, and by \(text(difference.shape)) GPa in shape and shear. "
        + (difference.isPulayLike
          ? "An equal tension in all cells is what Pulay stress looks like: a plane-wave basis too small for cells "
            + "that change."
          : "That is no equal tension, as Pulay stress would be: look for another unit, sign or convention, or "
            + "stresses that are not converged.")
    } else {
      cause += "."
    }
    cause +=
      isAutomatic
      ? " They count 1/32: the weight is \(text32(weight)) instead of \(text32(32 * weight))."
      : " They keep the weight \(text32(weight)) that was given, at the cost of energies and forces."
    let remedy =
      "Calculate the stresses again with a higher ENCUT (1.3 times ENMAX or more)"
      + (isAutomatic
        ? ", or give weights.stress: a number is taken as it is, and 0 leaves them out."
        : ", or leave weights.stress to 'auto', which lets them count 1/32.")
    return Diagnostic(.warning, code: "stress-contradicts", cause: cause, remedy: remedy)
  }

  private func text32(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }
}

extension FitSummary.StressAgreement.Difference {
  /// Whether it is a tension, nearly the same in every configuration and direction.
  var isPulayLike: Bool { mean > 2 * scatter && mean > 2 * shape }
}
