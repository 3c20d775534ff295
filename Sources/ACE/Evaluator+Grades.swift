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
    for element in basis.elements.indices {
      guard let inverse = inverses[element] else { continue }
      let blocks = atoms.blocks.filter { $0.element == element }
      for start in stride(from: 0, to: blocks.count, by: 32) {
        let batch = AtomBlocks(atoms, Array(blocks[start..<min(start + 32, blocks.count)]))
        var collected = ProjectionRows(batch, basis)
        for block in batch.blocks { collected.append(try values(block, atoms, workspace), block) }
        let rows = collected.projections[0]
        let weights = rows.values.times(inverse)
        for (row, atom) in rows.atoms.enumerated() {
          grades[atom] = Self.largest(
            weights.storage[row * inverse.rows..<(row + 1) * inverse.rows])
        }
      }
    }
    return grades
  }

  /// The largest magnitude; NaN where any value is.
  private static func largest(_ values: ArraySlice<Double>) -> Double {
    values.withUnsafeBufferPointer {
      var largest = 0.0
      for value in $0 where !(abs(value) <= largest) {
        if value.isNaN { return .nan }
        largest = abs(value)
      }
      return largest
    }
  }
}
