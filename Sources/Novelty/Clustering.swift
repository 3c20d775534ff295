import LinearAlgebra

/// A partition of the environments of one element, with everything needed to place a new row.
public struct Clustering: Sendable, Equatable {
  /// How the rows are divided.
  public enum Division: Sendable, Equatable {
    /// The largest number of k-means clusters, up to the maximum, that all have enough rows, those that have not being
    /// merged into the nearest. (Without merging the number is smaller, jumps with the sample, and on the
    /// tungsten domains detected less: AUROC .92 against .99 for disordered ones.)
    case automatic(maximum: Int)
    /// This many k-means clusters, before small ones are merged.
    case count(Int)
    /// The user's own labels: `names[ofRow[i]]` is the label of row i.
    case labels(names: [String], ofRow: [Int])
  }

  public struct Options: Sendable, Equatable, Codable {
    /// Where distances are taken.
    public var coordinates = CoordinateChoice.whitened(10)
    /// A cluster needs this many rows per independent direction.
    public var rowsPerRank = 3.0
    /// Singular values up to this share of a cluster's largest do not count towards its rank.
    public var rankTolerance = 1e-6
    public var seed: UInt64 = 1
    public var restarts = 5
    public var maximumIterations = 100

    public init() {}
  }

  /// Cluster of each row. Clusters are numbered by their first row.
  public private(set) var assignments: [Int]
  /// In coordinates, shape [clusters][coordinates.count].
  public private(set) var centroids: Matrix
  public private(set) var sizes: [Int]
  /// Independent directions of each cluster's rows.
  public private(set) var ranks: [Int]
  /// The user's labels, joined by "+" where merged; "0", "1"… for k-means. Set these to keep identities
  /// (`ClusterMatching`).
  public var names: [String]
  /// What was merged and why, in words.
  public private(set) var notes: [String]
  public let coordinates: CoordinateMap

  public var count: Int { sizes.count }

  public init(
    _ rows: Matrix, division: Division, options: Options = Options(), threads: Int = 1
  ) throws {
    try self.init(RowBlocks(rows), division: division, options: options, threads: threads)
  }

  /// - Throws: `NoveltyError.noRows`; `LinearAlgebraError`; what reading rows throws.
  public init(
    _ rows: RowBlocks, division: Division, options: Options = Options(), threads: Int = 1
  ) throws {
    guard rows.count > 0 else { throw NoveltyError.noRows }
    let map = try CoordinateMap(rows, choice: options.coordinates, threads: threads)
    let points = try map.apply(rows, threads: threads)
    var builder = ClusterBuilder(rows: rows, points: points, options: options, threads: threads)
    switch division {
    case .automatic(let maximum):
      try builder.chooseLargest(upTo: maximum)
    case .count(let count):
      builder.divide(count)
      try builder.mergeSmall()
    case .labels(let names, let ofRow):
      precondition(ofRow.count == rows.count, "one label per row")
      builder.adopt(names: names, ofRow: ofRow)
      try builder.mergeSmall()
    }
    let result = try builder.finish()
    assignments = result.assignments
    centroids = result.centroids
    sizes = result.sizes
    ranks = result.ranks
    names = result.names
    notes = result.notes
    coordinates = map
  }

  init(
    assignments: [Int], centroids: Matrix, sizes: [Int], ranks: [Int], names: [String],
    notes: [String], coordinates: CoordinateMap
  ) {
    self.assignments = assignments
    self.centroids = centroids
    self.sizes = sizes
    self.ranks = ranks
    self.names = names
    self.notes = notes
    self.coordinates = coordinates
  }

  /// The nearest cluster of each row by distance to the centroids, the lower index on ties.
  public func nearestClusters(_ rows: Matrix, threads: Int = 1) -> [Int] {
    nearestCentroids(coordinates.apply(rows, threads: threads), centroids, threads: threads)
      .clusters
  }

  /// The rows of each cluster, ascending.
  public var members: [[Int]] {
    var result = [[Int]](repeating: [], count: count)
    for (row, cluster) in assignments.enumerated() { result[cluster].append(row) }
    return result
  }

  /// Distances between centroids, shape [clusters][clusters].
  public var centroidDistances: Matrix {
    var result = Matrix(rows: count, columns: count)
    for a in 0..<count {
      for b in 0..<count {
        var square = 0.0
        for j in 0..<centroids.columns {
          square += (centroids[a, j] - centroids[b, j]) * (centroids[a, j] - centroids[b, j])
        }
        result[a, b] = square.squareRoot()
      }
    }
    return result
  }
}

/// The mean row of each structure: what a clustering of configurations, or a comparison of them, takes.
/// - Parameter structures: structure of each row, 0..<count; a structure without rows gets zeros.
/// - Returns: shape [count][columns].
public func structureMeans(_ rows: Matrix, structures: [Int], count: Int) -> Matrix {
  precondition(structures.count == rows.rows, "one structure per row")
  var result = Matrix(rows: count, columns: rows.columns)
  var counts = [Double](repeating: 0, count: count)
  for (i, s) in structures.enumerated() {
    counts[s] += 1
    for j in 0..<rows.columns { result[s, j] += rows[i, j] }
  }
  for s in 0..<count where counts[s] > 0 { for j in 0..<rows.columns { result[s, j] /= counts[s] } }
  return result
}
