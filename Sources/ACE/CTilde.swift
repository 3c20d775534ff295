import Configurations

/// The content of a `.yace` file: functions expanded in m, summed over couplings.
public struct CTildeFile: Sendable, Equatable {
  /// All functions that share centre, species, n and l.
  public struct Function: Sendable, Equatable {
    public var neighbors: [Int]
    public var ns: [Int]
    public var ls: [Int]
    /// Shape [combinations][rank]; half basis.
    public var projections: [[Int]]
    /// Shape [combinations][densities], row-major.
    public var coefficients: [Double]
  }

  public var elements: [Element]
  public var referenceEnergies: [Double]
  public var splineBinWidth: Double
  public var embeddings: [Embedding]
  public var bonds: [[Bond]]
  /// Per centre element.
  public var functions: [[Function]]
}

extension CTildeFile {
  /// Expands a potential. Metadata have no place in this format.
  public init(_ potential: Potential) {
    let basis = potential.basis
    elements = basis.elements
    referenceEnergies = potential.referenceEnergies
    splineBinWidth = basis.splineBinWidth
    embeddings = potential.embeddings
    bonds = basis.bonds
    functions = basis.functions.indices.map { centre in
      let list = basis.functions[centre]
      let densities = potential.embeddings[centre].densityCount
      var functions: [Function] = []
      var start = 0
      while start < list.count {
        var end = start + 1
        while end < list.count, list[end].hasSameFactors(as: list[start]) { end += 1 }
        let expanded = Expansion(
          list[start..<end], coefficients: potential.coefficients[centre], densities: densities)
        functions.append(expanded.function)
        start = end
      }
      return functions
    }
  }

  /// The potential in coupled functions: for each group the coefficients of its independent couplings
  /// that give the file's numbers. Throws where there are none, because the file's function is not a
  /// rotation invariant.
  public func potential() throws(PotentialFileError) -> Potential { try potential(lines: nil) }

  /// `lines`: where each function stands in its file.
  func potential(lines: [[Int]]?) throws(PotentialFileError) -> Potential {
    var functions: [[BasisFunction]] = []
    var unordered: [[[Double]]] = []
    var couplings = IndependentCouplings()
    for (centre, list) in self.functions.enumerated() {
      var found: [BasisFunction] = []
      var values: [[Double]] = []
      var seen = Set<BasisFunction>()
      for (index, function) in list.enumerated() {
        func failure(_ cause: String) -> PotentialFileError {
          PotentialFileError(
            line: lines?[centre][index], field: "functions",
            "ns \(function.ns), ls \(function.ls) of \(elements[centre]) \(cause)")
        }
        guard function.ls.reduce(1, { $0 * (2 * $1 + 1) }) <= Basis.largestCoupling else {
          throw failure("has rank and l too large together")
        }
        guard
          let part = Expansion.couple(
            function, centre: centre, densities: embeddings[centre].densityCount, &couplings)
        else { throw failure("is not a rotation invariant") }
        guard let first = part.first?.0 else { throw failure("cannot exist: no coupling gives an invariant") }
        guard seen.insert(first).inserted else { throw failure("is given twice") }
        do throws(ACEError) {
          try Basis.validate(first, elements[centre], centre, bonds[centre])
        } catch { throw failure("does not fit: \(error.description)") }
        found += part.map(\.0)
        values += part.map(\.1)
      }
      functions.append(found)
      unordered.append(values)
    }
    do {
      let basis = try Basis(
        elements: elements, bonds: bonds, functions: functions, splineBinWidth: splineBinWidth)
      let coefficients = zip(functions, unordered).map { list, values in
        EvaluatorOrder.sorted(list).flatMap { values[$0] }
      }
      return try Potential(
        basis: basis, coefficients: coefficients, embeddings: embeddings,
        referenceEnergies: referenceEnergies)
    } catch { throw PotentialFileError(field: "functions", error.description) }
  }
}

extension CTildeFile {
  /// The largest difference between the coefficients of two files, relative to the largest of its function and
  /// element; however m-vectors that mean the same are split or ordered. Infinite where functions differ.
  public func largestDifference(from other: CTildeFile) -> Double {
    guard elements == other.elements, functions.count == other.functions.count else { return .infinity }
    var largest = 0.0
    for (ours, theirs) in zip(functions, other.functions) {
      var sums: [[Int]: [[Int]: [Double]]] = [:]
      for (sign, list) in [(1.0, ours), (-1.0, theirs)] {
        for function in list { Expansion.add(function, times: sign, to: &sums) }
      }
      for function in theirs {
        let scale = function.coefficients.map(abs).max() ?? 0
        let differences: [[Int]: [Double]] = sums.removeValue(forKey: Expansion.identity(function)) ?? [:]
        for value in differences.values.joined() where value != 0 { largest = max(largest, abs(value) / scale) }
      }
      // Functions that only we have.
      if sums.values.contains(where: { $0.values.joined().contains { $0 != 0 } }) { return .infinity }
    }
    return largest
  }
}

/// Between coupled functions that share their factors and their expansion in m.
private struct Expansion {
  let function: CTildeFile.Function

  init(_ group: ArraySlice<BasisFunction>, coefficients: [Double], densities: Int) {
    let first = group.first!
    let tree = CouplingTree(rank: first.rank)
    let order = Self.order(first.neighbors, first.ns, first.ls)
    var table: [[Int]: [Double]] = [:]
    for index in group.indices {
      for (ms, value) in tree.halfBasis(group[index].ls, group[index].couplings) {
        let key = Self.exchanged(ms, order)
        var sums = table[key] ?? Array(repeating: 0, count: densities)
        for p in 0..<densities { sums[p] += coefficients[index * densities + p] * value }
        table[key] = sums
      }
    }
    let keys = table.keys.sorted { $0.lexicographicallyPrecedes($1) }
    function = CTildeFile.Function(
      neighbors: first.neighbors, ns: first.ns, ls: first.ls, projections: keys,
      coefficients: keys.flatMap { table[$0]! })
  }

  /// Factors in ascending order, as the couplings are defined.
  static func ascending(_ function: CTildeFile.Function) -> [Int] {
    function.ns.indices.sorted {
      let a = [function.neighbors[$0], function.ns[$0], function.ls[$0], $0]
      let b = [function.neighbors[$1], function.ns[$1], function.ls[$1], $1]
      return a.lexicographicallyPrecedes(b)
    }
  }

  /// The same for functions of the same factors.
  static func identity(_ function: CTildeFile.Function) -> [Int] {
    let order = ascending(function)
    return order.map { function.neighbors[$0] } + order.map { function.ns[$0] } + order.map { function.ls[$0] }
  }

  /// Adds coefficients by m-vectors that mean the same, by the identity of the function.
  static func add(
    _ function: CTildeFile.Function, times factor: Double, to sums: inout [[Int]: [[Int]: [Double]]]
  ) {
    let order = ascending(function)
    let groups = Self.order(
      order.map { function.neighbors[$0] }, order.map { function.ns[$0] }, order.map { function.ls[$0] })
    let densities = function.coefficients.count / max(function.projections.count, 1)
    let zero = Array(repeating: 0.0, count: densities)
    for (k, ms) in function.projections.enumerated() {
      let key = exchanged(order.map { ms[$0] }, groups)
      for p in 0..<densities {
        sums[identity(function), default: [:]][key, default: zero][p] +=
          factor * function.coefficients[k * densities + p]
      }
    }
  }

  /// Runs of factors that are equal and may be exchanged.
  static func order(_ neighbors: [Int], _ ns: [Int], _ ls: [Int]) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    for i in ns.indices {
      if i > 0, neighbors[i] == neighbors[i - 1], ns[i] == ns[i - 1], ls[i] == ls[i - 1] {
        groups[groups.count - 1] = groups.last!.lowerBound..<i + 1
      } else {
        groups.append(i..<i + 1)
      }
    }
    return groups
  }

  /// One of the m-vectors that give the same real product: exchange of equal factors, reversal of all
  /// signs (the sum of l is even).
  static func exchanged(_ ms: [Int], _ groups: [Range<Int>]) -> [Int] {
    func sorted(_ ms: [Int]) -> [Int] {
      var ms = ms
      for group in groups where group.count > 1 { ms[group].sort(by: >) }
      return ms
    }
    let (a, b) = (sorted(ms), sorted(ms.map { -$0 }))
    return a.lexicographicallyPrecedes(b) ? b : a
  }

  /// The coefficients of the independent couplings; nil where no combination of them gives the function.
  static func couple(
    _ function: CTildeFile.Function, centre: Int, densities: Int,
    _ couplings: inout IndependentCouplings
  ) -> [(BasisFunction, [Double])]? {
    let rank = function.ns.count
    let order = ascending(function)
    let (neighbors, ns) = (order.map { function.neighbors[$0] }, order.map { function.ns[$0] })
    let ls = order.map { function.ls[$0] }
    let groups = Self.order(neighbors, ns, ls)
    var columns: [[Int]: Int] = [:]
    var target: [[Double]] = []
    for (k, ms) in function.projections.enumerated() {
      let key = exchanged(order.map { ms[$0] }, groups)
      let column = columns[key] ?? target.count
      if column == target.count {
        columns[key] = column
        target.append(Array(repeating: 0, count: densities))
      }
      for p in 0..<densities { target[column][p] += function.coefficients[k * densities + p] }
    }
    let tree = CouplingTree(rank: rank)
    let candidates = couplings.intermediates(ls: ls, runs: BasisFunction.runs(neighbors, ns))
    var vectors: [[Double]] = []
    for candidate in candidates {
      var v = [Double](repeating: 0, count: target.count)
      for (ms, value) in tree.halfBasis(ls, candidate) {
        let key = exchanged(ms, groups)
        if columns[key] == nil {
          columns[key] = target.count
          target.append(Array(repeating: 0, count: densities))
        }
        while v.count < target.count { v.append(0) }
        v[columns[key]!] += value
      }
      vectors.append(v)
    }
    for i in vectors.indices { while vectors[i].count < target.count { vectors[i].append(0) } }
    var solved = Array(repeating: Array(repeating: 0.0, count: densities), count: candidates.count)
    for p in 0..<densities {
      guard let c = solve(vectors, target.map { $0[p] }) else { return nil }
      for k in candidates.indices { solved[k][p] = c[k] }
    }
    return zip(candidates, solved).map {
      (BasisFunction(centre: centre, neighbors: neighbors, ns: ns, ls: ls, couplings: $0), $1)
    }
  }

  /// The combination of independent vectors that is `target`; nil where none is. Orthogonalises twice.
  private static func solve(_ vectors: [[Double]], _ target: [Double]) -> [Double]? {
    var q: [[Double]] = []
    var r: [[Double]] = []
    func project(_ v: inout [Double]) -> [Double] {
      var sums = [Double](repeating: 0, count: q.count)
      for _ in 0..<2 {
        for (k, base) in q.enumerated() {
          let overlap = zip(v, base).reduce(0) { $0 + $1.0 * $1.1 }
          sums[k] += overlap
          for i in v.indices { v[i] -= overlap * base[i] }
        }
      }
      return sums
    }
    for vector in vectors {
      var v = vector
      let overlaps = project(&v)
      let norm = v.reduce(0) { $0 + $1 * $1 }.squareRoot()
      r.append(overlaps + [norm])
      q.append(v.map { $0 / norm })
    }
    var rest = target
    var c = project(&rest)
    let scale = target.map(abs).max() ?? 0
    guard (rest.map(abs).max() ?? 0) <= 1e-9 * scale else { return nil }
    for k in c.indices.reversed() {
      c[k] /= r[k][k]
      for i in 0..<k { c[i] -= r[k][i] * c[k] }
    }
    return c
  }
}
