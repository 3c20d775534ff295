import ACE
import Configurations
import TestSupport
import Testing

@Suite(.enabled(if: SharedData.isAvailable, "skipped: no shared data"))
struct GoldenBasisTests {
  private static let w = Element(symbol: "W")!

  @Test(arguments: [("W_100", 100), ("W_500", 500)])
  func tungstenBasisIsPacemakersInOrder(_ name: String, _ count: Int) throws {
    let limits = BasisSpecification.Limits(radial: [8, 5, 4, 3, 2], angular: [0, 5, 4, 3, 2])
    let golden = try GoldenTests.potential(name)
    let basis = try Basis(
      BasisSpecification(
        elements: [Self.w], cutoff: 5.5, order: 5, limits: [limits], functionsPerElement: count))
    #expect(basis.functions == golden.basis.functions)
  }

  @Test func binaryBasisIsPacemakersInOrder() throws {
    let golden = try GoldenTests.potential("CuZr")
    let basis = try Basis(
      BasisSpecification(
        elements: [Element(symbol: "Zr")!, Element(symbol: "Cu")!], cutoff: 5,
        radial: .chebExpCos(lambda: 5.25), order: 3,
        limits: [
          .init(radial: [6, 3, 2], angular: [0, 2, 2]),
          .init(radial: [6, 2, 1], angular: [0, 2, 1]),
        ]))
    #expect(basis.functions == golden.basis.functions)
    #expect(basis.columnCount == 170)
    #expect(basis.columns(ofElement: 1) == 85..<170)
  }
}
