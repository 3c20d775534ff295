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
        functions[centre].append(try Self.function(entry, centre, index, densities))
      }
    }
    self.bonds = try Self.complete(bonds, elements, node)
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
      throw block.failure("parameters", "needs two numbers per density")
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
      parameters: parameters,
      cutoff: cutoff, shell: shell)
    var bond = Bond(
      radial: radial, cutoff: cutoff, functionCount: try whole("nradbaseij"),
      radialLimit: try whole("nradmaxi"), angularLimit: try whole("lmaxi"))
    bond.radialParameters = kept
    bond.shell = shell
    bond.mixing = try Bond.readingMixing(
      block.required("radcoefficients"), radialLimit: bond.radialLimit,
      angularLimit: bond.angularLimit, functionCount: bond.functionCount)
    bond.innerCutoff = try block.optional("r_in")?.double("r_in") ?? 0
    bond.innerCutoffWidth = try block.optional("delta_in")?.double("delta_in") ?? 0
    let kind = try block.optional("inner_cutoff_type")?.string("inner_cutoff_type") ?? "density"
    guard let inner = InnerCutoffKind(rawValue: kind) else {
      throw block.failure("inner_cutoff_type", "'\(kind)' is not density, distance or zbl")
    }
    bond.innerCutoffKind = inner
    let core = try block.optional("core-repulsion")?.doubles("core-repulsion") ?? [0, 1]
    guard core.count == 2 else { throw block.failure("core-repulsion", "needs two numbers") }
    (bond.corePrefactor, bond.coreExponent) = (core[0], core[1])
    return bond
  }

  private static func function(
    _ entry: YAMLNode, _ centre: Int, _ index: [Element: Int], _ densities: Int
  ) throws(PotentialFileError) -> (function: BasisFunction, coefficients: [Double]) {
    var members: [Int] = []
    for name in try entry.required("type", in: "nbody").string("type").split(separator: " ") {
      guard let element = Element(symbol: name), let i = index[element] else {
        throw entry.failure("type", "'\(name)' has no block of its own")
      }
      members.append(i)
    }
    let ns = try entry.required("nr").ints("nr")
    let ls = try entry.required("nl").ints("nl")
    guard (1...6).contains(ns.count), ls.count == ns.count, members.count == ns.count + 1,
      members[0] == centre, ls.allSatisfy({ (0...10).contains($0) })
    else { throw entry.failure("nbody", "type, nr and nl do not fit each other") }
    var lint = try entry.optional("lint")?.ints("lint") ?? []
    if ns.count < 3 { lint = [] }
    let c = try entry.required("c").doubles("c")
    guard c.count == densities else {
      throw try entry.required("c").failure("c", "needs one number per density")
    }
    guard CouplingTree(rank: ns.count).isAdmissible(ls, lint) else {
      throw entry.failure("lint", "is not possible for nl \(ls)")
    }
    return (
      BasisFunction(
        centre: centre, neighbors: Array(members[1...]), ns: ns, ls: ls, couplings: lint), c
    )
  }
}
