import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit

/// A block of a source: the grain of held-out sets and bootstraps.
struct BlockName: Hashable, Comparable, Sendable {
  let source: Digest
  let block: Int

  static func < (a: BlockName, b: BlockName) -> Bool { (a.source, a.block) < (b.source, b.block) }

  /// A pseudo-random order that depends on content alone.
  fileprivate func lot(_ seed: Int) -> Digest { Digest(of: "held out \(source) \(block) \(seed)") }
}

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
  let heldOut: Set<BlockName>
  private let artifacts: [Digest: Artifact]
  private(set) var tree: FactorTree
  /// nil where nothing repels.
  let shortRange: ShortRangePrior?
  private let smoothness: [Double]
  let context: StageContext

  init(_ features: [SourceArtifact], _ context: StageContext, _ options: FitOptions) throws {
    self.options = options
    self.context = context
    var indices: [(source: Source, index: FeatureIndex)] = []
    for item in features {
      let index = try CanonicalJSON.decode(FeatureIndex.self, context.bytes(item.artifact, "index.json"))
      if !index.frames.isEmpty { indices.append((item.source, index)) }
    }
    guard let first = indices.first, let firstFeatures = features.first(where: { $0.source == first.source }) else {
      throw StageError(
        "there is no configuration to learn from.", remedy: "Drop labelled runs, or see what the screen set aside.")
    }
    self.indices = indices
    artifacts = Dictionary(uniqueKeysWithValues: features.map { ($0.source.digest, $0.artifact) })
    basisJSON = try context.bytes(firstFeatures.artifact, "basis.json")
    specification = try CanonicalJSON.decode(BasisSpecification.self, basisJSON)
    evaluator = Evaluator(try Basis(specification))
    let basis = evaluator.basis
    let layout = ColumnLayout(basis: basis.columnCount, elements: basis.elements.count)

    // The keys of a source's factors follow from its index and from which labels there are; they are
    // read with the factors once and kept.
    var sources: [TreeSource] = []
    for (source, _) in indices {
      let artifact = artifacts[source.digest]!
      var key = DigestBuilder()
      key.add("factor keys")
      key.add(artifact.part("factors.npz")!.digest)
      let bytes = try context.memo(key.finish()) {
        try CanonicalJSON.encode(try Self.factors(artifact, context).leaves.map(\.key))
      }
      sources.append(
        TreeSource(
          source: source.digest, content: artifact.part("factors.npz")!.digest,
          keys: try CanonicalJSON.decode([RowKey].self, bytes)))
    }
    tree = try FactorTree(layout: layout, sources: sources)
    var frames: [BlockName: Int] = [:]
    for (source, index) in indices {
      for frame in index.frames { frames[BlockName(source: source.digest, block: frame.block), default: 0] += 1 }
    }
    blocks = frames.keys.sorted()
    heldOut = Self.heldOut(frames, options)
    smoothness = Prior.smoothness(factors: basis.columnFunctions.map { zip($0.ns, $0.ls).map { (n: $0, l: $1) } })
    shortRange = try ShortRangePrior(
      evaluator, basis: Digest(of: basisJSON), indices.map(\.index), weight: options.shortRangeWeight, context)
    if let shortRange {
      let data = try tree.factor(selection(.all), cache: cache, threads: context.threads, load: load)
      for multiplier in Self.shortRangeMultipliers {
        tree.prior = try shortRange.factor(
          layout, beside: data, references, weight: multiplier * options.shortRangeWeight)
        if tree.prior == nil { break }
        let trial = try fit(.all, prior: options.prior == "ridge" ? "ridge" : "smoothness")
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

  /// A fit to all blocks with the prior that the options name, or that has the greater evidence.
  func fit() throws -> (fit: Fit, prior: String) {
    let names = options.prior == "evidence" ? ["smoothness", "ridge"] : [options.prior]
    let fits = try names.map { (fit: try fit(.all, prior: $0), prior: $0) }
    return fits.dropFirst().reduce(fits[0]) { $1.fit.logEvidence > $0.fit.logEvidence ? $1 : $0 }
  }

  /// A fit to all blocks, or to those that are not held out.
  func fit(_ data: Data, prior: String) throws -> Fit {
    let factor = try tree.factor(selection(data), cache: cache, threads: context.threads, load: load)
    return try Fit(
      factor, layout: tree.layout, references: references, prior: self.prior(named: prior),
      regularisation: options.regularisation)
  }

  /// - Parameter configurations: for methods that need single rows.
  func ensemble(of fit: Fit, _ configurations: [SourceArtifact]) throws -> Ensemble? {
    let members = options.ensembleMembers
    switch options.ensembleMethod {
    case "bootstrap":
      return try Ensemble.bootstrap(
        members: members, of: fit, tree: tree, selection: selection(.all), references: references,
        cache: cache, threads: context.threads, load: load)
    case "posterior": return Ensemble.posterior(members: members, of: fit, seed: 1)
    case "leave-group-out":
      let groups = Set(tree.sources.flatMap { $0.keys.map(\.group) })
      let ensemble = try Ensemble.leavingGroupsOut(
        groups.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }, of: fit, tree: tree, selection: selection(.all),
        references: references, cache: cache, threads: context.threads, load: load)
      guard ensemble.count < 2 else { return ensemble }
      throw StageError(
        "leave-group-out needs two groups of configurations or more.",
        remedy: "Put the runs into folders by kind, set config_type, or choose another ensemble method.")
    case "pops":
      let rows = try PointwiseRows(problem: self, options: options).rows(configurations, context)
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
    return Regression.Selection(weights: options.weights) {
      without.contains(BlockName(source: $0, block: $1)) ? 0 : 1
    }
  }

  var references: ReferenceEnergies {
    ReferenceEnergies(fixed: evaluator.basis.elements.map { options.givenReferenceEnergies[$0.symbol] })
  }

  var cache: MemoFactorCache { MemoFactorCache(context: context, columns: tree.layout.columns) }

  var load: @Sendable (Digest) throws -> SourceFactors {
    { [artifacts, context] source in
      context.count("sources' factors read", 1)
      return try Self.factors(artifacts[source]!, context)
    }
  }

  private static func factors(_ artifact: Artifact, _ context: StageContext) throws -> SourceFactors {
    let members = try NumPyArchive.decode(context.bytes(artifact, "factors.npz"))
    let byName = Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.bytes) })
    return try SourceFactors { byName[$0] }
  }

  /// Blocks in an order that their content decides, until the wanted share of frames is reached; of five
  /// blocks or more at least one.
  private static func heldOut(_ frames: [BlockName: Int], _ options: FitOptions) -> Set<BlockName> {
    guard options.heldOutFraction > 0, frames.count >= 5 else { return [] }
    let order = frames.keys.map { (block: $0, lot: $0.lot(options.heldOutSeed)) }.sorted { $0.lot < $1.lot }
      .map(\.block)
    let wanted = options.heldOutFraction * Double(frames.values.reduce(0, +))
    var chosen: Set<BlockName> = []
    var held = 0
    for block in order where Double(held + frames[block]!) <= wanted {
      chosen.insert(block)
      held += frames[block]!
    }
    return chosen.isEmpty ? [order[0]] : chosen
  }
}

/// Merged factors in the store: after one new source, only its path is computed.
struct MemoFactorCache: FactorCache {
  let context: StageContext
  let columns: Int

  func factor(for key: Digest, compute: () throws -> TriangularFactor) throws -> TriangularFactor {
    let bytes = try context.memo(key) {
      context.count("factors merged", 1)
      let factor = try compute()
      return withUnsafeBytes(of: Int64(factor.rowCount).littleEndian) { Array($0) } + factor.numPyBytes
    }
    let rows = bytes.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) }
    return try TriangularFactor(numPyBytes: Array(bytes.dropFirst(8)), columns: columns, rowCount: Int(rows))
  }
}
