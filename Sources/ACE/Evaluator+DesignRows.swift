import CKernels
import Configurations
import LinearAlgebra

extension Evaluator {
  /// Energy, force and strain rows of a configuration. Memory: the output and, per thread, the
  /// gradients of one atom's one-particle sums.
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
    for block in atoms.blocks {
      let program = programs[block.element]
      if program.functionCount == 0 { continue }
      let environment = try BlockEnvironment(
        block, of: atoms, program: program, gradients: true, workspace: workspace)
      program.multiply(environment.nodes, gradients: true)
      let values = self.values(program, environment, workspace)
      projections?.append(values, block)
      let first = basis.columns(ofElement: block.element).lowerBound
      for f in 0..<program.functionCount {
        for lane in block.atoms.indices { energy[first + f] += values[8 * f + lane] }
      }
      rows.withUnsafeMutableBufferPointer { out in
        for lane in block.atoms.indices {
          addGradients(
            lane, block, atoms, program, environment, workspace, forceRows,
            out.baseAddress! + first, columns)
        }
      }
    }
    let virial = Array(rows[(forceRows * columns)...])
    rows.removeLast(6 * columns)
    return DesignRows(
      energy: energy, forces: Matrix(rows: forceRows, columns: columns, storage: rows),
      virial: Matrix(rows: 6, columns: columns, storage: virial))
  }

  /// Adds the rows that one centre contributes.
  private func addGradients(
    _ lane: Int, _ block: AtomBlocks.Block, _ atoms: AtomBlocks, _ program: ElementProgram,
    _ environment: BlockEnvironment, _ workspace: Workspace, _ forceRows: Int,
    _ out: UnsafeMutablePointer<Double>, _ columns: Int
  ) {
    let segments = environment.segments.filter { $0.lane == lane }
    guard let start = segments.first?.start else { return }
    let width = segments.last!.start + segments.last!.padded - start
    let leaves = program.leafComponents
    let merge = SlotMap(UnsafeBufferPointer(start: environment.atoms + start, count: width))
    let merged = merge.width < width
    let size = Self.panelColumns(width)
    let outWidth = merged ? merge.width : width
    let outSize = Self.panelColumns(outWidth)
    let panel = workspace.panel.reserve((size + (merged ? outSize : 0)) * leaves)
    panel.update(repeating: 0, count: (size + (merged ? outSize : 0)) * leaves)
    let final = merged ? panel + size * leaves : panel
    var harmonics = sluice_ace_harmonics.standard
    for segment in segments {
      var neighbors = environment.neighbors(segment)
      sluice_ace_gradients(
        program.channels.pointer + segment.neighborElement, &harmonics, &neighbors,
        Int32(segment.start - start), Int32(width),
        program.places[segment.neighborElement].pointer, Int32(leaves), panel)
    }
    let displacements = workspace.pairs.reserve(3 * width)
    for k in 0..<width {
      let r = environment.distance[start + k]
      displacements[k] = r * environment.x[start + k]
      displacements[width + k] = r * environment.y[start + k]
      displacements[2 * width + k] = r * environment.z[start + k]
    }
    let slots = workspace.slots.reserve(width + outSize)
    for k in 0..<width { slots[k] = merge.slots[k] }
    sluice_ace_complete(
      panel, Int32(width), displacements, displacements + width, displacements + 2 * width,
      merged ? slots : nil, Int32(leaves), final, Int32(outWidth))
    let rowOfColumn = slots + width
    rowOfColumn.update(repeating: -1, count: outSize)
    let targets = merged ? merge.atoms : merge.sources
    for axis in 0..<3 {
      for (slot, atom) in targets.enumerated() where atom >= 0 {
        rowOfColumn[axis * outWidth + slot] = 3 * atom + Int32(axis)
      }
      rowOfColumn[3 * outWidth + 8 + axis] = Int32(3 * block.atoms[lane] + axis)
    }
    for k in 0..<6 { rowOfColumn[3 * outWidth + k] = Int32(forceRows + k) }
    let values = workspace.lane.reserve(program.components)
    sluice_ace_lane(environment.nodes, Int32(program.components), Int32(lane), values)
    sluice_ace_design(
      program.terms.pointer, program.termStarts.pointer, Int32(program.functionCount), values,
      final, Int32(leaves), Int32(outSize), rowOfColumn, out, Int64(columns))
  }

  /// Columns of a panel: three blocks of neighbours, strain and the centre, whole chunks of 32.
  private static func panelColumns(_ width: Int) -> Int { (3 * width + 16 + 31) / 32 * 32 }
}

/// Images of one atom share their columns where that makes a panel narrower.
private struct SlotMap {
  /// Column of each neighbour, -1 for padding.
  var slots: [Int32] = []
  /// Atom of each column.
  var atoms: [Int32] = []
  /// Atom of each neighbour, -1 for padding.
  var sources: [Int32] = []
  let width: Int

  /// `neighbors`: the atom of each neighbour, -1 for padding.
  init(_ neighbors: UnsafeBufferPointer<Int32>) {
    var known: [Int32: Int32] = [:]
    sources = Array(neighbors)
    for atom in neighbors {
      guard atom >= 0 else {
        slots.append(-1)
        continue
      }
      let slot = known[atom] ?? Int32(atoms.count)
      if slot == atoms.count {
        known[atom] = slot
        atoms.append(atom)
      }
      slots.append(slot)
    }
    width = (atoms.count + 7) / 8 * 8
  }
}
