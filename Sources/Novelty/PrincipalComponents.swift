import Glibc
import LinearAlgebra

/// The leading principal components of rows.
public struct PrincipalComponents: Sendable, Equatable {
  /// Which components are kept: those that pass every condition given, at least one, and none below
  /// 1e-12 of the largest eigenvalue.
  public struct Selection: Sendable, Equatable, Codable {
    /// Eigenvalues above this (1 for standardised columns: more than one column's worth).
    public var eigenvalueAbove: Double?
    /// As many as explain this share of the variance, 0...1.
    public var explainedVariance: Double?
    public var maximumCount: Int?

    public init(
      eigenvalueAbove: Double? = nil, explainedVariance: Double? = nil, maximumCount: Int? = nil
    ) {
      self.eigenvalueAbove = eigenvalueAbove
      self.explainedVariance = explainedVariance
      self.maximumCount = maximumCount
    }
  }

  /// How the components are scaled against each other.
  public enum Weighting: String, Sendable, Codable {
    /// As projected: a component's spread is the root of its eigenvalue.
    case plain
    /// Every component has unit variance.
    case whitened
    /// Each is multiplied by its share of the variance.
    case explainedVarianceRatio
  }

  /// Shape [columns].
  public let mean: [Double]
  /// Descending, shape [kept].
  public let eigenvalues: [Double]
  /// Sum of all eigenvalues, kept or not.
  public let totalVariance: Double
  /// Row k is component k, shape [kept][columns].
  public let vectors: Matrix
  public let weighting: Weighting

  /// - Throws: `LinearAlgebraError` where the eigenvalues do not converge.
  public init(
    _ moments: Moments, selection: Selection, weighting: Weighting = .plain
  ) throws(LinearAlgebraError) {
    let eigen = try SymmetricEigen(moments.covariance)
    let descending = Array(eigen.values.reversed()).map { max(0, $0) }
    let total = descending.reduce(0, +)
    var kept = 0
    var sum = 0.0
    for value in descending {
      if kept > 0 {
        if value <= 1e-12 * descending[0] { break }
        if let limit = selection.eigenvalueAbove, value <= limit { break }
        if let share = selection.explainedVariance, sum >= share * total { break }
        if let maximum = selection.maximumCount, kept >= maximum { break }
      }
      kept += 1
      sum += value
    }
    let n = moments.mean.count
    mean = moments.mean
    eigenvalues = Array(descending.prefix(kept))
    totalVariance = total
    vectors = eigen.vectors.selecting(rows: (0..<kept).map { n - 1 - $0 })
    self.weighting = weighting
  }

  init(
    mean: [Double], eigenvalues: [Double], totalVariance: Double, vectors: Matrix,
    weighting: Weighting
  ) {
    self.mean = mean
    self.eigenvalues = eigenvalues
    self.totalVariance = totalVariance
    self.vectors = vectors
    self.weighting = weighting
  }

  public var count: Int { eigenvalues.count }

  /// Factor of each component under the weighting.
  var factors: [Double] {
    eigenvalues.map { value in
      switch weighting {
      case .plain: 1
      case .whitened: value > 0 ? 1 / value.squareRoot() : 1
      case .explainedVarianceRatio: totalVariance > 0 ? value / totalVariance : 1
      }
    }
  }

  /// The coordinates of rows, shape [rows][count].
  public func apply(_ rows: Matrix) -> Matrix {
    precondition(rows.columns == mean.count, "as many columns as were analysed")
    let n = rows.columns
    var centred = rows
    for i in 0..<rows.rows { for j in 0..<n { centred.storage[i * n + j] -= mean[j] } }
    var result = centred.timesTransposed(vectors)
    let factors = factors
    for i in 0..<result.rows { for k in 0..<count { result[i, k] *= factors[k] } }
    return result
  }
}

/// How rows become the coordinates in which distances are taken.
public struct CoordinateChoice: Sendable, Equatable, Codable {
  /// sign(z) ln(1 + |z|) of the standardised columns: tames tails.
  public var signLog: Bool
  /// Components to keep, or nil for all columns as they are.
  public var components: PrincipalComponents.Selection?
  public var weighting: PrincipalComponents.Weighting

  public init(
    signLog: Bool = false, components: PrincipalComponents.Selection? = nil,
    weighting: PrincipalComponents.Weighting = .whitened
  ) {
    self.signLog = signLog
    self.components = components
    self.weighting = weighting
  }

  public static let standardised = CoordinateChoice()
  public static let signLog = CoordinateChoice(signLog: true)
  /// At most `count` components of unit variance.
  public static func whitened(_ count: Int) -> CoordinateChoice {
    CoordinateChoice(components: .init(maximumCount: count))
  }
}

/// A fitted map from rows to coordinates: standardise, then tame tails, then project.
public struct CoordinateMap: Sendable, Equatable {
  public let standardisation: Standardisation
  public let signLog: Bool
  public let components: PrincipalComponents?

  public init(
    standardisation: Standardisation, signLog: Bool = false, components: PrincipalComponents? = nil
  ) {
    self.standardisation = standardisation
    self.signLog = signLog
    self.components = components
  }

  /// - Throws: `NoveltyError.noRows`, `LinearAlgebraError`, and what reading rows throws.
  public init(_ rows: RowBlocks, choice: CoordinateChoice, threads: Int = 1) throws {
    guard rows.count > 0 else { throw NoveltyError.noRows }
    let moments = try Moments(rows, threads: threads)
    standardisation = Standardisation(moments)
    signLog = choice.signLog
    guard let selection = choice.components else {
      components = nil
      return
    }
    var standard = moments.standardised(standardisation)
    if choice.signLog {
      let map = CoordinateMap(standardisation: standardisation, signLog: true)
      standard = Moments(columns: rows.columns)
      try rows.forEachBlock(of: 8 * blockHeight) { _, block in
        let parts = mapRowBlocks(block.rows, threads: threads) {
          Moments(map.apply(block.slice($0)))
        }
        for part in parts { standard.merge(part) }
      }
    }
    components = try PrincipalComponents(
      standard, selection: selection, weighting: choice.weighting)
  }

  /// Number of coordinates.
  public var count: Int { components?.count ?? standardisation.mean.count }

  /// Shape [rows][count].
  public func apply(_ rows: Matrix, threads: Int = 1) -> Matrix {
    let pieces = mapRowBlocks(rows.rows, threads: threads) { applyBlock(rows.slice($0)).storage }
    return Matrix(rows: rows.rows, columns: count, storage: pieces.flatMap { $0 })
  }

  /// The coordinates of all rows in one matrix.
  public func apply(_ rows: RowBlocks, threads: Int = 1) throws -> Matrix {
    var storage: [Double] = []
    storage.reserveCapacity(rows.count * count)
    try rows.forEachBlock(of: 8 * blockHeight) { storage += apply($1, threads: threads).storage }
    return Matrix(rows: rows.count, columns: count, storage: storage)
  }

  private func applyBlock(_ block: Matrix) -> Matrix {
    var z = standardisation.apply(block)
    if signLog {
      for i in z.storage.indices {
        let value = z.storage[i]
        z.storage[i] = value < 0 ? -log1p(-value) : log1p(value)
      }
    }
    return components?.apply(z) ?? z
  }
}
