import Glibc
import LinearAlgebra

/// Nearest-neighbour scores in coordinates: the plain distance, and the local density ratio in which every
/// reference brings its own scale (in the spirit of the local outlier factor, Breunig et al. 2000).
public struct DensityRatio: Sendable {
  public struct Options: Sendable, Equatable, Codable {
    /// Where distances are taken.
    public var coordinates = CoordinateChoice.signLog
    /// References that a row is compared with.
    public var comparedNeighbours = 5
    /// The scale of a reference is its distance to this many-th neighbour among the references.
    public var scaleNeighbour = 10
    /// No scale is smaller than this quantile of all scales.
    public var floorQuantile = 0.1
    /// References are thinned to this many (`RowBlocks.sample`).
    public var referenceLimit = 10_000
    /// Of each stratum (cluster) at least this many references, or all: fewer than `scaleNeighbour` would take
    /// their scale from another regime and hide what is new beside them.
    public var minimumPerStratum = 50

    public init() {}
  }

  public let options: Options
  public let coordinates: CoordinateMap
  public let neighbours: NearestNeighbours
  /// Distance of each reference to its `scaleNeighbour`-th neighbour, not below `floor`. Shape [references].
  public let scales: [Double]
  /// Smallest scale allowed; positive.
  public let floor: Double

  public init(
    _ rows: Matrix, strata: [Int]? = nil, options: Options = Options(), threads: Int = 1
  ) throws {
    try self.init(RowBlocks(rows), strata: strata, options: options, threads: threads)
  }

  /// - Parameter strata: cluster of each row (`Clustering.assignments`), or nil.
  /// - Throws: `NoveltyError.noRows`, `.notFinite`; `LinearAlgebraError`; what reading rows throws.
  public init(
    _ rows: RowBlocks, strata: [Int]? = nil, options: Options = Options(), threads: Int = 1
  ) throws {
    guard rows.count > 0 else { throw NoveltyError.noRows }
    let map = try CoordinateMap(rows, choice: options.coordinates, threads: threads)
    let sample = try rows.sample(
      limit: options.referenceLimit, strata: strata, minimum: options.minimumPerStratum)
    self.init(
      references: try map.apply(rows.selecting(sample), threads: threads), coordinates: map,
      options: options, threads: threads)
  }

  /// From references in coordinates.
  init(references: Matrix, coordinates: CoordinateMap, options: Options, threads: Int) {
    self.options = options
    self.coordinates = coordinates
    neighbours = NearestNeighbours(references)
    let found = neighbours.nearest(
      references, count: options.scaleNeighbour, excluding: Array(0..<references.rows),
      threads: threads)
    let raw = found.map { $0.last?.distance ?? 0 }
    let quantile = quantile(raw, options.floorQuantile)
    let fallback = raw.filter { $0 > 0 }.min() ?? 1
    floor = quantile > 0 ? quantile : fallback
    scales = raw.map { [floor] in max($0, floor) }
  }

  /// The scores of one row.
  public struct Score: Sendable, Equatable {
    /// min over the nearest references y of d(x, y)/scale(y).
    public let densityRatio: Double
    /// Distance to the nearest reference.
    public let nearestDistance: Double
    /// d/√scale of the nearest reference: between the two.
    public let softenedDistance: Double
  }

  /// Shape [rows]; infinite for rows that are not finite.
  public func scores(_ rows: Matrix, threads: Int = 1) -> [Score] {
    let points = coordinates.apply(rows, threads: threads)
    let found = neighbours.nearest(points, count: options.comparedNeighbours, threads: threads)
    return found.map { neighbours in
      var ratio = Double.infinity
      for neighbour in neighbours {
        ratio = min(ratio, neighbour.distance / scales[neighbour.index])
      }
      guard let nearest = neighbours.first, nearest.distance.isFinite else {
        return Score(
          densityRatio: .infinity, nearestDistance: .infinity, softenedDistance: .infinity)
      }
      return Score(
        densityRatio: ratio, nearestDistance: nearest.distance,
        softenedDistance: nearest.distance / scales[nearest.index].squareRoot())
    }
  }

  /// The density ratio of each row, shape [rows].
  public func ratios(_ rows: Matrix, threads: Int = 1) -> [Double] {
    scores(rows, threads: threads).map(\.densityRatio)
  }
}

extension DensityRatio {
  public struct Summary: Sendable, Equatable, Codable {
    public var options: Options
    public var floor: Double
    var coordinates: CoordinateMap.Summary
  }

  public var summary: Summary {
    Summary(options: options, floor: floor, coordinates: coordinates.summary)
  }

  /// "references.npy" ([references][coordinates]), "scales.npy" ([1][references]) and, with components,
  /// "components.npy".
  public var parts: NamedParts {
    var parts = coordinates.parts
    parts["references.npy"] = neighbours.references.numPyBytes
    parts["scales.npy"] = Matrix([scales]).numPyBytes
    return parts
  }

  public init(summary: Summary, parts: NamedParts) throws(NoveltyError) {
    options = summary.options
    coordinates = try CoordinateMap(summary: summary.coordinates, parts: parts)
    let references = try parts.matrix("references.npy", rows: nil, columns: coordinates.count)
    neighbours = NearestNeighbours(references)
    scales = try parts.matrix("scales.npy", rows: 1, columns: references.rows).storage
    floor = summary.floor
  }
}
