/// Selection of functions by total degree, as ACEpotentials does it: every function whose level
/// sum over its factors of n / radialWeight + l / angularWeight is at most the degree of its rank.
public struct TotalDegree: Sendable, Equatable, Codable {
  /// Largest level by rank, index 0 for rank 1; the last holds for all further ranks.
  public var largest: [Double]
  /// What one unit of n and of l costs is one over these.
  public var radialWeight: Double
  public var angularWeight: Double

  public init(_ largest: [Double], radialWeight: Double = 1, angularWeight: Double = 2.0 / 3) {
    self.largest = largest
    self.radialWeight = radialWeight
    self.angularWeight = angularWeight
  }

  /// The level of a function with these factors.
  public func level(ns: [Int], ls: [Int]) -> Double {
    Double(ns.reduce(0, +)) / radialWeight + Double(ls.reduce(0, +)) / angularWeight
  }

  /// Largest level of a rank, with room for the rounding of n / radialWeight.
  func limit(rank: Int) -> Double { largest[min(rank, largest.count) - 1] * (1 + 1e-12) + 1e-12 }

  /// Largest n and l that one factor can have at each rank: no l exceeds the sum of the others.
  func limits(order: Int) -> BasisSpecification.Limits {
    var limits = BasisSpecification.Limits(radial: [], angular: [])
    for rank in 1...order {
      let spare = limit(rank: rank) - Double(rank) / radialWeight
      limits.radial.append(spare < 0 ? 0 : 1 + whole(spare * radialWeight))
      let share = rank == 1 ? 0 : spare / 2
      limits.angular.append(share < 0 ? 0 : whole(share * angularWeight))
    }
    return limits
  }

  private func whole(_ value: Double) -> Int { Int(min(value, 1e6) + 1e-9) }

  /// What is wrong with it, in words that a user can act upon.
  public func problem(order: Int) -> String? {
    if largest.isEmpty || largest.count > order {
      return "the degree must be one number or one for each of the \(order) ranks"
    }
    for degree in largest where !(degree > 0 && degree <= 1000) {
      return "a degree must lie in 0...1000, not \(degree)"
    }
    for weight in [radialWeight, angularWeight] where !(weight > 0 && weight <= 100) {
      return "weights of n and l must lie in 0...100, not \(weight)"
    }
    for (index, (n, l)) in zip(limits(order: order).radial, limits(order: order).angular).enumerated() {
      let degree = largest[min(index, largest.count - 1)]
      if index == 0, n == 0 { return "degree \(degree) leaves no function: the lowest level is \(1 / radialWeight)" }
      if n > BasisSpecification.largestRadial {
        return "degree \(degree) at rank \(index + 1) lets n reach \(n), beyond \(BasisSpecification.largestRadial)"
      }
      if l > BasisSpecification.largestAngular {
        return "degree \(degree) at rank \(index + 1) lets l reach \(l), beyond \(BasisSpecification.largestAngular)"
      }
    }
    return nil
  }
}

extension ElementBlock {
  /// All functions of the block up to a total degree.
  func functions(
    degree: TotalDegree, order: Int, couplings: inout IndependentCouplings
  ) throws(ACEError) -> [BasisFunction] {
    var patterns: [(species: [Int], ns: [Int], ls: [Int])] = []
    for rank in 1...order {
      for species in speciesMultisets(rank: rank) {
        for (ns, ls) in Self.factors(species, degree) {
          patterns.append((species, ns, ls))
        }
        // Nearly every pattern gives a function at least.
        if patterns.count > Self.largest { throw Self.tooMany("lower the degree") }
      }
    }
    var chosen: [BasisFunction] = []
    for (species, ns, ls) in patterns {
      try append(species, ns, ls, &couplings, &chosen)
    }
    return chosen
  }

  /// n not decreasing within a species, l not decreasing within runs of equal (species, n), sum of l even,
  /// no l above the sum of the others.
  private static func factors(_ species: [Int], _ degree: TotalDegree) -> [(ns: [Int], ls: [Int])] {
    let rank = species.count
    let limit = degree.limit(rank: rank)
    var found: [(ns: [Int], ls: [Int])] = []
    var (ns, ls): ([Int], [Int]) = ([], [])
    func descendAngular(_ starts: Set<Int>) {
      if ls.count == rank {
        let sum = ls.reduce(0, +)
        if sum % 2 == 0, 2 * ls.max()! <= sum { found.append((ns, ls)) }
        return
      }
      var l = starts.contains(ls.count) ? 0 : ls[ls.count - 1]
      while rank > 1 || l == 0 {
        ls.append(l)
        let fits = degree.level(ns: ns, ls: ls) <= limit
        if fits { descendAngular(starts) }
        ls.removeLast()
        if !fits { return }
        l += 1
      }
    }
    func descendRadial() {
      let t = ns.count
      if t == rank {
        var starts = Set<Int>()
        var start = 0
        for run in BasisFunction.runs(species, ns) {
          starts.insert(start)
          start += run
        }
        return descendAngular(starts)
      }
      var n = t > 0 && species[t] == species[t - 1] ? ns[t - 1] : 1
      while true {
        ns.append(n)
        // The factors to come have n of 1 at least.
        let lowest = degree.level(ns: ns, ls: []) + Double(rank - t - 1) / degree.radialWeight
        if lowest <= limit { descendRadial() }
        ns.removeLast()
        if lowest > limit { return }
        n += 1
      }
    }
    descendRadial()
    return found
  }
}
