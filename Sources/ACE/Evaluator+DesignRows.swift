import CKernels
import Configurations
import LinearAlgebra

extension Evaluator {
  /// Energy, force and strain rows of a configuration. Memory: the output and, per thread, the
  /// gradients of one atom's one-particle sums. `forEachRowBlock` gives the same without the output.
  public func designRows(
    of configuration: Configuration, workspace: Workspace = Workspace()
  ) throws(ACEError) -> DesignRows {
    let atoms = try AtomBlocks(configuration, basis: basis)
    var none: ProjectionRows?
    return try designRows(atoms, configuration, &none, workspace)
  }

  /// Design rows and projections of a configuration at the price of the design rows.
  public func features(
    of configuration: Configuration, workspace: Workspace = Workspace()
  ) throws(ACEError) -> (rows: DesignRows, projections: [Projections]) {
    let atoms = try AtomBlocks(configuration, basis: basis)
    var projections: ProjectionRows? = ProjectionRows(atoms, basis)
    let rows = try designRows(atoms, configuration, &projections, workspace)
    return (rows, projections!.projections)
  }

  private func designRows(
    _ atoms: AtomBlocks, _ configuration: Configuration, _ projections: inout ProjectionRows?,
    _ workspace: Workspace
  ) throws(ACEError) -> DesignRows {
    let columns = basis.columnCount
    var energy = [Double](repeating: 0, count: columns)
    // Six strain rows behind the force rows, taken apart at the end.
    let forceRows = 3 * configuration.count
    var rows = [Double](repeating: 0, count: (forceRows + 6) * columns)
    let targets = RowTargets(places: (0..<Int32(configuration.count)).map { $0 }, count: configuration.count)
    for block in atoms.blocks {
      try addRows(block, atoms, targets, &energy, &projections, workspace, &rows)
    }
    let virial = Array(rows[(forceRows * columns)...])
    rows.removeLast(6 * columns)
    return DesignRows(
      energy: energy, forces: Matrix(rows: forceRows, columns: columns, storage: rows),
      virial: Matrix(rows: 6, columns: columns, storage: virial))
  }

  /// Adds what a block of centres gives to `rows`: three for each target, six for strain.
  func addRows(
    _ block: AtomBlocks.Block, _ atoms: AtomBlocks, _ targets: RowTargets, _ energy: inout [Double],
    _ projections: inout ProjectionRows?, _ workspace: Workspace, _ rows: inout [Double]
  ) throws(ACEError) {
    let program = programs[block.element]
    if program.functionCount == 0 { return }
    let environment = try BlockEnvironment(
      block, of: atoms, program: program, gradients: true, workspace: workspace)
    program.multiply(environment.nodes, gradients: true)
    let values = self.values(program, environment, workspace)
    projections?.append(values, block)
    let first = basis.columns(ofElement: block.element).lowerBound
    for f in 0..<program.functionCount {
      for (lane, atom) in block.atoms.enumerated() where targets.places[atom] >= 0 {
        energy[first + f] += values[8 * f + lane]
      }
    }
    rows.withUnsafeMutableBufferPointer { out in
      for lane in block.atoms.indices {
        addGradients(
          lane, block, targets, program, environment, workspace, out.baseAddress! + first)
      }
    }
  }

  /// Adds the rows that one centre contributes.
  private func addGradients(
    _ lane: Int, _ block: AtomBlocks.Block, _ targets: RowTargets, _ program: ElementProgram,
    _ environment: BlockEnvironment, _ workspace: Workspace, _ out: UnsafeMutablePointer<Double>
  ) {
    let segments = environment.segments.filter { $0.lane == lane }
    guard let start = segments.first?.start else { return }
    let width = segments.last!.start + segments.last!.padded - start
    let leaves = program.leafComponents
    let slotMap = SlotMap(UnsafeBufferPointer(start: environment.atoms + start, count: width), targets)
    let size = Self.panelColumns(width)
    let outWidth = slotMap.width
    let outSize = Self.panelColumns(outWidth)
    let panel = workspace.panel.reserve((size + (slotMap.moves ? outSize : 0)) * leaves)
    panel.update(repeating: 0, count: (size + (slotMap.moves ? outSize : 0)) * leaves)
    let final = slotMap.moves ? panel + size * leaves : panel
    withUnsafePointer(to: sluice_ace_harmonics.standard) { harmonics in
      for segment in segments {
        var neighbors = environment.neighbors(segment)
        sluice_ace_gradients(
          program.channels.pointer + segment.neighborElement, harmonics, &neighbors,
          Int32(segment.start - start), Int32(width),
          program.places(segment.neighborElement).baseAddress, Int32(leaves), panel)
      }
    }
    let displacements = workspace.pairs.reserve(3 * width)
    for k in 0..<width {
      let r = environment.distance[start + k]
      displacements[k] = r * environment.x[start + k]
      displacements[width + k] = r * environment.y[start + k]
      displacements[2 * width + k] = r * environment.z[start + k]
    }
    let slots = workspace.slots.reserve(width + outSize)
    for k in 0..<width { slots[k] = slotMap.slots[k] }
    sluice_ace_complete(
      panel, Int32(width), displacements, displacements + width, displacements + 2 * width,
      slotMap.moves ? slots : nil, Int32(leaves), final, Int32(outWidth))
    let rowOfColumn = slots + width
    rowOfColumn.update(repeating: -1, count: outSize)
    let centre = targets.places[block.atoms[lane]]
    for axis in 0..<3 {
      for (slot, atom) in slotMap.atoms.enumerated() where atom >= 0 {
        rowOfColumn[axis * outWidth + slot] = 3 * targets.places[Int(atom)] + Int32(axis)
      }
      if centre >= 0 { rowOfColumn[3 * outWidth + 8 + axis] = 3 * centre + Int32(axis) }
    }
    // Every centre is a target of one block only, which takes its strain.
    if centre >= 0 {
      for k in 0..<6 { rowOfColumn[3 * outWidth + k] = Int32(3 * targets.count + k) }
    }
    let values = workspace.lane.reserve(program.components)
    sluice_ace_lane(environment.nodes, Int32(program.components), Int32(lane), values)
    sluice_ace_design(
      program.terms.pointer, program.termStarts.pointer, Int32(program.functionCount), values,
      final, Int32(leaves), Int32(outSize), rowOfColumn, out, Int64(basis.columnCount))
  }

  /// Columns of a panel: three blocks of neighbours, strain and the centre, whole chunks of 32.
  private static func panelColumns(_ width: Int) -> Int { (3 * width + 16 + 31) / 32 * 32 }
}

/// The atoms whose force rows are wanted.
struct RowTargets {
  /// Of each atom of the configuration its number among the targets, -1 for none.
  let places: [Int32]
  let count: Int
}

/// Where a centre's neighbours go: images of one atom share a column where that makes a panel narrower, and
/// neighbours that are no targets have none.
private struct SlotMap {
  /// Column of each neighbour, -1 for none.
  private(set) var slots: [Int32] = []
  /// Atom of each column, -1 for none.
  private(set) var atoms: [Int32] = []
  /// Columns, a multiple of 8.
  let width: Int
  /// Whether columns differ from neighbours.
  let moves: Bool

  /// `neighbors`: the atom of each neighbour, -1 for padding.
  init(_ neighbors: UnsafeBufferPointer<Int32>, _ targets: RowTargets) {
    let merged = (Set(neighbors.lazy.filter { $0 >= 0 }).count + 7) / 8 * 8 < neighbors.count
    guard merged || neighbors.contains(where: { $0 >= 0 && targets.places[Int($0)] < 0 }) else {
      (atoms, width, moves) = (Array(neighbors), neighbors.count, false)
      slots = neighbors.indices.map { Int32($0) }
      return
    }
    var known: [Int32: Int32] = [:]
    for atom in neighbors {
      guard atom >= 0, targets.places[Int(atom)] >= 0 else {
        slots.append(-1)
        continue
      }
      let slot = merged ? known[atom] ?? Int32(atoms.count) : Int32(atoms.count)
      if slot == atoms.count {
        known[atom] = slot
        atoms.append(atom)
      }
      slots.append(slot)
    }
    width = (atoms.count + 7) / 8 * 8
    moves = true
  }
}
