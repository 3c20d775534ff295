import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit

/// What a fit is told of atoms that come closer than all data: there ACE shall not bend what the core
/// repulsion says. Rows with target zero, weak beside the data, and where ACE fades.
struct ShortRangePrior: Sendable {
  /// How near atoms of each pair of elements come in the data, Å.
  let shortestDistances: [String: Double]
  let handover: Handover
  private let rows: [AnchorRow]
  private let evaluator: Evaluator

  /// nil where nothing repels.
  init?(
    _ evaluator: Evaluator, basis: Digest, _ indices: [FeatureIndex], weight: Double, _ context: StageContext
  ) throws {
    guard evaluator.basis.bonds.joined().contains(where: { $0.corePrefactor != 0 }) else { return nil }
    var shortest: [String: Double] = [:]
    var cores: [String: Double] = [:]
    for index in indices {
      shortest.merge(index.shortestDistances, uniquingKeysWith: min)
      cores.merge(index.coreEnergies, uniquingKeysWith: max)
    }
    self.evaluator = evaluator
    shortestDistances = shortest
    handover = Handover(basis: evaluator.basis, coreEnergies: cores)
    guard weight > 0 else {
      rows = []
      return
    }
    rows = AnchorRow.beyond(
      try concurrentMap(Self.paths(evaluator).count, threads: context.threads) {
        try Self.rows(Self.paths(evaluator)[$0], evaluator, basis, context)
      }.flatMap { $0 }, shortestDistances: shortest, coreEnergies: cores)
  }

  private static func paths(_ evaluator: Evaluator) -> [CompressionPath] {
    CompressionPath.all(evaluator.basis.elements)
  }

  /// A path's rows depend on the basis alone, and are computed once for it.
  private static func rows(
    _ path: CompressionPath, _ evaluator: Evaluator, _ basis: Digest, _ context: StageContext
  ) throws -> [AnchorRow] {
    struct Head: Codable {
      var distance: Double
      var coreEnergies: [String: Double]
    }
    var key = DigestBuilder()
    key.add("short-range anchors 1")
    key.add(basis)
    key.add(path.name)
    let bytes = try context.memo(key.finish()) {
      context.count("short-range anchors computed", 1)
      let rows = try evaluator.anchorRows(path)
      let heads = rows.map { Head(distance: $0.distance, coreEnergies: $0.coreEnergies) }
      return NumPyArchive.encode([
        ("heads.json", try CanonicalJSON.encode(heads)),
        ("values.npy", Matrix(rows.map(\.values), columns: evaluator.basis.columnCount).numPyBytes),
      ])
    }
    let members = try NumPyArchive.decode(bytes)
    guard members.count == 2 else { throw StageError("the kept rows of \(path.name) are damaged") }
    let heads = try CanonicalJSON.decode([Head].self, members[0].bytes)
    let values = try Matrix(numPyBytes: members[1].bytes)
    return heads.indices.map {
      AnchorRow(
        path: path.name, pair: PairRepulsion.key(path.pair.0, path.pair.1), distance: heads[$0].distance,
        coreEnergies: heads[$0].coreEnergies, values: values.row($0))
    }
  }

  /// The rows as a factor in the columns of `layout`; nil where there are none.
  /// - Parameters:
  ///   - factor: of all data, weighted; its scatter is the unit in which the rows are weighted.
  ///   - weight: 1 lets ACE take away or add about half of the repulsive force.
  func factor(
    _ layout: ColumnLayout, beside factor: TriangularFactor, _ references: ReferenceEnergies, weight: Double
  ) throws -> TriangularFactor? {
    guard !rows.isEmpty else { return nil }
    let scale = 2 * weight * (try ReducedProblem(factor, layout: layout, references: references)).scatter
    var reducer = RowReducer(columns: layout.columns)
    reducer.append(
      Matrix(
        rows.map { $0.values.map { scale * $0 } + Array(repeating: 0, count: layout.elements + 1) },
        columns: layout.columns))
    return reducer.finish()
  }

  /// The handover that suits this potential, and what is not repulsive beyond the data.
  func checked(_ potential: Potential) throws -> (potential: Potential, diagnostics: [Diagnostic]) {
    let own = try handover.widened(for: potential, evaluator)
    let result = try Potential(
      basis: potential.basis, coefficients: potential.coefficients, embeddings: own.embeddings,
      referenceEnergies: potential.referenceEnergies, metadata: potential.metadata)
    let collapses = try evaluator.collapses(of: result, shortestDistances: shortestDistances)
    guard let first = collapses.first else { return (result, []) }
    let others = collapses.count > 1 ? " and \(collapses.count - 1) other structures" : ""
    return (
      result,
      [
        Diagnostic(
          .warning, code: "short-range",
          cause: "Closer than the data, atoms do not always repel: \(first.path) near "
            + "\((first.distance * 100).rounded() / 100) Å\(others).",
          remedy: "Add runs with closer atoms (compressed cells, high temperature), or raise shortRangeWeight.")
      ]
    )
  }
}
