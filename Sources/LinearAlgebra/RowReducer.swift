/// Rows come in piece by piece, a triangular factor goes out; memory stays at about two triangles
/// however many rows there are. The result depends on the rows and their order alone, to the last bit,
/// not on how they were cut into pieces.
public struct RowReducer: Sendable {
  private var factor: TriangularFactor
  private var pending: [Double] = []
  /// Rows that are folded in at a time.
  private let chunk: Int

  public init(columns: Int) {
    factor = TriangularFactor(columns: columns)
    chunk = max(columns, 512)
  }

  /// Adds rows, shape [any][columns].
  public mutating func append(_ rows: Matrix) {
    precondition(rows.columns == factor.columns, "rows of the factor's width")
    let size = chunk * factor.columns
    var start = 0
    while start < rows.storage.count {
      let end = min(rows.storage.count, start + size - pending.count)
      pending += rows.storage[start..<end]
      start = end
      if pending.count == size { flush() }
    }
  }

  /// The factor of everything added.
  public consuming func finish() -> TriangularFactor {
    if !pending.isEmpty { flush() }
    return factor
  }

  private mutating func flush() {
    let rows = pending.count / factor.columns
    let block = Matrix(rows: rows, columns: factor.columns, storage: pending)
    pending = []
    factor.append(block)
  }
}
