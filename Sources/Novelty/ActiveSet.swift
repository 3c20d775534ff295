import Glibc
import LinearAlgebra

/// The active set of one element: as many environments as the reference rows have independent
/// directions, chosen so that their volume is locally maximal (MaxVol). The extrapolation grade of a row is
/// its largest coefficient in the active rows, by magnitude.
///
/// Rank deficiency is the rule. The rows' right singular vectors with s > 1e-6 s₁ span the *kept*
/// directions, and MaxVol works in those coordinates. A row whose part outside them exceeds `residualLimit`
/// is outside: its grade is infinite (`OutsideSpan`). Nothing is pseudo-inverted away.
///
/// The result depends on the ordered reference rows alone. Rows that repeat an earlier one bit by bit are
/// left out first, so repeats change nothing.
public struct ActiveSet: Sendable {
  public struct Options: Sendable, Equatable, Codable {
    /// Largest grade of a reference row, above 1.
    public var tolerance = 1.01
    /// Tolerance of the exchanges after the first pass, above 1 and at most `tolerance`.
    public var refiningTolerance = 1.001
    /// Singular values up to this share of the largest do not count as directions.
    public var rankTolerance = 1e-6
    /// Part of a row outside the kept directions that makes it an outsider, relative to the mean row norm.
    public var residualTolerance = 1e-3
    /// Passes over all rows before giving up on the guarantee.
    public var maximumPasses = 100
    /// Exchanges between exact recomputations.
    public var exactEvery = 25

    public init() {}
  }

  /// What the grade of a row outside the kept directions is.
  public enum OutsideSpan: Sendable {
    /// Infinity: no grade can be stated.
    case infinite
    /// The size of the part outside over `residualLimit`, where that is larger: the grade of `exportInverse`,
    /// finite and so fit for ranking.
    case byResidual
  }

  public let options: Options
  /// Reference rows given, repeats included.
  public let referenceCount: Int
  /// Index of each active row among the reference rows, in slot order, shape [rank].
  public let indices: [Int]
  /// The active rows, shape [rank][functions].
  public let rows: Matrix
  /// Singular values of the distinct reference rows, descending, shape [functions].
  public let singularValues: [Double]
  /// Mean Euclidean norm of the distinct reference rows.
  public let meanRowNorm: Double
  /// Norm of the part outside the kept directions above which a row is outside: `residualTolerance` ×
  /// `meanRowNorm`, or more where a reference row itself has more.
  public let residualLimit: Double
  /// ln |det| of the active rows in the kept coordinates.
  public let logVolume: Double
  /// Largest grade among the distinct reference rows in the last pass.
  public let largestReferenceGrade: Double
  /// Passes over all rows, the last one without an exchange.
  public let passes: Int
  /// Exchanges made.
  public let exchanges: Int
  /// [M | V⊥]: the inverse of the active rows in the kept directions beside the directions left out, shape
  /// [functions][functions].
  let transform: Matrix

  public var rank: Int { indices.count }
  public var functions: Int { rows.columns }
  /// Whether every reference row has a grade of at most `options.tolerance`.
  public var isConverged: Bool { largestReferenceGrade <= options.tolerance }

  public init(_ rows: Matrix, options: Options = Options(), threads: Int = 1) throws {
    try self.init(RowBlocks(rows), options: options, threads: threads)
  }

  /// Chooses the active set of the given rows, in a few passes over them.
  /// - Throws: `NoveltyError.noRows`, `.notFinite`; `LinearAlgebraError`; what reading rows throws.
  public init(_ reference: RowBlocks, options: Options = Options(), threads: Int = 1) throws {
    precondition(
      options.refiningTolerance > 1 && options.refiningTolerance <= options.tolerance,
      "1 < refiningTolerance <= tolerance")
    guard reference.count > 0, reference.columns > 0 else { throw NoveltyError.noRows }
    let distinct = try reference.distinctRows()
    var search = try ActiveSetSearch(
      reference.selecting(distinct), options: options, threads: threads)
    try search.chooseStart()
    try search.refine()

    self.options = options
    referenceCount = reference.count
    indices = search.active.map { distinct[$0] }
    rows = search.activeRows
    singularValues = search.space.singularValues
    meanRowNorm = search.meanRowNorm
    residualLimit = max(
      options.residualTolerance * search.meanRowNorm, 1.0001 * search.largestResidual)
    logVolume = try Self.logVolume(
      search.activeRows, kept: search.space.vectors.slice(0..<search.space.rank))
    largestReferenceGrade = search.largestGrade
    passes = search.passes
    exchanges = search.exchanges
    transform = search.transform
  }

  init(
    options: Options, referenceCount: Int, indices: [Int], rows: Matrix, singularValues: [Double],
    meanRowNorm: Double, residualLimit: Double, logVolume: Double, largestReferenceGrade: Double,
    passes: Int, exchanges: Int, transform: Matrix
  ) {
    self.options = options
    self.referenceCount = referenceCount
    self.indices = indices
    self.rows = rows
    self.singularValues = singularValues
    self.meanRowNorm = meanRowNorm
    self.residualLimit = residualLimit
    self.logVolume = logVolume
    self.largestReferenceGrade = largestReferenceGrade
    self.passes = passes
    self.exchanges = exchanges
    self.transform = transform
  }

  /// The extrapolation grade of each row, shape [rows]; infinite for rows that are not finite.
  public func grades(
    _ rows: Matrix, outside: OutsideSpan = .infinite, threads: Int = 1
  ) -> [Double] {
    precondition(rows.columns == functions, "as many functions as the active set has")
    let limit = residualLimit > 0 ? residualLimit : Self.fallbackLimit
    return mapRowBlocks(rows.rows, threads: threads) { range in
      Self.gradesAndResiduals(rows.slice(range), transform: transform, rank: rank).map {
        grade, residual, largestPart in
        guard grade.isFinite, residual.isFinite else { return .infinity }
        switch outside {
        case .infinite: return residual > residualLimit ? .infinity : grade
        case .byResidual: return max(grade, largestPart / limit)
        }
      }
    }.flatMap { $0 }
  }

  /// The part of each row outside the kept directions, relative to `residualLimit`: above 1 is outside.
  public func relativeResiduals(_ rows: Matrix, threads: Int = 1) -> [Double] {
    let limit = residualLimit > 0 ? residualLimit : Self.fallbackLimit
    return mapRowBlocks(rows.rows, threads: threads) { range in
      Self.gradesAndResiduals(rows.slice(range), transform: transform, rank: rank).map {
        $0.residual / limit
      }
    }.flatMap { $0 }
  }

  /// Residual limit where all reference rows are zero.
  static let fallbackLimit = 1e-3

  /// Grade in the kept directions, norm of the part outside them, and the largest component of that part.
  static func gradesAndResiduals(
    _ block: Matrix, transform: Matrix, rank: Int
  ) -> [(grade: Double, residual: Double, largestPart: Double)] {
    let products = block.times(transform)
    let n = products.columns
    return (0..<block.rows).map { i in
      var grade = 0.0
      var finite = 0.0
      for j in i * n..<i * n + rank {
        let size = abs(products.storage[j])
        finite += size
        if size > grade { grade = size }
      }
      var square = 0.0
      var part = 0.0
      for j in i * n + rank..<(i + 1) * n {
        let value = products.storage[j]
        square += value * value
        part = max(part, abs(value))
      }
      return (
        finite.isFinite ? grade : .infinity, square.isFinite ? square.squareRoot() : .infinity, part
      )
    }
  }

  /// ln |det(A V)| by a triangular factor.
  private static func logVolume(_ active: Matrix, kept: Matrix) throws -> Double {
    let r = active.timesTransposed(kept).upperTriangularFactor()
    return (0..<r.rows).reduce(0) { $0 + log(abs(r[$1, $1])) }
  }
}

/// The square inverse that LAMMPS' `.asi` file holds.
public struct ExportInverse: Sendable, Equatable {
  /// γ(b) = max over j of |Σ_k b_k matrix[k][j]|, shape [functions][functions].
  public let matrix: Matrix
  /// Condition number (largest over smallest singular value) of the set that was inverted.
  public let condition: Double
  /// Directions that no reference row has and that were filled with rows of length `filledLength`.
  public let filledDirections: Int
  public let filledLength: Double
}

extension ActiveSet {
  /// The inverse of a full square set, finite whatever the rank.
  ///
  /// Each direction v that the reference rows do not have (there are `functions - rank`) gets a start row
  /// `residualLimit` · v, as if eps · I had been in the set (eps = 1e-3 mean row norms by default): the active
  /// rows and those start rows are independent, and this is their inverse. So a reference row keeps its grade,
  /// and a part outside the span scores its length over `residualLimit`: 1 at the limit of `grades`, about
  /// 1000 for a row wholly outside.
  /// - Throws: `LinearAlgebraError` where the singular values do not converge.
  public func exportInverse() throws(LinearAlgebraError) -> ExportInverse {
    let limit = residualLimit > 0 ? residualLimit : Self.fallbackLimit
    var matrix = transform
    for i in 0..<functions { for j in rank..<functions { matrix[i, j] /= limit } }
    let values = try SingularValues(matrix).values
    return ExportInverse(
      matrix: matrix, condition: values[0] / values[functions - 1],
      filledDirections: functions - rank, filledLength: limit)
  }
}
