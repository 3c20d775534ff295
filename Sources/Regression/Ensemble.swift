import LinearAlgebra
import Platform

/// Models that differ as much as the data leave them free to.
public struct Ensemble: Sendable {
  /// One name per member ("bootstrap 3", "without liquid").
  public let names: [String]
  /// Shape [members][basis].
  public let coefficients: Matrix
  /// E0, eV/atom, shape [members][elements].
  public let referenceEnergies: Matrix
  /// What the user should know.
  public let notes: [String]

  public var count: Int { names.count }

  public init(
    names: [String], coefficients: Matrix, referenceEnergies: Matrix, notes: [String] = []
  ) {
    precondition(names.count == coefficients.rows && names.count == referenceEnergies.rows)
    self.names = names
    self.coefficients = coefficients
    self.referenceEnergies = referenceEnergies
    self.notes = notes
  }

  /// Refits to resampled blocks: each taken Poisson(1) times by a hash of source, block and member, so
  /// that a member's choice for old sources stays when new ones come. Says how much hangs on which runs
  /// were computed. Penalty as in `fit`.
  /// - Parameters:
  ///   - root: of the tree; the rows that `fit` was made of, or those and the ones that are kept apart.
  ///   - withoutApart: whether members, as `fit`, never see the blocks that the tree keeps apart; their factors
  ///     are nodes of those that see them.
  ///   - threads: members at a time; the result does not depend on it.
  ///   - load: reads the factors of a source that the cache lacks.
  public static func bootstrap(
    members: Int, of fit: Fit, tree: FactorTree, root: FactorTree.Root,
    references: ReferenceEnergies, cache: some FactorCache, withoutApart: Bool = false, threads: Int = 1,
    load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> Ensemble {
    let refitted = try concurrentMap(members, threads: threads) { member in
      // A draw that leaves everything out (few sources) is drawn again.
      for attempt in 0..<64 {
        let drawn = root.resampled(member: member, attempt: attempt)
        let factor = try tree.factor(withoutApart ? drawn.withoutApart : drawn, cache: cache, load: load)
        if factor.rowCount > 0 { return try solve(fit, tree.layout, factor, references) }
      }
      return (coefficients: fit.coefficients, energies: fit.referenceEnergies)
    }
    let blocks = root.units
    let notes =
      blocks < 10
      ? ["Bootstrap: only \(blocks) blocks to draw from; its spread is uncertain."] : []
    return Ensemble((0..<members).map { "bootstrap \($0)" }, refitted, fit, notes)
  }

  /// Refits without one group each: which conclusions hang on one kind of structure. Penalty as in `fit`.
  public static func leavingGroupsOut(
    _ groups: [String], of fit: Fit, tree: FactorTree, selection: Selection,
    references: ReferenceEnergies, cache: some FactorCache, threads: Int = 1,
    load: @Sendable (Digest) throws -> SourceFactors
  ) throws -> Ensemble {
    let factors = try tree.factorsWithoutGroups(groups, selection, cache: cache, threads: threads, load: load)
    let kept = groups.indices.filter { factors[$0] != nil }
    let refitted = try concurrentMap(kept.count, threads: threads) { index in
      try solve(fit, tree.layout, factors[kept[index]]!, references)
    }
    let notes = groups.indices.filter { factors[$0] == nil }.map {
      "Group '\(groups[$0])' is all there is: there is no fit without it."
    }
    return Ensemble(kept.map { "without \(groups[$0])" }, refitted, fit, notes)
  }

  /// Samples c + R_λ⁻¹ ξ/√β of the posterior. For a correct model only: it shrinks as 1/√m however wrong
  /// the model is.
  public static func posterior(members: Int, of fit: Fit, seed: UInt64) -> Ensemble {
    let n = fit.coefficients.count
    var generator = NormalGenerator(seed: seed)
    let refitted = (0..<members).map { _ in
      let noise = (0..<n).map { _ in generator.next() / fit.beta.squareRoot() }
      let step = fit.posteriorFactor.solvingTriangle(.upper, noise)
      let coefficients = zip(fit.coefficients, step).map { $0 + $1 }
      return (coefficients: coefficients, energies: fit.problem.energies(for: coefficients))
    }
    return Ensemble((0..<members).map { "posterior \($0)" }, refitted, fit, [])
  }

  init(
    _ names: [String], _ members: [(coefficients: [Double], energies: [Double])], _ fit: Fit,
    _ notes: [String]
  ) {
    self.init(
      names: names,
      coefficients: Matrix(members.map(\.coefficients), columns: fit.coefficients.count),
      referenceEnergies: Matrix(members.map(\.energies), columns: fit.referenceEnergies.count),
      notes: notes)
  }

  private static func solve(
    _ fit: Fit, _ layout: ColumnLayout, _ factor: TriangularFactor, _ references: ReferenceEnergies
  ) throws -> (coefficients: [Double], energies: [Double]) {
    let problem = try ReducedProblem(factor, layout: layout, references: references)
    let coefficients = try problem.coefficients(lambda: fit.lambda, scales: fit.scales)
    return (coefficients, problem.energies(for: coefficients))
  }
}

/// Normal deviates from a seed (SplitMix64, Box and Muller), the same everywhere.
struct NormalGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// In 0..<1, never 0.
  mutating func uniform() -> Double {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    z ^= z >> 31
    return (Double(z >> 11) + 0.5) * 0x1p-53
  }

  mutating func next() -> Double {
    (-2 * logarithm(uniform())).squareRoot() * cosine(2 * Double.pi * uniform())
  }
}
