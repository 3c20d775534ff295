import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit

/// All sources' factors as one regression problem.
struct FitProblem: Sendable {
  /// Which blocks a fit learns from.
  enum Data { case all, training }

  let options: FitOptions
  let specification: BasisSpecification
  let basisJSON: [UInt8]
  let evaluator: Evaluator
  let indices: [(source: Source, index: FeatureIndex)]
  let blocks: [BlockName]
  /// Blocks that are kept from the fit whose errors are measured; the published one learns from them.
  let heldOut: Set<BlockName>
  /// Whether runs had to be split for that.
  let splitsRuns: Bool
  let references: ReferenceEnergies
  let referenceWords: String
  private(set) var emphasis: Emphasis
  /// As given, or with less for stresses that contradict the rest.
  private(set) var weights: Weights
  /// nil where there is nothing to compare.
  private(set) var stresses: StressCheck?
  /// What stands out and counts less.
  private(set) var outliers: [Outlier] = []
  private(set) var outlierNotes: [String] = []
  /// In digest order.
  private let features: [SourceArtifact]
  private let shelf = FactorShelf()
  private(set) var tree: FactorTree
  /// Of all rows; held-out blocks apart.
  private(set) var root: FactorTree.Root
  /// The fits at the present weights, where they have been made.
  private var trials: [(fit: Fit, prior: String)] = []
  /// nil where nothing repels.
  let shortRange: ShortRangePrior?
  private let smoothness: [Double]
  let context: StageContext

  init(_ features: [SourceArtifact], _ context: StageContext, _ options: FitOptions) throws {
    self.options = options
    weights = options.weights
    self.context = context
    let known = try SourceTable(features, context).entries.filter { !$0.index.frames.isEmpty }
    let indices = known.map { (source: $0.source, index: $0.index) }
    guard let first = indices.first, let firstFeatures = features.first(where: { $0.source == first.source }) else {
      throw StageError(
        "there is no configuration to learn from.", remedy: "Drop labelled runs, or see what the screen set aside.")
    }
    self.indices = indices
    self.features = features
    basisJSON = try context.bytes(firstFeatures.artifact, "basis.json")
    specification = try CanonicalJSON.decode(BasisSpecification.self, basisJSON)
    evaluator = Evaluator(try Basis(specification))
    let basis = evaluator.basis
    let layout = ColumnLayout(basis: basis.columnCount, elements: basis.elements.count)

    tree = try FactorTree(
      layout: layout,
      sources: known.map { TreeSource(source: $0.source.digest, content: $0.factors, keys: $0.keys) })
    tree.smallestCachedNode = Self.smallestCachedNode(known.count)
    let candidates = HeldOutBlocks(
      indices.map { source, index in
        (
          source.digest,
          options.tests.isEmpty
            ? index.frames : index.frames.filter { !options.tests.contains(source.digest, group: $0.group) }
        )
      })
    blocks = candidates.blocks
    (heldOut, splitsRuns) = candidates.chosen(share: options.heldOutFraction, seed: options.heldOutSeed)
    let heldOut = heldOut
    tree.isApart = { heldOut.contains(BlockName(source: $0, block: $1)) }
    // What tests the fit must not have any say in it.
    let learned = indices.filter { item in
      item.index.frames.contains { !options.tests.contains(item.source.digest, group: $0.group) }
    }
    let isolatedAtoms = learned.reduce(into: [:]) { $0.merge($1.index.isolatedAtoms, uniquingKeysWith: min) }
    let elements = basis.elements.map(\.symbol)
    references = ReferenceEnergies(fixed: options.references.energies(elements, isolatedAtoms: isolatedAtoms))
    referenceWords = options.references.words(elements, isolatedAtoms: isolatedAtoms)
    emphasis = Emphasis(indices, options, elements: elements, references: references)
    root = FactorTree.Root()
    smoothness = Prior.smoothness(factors: basis.columnFunctions.map { zip($0.ns, $0.ls).map { (n: $0, l: $1) } })
    shortRange = try ShortRangePrior(
      evaluator, basis: Digest(of: basisJSON), learned.map(\.index), weight: options.shortRangeWeight, context)
    stresses = try StressCheck(self)
    if options.weighting.choosesStressWeight, stresses?.agreement.contradicts == true {
      weights.stress *= StressAgreement.reduction
    }
    root = tree.root(selection(.all), threads: context.threads)
    guard root.key != nil else {
      throw StageError(
        "no row is left to learn from: weights are zero, or everything is set apart as a test.",
        remedy: "Look at 'weights' and 'test' of the refit stage.")
    }
    try downweightOutliers()
    try chooseAnchors()
  }

  /// A new source costs some merges more where fewer nodes are kept; they take a megabyte each.
  private static func smallestCachedNode(_ sources: Int) -> Int { max(2, min(6, sources / 32)) }

  /// Gives the tree as much knowledge of short distances as it needs.
  private mutating func chooseAnchors() throws {
    if let shortRange {
      let data = try factor(.all)
      for multiplier in Self.shortRangeMultipliers {
        tree.prior = try shortRange.factor(
          tree.layout, beside: data, references, weight: multiplier * options.shortRangeWeight)
        if tree.prior == nil { return }
        // Nearly always the first will do: the fits that follow are these. Relevance takes too long to be tried.
        trials = options.prior == "automatic-relevance" ? [] : try fits()
        let trial = try trials.first?.fit ?? fit(.all, prior: "smoothness")
        if try potential(trial).notes.isEmpty { break }
      }
    }
  }

  /// Little weight where that is enough; more where atoms would still collapse.
  private static let shortRangeMultipliers = [1.0, 5, 25, 125]

  /// The potential of a fit, with repulsion where it goes beyond the data.
  func potential(_ fit: Fit, metadata: [String: String] = [:]) throws -> (potential: Potential, notes: [Diagnostic]) {
    let plain = try Potential(
      basis: evaluator.basis, columns: fit.coefficients, referenceEnergies: fit.referenceEnergies, metadata: metadata)
    return try shortRange?.checked(plain) ?? (plain, [])
  }

  /// A fit to all blocks with the prior that the options name, or that has the greater evidence: among those that
  /// repel atoms which are closer than the data, where any of them does.
  func fit() throws -> (fit: Fit, prior: String) {
    let fits = try trials.isEmpty ? fits() : trials
    let best = fits.dropFirst().reduce(fits[0]) { $1.fit.logEvidence > $0.fit.logEvidence ? $1 : $0 }
    func repels(_ fit: Fit) throws -> Bool { try potential(fit).notes.isEmpty }
    if try fits.count == 1 || repels(best.fit) { return best }
    return try fits.first { try repels($0.fit) } ?? best
  }

  /// Fits to all blocks with every prior that comes into question.
  private func fits() throws -> [(fit: Fit, prior: String)] {
    let names = options.prior == "evidence" ? ["smoothness", "ridge"] : [options.prior]
    let factor = try factor(.all)
    return try concurrentMap(names.count, threads: context.threads) { number in
      (fit: try fit(to: factor, prior: names[number]), prior: names[number])
    }
  }

  /// A fit to all blocks, or to those that are not held out.
  func fit(_ data: Data, prior: String) throws -> Fit { try fit(to: factor(data), prior: prior) }

  private func fit(to factor: TriangularFactor, prior: String) throws -> Fit {
    try Fit(
      factor, layout: tree.layout, references: references, prior: self.prior(named: prior),
      regularisation: options.regularisation)
  }

  private func factor(_ data: Data) throws -> TriangularFactor {
    try tree.factor(
      data == .all ? root : root.withoutApart, cache: cache, threads: context.threads, load: load)
  }

  /// Forgets the merged factors that the last fit kept and this one has no use for.
  func cleanCache() throws {
    let isBootstrap = options.ensembleMethod == "bootstrap"
    let members = isBootstrap ? (0..<options.ensembleMembers).map { root.resampled(member: $0) } : []
    let kept = tree.cachedKeys([root, root.withoutApart] + members)
    try context.keepMemos(kept + (stresses?.cachedKeys ?? []), of: "merged factors")
  }

  /// - Parameters:
  ///   - fit: to these data.
  ///   - configurations: for methods that need single rows.
  func ensemble(of fit: Fit, _ data: Data, _ configurations: [SourceArtifact]) throws -> Ensemble? {
    let members = options.ensembleMembers
    switch options.ensembleMethod {
    case "bootstrap":
      return try Ensemble.bootstrap(
        members: members, of: fit, tree: tree, root: root, references: references,
        cache: cache, withoutApart: data == .training, threads: context.threads, load: load)
    case "posterior": return Ensemble.posterior(members: members, of: fit, seed: 1)
    case "leave-group-out":
      let groups = Set(tree.sources.flatMap { $0.keys.map(\.group) })
      let ensemble = try Ensemble.leavingGroupsOut(
        groups.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }, of: fit, tree: tree, selection: selection(data),
        references: references, cache: cache, threads: context.threads, load: load)
      guard ensemble.count < 2 else { return ensemble }
      if data == .training { return nil }
      throw StageError(
        "leave-group-out needs two groups of configurations or more.",
        remedy: "Put the runs into folders by kind, set config_type, or choose another ensemble method.")
    case "pops":
      let rows = try PointwiseRows(problem: self, options: options, data: data).rows(configurations, context)
      return try Ensemble.pointwiseOptimal(members: members, of: fit, rows: rows, seed: 1)
    default: return nil
    }
  }

  func prior(named name: String) -> Prior {
    switch name {
    case "ridge": .ridge
    case "automatic-relevance": .automaticRelevance(start: smoothness)
    default: .smoothness(smoothness)
    }
  }

  var layout: ColumnLayout { tree.layout }

  func selection(_ data: Data) -> Regression.Selection {
    let without = data == .all ? [] : heldOut
    var selection = Regression.Selection(weights: weights) {
      without.contains(BlockName(source: $0, block: $1)) ? 0 : 1
    }
    selection.emphasis = { [emphasis] in emphasis.multiplier(of: $1, in: $0) }
    return selection
  }

  /// Whether a frame is kept from the fit whose errors are measured.
  func isHeldOut(_ source: Source, _ frame: FeatureIndex.Frame) -> Bool {
    heldOut.contains(BlockName(source: source.digest, block: frame.block))
      || options.tests.contains(source.digest, group: frame.group)
  }

  /// Whether anything tests the fit.
  var hasTests: Bool {
    !heldOut.isEmpty
      || indices.contains { item in
        item.index.frames.contains { options.tests.contains(item.source.digest, group: $0.group) }
      }
  }

  var cache: MemoFactorCache { MemoFactorCache(context: context, columns: tree.layout.columns) }

  var load: @Sendable (Digest) throws -> SourceFactors {
    { [features, context, shelf] source in
      try shelf.factors(of: source) {
        context.count("sources' factors read", 1)
        return try Self.factors(features.artifact(of: source)!, context)
      }
    }
  }

  static func factors(_ artifact: Artifact, _ context: StageContext) throws -> SourceFactors {
    let members = try NumPyArchive.decode(context.bytes(artifact, "factors.npz"))
    let byName = Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.bytes) })
    return try SourceFactors { byName[$0] }
  }

  /// Fits, looks whose errors stand out, and fits again until nobody's weight changes.
  private mutating func downweightOutliers() throws {
    guard let rule = options.weighting.outliers else { return }
    for _ in 0..<Self.outlierPasses {
      try context.checkCancellation()
      let model = try fit(.all, prior: options.prior == "ridge" ? "ridge" : "smoothness")
      let search = try OutlierSearch(rule, errors(of: model))
      (outliers, outlierNotes) = (search.outliers.map(withSteps), search.notes)
      if emphasis.outliers == search.multipliers { return }
      emphasis.outliers = search.multipliers
      root = tree.root(selection(.all), threads: context.threads)
    }
    outlierNotes.append("The weights of outliers did not settle within \(Self.outlierPasses) fits.")
  }

  private func withSteps(_ outlier: Outlier) -> Outlier {
    var outlier = outlier
    let unit = outlier.unit.unit
    let index = indices.first { $0.source.digest == unit.source }?.index
    outlier.steps = (index?.frames ?? []).filter {
      $0.block == unit.block && $0.group == unit.group && $0.level == unit.level
    }.map(\.ionicStep)
    return outlier
  }

  private static let outlierPasses = 6

  /// Errors of every leaf that has a weight; reads every source's factors.
  private func errors(of model: Fit) throws -> [OutlierSearch.Unit] {
    let (selection, load) = (selection(.all), load)
    let sources = tree.sources
    return try concurrentMap(sources.count, threads: context.threads) { number -> [OutlierSearch.Unit] in
      let source = sources[number].source
      return try load(source).errors(coefficients: model.coefficients, referenceEnergies: model.referenceEnergies)
        .compactMap { selection.multiplier(of: $0.key, in: source) > 0 ? .init(source: source, error: $0) : nil }
    }.flatMap { $0 }
  }
}

/// Merged factors in the store: after one new source, only its path is computed.
struct MemoFactorCache: FactorCache {
  let context: StageContext
  let columns: Int

  func factor(for key: Digest, compute: () throws -> TriangularFactor) throws -> TriangularFactor {
    var computed: TriangularFactor?
    var bytes = try context.memo(key) {
      context.count("factors merged", 1)
      let factor = try compute()
      computed = factor
      return factor.numPyBytes + withUnsafeBytes(of: Int64(factor.rowCount).littleEndian) { Array($0) }
    }
    if let computed { return computed }
    guard bytes.count > 8 else { throw StageError("a merged factor is damaged") }
    let rows = bytes.suffix(8).withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) }
    bytes.removeLast(8)
    return try TriangularFactor(numPyBytes: bytes, columns: columns, rowCount: Int(rows))
  }
}
