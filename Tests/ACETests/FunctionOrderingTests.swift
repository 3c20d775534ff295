import ACE
import Configurations
import Foundation
import Testing

/// A number of functions are those of the least level, whatever n, l and ranks cost.
@Suite struct FunctionOrderingTests {
  private static let limits = BasisSpecification.Limits(radial: [6, 4, 3, 2], angular: [0, 4, 3, 2])

  private static func basis(_ ordering: FunctionOrdering, _ count: Int?) throws -> [BasisFunction] {
    try Basis(
      BasisSpecification(
        elements: [Element(symbol: "W")!], cutoff: 4, order: 4, limits: [limits], functionsPerElement: count,
        ordering: ordering)
    ).functions[0]
  }

  @Test(arguments: [
    FunctionOrdering.power, .standard, .init(radial: 3, angular: 2, rank: 0), .init(radial: 1, angular: 4, rank: 9),
  ]) func theLeastLevelsAreTaken(_ ordering: FunctionOrdering) throws {
    func level(_ f: BasisFunction) -> Int {
      ordering.radial * f.ns.reduce(0, +) + ordering.angular * f.ls.reduce(0, +) + ordering.rank * f.rank
    }
    // All that the limits allow do not depend on what they cost.
    let all = try Self.basis(ordering, nil)
    let power = try Self.basis(.power, nil)
    #expect(all.count == power.count && all.allSatisfy { power.contains($0) })
    #expect(all.allSatisfy { ordering.level($0) == level($0) })
    for count in [1, 17, 60, 150] {
      let taken = try Self.basis(ordering, count)
      #expect(taken.count == count && taken.allSatisfy { all.contains($0) })
      let rest = all.filter { !taken.contains($0) }
      #expect(rest.count == all.count - count)
      #expect(taken.map(level).max()! <= rest.map(level).min()!, "\(count)")
    }
  }

  @Test func theStandardTakesOtherFunctions() throws {
    let (power, standard) = (try Self.basis(.power, 60), try Self.basis(.standard, 60))
    #expect(standard.count { $0.rank == 4 } < power.count { $0.rank == 4 })
  }

  @Test func impossibleCostsAreRefused() {
    for ordering in [
      FunctionOrdering(radial: 0, angular: 1, rank: 1), .init(radial: 1, angular: 0, rank: 1),
      .init(radial: 1, angular: 1, rank: -1), .init(radial: 101, angular: 1, rank: 1),
    ] {
      #expect(ordering.problem != nil)
      #expect(throws: ACEError.self) { try Self.basis(ordering, 10) }
    }
  }

  /// Specifications written before there was a choice mean what they meant.
  @Test func oldSpecificationsReadBack() throws {
    var specification = BasisSpecification(elements: [Element(symbol: "W")!], cutoff: 4, functionsPerElement: 20)
    let old = try JSONEncoder().encode(specification)
    #expect(!String(decoding: old, as: UTF8.self).contains("ordering"))
    #expect(try JSONDecoder().decode(BasisSpecification.self, from: old) == specification)
    specification.ordering = .standard
    let new = try JSONDecoder().decode(BasisSpecification.self, from: JSONEncoder().encode(specification))
    #expect(new == specification && new.ordering == .standard)
  }
}
