import LinearAlgebra
import Platform
import Regression
import StageKit

/// One point of the learning curve: a fit to a part of the training blocks.
struct LearningFit: Sendable {
  /// Sources, or blocks of frames where there are few sources.
  let units: Int
  let configurations: Int
  let model: LinearModel
}

/// Fits that never saw a source, or a group.
struct LeftOutFits: Sendable {
  var sources: [Digest: LinearModel] = [:]
  var groups: [String: LinearModel] = [:]
  var notes: [String] = []
}

extension FitProblem {
  /// Sources that are enough to make a learning curve of whole sources.
  private static let manySources = 16
  /// Groups in the order of their names; more than these are not left out one by one.
  private static let mostGroups = 24

  /// The fit without each source and without each group, at the same prior: of sources from their own
  /// factor and the fit's small one, of groups by merging the others.
  func leavingOut(_ fit: Fit) throws -> LeftOutFits {
    var result = LeftOutFits()
    if indices.count > 1, options.leaveOut > 0 {
      let order = indices.map { (source: $0.source.digest, lot: Self.lot("left out", $0.source.digest)) }
        .sorted { $0.lot < $1.lot }
      let chosen = order.prefix(options.leaveOut).map(\.source)
      let selection = selection(.all)
      let models = try concurrentMap(chosen.count, threads: context.threads) { index in
        try context.checkCancellation()
        let source = chosen[index]
        var tree = try FactorTree(layout: tree.layout, sources: tree.sources.filter { $0.source == source })
        tree.smallestCachedNode = self.tree.smallestCachedNode
        let own = try tree.factor(selection, cache: cache, load: load)
        guard own.rowCount > 0 else { return Optional<LinearModel>.none }
        return try fit.leavingOut(own)?.model ?? refitted(without: source, fit)
      }
      for (source, model) in zip(chosen, models) {
        result.sources[source] = model
      }
      if chosen.count < indices.count {
        result.notes.append(
          "Errors without a source are those of \(chosen.count) of \(indices.count) sources, chosen by their content.")
      }
    }
    guard options.leaveGroupsOut else { return result }
    let groups = Set(tree.sources.flatMap { $0.keys.map(\.group) }).sorted {
      $0.utf8.lexicographicallyPrecedes($1.utf8)
    }
    guard groups.count > 1 else { return result }
    guard groups.count <= Self.mostGroups else {
      result.notes.append("There are \(groups.count) groups: they were not left out one by one.")
      return result
    }
    for (group, model) in try fitsWithoutGroups(groups, fit) { result.groups[group] = model }
    return result
  }

  /// For a source that alone decides some direction: the others are merged again along its path.
  private func refitted(without source: Digest, _ fit: Fit) throws -> LinearModel? {
    let all = selection(.all)
    var others = all
    others.multiplicity = { $0 == source ? 0 : all.multiplicity($0, $1) }
    guard tree.key(others) != nil else { return nil }
    let problem = try ReducedProblem(
      tree.factor(others, cache: cache, load: load), layout: tree.layout, references: references)
    let coefficients = try problem.coefficients(lambda: fit.lambda, scales: fit.scales)
    return LinearModel(coefficients: coefficients, referenceEnergies: problem.energies(for: coefficients))
  }

  private func fitsWithoutGroups(_ groups: [String], _ fit: Fit) throws -> [String: LinearModel] {
    let members = try Ensemble.leavingGroupsOut(
      groups, of: fit, tree: tree, selection: selection(.all), references: references, cache: cache,
      threads: context.threads, load: load)
    var models: [String: LinearModel] = [:]
    for (index, name) in members.names.enumerated() {
      models[String(name.dropFirst("without ".count))] = LinearModel(
        coefficients: members.coefficients.row(index), referenceEnergies: members.referenceEnergies.row(index))
    }
    return models
  }

  /// Fits to a half, a quarter, ... of the training data, the smallest part first, and to all of them last.
  ///
  /// Parts are taken in the order of the sources' digests, which is the order of nothing in the world: that in
  /// which files arrived would give other bytes for another order of drops. And the sources below a half, a
  /// quarter, ... of all digests are subtrees of the factor tree, so that their factors are known; a new source
  /// changes two parts on average. Each fit has its own prior strength and is kept under its factor's key.
  func learningCurve(prior: String, whole: Fit) throws -> [LearningFit] {
    guard !heldOut.isEmpty else { return [] }
    var bare = tree
    bare.prior = nil
    let bySource = indices.count >= Self.manySources
    // Sources (or blocks) and configurations by how often the halves that they are in can be halved.
    var sizes = [(units: Int, configurations: Int)](repeating: (0, 0), count: Self.halvings)
    var halves: [BlockName: Int] = [:]
    for (source, index) in indices {
      var last = -1
      for frame in index.frames {
        let block = BlockName(source: source.digest, block: frame.block)
        guard !heldOut.contains(block) else { continue }
        let lot = bySource ? source.digest : Self.lot("learning curve", source.digest, frame.block)
        let half = min(lot.leadingBits.leadingZeroBitCount, Self.halvings - 1)
        sizes[half].configurations += 1
        let isNew = bySource ? last < 0 : halves.updateValue(half, forKey: block) == nil
        if isNew { sizes[half].units += 1 }
        last = half
      }
    }
    var parts: [(root: FactorTree.Root, units: Int, configurations: Int)] = []
    for halvings in (0..<Self.halvings).reversed() {
      let (units, configurations) = sizes[halvings...].reduce((0, 0)) { ($0.0 + $1.units, $0.1 + $1.configurations) }
      guard units > 0, parts.last?.configurations != configurations else { continue }
      parts.append((part(halvings, bySource ? nil : halves), units, configurations))
    }
    return try parts.enumerated().compactMap { number, part in
      guard number < parts.count - 1 else {
        return LearningFit(units: part.units, configurations: part.configurations, model: whole.linearModel)
      }
      guard let model = try model(of: part.root, bare, prior: prior) else { return nil }
      return LearningFit(units: part.units, configurations: part.configurations, model: model)
    }
  }

  /// Parts of a learning curve.
  private static let halvings = 8

  /// The training data of the sources, or of the blocks given, that stay after so many halvings.
  private func part(_ halvings: Int, _ halves: [BlockName: Int]?) -> FactorTree.Root {
    guard let halves else { return root.beginning(zeroBits: halvings) }
    let training = selection(.training)
    var selection = training
    selection.multiplicity = { source, block in
      halves[BlockName(source: source, block: block)] ?? -1 >= halvings ? training.multiplicity(source, block) : 0
    }
    return tree.root(selection)
  }

  private func model(of root: FactorTree.Root, _ tree: FactorTree, prior: String) throws -> LinearModel? {
    guard let factorKey = root.key else { return nil }
    var key = DigestBuilder()
    key.add("learning curve 2")
    key.add(factorKey)
    key.add(Digest(of: basisJSON))
    key.add(prior)
    key.add("\(options.regularisation) \(references.fixed)")
    let bytes = try context.memo(key.finish()) {
      context.count("learning curve fits", 1)
      let factor = try tree.factor(root, cache: cache, threads: context.threads, load: load)
      do {
        let fit = try Fit(
          factor, layout: tree.layout, references: references, prior: self.prior(named: prior),
          regularisation: options.regularisation)
        let all = fit.coefficients + fit.referenceEnergies
        return NumPyArray(shape: [all.count], values: all).encoded
      } catch RegressionError.noRows {
        return NumPyArray(shape: [0], values: [Double]()).encoded
      }
    }
    let values = try NumPyArray<Double>(decoding: bytes).values
    guard values.count == tree.layout.basis + tree.layout.elements else { return nil }
    return LinearModel(
      coefficients: Array(values[..<tree.layout.basis]), referenceEnergies: Array(values[tree.layout.basis...]))
  }

  /// A pseudo-random number that content alone decides.
  static func lot(_ use: String, _ source: Digest, _ number: Int = 0) -> Digest {
    Digest(of: "\(use) \(source) \(number)")
  }
}
