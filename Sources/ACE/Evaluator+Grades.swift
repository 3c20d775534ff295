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
    let atoms = try AtomBlocks(configuration, basis: basis)
    var collector = try GradeCollector(inverses, basis, atoms: configuration.count)
    for block in atoms.blocks where inverses[block.element] != nil {
      collector.append(try values(block, atoms, workspace), block)
    }
    return collector.finish()
  }

  /// Energy, forces and strain derivative of a potential on this basis, and the grades of its atoms: what
  /// both need is done once. The numbers are those of `evaluate` and `grades`.
  public func evaluate(
    _ potential: Potential, _ configuration: Configuration, inverses: [Matrix?], threads: Int = 1,
    workspace: Workspace = Workspace()
  ) throws(ACEError) -> (evaluation: Evaluation, grades: [Double]) {
    guard potential.basis == basis else {
      throw .mismatch("the potential was made for another basis")
    }
    let collector = try GradeCollector(inverses, basis, atoms: configuration.count)
    var part = try evaluateParts(potential, configuration, collector, nil, threads, workspace)
    return (part.totals.evaluation(part.energies, configuration), part.grades!.finish())
  }
}

/// Gathers projections of atoms of one element until they are worth a matrix product.
struct GradeCollector: Sendable {
  private static let batch = 256

  private let inverses: [Matrix?]
  private let counts: [Int]
  private var grades: [Double]
  private var element = 0
  private var members: [Int] = []
  private var rows: [Double] = []

  init(_ inverses: [Matrix?], _ basis: Basis, atoms: Int) throws(ACEError) {
    guard inverses.count == basis.elements.count else {
      throw .mismatch("grades need one inverse active set per element")
    }
    counts = basis.functions.map(\.count)
    for (index, inverse) in inverses.enumerated() {
      guard let inverse else { continue }
      guard inverse.rows == counts[index], inverse.columns == counts[index] else {
        throw .mismatch("the active set of \(basis.elements[index]) must be \(counts[index]) × \(counts[index])")
      }
    }
    self.inverses = inverses
    grades = [Double](repeating: .infinity, count: atoms)
  }

  /// `values`: shape [functions][8]; blocks come element by element.
  mutating func append(_ values: UnsafePointer<Double>, _ block: AtomBlocks.Block) {
    guard inverses[block.element] != nil else { return }
    if block.element != element || members.count + block.atoms.count > Self.batch { flush() }
    element = block.element
    let (count, first) = (counts[element], rows.count)
    rows.append(contentsOf: repeatElement(0, count: block.atoms.count * count))
    rows.withUnsafeMutableBufferPointer {
      guard let base = $0.baseAddress else { return }
      sluice_ace_rows(values, Int32(count), Int32(block.atoms.count), base + first, Int64(count))
    }
    members += block.atoms
  }

  private mutating func flush() {
    guard !members.isEmpty, let inverse = inverses[element] else { return }
    let weights = Matrix(rows: members.count, columns: counts[element], storage: rows).times(inverse)
    for (row, atom) in members.enumerated() {
      grades[atom] = Self.largest(weights.storage[row * inverse.rows..<(row + 1) * inverse.rows])
    }
    members.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
  }

  /// Takes the grades of other atoms from another collector.
  mutating func merge(_ other: GradeCollector, of blocks: ArraySlice<AtomBlocks.Block>) {
    var other = other
    let theirs = other.finish()
    for block in blocks { for atom in block.atoms { grades[atom] = theirs[atom] } }
  }

  mutating func finish() -> [Double] {
    flush()
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
