// The pipeline's way from configurations to a fit, without store and stages:
// features -> source factors -> factor tree -> fit -> errors of the potential.

import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import TrainingRows

/// All fits of one basis to one data set.
struct Study {
  let options: Options
  let data: DataSet
  /// Of all functions that come into question.
  let evaluator: Evaluator
  private let specification: BasisSpecification
  private let layout: ColumnLayout
  private let clock = SystemClock()

  init(_ options: Options, _ data: DataSet) throws {
    self.options = options
    self.data = data
    let limits = (options.limits ?? (options.chooseFrom == nil ? nil : .wide)).map {
      BasisSpecification.Limits(radial: $0.radial, angular: $0.angular).truncated(to: options.order)
    }
    specification = BasisSpecification(
      elements: data.elements, cutoff: options.cutoff, radial: options.radial, order: options.order,
      limits: limits.map { [$0] },
      functionsPerElement: options.totalDegree == nil ? options.chooseFrom ?? options.functions : nil,
      ordering: options.ordering, totalDegree: options.totalDegree, elementsPerFunction: options.elementsPerFunction,
      repulsion: options.repels ? PairRepulsion.automatic(data.elements) : [:])
    let plain = try Basis(specification)
    evaluator = Evaluator(try options.adapted?.applied(to: plain) ?? plain)
    layout = ColumnLayout(basis: evaluator.basis.columnCount, elements: evaluator.basis.elements.count)
  }

  func run() throws {
    print("\(options.title): \(description)")
    let start = clock.uptime
    let (tree, factors, sources) = try factorTree()
    let featurized = clock.uptime
    print("  features and factors in \(seconds(featurized - start)) s")
    print(
      "  test MAE E meV/atom, F eV/Å, S GPa | test RMSE | train MAE | train RMSE | "
        + "lambda, degrees of freedom, log evidence, s")
    for choice in options.weights {
      var weights = choice.weights
      if choice.choosesStress, try stressesContradict(tree, factors) { weights.stress *= StressAgreement.reduction }
      let factor = try tree.factor(
        Regression.Selection(weights: weights), cache: NoFactorCache(), threads: options.threads
      ) { factors[$0]! }
      for prior in options.priors {
        for regularisation in options.regularisations {
          let begin = clock.uptime
          let model = try model(factor, prior, regularisation.value)
          let fit = model.fit
          let end = clock.uptime
          let table = try errors(model)
          if options.anchors != nil { try ShortRangeStudy(self).report(fit, anchored: false) }
          let setting = "\(brief(weights)) \(prior.name) \(regularisation.name)"
          print(
            "  \(setting): \(figures(table, .heldOut)) | \(figures(table, .train)) | "
              + "\(scientific(fit.lambda)), \(decimals(fit.effectiveDegreesOfFreedom, 1)), "
              + "\(decimals(fit.logEvidence, 0)), \(seconds(end - begin))")
          if let weight = options.anchors, weight > 0 {
            let study = try ShortRangeStudy(self)
            let anchored = try Fit(
              .merge(factor, study.factor(layout, weight, beside: factor)), layout: layout,
              references: .leastSquares(elements: layout.elements), prior: prior.prior(evaluator.basis),
              regularisation: regularisation.value)
            let table = try errors(FittedModel(fit: anchored, evaluator: evaluator))
            print(
              "    anchored: \(figures(table, .heldOut)) | \(figures(table, .train)) | \(scientific(anchored.lambda)), "
                + "\(decimals(anchored.effectiveDegreesOfFreedom, 1)), \(decimals(anchored.logEvidence, 0))")
            try study.report(anchored, anchored: true)
          }
          for group in options.byGroup ? Set(data.test.map(\.group)).sorted() : [] {
            print("    \(group): \(figures(table, .heldOut, group: group))")
          }
          if options.folds > 0 {
            let table = try crossValidated(sources, factors, weights, prior, regularisation.value)
            print("    CV: \(figures(table, .heldOut))")
          }
          for note in fit.notes { print("    \(note)") }
        }
      }
    }
  }

  private var description: String {
    let atoms = { (list: [Configuration]) in list.reduce(0) { $0 + $1.count } }
    let ranks = (1...options.order).map { rank in evaluator.basis.columnFunctions.count { $0.rank == rank } }
    return "\(data.training.count) + \(data.test.count) frames, \(atoms(data.training)) + \(atoms(data.test)) atoms; "
      + "\(layout.basis) functions (by rank \(ranks.map(String.init).joined(separator: " "))), "
      + "cutoff \(options.cutoff) Å, \(options.radial.name)"
  }

  /// The fit to these rows, with the functions that they need most where the data choose.
  private func model(
    _ factor: TriangularFactor, _ prior: PriorChoice, _ regularisation: Regularisation
  ) throws -> FittedModel {
    let references = ReferenceEnergies.leastSquares(elements: layout.elements)
    let fit = try Fit(
      factor, layout: layout, references: references, prior: prior.prior(evaluator.basis),
      regularisation: regularisation)
    guard options.chooseFrom != nil else { return FittedModel(fit: fit, evaluator: evaluator) }
    let candidates = evaluator.basis.columnFunctions
    let kept = FunctionChoice(of: fit, keeping: options.functions * layout.elements) { candidates[$0].rank == 1 }.kept
    let basis = try Basis(specification.choosing(kept, of: evaluator.basis))
    let columns = kept + Array(layout.basis..<layout.columns)
    let chosen = TriangularFactor(
      matrix: TriangularFactor(rows: factor.matrix.selecting(columns: columns)).matrix, rowCount: factor.rowCount)
    return FittedModel(
      fit: try Fit(
        chosen, layout: ColumnLayout(basis: kept.count, elements: layout.elements), references: references,
        prior: prior.prior(basis), regularisation: regularisation), evaluator: Evaluator(basis))
  }

  /// As the refit stage decides it, by all training frames.
  private func stressesContradict(_ tree: FactorTree, _ factors: [Digest: SourceFactors]) throws -> Bool {
    let parts = try [Weights(stress: 0), Weights(energy: 0, forces: 0)].map {
      try tree.factor(Regression.Selection(weights: $0), cache: NoFactorCache(), threads: options.threads) {
        factors[$0]!
      }
    }
    return try StressAgreement(
      rest: parts[0], stresses: parts[1], layout: layout, references: .leastSquares(elements: layout.elements),
      prior: PriorChoice("smoothness").prior(evaluator.basis))?.contradicts ?? false
  }

  // MARK: Features

  /// Eight sources of interleaved frames in place of the pipeline's runs: how frames are cut into
  /// sources, blocks and groups changes a fit by rounding only.
  private func factorTree() throws -> (FactorTree, [Digest: SourceFactors], [TreeSource]) {
    let count = min(8, data.training.count)
    let parts = try concurrentMap(count, threads: options.threads) { part in
      try factors(data.training.indices.filter { $0 % count == part })
    }
    var byDigest: [Digest: SourceFactors] = [:]
    var sources: [TreeSource] = []
    for (number, factors) in parts.enumerated() {
      let digest = Digest(of: "part \(number)")
      byDigest[digest] = factors
      sources.append(TreeSource(source: digest, factors: factors))
    }
    return (try FactorTree(layout: layout, sources: sources), byDigest, sources)
  }

  /// Errors of the training frames, each predicted by the fit to the other folds.
  private func crossValidated(
    _ sources: [TreeSource], _ factors: [Digest: SourceFactors], _ weights: Weights, _ prior: PriorChoice,
    _ regularisation: Regularisation
  ) throws -> ErrorTable {
    let folds = options.folds
    let tables = try concurrentMap(folds, threads: options.threads) { fold in
      let others = sources.indices.filter { $0 % folds != fold }.map { sources[$0] }
      let selection = Regression.Selection(weights: weights)
      let factor = try FactorTree(layout: layout, sources: others).factor(
        selection, cache: NoFactorCache(), threads: 1
      ) { factors[$0]! }
      let model = try model(factor, prior, regularisation)
      let potential = try model.potential
      var table = ErrorTable()
      let workspace = Workspace()
      for index in data.training.indices where index % sources.count % folds == fold {
        try add(data.training[index], potential, model.evaluator, .heldOut, workspace, to: &table)
      }
      return table
    }
    var table = ErrorTable()
    for part in tables { table.merge(part) }
    return table
  }

  private func factors(_ frames: [Int]) throws -> SourceFactors {
    var builder = SourceFactorsBuilder(layout: layout)
    let workspace = Workspace()
    for frame in frames { try add(data.training[frame], to: &builder, workspace) }
    return builder.finish()
  }

  /// As the featurize stage does.
  private func add(
    _ configuration: Configuration, to factors: inout SourceFactorsBuilder, _ workspace: Workspace
  ) throws {
    for (kind, rows) in try TrainingRows.all(of: configuration, evaluator, workspace: workspace) {
      try factors.append(rows, key: RowKey(block: 0, group: "", kind: kind), atoms: configuration.count)
    }
  }

  // MARK: Errors

  private func errors(_ model: FittedModel) throws -> ErrorTable {
    let potential = try model.potential
    let step = max(1, data.training.count / max(1, min(options.trainingErrors, data.training.count)))
    let training = stride(from: 0, to: data.training.count, by: step).map { data.training[$0] }
    var table = ErrorTable()
    for (configurations, split) in [(training, ErrorTable.Split.train), (data.test, .heldOut)] {
      let parts = 32
      let tables = try concurrentMap(parts, threads: options.threads) { part in
        var table = ErrorTable()
        let workspace = Workspace()
        for index in stride(from: part, to: configurations.count, by: parts) {
          try add(configurations[index], potential, model.evaluator, split, workspace, to: &table)
        }
        return table
      }
      for part in tables { table.merge(part) }
    }
    return table
  }

  private func add(
    _ configuration: Configuration, _ potential: Potential, _ evaluator: Evaluator, _ split: ErrorTable.Split,
    _ workspace: Workspace, to table: inout ErrorTable
  ) throws {
    let predicted = try evaluator.evaluate(potential, configuration, workspace: workspace)
    func add(_ residuals: [Double], _ quantity: ErrorTable.Quantity) {
      table.add(residuals, group: "", quantity: quantity, split: split)
      guard options.byGroup else { return }
      table.add(residuals, group: configuration.group, quantity: quantity, split: split)
    }
    if let energy = configuration.labels.energy {
      add([(predicted.energy - energy) / Double(configuration.count)], .energy)
    }
    if let forces = configuration.labels.forces {
      let residuals = zip(predicted.forces, forces).flatMap { a, b in [a.x - b.x, a.y - b.y, a.z - b.z] }
      add(residuals, .force)
    }
    if let stress = configuration.labels.stress, let own = predicted.stress {
      add(zip(own.voigt, stress.voigt).map { $0 - $1 }, .stress)
    }
  }
}

/// A fit and the basis that it belongs to.
private struct FittedModel {
  let fit: Fit
  let evaluator: Evaluator

  var potential: Potential {
    get throws {
      try Potential(basis: evaluator.basis, columns: fit.coefficients, referenceEnergies: fit.referenceEnergies)
    }
  }
}
