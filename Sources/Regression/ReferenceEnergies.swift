import LinearAlgebra

/// Where the one-body energies E0 come from: numbers that are given, by element, and least squares
/// through the composition columns, unpenalised, for the rest.
public struct ReferenceEnergies: Sendable, Equatable, Codable {
  /// eV/atom, one per composition column; nil where it is to be fitted.
  public var fixed: [Double?]

  public init(fixed: [Double?]) { self.fixed = fixed }

  /// All given (or all from isolated atoms), eV/atom, in the order of the composition columns.
  public static func given(_ energies: [Double]) -> ReferenceEnergies {
    ReferenceEnergies(fixed: energies)
  }

  /// Energies of isolated atoms where there were such calculations; the others are fitted.
  public static func isolatedAtoms(_ energies: [Double?]) -> ReferenceEnergies {
    ReferenceEnergies(fixed: energies)
  }

  /// All fitted.
  public static func leastSquares(elements: Int) -> ReferenceEnergies {
    ReferenceEnergies(fixed: Array(repeating: nil, count: elements))
  }
}

/// The regression that is left when the one-body energies are taken out of a factor: minimise
/// |R c - z|² + ρ² (+ penalty). A column operation on the factor; exact, without rows.
public struct ReducedProblem: Sendable {
  /// R, upper trapezoidal, shape [k][basis], k <= basis.
  public let matrix: Matrix
  /// z, shape [k].
  public let target: [Double]
  /// ρ²: what no coefficients can explain, in squared units of the weighted rows.
  public let unexplainedSquares: Double
  /// Rows that inform the coefficients: all rows less the combinations of E0 that were fitted.
  public let rows: Int
  /// Σ over rows of the squared target after given E0 were subtracted.
  public let targetSquares: Double
  /// What the user should know of the reference energies.
  public let notes: [String]

  let references: ReferenceEnergies
  /// Indices of the fitted elements.
  let fitted: [Int]
  /// V S⁻¹ of the fitted composition columns, shape [fitted][r].
  let expansion: Matrix
  /// What the r leading equations hold beside E0: S V' e + coupling · c = offset.
  let coupling: Matrix
  let offset: [Double]

  /// - Parameters:
  ///   - factor: of rows in the columns of `layout`, weighted.
  ///   - references: one entry per element of the layout.
  public init(
    _ factor: TriangularFactor, layout: ColumnLayout, references: ReferenceEnergies
  ) throws(RegressionError) {
    precondition(
      factor.columns == layout.columns && references.fixed.count == layout.elements,
      "the factor and the energies fit the layout")
    guard factor.rowCount > 0 else { throw .noRows }
    let basis = layout.basis
    let fitted = references.fixed.indices.filter { references.fixed[$0] == nil }
    var targets = factor.matrix.column(layout.columns - 1)
    for (element, energy) in references.fixed.enumerated() {
      guard let energy else { continue }
      for i in targets.indices { targets[i] -= energy * factor.matrix[i, basis + element] }
    }
    self.references = references
    self.fitted = fitted
    targetSquares = targets.reduce(0) { $0 + $1 * $1 }

    // [fitted composition | basis | target]
    let width = fitted.count + basis + 1
    var reordered = Matrix(rows: factor.matrix.rows, columns: width)
    for i in 0..<factor.matrix.rows {
      for (j, k) in fitted.enumerated() { reordered[i, j] = factor.matrix[i, basis + k] }
      for j in 0..<basis { reordered[i, fitted.count + j] = factor.matrix[i, j] }
      reordered[i, width - 1] = targets[i]
    }
    if fitted.isEmpty {
      (expansion, coupling) = (Matrix(rows: 0, columns: 0), Matrix(rows: 0, columns: basis))
      (offset, notes, rows) = ([], [], factor.rowCount)
      // A triangle stays one but for its last column; few raw rows become one.
      let triangle = factor.isTriangular ? reordered : reordered.upperTriangularFactor()
      (matrix, target, unexplainedSquares) = Self.split(triangle, basis: basis)
      return
    }
    let triangle =
      factor.isTriangular ? reordered.rotatedToTriangle(leading: fitted.count) : reordered.upperTriangularFactor()
    let top = min(fitted.count, triangle.rows)
    let composition = Matrix(
      (0..<top).map { i in (0..<fitted.count).map { triangle[i, $0] } }, columns: fitted.count)
    let head = Matrix(
      (0..<top).map { i in (fitted.count..<width).map { triangle[i, $0] } }, columns: basis + 1)
    let decomposition: SingularValues
    do {
      decomposition = try SingularValues(composition)
    } catch {
      throw .malformed("the composition columns have no singular values")
    }
    // Compositions are small integers over √N: what is below 1e-9 is rounding.
    let largest = decomposition.values.first ?? 0
    let rank = decomposition.values.count { $0 > largest * 1e-9 && $0 > 0 }
    let rotated = decomposition.left.transposedTimes(head)
    var expansion = Matrix(rows: fitted.count, columns: rank)
    for k in 0..<rank {
      for j in 0..<fitted.count {
        expansion[j, k] = decomposition.right[k, j] / decomposition.values[k]
      }
    }
    self.expansion = expansion
    let leading = rotated.selecting(rows: Array(0..<rank))
    coupling = leading.selecting(columns: Array(0..<basis))
    offset = leading.column(basis)
    rows = factor.rowCount - rank
    let tail = Matrix(
      (top..<max(top, triangle.rows)).map { i in
        (fitted.count..<width).map { triangle[i, $0] }
      }, columns: basis + 1)
    if rank == top {
      (matrix, target, unexplainedSquares) = Self.split(tail, basis: basis)
    } else {
      let rest = rotated.selecting(rows: Array(rank..<top)).stacked(on: tail)
      (matrix, target, unexplainedSquares) = Self.split(rest.upperTriangularFactor(), basis: basis)
    }
    notes =
      rank == fitted.count
      ? []
      : [
        "Reference energies: the energies and compositions at hand determine \(rank) of "
          + "\(fitted.count) combinations; the others have the values of least norm."
      ]
  }

  /// Cuts an upper trapezoid [R | z] into R, z and what lies below.
  private static func split(_ triangle: Matrix, basis: Int) -> (Matrix, [Double], Double) {
    let kept = min(basis, triangle.rows)
    var matrix = Matrix(rows: kept, columns: basis)
    for i in 0..<kept { for j in i..<basis { matrix[i, j] = triangle[i, j] } }
    let last = triangle.column(basis)
    return (matrix, Array(last[..<kept]), last[kept...].reduce(0) { $0 + $1 * $1 })
  }

  /// Root mean square of what even the best coefficients leave of a weighted row, at least a hundredth of
  /// what they and E0 have to explain: the unit for rows of prior knowledge.
  public var scatter: Double {
    let whole = target.reduce(unexplainedSquares) { $0 + $1 * $1 }
    return (max(unexplainedSquares, 1e-4 * whole) / Double(max(1, rows))).squareRoot()
  }

  /// The one-body energies that go with coefficients `c`, eV/atom, shape [elements].
  public func energies(for coefficients: [Double]) -> [Double] {
    var all = references.fixed.map { $0 ?? 0 }
    guard !fitted.isEmpty else { return all }
    let explained = coupling.times(coefficients)
    let values = expansion.times(zip(offset, explained).map { $0 - $1 })
    for (element, value) in zip(fitted, values) { all[element] = value }
    return all
  }

  /// As the other for all rows [basis | composition | …], shapes [rows][r] and [rows][basis].
  func projected(_ full: Matrix) -> (taken: Matrix, rest: Matrix) {
    let basis = matrix.columns
    var rest = Matrix(rows: full.rows, columns: basis)
    var compositions = Matrix(rows: full.rows, columns: fitted.count)
    for i in 0..<full.rows {
      for j in 0..<basis { rest[i, j] = full[i, j] }
      for (k, element) in fitted.enumerated() { compositions[i, k] = full[i, basis + element] }
    }
    let taken = compositions.times(expansion)
    if taken.columns > 0 {
      let moved = taken.times(coupling)
      for i in moved.storage.indices { rest.storage[i] -= moved.storage[i] }
    }
    return (taken, rest)
  }

  /// Splits a full row [basis | composition] into what the fitted energies take (u, shape [r]) and
  /// the row that is left for the basis: leverages are |u|² + |R_λ⁻ᵀ b'|².
  func projected(basis b: [Double], composition: [Double]) -> (taken: [Double], rest: [Double]) {
    guard !fitted.isEmpty else { return ([], b) }
    let taken = expansion.transposedTimes(fitted.map { composition[$0] })
    let moved = coupling.transposedTimes(taken)
    return (taken, zip(b, moved).map { $0 - $1 })
  }
}
