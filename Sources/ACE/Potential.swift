import Configurations

/// A basis with coefficients: everything that a potential file holds.
public struct Potential: Sendable, Equatable {
  public let basis: Basis
  /// Per element, shape [functions][densities], row-major.
  public let coefficients: [[Double]]
  /// Per element.
  public let embeddings: [Embedding]
  /// eV per atom of each element, added to the energy.
  public var referenceEnergies: [Double]
  /// Free text by key, kept by the `.yaml` file.
  public var metadata: [String: String]

  /// `coefficients` and `embeddings` must fit the basis.
  public init(
    basis: Basis, coefficients: [[Double]], embeddings: [Embedding]? = nil,
    referenceEnergies: [Double]? = nil, metadata: [String: String] = [:]
  ) throws(ACEError) {
    let count = basis.elements.count
    self.basis = basis
    self.coefficients = coefficients
    self.embeddings = embeddings ?? Array(repeating: .linear, count: count)
    self.referenceEnergies = referenceEnergies ?? Array(repeating: 0, count: count)
    self.metadata = metadata
    guard coefficients.count == count, self.embeddings.count == count,
      self.referenceEnergies.count == count
    else { throw .mismatch("a potential needs coefficients and an embedding of every element") }
    for (i, embedding) in self.embeddings.enumerated() {
      guard embedding.densityCount >= 1,
        coefficients[i].count == basis.functions[i].count * embedding.densityCount
      else {
        throw .mismatch("\(basis.elements[i]) needs one coefficient per function and density")
      }
    }
  }

  /// A linear potential from one coefficient per column.
  public init(
    basis: Basis, columns: [Double], referenceEnergies: [Double]? = nil,
    metadata: [String: String] = [:]
  ) throws(ACEError) {
    guard columns.count == basis.columnCount else {
      throw .mismatch("\(columns.count) coefficients for \(basis.columnCount) columns")
    }
    try self.init(
      basis: basis,
      coefficients: basis.elements.indices.map { Array(columns[basis.columns(ofElement: $0)]) },
      referenceEnergies: referenceEnergies, metadata: metadata)
  }

  /// One coefficient per column; nil where an embedding is not linear.
  public var columnCoefficients: [Double]? {
    embeddings.allSatisfy(\.isLinear) ? coefficients.flatMap { $0 } : nil
  }
}
