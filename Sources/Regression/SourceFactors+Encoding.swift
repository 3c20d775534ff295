import FoundationEssentials
import LinearAlgebra

// On disk: "factors.json" (the index) and one "leaf-00000.npy" for each leaf, in key order.

extension SourceFactors {
  private struct Index: Codable {
    struct Entry: Codable {
      var part: String
      var key: RowKey
      var statistics: LeafStatistics
    }
    var format: Int
    var layout: ColumnLayout
    var leaves: [Entry]
  }

  /// The name of the part that lists the others.
  public static let indexName = "factors.json"

  private static func partName(_ index: Int) -> String {
    let digits = String(index)
    return "leaf-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".npy"
  }

  /// Named byte parts: the index first, then one .npy for each leaf. The same factors give the same
  /// bytes.
  public func encoded() -> [(name: String, bytes: [UInt8])] {
    let names = leaves.indices.map(Self.partName)
    let index = Index(
      format: 1, layout: layout,
      leaves: zip(leaves, names).map {
        Index.Entry(part: $1, key: $0.key, statistics: $0.statistics)
      })
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Cannot fail: the builder saw to it that all numbers are finite.
    let bytes = [UInt8](try! encoder.encode(index))
    return [(Self.indexName, bytes)] + zip(names, leaves).map { ($0, $1.factor.numPyBytes) }
  }

  /// Reads what `encoded` writes, part by part; `part` gives the bytes of a name or nil.
  public init(decoding part: (String) throws -> [UInt8]?) throws {
    guard let bytes = try part(Self.indexName) else {
      throw RegressionError.malformed("no \(Self.indexName)")
    }
    let index: Index
    do {
      index = try JSONDecoder().decode(Index.self, from: Data(bytes))
    } catch {
      throw RegressionError.malformed("\(Self.indexName) is not the index of factors")
    }
    guard index.format == 1, (1..<1 << 20).contains(index.layout.basis),
      (1...118).contains(index.layout.elements)
    else { throw RegressionError.malformed("unknown format or an impossible layout") }
    var leaves: [Leaf] = []
    for (number, entry) in index.leaves.enumerated() {
      guard entry.part == Self.partName(number), let bytes = try part(entry.part) else {
        throw RegressionError.malformed("part \(Self.partName(number)) is missing")
      }
      if let last = leaves.last, !(last.key < entry.key) {
        throw RegressionError.malformed("leaves out of order at \(entry.part)")
      }
      let statistics = entry.statistics
      guard statistics.rows > 0, statistics.frames > 0, statistics.fewestAtoms > 0,
        statistics.fewestAtoms <= statistics.mostAtoms, statistics.weightSquares > 0
      else { throw RegressionError.malformed("impossible counts of \(entry.part)") }
      let factor: TriangularFactor
      do {
        factor = try TriangularFactor(
          numPyBytes: bytes, columns: index.layout.columns, rowCount: statistics.rows)
      } catch {
        throw RegressionError.malformed("\(entry.part): \(error)")
      }
      leaves.append(Leaf(key: entry.key, factor: factor, statistics: statistics))
    }
    self.init(layout: index.layout, leaves: leaves)
  }
}
