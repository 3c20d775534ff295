// Results as a small Codable summary beside named .npy parts, so that other languages read them.

import LinearAlgebra

/// Named byte parts (.npy files) of an encoded result.
public typealias NamedParts = [String: [UInt8]]

extension [String: [UInt8]] {
  func matrix(_ name: String, rows: Int?, columns: Int?) throws(NoveltyError) -> Matrix {
    let matrix: Matrix
    do {
      matrix = try Matrix(numPyBytes: try part(name))
    } catch let error as NumPyFormatError {
      throw NoveltyError.badPart(name: name, cause: error.description)
    } catch let error as NoveltyError {
      throw error
    } catch {
      throw NoveltyError.badPart(name: name, cause: "\(error)")
    }
    guard rows.map({ $0 == matrix.rows }) ?? true, columns.map({ $0 == matrix.columns }) ?? true
    else {
      throw .badPart(
        name: name, cause: "has the unexpected shape [\(matrix.rows)][\(matrix.columns)]")
    }
    return matrix
  }

  func part(_ name: String) throws(NoveltyError) -> [UInt8] {
    guard let bytes = self[name] else { throw .badPart(name: name, cause: "is missing") }
    return bytes
  }

  /// The parts whose names begin with `prefix`, which is cut off.
  func under(_ prefix: String) -> NamedParts {
    var result: NamedParts = [:]
    for (name, bytes) in self where name.hasPrefix(prefix) {
      result[String(name.dropFirst(prefix.count))] = bytes
    }
    return result
  }
}

extension CoordinateMap {
  public struct Summary: Sendable, Equatable, Codable {
    var standardisation: Standardisation
    var signLog: Bool
    var componentMean: [Double]?
    var eigenvalues: [Double]?
    var totalVariance: Double?
    var weighting: PrincipalComponents.Weighting?
  }

  public var summary: Summary {
    Summary(
      standardisation: standardisation, signLog: signLog, componentMean: components?.mean,
      eigenvalues: components?.eigenvalues, totalVariance: components?.totalVariance,
      weighting: components?.weighting)
  }

  /// "components.npy" where there are any.
  public var parts: NamedParts {
    components.map { ["components.npy": $0.vectors.numPyBytes] } ?? [:]
  }

  public init(summary: Summary, parts: NamedParts) throws(NoveltyError) {
    guard summary.standardisation.mean.count == summary.standardisation.scale.count,
      summary.standardisation.scale.allSatisfy({ $0 > 0 })
    else { throw .badPart(name: "summary", cause: "the standardisation is not one") }
    var components: PrincipalComponents?
    if let mean = summary.componentMean {
      guard let eigenvalues = summary.eigenvalues, let total = summary.totalVariance,
        let weighting = summary.weighting
      else { throw .badPart(name: "summary", cause: "components lack eigenvalues or weighting") }
      components = PrincipalComponents(
        mean: mean, eigenvalues: eigenvalues, totalVariance: total,
        vectors: try parts.matrix("components.npy", rows: eigenvalues.count, columns: mean.count),
        weighting: weighting)
    }
    self.init(
      standardisation: summary.standardisation, signLog: summary.signLog, components: components)
  }
}

extension Clustering {
  public struct Summary: Sendable, Equatable, Codable {
    public var names: [String]
    public var sizes: [Int]
    public var ranks: [Int]
    public var notes: [String]
    var coordinates: CoordinateMap.Summary
  }

  public var summary: Summary {
    Summary(
      names: names, sizes: sizes, ranks: ranks, notes: notes, coordinates: coordinates.summary)
  }

  /// "assignments.npy" (int32, [rows]), "centroids.npy" and, with components, "components.npy".
  public var parts: NamedParts {
    var parts = coordinates.parts
    parts["assignments.npy"] =
      NumPyArray(shape: [assignments.count], values: assignments.map(Int32.init)).encoded
    parts["centroids.npy"] = centroids.numPyBytes
    return parts
  }

  public init(summary: Summary, parts: NamedParts) throws(NoveltyError) {
    let k = summary.sizes.count
    guard summary.names.count == k, summary.ranks.count == k else {
      throw .badPart(name: "summary", cause: "names, sizes and ranks differ in number")
    }
    let map = try CoordinateMap(summary: summary.coordinates, parts: parts)
    let bytes = try parts.part("assignments.npy")
    let stored: NumPyArray<Int32>
    do {
      stored = try NumPyArray(decoding: bytes)
    } catch {
      throw NoveltyError.badPart(name: "assignments.npy", cause: error.description)
    }
    var sizes = [Int](repeating: 0, count: k)
    for value in stored.values {
      guard value >= 0, value < k else {
        throw .badPart(name: "assignments.npy", cause: "cluster \(value) does not exist")
      }
      sizes[Int(value)] += 1
    }
    guard sizes == summary.sizes else {
      throw .badPart(name: "assignments.npy", cause: "does not have the sizes of the summary")
    }
    self.init(
      assignments: stored.values.map(Int.init),
      centroids: try parts.matrix("centroids.npy", rows: k, columns: map.count),
      sizes: summary.sizes,
      ranks: summary.ranks, names: summary.names, notes: summary.notes, coordinates: map)
  }
}

extension ActiveSet {
  public struct Summary: Sendable, Equatable, Codable {
    public var options: Options
    public var referenceCount: Int
    public var indices: [Int]
    public var singularValues: [Double]
    public var meanRowNorm: Double
    public var residualLimit: Double
    public var logVolume: Double
    public var largestReferenceGrade: Double
    public var passes: Int
    public var exchanges: Int
  }

  public var summary: Summary {
    Summary(
      options: options, referenceCount: referenceCount, indices: indices,
      singularValues: singularValues, meanRowNorm: meanRowNorm, residualLimit: residualLimit,
      logVolume: logVolume, largestReferenceGrade: largestReferenceGrade, passes: passes,
      exchanges: exchanges)
  }

  /// "active-rows.npy" ([rank][functions]) and "transform.npy" ([functions][functions]: the inverse in the first
  /// rank columns, the directions left out in the rest).
  public var parts: NamedParts {
    ["active-rows.npy": rows.numPyBytes, "transform.npy": transform.numPyBytes]
  }

  public init(summary: Summary, parts: NamedParts) throws(NoveltyError) {
    let n = summary.singularValues.count
    self.init(
      options: summary.options, referenceCount: summary.referenceCount, indices: summary.indices,
      rows: try parts.matrix("active-rows.npy", rows: summary.indices.count, columns: n),
      singularValues: summary.singularValues, meanRowNorm: summary.meanRowNorm,
      residualLimit: summary.residualLimit, logVolume: summary.logVolume,
      largestReferenceGrade: summary.largestReferenceGrade, passes: summary.passes,
      exchanges: summary.exchanges,
      transform: try parts.matrix("transform.npy", rows: n, columns: n))
  }
}

extension LocalActiveSets {
  public struct Summary: Sendable, Equatable, Codable {
    public var global: ActiveSet.Summary
    public var clusters: [ActiveSet.Summary]
    public var sizes: [Int]
    public var representation: [Double]
  }

  public var summary: Summary {
    Summary(
      global: global.summary, clusters: clusters.map(\.summary), sizes: sizes,
      representation: representation)
  }

  /// The parts of every active set: "global-…" and "cluster-0-…".
  public var parts: NamedParts {
    var result: NamedParts = [:]
    for (name, bytes) in global.parts { result["global-" + name] = bytes }
    for (k, set) in clusters.enumerated() {
      for (name, bytes) in set.parts { result["cluster-\(k)-" + name] = bytes }
    }
    return result
  }

  public init(summary: Summary, parts: NamedParts) throws(NoveltyError) {
    guard summary.clusters.count == summary.sizes.count,
      summary.representation.count == summary.sizes.count
    else {
      throw .badPart(name: "summary", cause: "clusters, sizes and representation differ in number")
    }
    var clusters: [ActiveSet] = []
    for (k, cluster) in summary.clusters.enumerated() {
      clusters.append(try ActiveSet(summary: cluster, parts: parts.under("cluster-\(k)-")))
    }
    self.init(
      global: try ActiveSet(summary: summary.global, parts: parts.under("global-")),
      clusters: clusters, sizes: summary.sizes, representation: summary.representation)
  }
}
