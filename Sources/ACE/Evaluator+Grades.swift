import CKernels
import Configurations
import LinearAlgebra

extension Evaluator {
  /// Extrapolation grades of all atoms: the largest magnitude in b · inverse, where b holds the atom's
  /// projections and `inverses` one inverse active set per element (shape [functions][functions]).
  /// An element without one (nil) gets an infinite grade. Atoms are taken 256 at a time.
  public func grades(
    of configuration: Configuration, inverses: [Matrix?], workspace: Workspace = Workspace()
  ) throws(ACEError) -> [Double] {
    guard inverses.count == basis.elements.count else {
      throw .mismatch("grades need one inverse active set per element")
    }
    for (index, inverse) in inverses.enumerated() {
      guard let inverse else { continue }
      let count = basis.functions[index].count
      guard inverse.rows == count, inverse.columns == count else {
        throw .mismatch("the active set of \(basis.elements[index]) must be \(count) × \(count)")
      }
    }
    let atoms = try AtomBlocks(configuration, basis: basis)
    var grades = [Double](repeating: .infinity, count: configuration.count)
    var pending: (element: Int, atoms: [Int], rows: [Double]) = (-1, [], [])
    func flush() {
      guard !pending.atoms.isEmpty, let inverse = inverses[pending.element] else { return }
      let rows = Matrix(rows: pending.atoms.count, columns: inverse.rows, storage: pending.rows)
      let weights = rows.times(inverse)
      for (row, atom) in pending.atoms.enumerated() {
        var largest = 0.0
        for value in weights.storage[row * weights.columns..<(row + 1) * weights.columns] {
          // A comparison that also keeps a NaN.
          if !(abs(value) <= largest) { largest = abs(value) }
        }
        grades[atom] = largest
      }
    }
    for block in atoms.blocks where inverses[block.element] != nil {
      if pending.element != block.element || pending.atoms.count >= 256 {
        flush()
        pending = (block.element, [], [])
      }
      let program = programs[block.element]
      let environment = try BlockEnvironment(
        block, of: atoms, program: program, workspace: workspace)
      program.multiply(environment.nodes, gradients: false)
      let values = self.values(program, environment, workspace)
      for lane in block.atoms.indices {
        for f in 0..<program.functionCount { pending.rows.append(values[8 * f + lane]) }
      }
      pending.atoms += block.atoms
    }
    flush()
    return grades
  }
}
