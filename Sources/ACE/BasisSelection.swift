import Configurations

extension Basis {
  /// The basis that a specification means: candidates of each block of elements by power order
  /// (see `FunctionOrdering`) or up to a total degree, linearly independent, and free of functions whose
  /// evaluator order could differ between programs. Fewer than asked for where the limits of n and l
  /// allow no more. Functions that are chosen by name are taken as they are.
  public init(_ specification: BasisSpecification) throws(ACEError) {
    try specification.validate()
    let elements = specification.elements
    if let chosen = specification.chosen {
      let functions = elements.indices.map { centre in chosen.filter { $0.centre == centre } }
      try self.init(elements: elements, bonds: Self.bonds(specification, functions), functions: functions)
      return
    }
    let blocks = ElementBlock.all(
      elementCount: elements.count, order: specification.order,
      largest: specification.elementsPerFunction ?? elements.count)
    var couplings = IndependentCouplings()
    var functions = [[BasisFunction]](repeating: [], count: elements.count)
    for block in blocks {
      if let degree = specification.totalDegree {
        functions[block.centre] += try block.functions(
          degree: degree, order: specification.order, couplings: &couplings)
      } else {
        let wanted = specification.functionsPerElement.map { $0 * elements.count / blocks.count }
        functions[block.centre] += try block.functions(
          limits: specification.limits(forElements: block.elements.count), ordering: specification.ordering,
          wanted: wanted, couplings: &couplings)
      }
      if functions[block.centre].count > ElementBlock.largest { throw ElementBlock.tooMany("ask for fewer") }
    }
    try self.init(elements: elements, bonds: Self.bonds(specification, functions), functions: functions)
  }

  private static func bonds(_ specification: BasisSpecification, _ functions: [[BasisFunction]]) -> [[Bond]] {
    let elements = specification.elements.indices
    return elements.map { i in elements.map { j in bond(specification, functions, i, j) } }
  }

  /// A bond wide enough for every function that uses it in either direction: files demand A-B = B-A.
  private static func bond(
    _ specification: BasisSpecification, _ functions: [[BasisFunction]], _ i: Int, _ j: Int
  ) -> Bond {
    var (count, radial, angular) = (1, 1, 0)
    for (centre, neighbor) in [(i, j), (j, i)] {
      for f in functions[centre] {
        for t in 0..<f.rank where f.neighbors[t] == neighbor {
          count = max(count, f.ns[t])
          if f.rank > 1 { radial = max(radial, f.ns[t]) }
          angular = max(angular, f.ls[t])
        }
      }
    }
    var bond = Bond(
      radial: specification.radial, cutoff: specification.cutoff, functionCount: max(count, radial),
      radialLimit: radial, angularLimit: angular)
    let pair = PairRepulsion.key(specification.elements[i], specification.elements[j])
    if let own = specification.repulsion[pair], own.prefactor > 0 {
      (bond.corePrefactor, bond.coreExponent) = (own.prefactor, own.exponent)
    }
    // One kind for all bonds: files demand it.
    if !specification.repulsion.isEmpty { bond.innerCutoffKind = .density }
    return bond
  }
}

/// A centre and the set of elements (centre included) that its functions must involve.
struct ElementBlock {
  let centre: Int
  /// Ascending.
  let elements: [Int]

  /// All blocks of at most `largest` elements; a function of rank r involves at most r neighbour elements.
  static func all(elementCount: Int, order: Int, largest: Int) -> [ElementBlock] {
    var subsets: [[Int]] = [[]]
    for element in 0..<elementCount {
      subsets += subsets.filter { $0.count <= order && $0.count < largest }.map { $0 + [element] }
    }
    subsets.removeFirst()
    subsets.sort { $0.count != $1.count ? $0.count < $1.count : $0.lexicographicallyPrecedes($1) }
    return subsets.flatMap { set in set.map { ElementBlock(centre: $0, elements: set) } }
  }

  /// Refuses to list more functions than anybody could fit.
  static let largest = 20_000

  static func tooMany(_ remedy: String) -> ACEError {
    .invalidSpecification("there would be more than \(largest) functions of one element; \(remedy)")
  }

  func functions(
    limits: BasisSpecification.Limits, ordering: FunctionOrdering, wanted: Int?,
    couplings: inout IndependentCouplings
  ) throws(ACEError) -> [BasisFunction] {
    var chosen: [BasisFunction] = []
    let ranks = 1...limits.radial.count
    func level(_ rank: Int, _ n: Int, _ l: Int) -> Int { ordering.level(rank: rank, radialSum: n, angularSum: l) }
    let lowest = level(1, 1, 0)
    let highest = ranks.map { level($0, $0 * limits.radial[$0 - 1], $0 * limits.angular[$0 - 1]) }.max()!
    for current in lowest...max(lowest, highest) {
      if let wanted, chosen.count >= wanted { break }
      for rank in ranks where current >= level(rank, rank, 0) {
        let spare = current - level(rank, rank, 0)
        for species in speciesMultisets(rank: rank) {
          for ns in radialIndices(species, limit: limits.radial[rank - 1], sum: spare / ordering.radial) {
            let rest = current - level(rank, ns.reduce(0, +), 0)
            guard rest % ordering.angular == 0 else { continue }
            try append(species, ns, rest / ordering.angular, limits.angular[rank - 1], &couplings, &chosen)
          }
        }
        if chosen.count > Self.largest {
          throw Self.tooMany("give a number of functions")
        }
      }
    }
    return wanted.map { Array(chosen.prefix($0)) } ?? chosen
  }

  /// Adds the functions with these radial indices whose l sum to `sum`.
  private func append(
    _ species: [Int], _ ns: [Int], _ sum: Int, _ limit: Int,
    _ couplings: inout IndependentCouplings, _ chosen: inout [BasisFunction]
  ) throws(ACEError) {
    guard sum % 2 == 0 else { return }
    let runs = BasisFunction.runs(species, ns)
    for ls in compositions(count: ns.count, limit: limit, sum: sum, ascendingIn: runs) {
      try append(species, ns, ls, &couplings, &chosen)
    }
  }

  /// Adds the functions with these factors: one for each coupling that is independent of the others.
  func append(
    _ species: [Int], _ ns: [Int], _ ls: [Int],
    _ couplings: inout IndependentCouplings, _ chosen: inout [BasisFunction]
  ) throws(ACEError) {
    guard ls.reduce(1, { $0 * (2 * $1 + 1) }) <= Basis.largestCoupling else {
      throw .invalidSpecification("rank \(ls.count) with l = \(ls) takes too long to couple; lower l or the order")
    }
    let independent = couplings.intermediates(ls: ls, runs: BasisFunction.runs(species, ns))
    for intermediate in EvaluatorOrder.unambiguous(ls: ls, couplings: independent) {
      chosen.append(
        BasisFunction(centre: centre, neighbors: species, ns: ns, ls: ls, couplings: intermediate))
    }
  }

  /// Ascending species lists that together with the centre involve exactly the block's elements.
  func speciesMultisets(rank: Int) -> [[Int]] {
    var lists: [[Int]] = [[]]
    for _ in 0..<rank {
      lists = lists.flatMap { list in elements.filter { $0 >= list.last ?? 0 }.map { list + [$0] } }
    }
    return lists.filter { list in elements.allSatisfy { $0 == centre || list.contains($0) } }
  }

  /// n-vectors not decreasing within a species, with sum of (n - 1) at most `sum`.
  private func radialIndices(_ species: [Int], limit: Int, sum: Int) -> [[Int]] {
    var found: [[Int]] = []
    var ns: [Int] = []
    func descend(_ left: Int) {
      let t = ns.count
      if t == species.count {
        found.append(ns)
        return
      }
      let lowest = t > 0 && species[t] == species[t - 1] ? ns[t - 1] : 1
      for n in lowest...max(lowest, limit) where n <= limit && n - 1 <= left {
        ns.append(n)
        descend(left - (n - 1))
        ns.removeLast()
      }
    }
    descend(sum)
    return found
  }

  /// l-vectors of a given sum, not decreasing inside runs, in lexicographic order.
  private func compositions(count: Int, limit: Int, sum: Int, ascendingIn runs: [Int]) -> [[Int]] {
    guard sum <= count * limit else { return [] }
    var starts = Set<Int>()
    var start = 0
    for run in runs {
      starts.insert(start)
      start += run
    }
    var found: [[Int]] = []
    var ls: [Int] = []
    func descend(_ left: Int) {
      if ls.count == count {
        if left == 0 { found.append(ls) }
        return
      }
      let lowest = starts.contains(ls.count) ? 0 : ls[ls.count - 1]
      guard lowest <= min(limit, left), left <= (count - ls.count) * limit else { return }
      for l in lowest...min(limit, left) {
        ls.append(l)
        descend(left - l)
        ls.removeLast()
      }
    }
    descend(sum)
    return found
  }
}
