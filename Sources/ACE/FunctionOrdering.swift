/// Which functions count as simple where a number of them is wanted: level = radial · Σn + angular · Σl +
/// rank · number of factors, lowest first; n from 1.
public struct FunctionOrdering: Sendable, Equatable, Codable {
  public var radial: Int
  public var angular: Int
  public var rank: Int

  public init(radial: Int, angular: Int, rank: Int) {
    (self.radial, self.angular, self.rank) = (radial, angular, rank)
  }

  /// Σn + Σl + rank.
  public static let power = FunctionOrdering(radial: 1, angular: 1, rank: 1)

  /// Dear radial and cheap angular resolution, few functions of high rank: 4 % smaller force errors than `power`
  /// in cross-validation on four elements (docs/accuracy.md).
  public static let standard = FunctionOrdering(radial: 2, angular: 1, rank: 5)

  /// Of a function.
  public func level(_ function: BasisFunction) -> Int {
    level(rank: function.rank, radialSum: function.ns.reduce(0, +), angularSum: function.ls.reduce(0, +))
  }

  func level(rank: Int, radialSum: Int, angularSum: Int) -> Int {
    radial * radialSum + angular * angularSum + self.rank * rank
  }

  /// What is wrong with it, in words that a user can act upon.
  public var problem: String? {
    guard (1...100).contains(radial), (1...100).contains(angular) else {
      return "what one unit of n and of l costs must be whole numbers in 1...100, not \(radial) and \(angular)"
    }
    return (0...100).contains(rank) ? nil : "what a factor costs must be a whole number in 0...100, not \(rank)"
  }
}
