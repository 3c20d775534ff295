import Configurations

/// What a user says of a basis: elements, cutoff, radial functions and how many functions. The basis
/// itself follows from it alone, so this is also its canonical encoding.
public struct BasisSpecification: Sendable, Equatable, Codable {
  /// Largest n and l by rank, index 0 for rank 1. Lists are cut or end at the order.
  public struct Limits: Sendable, Equatable, Codable {
    public var radial: [Int]
    public var angular: [Int]

    public init(radial: [Int], angular: [Int]) {
      self.radial = radial
      self.angular = angular
    }

    /// Generous up to rank 6; the number of functions is what limits.
    public static let standard = Limits(radial: [20, 10, 6, 4, 2, 1], angular: [0, 6, 6, 4, 2, 1])

    /// For functions that data choose among: what is rough may be what they need.
    public static let wide = Limits(radial: [20, 12, 8, 5, 3, 1], angular: [0, 10, 8, 6, 4, 2])

    public func truncated(to order: Int) -> Limits {
      Limits(radial: Array(radial.prefix(order)), angular: Array(angular.prefix(order)))
    }
  }

  /// Sorted by symbol, as files index them.
  public let elements: [Element]
  /// Å.
  public var cutoff: Double
  public var radial: RadialKind
  /// Largest rank (number of neighbour factors), 1...6.
  public var order: Int
  /// Limits of functions that involve 1, 2, … elements; the last holds for all further ones. Empty
  /// where a total degree selects.
  public var limits: [Limits]
  /// Functions per element, the simplest by `ordering` and shared equally among blocks of elements; nil for
  /// all that the limits or the degree allow.
  public var functionsPerElement: Int?
  /// What a number of functions is counted by.
  public var ordering: FunctionOrdering
  /// Largest number of elements that a function involves, its centre's included; nil for no limit. Blocks
  /// of more elements leave their share of the functions to the others.
  public var elementsPerFunction: Int?
  /// Core repulsion by pair ("Al-Ti", see `PairRepulsion.key`); none for pairs that are absent.
  public var repulsion: [String: PairRepulsion]
  /// Selection by total degree instead of limits and number.
  public var totalDegree: TotalDegree?
  /// These functions and no others, instead of any rule; shape [any], each once.
  public var chosen: [BasisFunction]?

  /// The functions of a basis by name, in place of the rule that they were taken by.
  /// - Parameter columns: of `basis`, which this specification gives.
  public func choosing(_ columns: [Int], of basis: Basis) -> BasisSpecification {
    let functions = basis.columnFunctions
    var result = self
    result.limits = []
    result.functionsPerElement = nil
    result.elementsPerFunction = nil
    result.totalDegree = nil
    result.chosen = columns.map { functions[$0] }
    result.order = result.chosen!.map(\.rank).max() ?? 1
    return result
  }

  static let largestRadial = 40
  static let largestAngular = 10

  public init(
    elements: [Element], cutoff: Double, radial: RadialKind = .sBessel, order: Int = 4,
    limits: [Limits]? = nil, functionsPerElement: Int? = nil, ordering: FunctionOrdering = .power,
    totalDegree: TotalDegree? = nil, elementsPerFunction: Int? = nil, repulsion: [String: PairRepulsion] = [:]
  ) {
    self.elements = Self.ordered(elements)
    self.cutoff = cutoff
    self.radial = radial
    self.order = order
    self.limits = limits ?? (totalDegree == nil ? [Limits.standard.truncated(to: order)] : [])
    self.functionsPerElement = functionsPerElement
    self.ordering = ordering
    self.elementsPerFunction = elementsPerFunction
    self.repulsion = repulsion
    self.totalDegree = totalDegree
  }

  /// Each once, by symbol.
  static func ordered(_ elements: [Element]) -> [Element] {
    Array(Set(elements)).sorted { $0.symbol < $1.symbol }
  }

  func limits(forElements count: Int) -> Limits { limits[min(count, limits.count) - 1] }

  /// Throws what is wrong with it in words that a user can act upon.
  public func validate() throws(ACEError) {
    func refuse(_ cause: String) throws(ACEError) { throw .invalidSpecification(cause) }
    if elements.isEmpty { try refuse("the basis needs at least one element") }
    if !(cutoff > 0.5 && cutoff <= 20) {
      try refuse("the cutoff must lie in 0.5...20 Å, not \(cutoff)")
    }
    if !(1...6).contains(order) { try refuse("the order must lie in 1...6, not \(order)") }
    if let totalDegree {
      if functionsPerElement != nil || !limits.isEmpty {
        try refuse("a total degree selects by itself: no limits, no number of functions")
      }
      if let problem = totalDegree.problem(order: order) { try refuse(problem) }
    } else if chosen == nil, limits.isEmpty {
      try refuse("the basis needs limits of n and l")
    }
    if let chosen {
      if totalDegree != nil || functionsPerElement != nil || !limits.isEmpty || elementsPerFunction != nil {
        try refuse("chosen functions are all there are: no limits, no number of functions, no degree")
      }
      if chosen.isEmpty || chosen.count > 20_000 * elements.count {
        try refuse("the number of chosen functions must lie in 1...\(20_000 * elements.count), not \(chosen.count)")
      }
      if Set(chosen).count < chosen.count { try refuse("a function is chosen twice") }
      for f in chosen where !elements.indices.contains(f.centre) || f.rank > order {
        try refuse("a chosen function has rank \(f.rank) at element \(f.centre): the order is \(order)")
      }
    }
    for limit in limits {
      if limit.radial.count != limit.angular.count || limit.radial.count < 1 {
        try refuse("limits of n and of l must have the same number of ranks")
      }
      if limit.radial.count > order {
        try refuse("limits are given for \(limit.radial.count) ranks, the order is \(order)")
      }
      for n in limit.radial where !(1...Self.largestRadial).contains(n) {
        try refuse("n must lie in 1...\(Self.largestRadial), not \(n)")
      }
      for l in limit.angular where !(0...Self.largestAngular).contains(l) {
        try refuse("l must lie in 0...\(Self.largestAngular), not \(l)")
      }
      if limit.angular[0] != 0 { try refuse("rank 1 has l = 0 only") }
    }
    if let count = functionsPerElement, !(1...20_000).contains(count) {
      try refuse("the number of functions per element must lie in 1...20000, not \(count)")
    }
    if let problem = ordering.problem { try refuse(problem) }
    if let count = elementsPerFunction, !(2...7).contains(count) {
      try refuse("a function must be allowed 2...7 elements, not \(count)")
    }
    for (pair, own) in repulsion.sorted(by: { $0.key < $1.key }) {
      let known = elements.contains { a in elements.contains { PairRepulsion.key(a, $0) == pair } }
      if !known { try refuse("repulsion is given for '\(pair)', which is no pair of the elements") }
      if !(own.prefactor >= 0 && own.prefactor <= 1e6 && own.exponent >= 0 && own.exponent <= 1e3) {
        try refuse("the repulsion of \(pair) needs a prefactor in 0...1e6 eV Å and an exponent in 0...1000 1/Å²")
      }
    }
    if case .chebLinear = radial {
      try refuse("ChebLinear jumps at the cutoff; it can be read but not fitted")
    }
    switch radial {
    case .chebExpCos(let lambda, let shell):
      if !(lambda > 0 && lambda <= 50) { try refuse("lambda must lie in 0...50, not \(lambda)") }
      if !(shell > 0 && shell < cutoff) {
        try refuse("the shell must lie between 0 and the cutoff")
      }
    case .chebPow(let lambda):
      // Forces would jump at the cutoff with less than the square.
      if !(lambda >= 2 && lambda <= 50) { try refuse("lambda must lie in 2...50, not \(lambda)") }
    case .sBessel, .chebLinear: break
    }
  }

  private enum CodingKeys: String, CodingKey {
    case elements, cutoff, radial, order, limits, functionsPerElement, ordering, elementsPerFunction, totalDegree,
      repulsion, chosen
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let symbols = try values.decode([String].self, forKey: .elements)
    elements = Self.ordered(
      try symbols.map { symbol in
        guard let element = Element(symbol: symbol) else {
          throw DecodingError.dataCorruptedError(
            forKey: .elements, in: values, debugDescription: "'\(symbol)' is not an element")
        }
        return element
      })
    cutoff = try values.decode(Double.self, forKey: .cutoff)
    radial = try values.decodeIfPresent(RadialKind.self, forKey: .radial) ?? .sBessel
    order = try values.decodeIfPresent(Int.self, forKey: .order) ?? 4
    totalDegree = try values.decodeIfPresent(TotalDegree.self, forKey: .totalDegree)
    limits =
      try values.decodeIfPresent([Limits].self, forKey: .limits)
      ?? (totalDegree == nil && !values.contains(.chosen) ? [Limits.standard.truncated(to: max(order, 1))] : [])
    functionsPerElement = try values.decodeIfPresent(Int.self, forKey: .functionsPerElement)
    ordering = try values.decodeIfPresent(FunctionOrdering.self, forKey: .ordering) ?? .power
    elementsPerFunction = try values.decodeIfPresent(Int.self, forKey: .elementsPerFunction)
    repulsion = try values.decodeIfPresent([String: PairRepulsion].self, forKey: .repulsion) ?? [:]
    let named = elements
    chosen = try values.decodeIfPresent([NamedFunction].self, forKey: .chosen).map { list in
      try list.map { function in
        guard let function = BasisFunction(function, elements: named) else {
          throw DecodingError.dataCorruptedError(
            forKey: .chosen, in: values, debugDescription: "\(function) is no function of these elements")
        }
        return function
      }
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(elements.map(\.symbol), forKey: .elements)
    try values.encode(cutoff, forKey: .cutoff)
    try values.encode(radial, forKey: .radial)
    try values.encode(order, forKey: .order)
    if totalDegree == nil, chosen == nil { try values.encode(limits, forKey: .limits) }
    try values.encodeIfPresent(totalDegree, forKey: .totalDegree)
    try values.encodeIfPresent(functionsPerElement, forKey: .functionsPerElement)
    if ordering != .power { try values.encode(ordering, forKey: .ordering) }
    try values.encodeIfPresent(elementsPerFunction, forKey: .elementsPerFunction)
    if !repulsion.isEmpty { try values.encode(repulsion, forKey: .repulsion) }
    try values.encodeIfPresent(chosen?.map { NamedFunction($0, elements: elements) }, forKey: .chosen)
  }
}
