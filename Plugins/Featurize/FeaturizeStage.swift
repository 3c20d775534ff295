// Configurations of one source come in; its environments (B rows) and the triangular factors of its
// regression rows go out.

import ACE
import Configurations
import LinearAlgebra
import Platform
import Regression
import StageKit
import Synchronization
import TrainingRows

/// Evaluates the linear ACE basis on each source, once.
public struct FeaturizeStage: SourceStage {
  public static let description = StageDescription(
    name: "featurize", version: 5,
    summary: "Evaluates the linear ACE basis: environments for novelty, reduced rows for the fit.",
    takes: [StageInput(.configurations), StageInput(.selection)], gives: [.perSource(.features)])

  private let basis: BasisParameters
  private let shared = SharedBasis()

  public init(parameters: inout ParameterDecoder) throws(ParameterError) {
    basis = try BasisParameters(&parameters)
  }

  public var attachments: [String] { basis.file.isEmpty ? [] : [basis.file] }

  /// The basis that this stage evaluates for a project of these elements.
  public func specification(
    elements: [Element], attachments: [Attachment]
  ) throws(StageError) -> BasisSpecification {
    try basis.specification(elements: elements, attachments: attachments)
  }

  public func process(_ source: Source, _ inputs: StageInputs, _ context: StageContext) throws -> [ArtifactDraft] {
    let selection = try CanonicalJSON.decode(
      FrameSelection.self, context.bytes(inputs.whole(.selection), "selection.json"))
    let configurations = inputs.whole(.configurations)
    let summaries = try CanonicalJSON.decode([FrameSummary].self, context.bytes(configurations, "frames.json"))
    let (basisJSON, evaluator) = try shared.basis(of: context.elements, inputs.attachments) {
      try specification(elements: context.elements, attachments: inputs.attachments)
    }
    context.count("sources featurized", 1)

    let kept = Set(selection.kept)
    let bytes = try context.bytes(configurations, "configurations.extxyz")
    var work = SourceFeatures(
      evaluator: evaluator, groundState: try groundState(bytes, kept, evaluator, source.name), threads: context.threads)
    var reader = ExtendedXYZReader(MemoryByteSource(bytes), name: source.name)
    var frame = 0
    while let configuration = try reader.next() {
      defer { frame += 1 }
      guard kept.contains(frame) else { continue }
      try context.checkCancellation()
      do {
        try work.add(configuration, summaries[frame])
      } catch let error as ACEError {
        throw Diagnostic(
          .error, code: "not-evaluable", place: .init(ionicStep: summaries[frame].ionicStep),
          cause: "the basis cannot be evaluated: \(error).",
          remedy: "Look at this step's geometry; take the file out of the inbox if it is broken.")
      }
      context.progress(Double(frame + 1) / Double(summaries.count), "\(frame + 1) frames")
    }
    context.count("frames featurized", work.frames.count)
    return [try work.draft(basis: basisJSON)]
  }

  /// The lowest energies among the frames that are kept, from which their levels are counted.
  private func groundState(
    _ bytes: [UInt8], _ kept: Set<Int>, _ evaluator: Evaluator, _ name: String
  ) throws -> GroundState {
    var state = GroundState(elements: evaluator.basis.elements.count)
    var reader = ExtendedXYZReader(MemoryByteSource(bytes), name: name)
    var frame = 0
    while let configuration = try reader.next() {
      defer { frame += 1 }
      guard kept.contains(frame), let energy = configuration.labels.energy else { continue }
      state.add(
        composition: evaluator.basis.composition(of: configuration),
        energyPerAtom: energy / Double(configuration.count))
    }
    return state
  }
}

/// What the frames of one source add up to.
package struct SourceFeatures {
  let evaluator: Evaluator
  /// Force rows of a frame beyond this size, bytes, are formed and reduced a block of atoms at a time.
  private let largestRows: Int
  /// Threads for such a frame.
  private let threads: Int
  private let layout: ColumnLayout
  package private(set) var factors: SourceFactorsBuilder
  private(set) var frames: [FeatureIndex.Frame] = []
  /// By element: B rows, and where they belong.
  package private(set) var environments: [[Double]]
  private var sites: [[Int32]]
  private var shortest: [String: Double] = [:]
  private var coreEnergies: [String: Double] = [:]
  private var isolatedAtoms: [String: Double] = [:]
  private let groundState: GroundState
  /// Numbers of the runs that are cut into stretches.
  private var runs: [Digest: Int] = [:]
  private let workspace = Workspace()

  package init(
    evaluator: Evaluator, groundState: GroundState? = nil, largestRows: Int = 32 << 20, threads: Int = 1
  ) {
    self.evaluator = evaluator
    self.groundState = groundState ?? GroundState(elements: evaluator.basis.elements.count)
    self.largestRows = largestRows
    self.threads = threads
    let count = evaluator.basis.elements.count
    layout = ColumnLayout(basis: evaluator.basis.columnCount, elements: count)
    factors = SourceFactorsBuilder(layout: layout)
    environments = Array(repeating: [], count: count)
    sites = Array(repeating: [], count: count)
  }

  package mutating func add(_ configuration: Configuration, _ summary: FrameSummary) throws {
    if summary.stretch != nil, runs[summary.unit] == nil { runs[summary.unit] = runs.count }
    let basis = evaluator.basis
    let block =
      summary.stretch.map { FeatureIndex.blocks + $0 } ?? blockIndex(unit: summary.unit, blocks: FeatureIndex.blocks)
    let group = summary.group ?? ""
    let position = Int32(frames.count)
    let composition = basis.composition(of: configuration)
    let energyPerAtom = configuration.labels.energy.map { $0 / Double(configuration.count) }
    let isIsolated =
      try configuration.count == 1
      && (Self.isIsolatedAtom(group)
        || evaluator.projections(of: configuration, workspace: workspace).allSatisfy {
          $0.values.storage.allSatisfy { $0 == 0 }
        })
    var level = EnergyLevel.isolatedAtom
    if isIsolated {
      if let energyPerAtom {
        isolatedAtoms.merge([configuration.species[0].symbol: energyPerAtom], uniquingKeysWith: min)
      }
    } else {
      let lowest = groundState.lowestEnergy(of: composition)
      level = EnergyLevel.level(above: (energyPerAtom ?? 0) - (lowest ?? energyPerAtom ?? 0))
    }
    frames.append(
      FeatureIndex.Frame(
        frame: summary.frame, ionicStep: summary.ionicStep, atoms: configuration.count, group: group, block: block,
        run: summary.stretch.map { _ in runs[summary.unit]! }, level: level, composition: composition,
        energyPerAtom: energyPerAtom))
    shortest.merge(try configuration.shortestDistances(within: FeatureIndex.shortDistance), uniquingKeysWith: min)
    // The fit learns what is left when the repulsion has been taken away.
    let labelled = try TrainingRows(configuration, evaluator, workspace: workspace)
    for (element, energy) in zip(configuration.species, labelled.core?.energies ?? []) {
      coreEnergies[element.symbol] = max(coreEnergies[element.symbol] ?? 0, energy)
    }
    func key(_ kind: RowKind) -> RowKey {
      RowKey(block: block, group: group, kind: kind, level: level, atoms: kind == .force ? 0 : configuration.count)
    }
    let (energyRow, strainRows, projections) = try Self.rows(
      of: configuration, evaluator, atMost: largestRows, threads, workspace
    ) { atoms, rows, continues in
      // By symmetry there is nothing to learn of a lone atom but its energy.
      guard !isIsolated, let rows = labelled.forces(of: atoms, basis: rows) else { return }
      try factors.append(rows, key: key(.force), atoms: configuration.count, continues: continues)
    }
    for part in projections {
      environments[part.element] += part.values.storage
      for atom in part.atoms { sites[part.element] += [position, Int32(atom)] }
    }
    if let row = labelled.energy(basisSums: energyRow) {
      try factors.append(row, key: key(.energy), atoms: configuration.count)
    }
    if !isIsolated, let rows = labelled.stress(basis: strainRows) {
      try factors.append(rows, key: key(.stress), atoms: configuration.count)
    }
  }

  /// The name that others give to frames of a lone atom; a small cell may hide what it is.
  private static func isIsolatedAtom(_ group: String) -> Bool {
    ["isolatedatom", "isolated_atom"].contains(group.lowercased())
  }

  /// Energy row, strain rows and projections; force rows go to `body`, of all atoms at once where that is little.
  private static func rows(
    of configuration: Configuration, _ evaluator: Evaluator, atMost largestRows: Int, _ threads: Int,
    _ workspace: Workspace,
    _ body: (_ atoms: [Int], _ forces: Matrix, _ continues: Bool) throws -> Void
  ) throws -> (energy: [Double], strain: Matrix, projections: [Projections]) {
    let bytesPerAtom = 24 * evaluator.basis.columnCount
    if bytesPerAtom * configuration.count <= largestRows {
      let (rows, projections) = try evaluator.features(of: configuration, workspace: workspace)
      try body(Array(configuration.species.indices), rows.forces, false)
      return (rows.energy, rows.virial, projections)
    }
    let projections = try evaluator.projections(of: configuration, workspace: workspace)
    var continues = false
    let (energy, strain) = try evaluator.forEachRowBlock(
      of: configuration, atomsPerBlock: max(largestRows / 2 / bytesPerAtom, 64), threads: threads,
      workspace: workspace
    ) { atoms, rows in
      try body(atoms, rows, continues)
      continues = true
    }
    return (energy, strain, projections)
  }

  consuming func draft(basis: [UInt8]) throws -> ArtifactDraft {
    var draft = ArtifactDraft(.features)
    var held: [FeatureIndex.Environments] = []
    for (index, element) in evaluator.basis.elements.enumerated() {
      let functions = evaluator.basis.columns(ofElement: index).count
      let rows = sites[index].count / 2
      guard rows > 0 else { continue }
      held.append(FeatureIndex.Environments(element: element.symbol, rows: rows, functions: functions))
      draft.add(
        FeatureIndex.environmentsPart(element.symbol),
        Matrix(rows: rows, columns: functions, storage: environments[index]).numPyBytes)
      draft.add(
        FeatureIndex.sitesPart(element.symbol), NumPyArray(shape: [rows, 2], values: sites[index]).encoded)
    }
    draft.add(
      "index.json",
      try CanonicalJSON.encode(
        FeatureIndex(
          frames: frames, environments: held, basis: Digest(of: basis), shortestDistances: shortest,
          coreEnergies: coreEnergies, isolatedAtoms: isolatedAtoms)))
    draft.add("basis.json", basis)
    draft.add("factors.npz", NumPyArchive.encode(factors.finish().encoded()))
    return draft
  }
}

/// The basis is made once for all sources: finding the independent couplings, or reading a file of functions, takes
/// longer than evaluating a small source.
private final class SharedBasis: Sendable {
  private struct Known {
    let elements: [Element]
    let attachments: [Attachment]
    let encoded: [UInt8]
    let evaluator: Evaluator
  }

  private let state = Mutex<Known?>(nil)

  /// - Parameter make: called where this basis is not the one that was asked for last.
  func basis(
    of elements: [Element], _ attachments: [Attachment], make: () throws -> BasisSpecification
  ) throws -> (encoded: [UInt8], evaluator: Evaluator) {
    try state.withLock { known in
      if let known, known.elements == elements, known.attachments == attachments {
        return (known.encoded, known.evaluator)
      }
      let specification = try make()
      let own = Known(
        elements: elements, attachments: attachments, encoded: try CanonicalJSON.encode(specification),
        evaluator: Evaluator(try Basis(specification)))
      known = own
      return (own.encoded, own.evaluator)
    }
  }
}
