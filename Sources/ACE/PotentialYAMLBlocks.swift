import Configurations

/// The `species` list of a `.yaml` file, taken apart.
struct YAMLBlocks {
  let elements: [Element]
  let bonds: [[Bond]]
  let embeddings: [Embedding]
  /// Per centre element, in file order.
  let functions: [[(function: BasisFunction, coefficients: [Double])]]

  init(_ node: YAMLNode) throws(PotentialFileError) {
    var blocks: [(elements: [Element], node: YAMLNode)] = []
    for block in try node.items("species") {
      let names = try block.required("speciesblock").string("speciesblock")
      var members: [Element] = []
      for name in names.split(separator: " ") {
        guard let element = Element(symbol: name) else {
          throw block.failure("speciesblock", "'\(name)' is not an element")
        }
        members.append(element)
      }
      guard !members.isEmpty else { throw block.failure("speciesblock", "names no element") }
      blocks.append((members, block))
    }
    let elements = BasisSpecification.ordered(
      blocks.filter { $0.elements.count == 1 }.map { $0.elements[0] })
    guard !elements.isEmpty else { throw node.failure("species", "no block of a single element") }
    var index: [Element: Int] = [:]
    for (i, element) in elements.enumerated() { index[element] = i }
    for (members, block) in blocks where members.contains(where: { index[$0] == nil }) {
      throw block.failure("speciesblock", "an element without a block of its own")
    }
    var bonds: [[Bond?]] = Array(
      repeating: Array(repeating: nil, count: elements.count), count: elements.count)
    var embeddings: [Embedding?] = Array(repeating: nil, count: elements.count)
    for (members, block) in blocks where members.count <= 2 {
      let (i, j) = (index[members[0]]!, index[members.last!]!)
      guard bonds[i][j] == nil else { throw block.failure("speciesblock", "is given twice") }
      bonds[i][j] = try Self.bond(block)
      if members.count == 1 { embeddings[i] = try Self.embedding(block) }
    }
    let completed = try Self.complete(bonds, elements, node)
    var functions: [[(function: BasisFunction, coefficients: [Double])]] = Array(
      repeating: [], count: elements.count)
    for (members, block) in blocks {
      let centre = index[members[0]]!
      let densities = embeddings[centre]!.densityCount
      for entry in try block.optional("nbody", in: "speciesblock")?.items("nbody") ?? [] {
        if let skip = try entry.optional("skip", in: "nbody")?.text,
          skip == "true" || skip == "True"
        {
          continue
        }
        let (function, c) = try Self.function(entry, members, index, densities)
        do throws(ACEError) {
          try Basis.validate(function, elements[centre], centre, completed[centre])
        } catch { throw entry.failure("nbody", error.description) }
        functions[centre].append((function, c))
      }
    }
    self.bonds = completed
    self.elements = elements
    self.embeddings = embeddings.map { $0! }
    self.functions = functions
  }

  private static func complete(
    _ bonds: [[Bond?]], _ elements: [Element], _ node: YAMLNode
  ) throws(PotentialFileError) -> [[Bond]] {
    var result: [[Bond]] = []
    for i in elements.indices {
      var row: [Bond] = []
      for j in elements.indices {
        guard let bond = bonds[i][j] ?? bonds[j][i] else {
          throw node.failure("species", "no block for \(elements[i]) \(elements[j])")
        }
        if let back = bonds[j][i], back != bond {
          throw node.failure(
            "species", "the bonds \(elements[i]) \(elements[j]) and back must be identical")
        }
        row.append(bond)
      }
      result.append(row)
    }
    return result
  }

  private static func embedding(_ block: YAMLNode) throws(PotentialFileError) -> Embedding {
    let node = try block.required("npoti")
    let name = try node.string("npoti")
    guard let kind = Embedding.Kind(rawValue: name) else {
      throw node.failure("npoti", "'\(name)' is not a known embedding")
    }
    let count = try block.required("ndensityi").small("ndensityi")
    let parameters = try block.required("parameters").doubles("parameters")
    guard count >= 1, parameters.count == 2 * count else {
      throw try block.required("parameters").failure("parameters", "needs two numbers per density")
    }
    return Embedding(
      kind: kind, terms: (0..<count).map { (parameters[2 * $0], parameters[2 * $0 + 1]) },
      coreCutoff: try block.optional("rho_core_cut")?.double("rho_core_cut") ?? 100_000,
      coreWidth: try block.optional("drho_core_cut")?.double("drho_core_cut") ?? 250)
  }

  private static func bond(_ block: YAMLNode) throws(PotentialFileError) -> Bond {
    func number(_ key: String) throws(PotentialFileError) -> Double {
      try block.required(key).double(key)
    }
    func whole(_ key: String) throws(PotentialFileError) -> Int {
      try block.required(key).small(key)
    }
    let cutoff = try number("rcutij")
    let shell = try number("dcutij")
    let parameters = try block.required("radparameters").doubles("radparameters")
    let (radial, kept) = try Bond.reading(
      kind: try block.required("radbase").string("radbase"), node: block.required("radbase"),
      parameters: parameters, cutoff: cutoff, shell: shell, fields: ("radbase", "rcutij", "dcutij"))
    var bond = Bond(
      radial: radial, cutoff: cutoff, functionCount: try whole("nradbaseij"),
      radialLimit: try whole("nradmaxi"), angularLimit: try whole("lmaxi"))
    try bond.check(block, cutoff: "rcutij", functions: "nradbaseij", radial: "nradmaxi", angular: "lmaxi")
    bond.radialParameters = kept
    bond.shell = shell
    bond.mixing = try Bond.readingMixing(
      block.required("radcoefficients"), radialLimit: bond.radialLimit,
      angularLimit: bond.angularLimit, functionCount: bond.functionCount)
    bond.innerCutoff = try block.optional("r_in")?.double("r_in") ?? 0
    bond.innerCutoffWidth = try block.optional("delta_in")?.double("delta_in") ?? 0
    let kind = try block.optional("inner_cutoff_type")?.string("inner_cutoff_type") ?? "density"
    guard let inner = InnerCutoffKind(rawValue: kind) else {
      throw try block.required("inner_cutoff_type").failure(
        "inner_cutoff_type", "'\(kind)' is not density, distance or zbl")
    }
    bond.innerCutoffKind = inner
    let core = try block.optional("core-repulsion")?.doubles("core-repulsion") ?? [0, 1]
    guard core.count == 2 else {
      throw try block.required("core-repulsion").failure("core-repulsion", "needs two numbers")
    }
    (bond.corePrefactor, bond.coreExponent) = (core[0], core[1])
    return bond
  }

  private static func function(
    _ entry: YAMLNode, _ block: [Element], _ index: [Element: Int], _ densities: Int
  ) throws(PotentialFileError) -> (function: BasisFunction, coefficients: [Double]) {
    let type = try entry.required("type", in: "nbody")
    var members: [Int] = []
    for name in try type.string("type").split(separator: " ") {
      guard let element = Element(symbol: name), let i = index[element] else {
        throw type.failure("type", "'\(name)' has no block of its own")
      }
      guard block.contains(element) else {
        throw type.failure(
          "type", "'\(name)' does not belong to the block \(block.map(\.symbol).joined(separator: " "))")
      }
      members.append(i)
    }
    guard let centre = members.first, centre == index[block[0]] else {
      throw type.failure("type", "the first element must be the block's, \(block[0])")
    }
    let rank = members.count - 1
    guard (1...6).contains(rank) else {
      throw type.failure("type", "names \(rank) neighbours; 1 to 6 are possible")
    }
    func indices(_ key: String, from lowest: Int) throws(PotentialFileError) -> [Int] {
      let node = try entry.required(key, in: "nbody")
      let values = try node.ints(key)
      guard values.count == rank else {
        throw node.failure(key, "needs \(rank) numbers, one per neighbour in type, not \(values.count)")
      }
      for value in values where value < lowest {
        throw node.failure(key, "must not be below \(lowest), as \(value) is")
      }
      return values
    }
    let (ns, ls) = (try indices("nr", from: 1), try indices("nl", from: 0))
    let lint = rank < 3 ? [] : try entry.required("lint", in: "nbody").ints("lint")
    let coefficients = try entry.required("c", in: "nbody")
    let c = try coefficients.doubles("c")
    guard c.count == densities else {
      throw coefficients.failure("c", "needs \(densities) numbers, one per density, not \(c.count)")
    }
    guard rank > 1 || ls == [0] else { throw entry.failure("nl", "must be [0] with one neighbour") }
    guard ls.reduce(0, +) % 2 == 0 else { throw entry.failure("nl", "\(ls) has an odd sum; no invariant has") }
    guard CouplingTree(rank: rank).isAdmissible(ls, lint) else {
      throw entry.failure(rank < 3 ? "nl" : "lint", "\(rank < 3 ? ls : lint) is not possible for nl \(ls)")
    }
    return (
      BasisFunction(centre: centre, neighbors: Array(members[1...]), ns: ns, ls: ls, couplings: lint), c
    )
  }
}
