import ACE
import Configurations
import Foundation
import Testing

@Suite struct ElementsPerFunctionTests {
  private static let elements = ["Mo", "Nb", "Ta", "W"].map { Element(symbol: $0)! }

  /// What is left of a basis without the functions of more elements than `limit`, by plain counting.
  private static func filtered(_ specification: BasisSpecification, _ limit: Int) throws -> [[BasisFunction]] {
    try Basis(specification).functions.map { list in
      list.filter { Set($0.neighbors + [$0.centre]).count <= limit }
    }
  }

  /// Four elements have 4 + 12 + 12 + 4 blocks; without those of three and four, each block of the other 16
  /// takes what it would take of twice the number in 32.
  @Test(arguments: [(2, 16), (3, 28), (4, 32)]) func blocksLeftOutLeaveTheirShare(_ limit: Int, _ blocks: Int) throws {
    let own = BasisSpecification(
      elements: Self.elements, cutoff: 5, order: 3, functionsPerElement: 7 * blocks, elementsPerFunction: limit)
    let whole = BasisSpecification(elements: Self.elements, cutoff: 5, order: 3, functionsPerElement: 7 * 32)
    let basis = try Basis(own)
    #expect(basis.functions == (try Self.filtered(whole, limit)))
    #expect(basis.columnCount == 4 * 7 * blocks)
  }

  @Test func totalDegreeIsCutInTheSameWay() throws {
    var specification = BasisSpecification(
      elements: Self.elements, cutoff: 5, order: 3, totalDegree: TotalDegree([6, 6, 5]))
    let expected = try Self.filtered(specification, 2)
    let count = try Basis(specification).columnCount
    specification.elementsPerFunction = 2
    let basis = try Basis(specification)
    #expect(basis.functions == expected)
    #expect(basis.columnCount < count)
  }

  @Test func specificationsWithoutALimitAreWrittenAsBefore() throws {
    var specification = BasisSpecification(elements: Self.elements, cutoff: 5, functionsPerElement: 100)
    let encoder = JSONEncoder()
    #expect(!String(decoding: try encoder.encode(specification), as: UTF8.self).contains("elementsPerFunction"))
    specification.elementsPerFunction = 2
    let copy = try JSONDecoder().decode(BasisSpecification.self, from: encoder.encode(specification))
    #expect(copy == specification)
  }

  @Test(arguments: [0, 1, 8]) func limitsThatMakeNoSenseAreRefused(_ limit: Int) {
    var specification = BasisSpecification(elements: Self.elements, cutoff: 5, functionsPerElement: 100)
    specification.elementsPerFunction = limit
    #expect(throws: ACEError.self) { try specification.validate() }
  }
}
