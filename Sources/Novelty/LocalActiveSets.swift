import LinearAlgebra

/// Which active set speaks for a row.
public enum LocalGradeRule: String, Sendable, Codable, CaseIterable {
  /// The smallest grade over all clusters: no row need be assigned, and every training row is at most at the
  /// tolerance; but one broad cluster can explain a novelty away.
  case minimum
  /// The grade in the row's own (nearest) cluster: sharper, riskier at borders.
  case ownCluster
  /// The own cluster where it is under-represented in the global active set (representation < 1), else
  /// the global grade.
  case switching
}

/// Local grades and where they come from.
public struct LocalGrades: Sendable, Equatable {
  /// Shape [rows]; infinite where no active set that may speak can state a grade.
  public let grades: [Double]
  /// The cluster whose grade it is; nil for the global set. Shape [rows].
  public let clusters: [Int?]
}

/// One active set per cluster of environments of one element, and the global one beside them.
public struct LocalActiveSets: Sendable {
  public let global: ActiveSet
  /// Shape [clusters].
  public let clusters: [ActiveSet]
  /// Rows of each cluster.
  public let sizes: [Int]
  /// (share of the global active rows)/(share of rows) of each cluster: below 1, the global set knows less
  /// of it than its size warrants.
  public let representation: [Double]

  public var ranks: [Int] { clusters.map(\.rank) }

  public init(
    _ rows: Matrix, assignments: [Int], clusterCount: Int,
    options: ActiveSet.Options = .init(), threads: Int = 1
  ) throws {
    try self.init(
      RowBlocks(rows), assignments: assignments, clusterCount: clusterCount, options: options,
      threads: threads)
  }

  /// - Parameters:
  ///   - assignments: cluster of each row, 0..<clusterCount; every cluster has a row.
  /// - Throws: as `ActiveSet.init`.
  public init(
    _ rows: RowBlocks, assignments: [Int], clusterCount: Int,
    options: ActiveSet.Options = .init(), threads: Int = 1
  ) throws {
    precondition(assignments.count == rows.count, "one cluster per row")
    guard rows.count > 0 else { throw NoveltyError.noRows }
    var members = [[Int]](repeating: [], count: clusterCount)
    for (row, cluster) in assignments.enumerated() { members[cluster].append(row) }
    precondition(members.allSatisfy { !$0.isEmpty }, "no cluster is empty")
    let global = try ActiveSet(rows, options: options, threads: threads)
    self.global = global
    clusters =
      clusterCount == 1
      ? [global]
      : try members.map {
        try ActiveSet(rows.selecting($0), options: options, threads: threads).renumbered($0)
      }
    sizes = members.map(\.count)
    representation = Self.representation(
      activeClusters: global.indices.map { assignments[$0] }, sizes: sizes)
  }

  init(global: ActiveSet, clusters: [ActiveSet], sizes: [Int], representation: [Double]) {
    self.global = global
    self.clusters = clusters
    self.sizes = sizes
    self.representation = representation
  }

  private static func representation(activeClusters: [Int], sizes: [Int]) -> [Double] {
    var active = [Int](repeating: 0, count: sizes.count)
    for cluster in activeClusters { active[cluster] += 1 }
    let total = Double(sizes.reduce(0, +))
    return zip(active, sizes).map {
      activeClusters.isEmpty ? 0 : Double($0) / Double(activeClusters.count) / (Double($1) / total)
    }
  }

  /// The grades of every row in every cluster, shape [rows][clusters].
  public func gradesInClusters(
    _ rows: Matrix, outside: ActiveSet.OutsideSpan = .infinite, threads: Int = 1
  ) -> Matrix {
    let columns = clusters.map { $0.grades(rows, outside: outside, threads: threads) }
    var result = Matrix(rows: rows.rows, columns: clusters.count)
    for (k, column) in columns.enumerated() {
      for (i, grade) in column.enumerated() { result[i, k] = grade }
    }
    return result
  }

  /// The local grade of each row under a rule.
  /// - Parameter nearest: the nearest cluster of each row (`Clustering.nearestClusters`), which all
  ///   rules but `minimum` need.
  public func grades(
    _ rows: Matrix, rule: LocalGradeRule = .minimum, nearest: [Int]? = nil,
    outside: ActiveSet.OutsideSpan = .infinite, threads: Int = 1
  ) -> LocalGrades {
    if rule == .minimum {
      let all = gradesInClusters(rows, outside: outside, threads: threads)
      var grades: [Double] = []
      var owners: [Int?] = []
      for i in 0..<rows.rows {
        var best = 0
        for k in 1..<max(clusters.count, 1) where all[i, k] < all[i, best] { best = k }
        grades.append(all[i, best])
        owners.append(best)
      }
      return LocalGrades(grades: grades, clusters: owners)
    }
    guard let nearest, nearest.count == rows.rows else {
      preconditionFailure("the nearest cluster of each row is needed by this rule")
    }
    // nil is the global set.
    let speakers = nearest.map {
      rule == .switching && representation[$0] >= 1 ? nil : Optional($0)
    }
    var grades = [Double](repeating: 0, count: rows.rows)
    for speaker in [nil] + (0..<clusters.count).map(Optional.init) {
      let members = speakers.indices.filter { speakers[$0] == speaker }
      guard !members.isEmpty else { continue }
      let set = speaker.map { clusters[$0] } ?? global
      let values = set.grades(rows.selecting(rows: members), outside: outside, threads: threads)
      for (member, value) in zip(members, values) { grades[member] = value }
    }
    return LocalGrades(grades: grades, clusters: speakers)
  }
}

extension ActiveSet {
  /// The same set with its row indices read through a selection of rows.
  func renumbered(_ selection: [Int]) -> ActiveSet {
    ActiveSet(
      options: options, referenceCount: referenceCount, indices: indices.map { selection[$0] },
      rows: rows, singularValues: singularValues, meanRowNorm: meanRowNorm,
      residualLimit: residualLimit, logVolume: logVolume,
      largestReferenceGrade: largestReferenceGrade, passes: passes, exchanges: exchanges,
      transform: transform)
  }
}
