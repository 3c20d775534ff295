import Configurations

/// The `.yace` (C-tilde) format that LAMMPS' `pair_style pace` reads.
extension CTildeFile {
  /// The bytes of the file; reading them gives this content again, bit for bit.
  public var encoded: [UInt8] {
    var text = "elements: [" + elements.map(\.symbol).joined(separator: ", ") + "]\n"
    text += "E0: \(PotentialText.list(referenceEnergies))\n"
    text += "deltaSplineBins: \(PotentialText.number(splineBinWidth))\nembeddings:\n"
    for (i, e) in embeddings.enumerated() {
      let parameters = PotentialText.list(e.terms.flatMap { [$0.weight, $0.exponent] })
      text +=
        "  \(i): {ndensity: \(e.densityCount), FS_parameters: \(parameters), npoti: \(e.kind.rawValue), "
        + "rho_core_cutoff: \(PotentialText.number(e.coreCutoff)), "
        + "drho_core_cutoff: \(PotentialText.number(e.coreWidth))}\n"
    }
    text += "bonds:\n"
    for i in elements.indices {
      for j in elements.indices { text += "  [\(i), \(j)]: {\(bondText(bonds[i][j]))}\n" }
    }
    text += "functions:\n"
    for (centre, list) in functions.enumerated() {
      text += list.isEmpty ? "  \(centre): []\n" : "  \(centre):\n"
      for f in list {
        text +=
          "    - {mu0: \(centre), rank: \(f.ns.count), ndensity: \(embeddings[centre].densityCount), "
          + "num_ms_combs: \(f.projections.count), mus: \(PotentialText.list(f.neighbors)), "
          + "ns: \(PotentialText.list(f.ns)), ls: \(PotentialText.list(f.ls)), "
          + "ms_combs: \(PotentialText.list(f.projections.flatMap { $0 })), "
          + "ctildes: \(PotentialText.list(f.coefficients))}\n"
      }
    }
    return Array(text.utf8)
  }

  private func bondText(_ b: Bond) -> String {
    func n(_ x: Double) -> String { PotentialText.number(x) }
    return "nradmax: \(b.radialLimit), lmax: \(b.angularLimit), nradbasemax: \(b.functionCount), "
      + "radbasename: \(b.radial.name), radparameters: \(PotentialText.list(b.radialParameters)), "
      + "radcoefficients: \(PotentialText.mixing(b)), prehc: \(n(b.corePrefactor)), "
      + "lambdahc: \(n(b.coreExponent)), rcut: \(n(b.cutoff)), dcut: \(n(b.shell)), "
      + "rcut_in: \(n(b.innerCutoff)), dcut_in: \(n(b.innerCutoffWidth)), "
      + "inner_cutoff_type: \(b.innerCutoffKind.rawValue)"
  }

  public init(decoding bytes: [UInt8]) throws(PotentialFileError) {
    self = try Self.read(bytes).file
  }

  /// The file and the line of each function.
  static func read(_ bytes: [UInt8]) throws(PotentialFileError) -> (file: CTildeFile, lines: [[Int]]) {
    let root = try YAMLReader.parse(bytes)
    let names = try root.required("elements")
    var elements: [Element] = []
    for item in try names.items("elements") {
      guard let element = Element(symbol: try item.string("elements")) else {
        throw item.failure("elements", "'\(item.text ?? "")' is not an element")
      }
      elements.append(element)
    }
    guard !elements.isEmpty, elements == BasisSpecification.ordered(elements) else {
      throw names.failure("elements", "must be given once each, sorted by symbol")
    }
    let energies = try root.required("E0").doubles("E0")
    guard energies.count == elements.count else {
      throw try root.required("E0").failure("E0", "needs one number per element")
    }
    let bins = try root.required("deltaSplineBins").double("deltaSplineBins")
    guard bins > 0 else { throw try root.required("deltaSplineBins").failure("deltaSplineBins", "must be positive") }
    var embeddings: [Embedding] = []
    for i in elements.indices {
      embeddings.append(
        try Self.embedding(root.required("embeddings").required("\(i)", in: "embeddings")))
    }
    let (functions, lines) = try functions(root.required("functions"), embeddings)
    let file = CTildeFile(
      elements: elements, referenceEnergies: energies, splineBinWidth: bins, embeddings: embeddings,
      bonds: try bonds(root.required("bonds"), elements.count), functions: functions)
    return (file, lines)
  }

  private static func embedding(_ node: YAMLNode) throws(PotentialFileError) -> Embedding {
    let name = try node.required("npoti").string("npoti")
    guard let kind = Embedding.Kind(rawValue: name) else {
      throw node.failure("npoti", "'\(name)' is not a known embedding")
    }
    let count = try node.required("ndensity").small("ndensity")
    let parameters = try node.required("FS_parameters").doubles("FS_parameters")
    guard count >= 1, parameters.count == 2 * count else {
      throw node.failure("FS_parameters", "needs two numbers per density")
    }
    return Embedding(
      kind: kind, terms: (0..<count).map { (parameters[2 * $0], parameters[2 * $0 + 1]) },
      coreCutoff: try node.required("rho_core_cutoff").double("rho_core_cutoff"),
      coreWidth: try node.required("drho_core_cutoff").double("drho_core_cutoff"))
  }

  private static func bonds(_ node: YAMLNode, _ count: Int) throws(PotentialFileError) -> [[Bond]] {
    var bonds: [[Bond?]] = Array(repeating: Array(repeating: nil, count: count), count: count)
    for (key, value) in try node.entries("bonds") {
      let pair = try key.ints("bonds")
      guard pair.count == 2, pair.allSatisfy({ (0..<count).contains($0) }) else {
        throw key.failure("bonds", "a key must be two element indices")
      }
      bonds[pair[0]][pair[1]] = try bond(value)
    }
    var result: [[Bond]] = []
    for i in 0..<count {
      var row: [Bond] = []
      for j in 0..<count {
        guard let bond = bonds[i][j] else { throw node.failure("bonds", "[\(i), \(j)] is missing") }
        row.append(bond)
      }
      result.append(row)
    }
    return result
  }

  private static func bond(_ node: YAMLNode) throws(PotentialFileError) -> Bond {
    func number(_ key: String) throws(PotentialFileError) -> Double {
      try node.required(key).double(key)
    }
    func whole(_ key: String) throws(PotentialFileError) -> Int {
      try node.required(key).small(key)
    }
    let (cutoff, shell) = (try number("rcut"), try number("dcut"))
    let (radial, parameters) = try Bond.reading(
      kind: try node.required("radbasename").string("radbasename"),
      node: node.required("radbasename"),
      parameters: try node.required("radparameters").doubles("radparameters"), cutoff: cutoff,
      shell: shell, fields: ("radbasename", "rcut", "dcut"))
    var bond = Bond(
      radial: radial, cutoff: cutoff, functionCount: try whole("nradbasemax"),
      radialLimit: try whole("nradmax"), angularLimit: try whole("lmax"))
    try bond.check(node, cutoff: "rcut", functions: "nradbasemax", radial: "nradmax", angular: "lmax")
    bond.radialParameters = parameters
    bond.shell = shell
    bond.mixing = try Bond.readingMixing(
      node.required("radcoefficients"), radialLimit: bond.radialLimit,
      angularLimit: bond.angularLimit, functionCount: bond.functionCount)
    bond.innerCutoff = try node.optional("rcut_in")?.double("rcut_in") ?? 0
    bond.innerCutoffWidth = try node.optional("dcut_in")?.double("dcut_in") ?? 0
    let kind = try node.optional("inner_cutoff_type")?.string("inner_cutoff_type") ?? "density"
    guard let inner = InnerCutoffKind(rawValue: kind) else {
      throw node.failure("inner_cutoff_type", "'\(kind)' is not density, distance or zbl")
    }
    bond.innerCutoffKind = inner
    bond.corePrefactor = try number("prehc")
    bond.coreExponent = try number("lambdahc")
    return bond
  }

  private static func functions(
    _ node: YAMLNode, _ embeddings: [Embedding]
  ) throws(PotentialFileError) -> (functions: [[Function]], lines: [[Int]]) {
    var result: [[Function]] = []
    var lines: [[Int]] = []
    for (centre, embedding) in embeddings.enumerated() {
      let items = try node.required("\(centre)", in: "functions").items("functions")
      lines.append(items.map(\.line))
      var list: [Function] = []
      for item in items { list.append(try function(item, centre, embedding.densityCount, embeddings.count)) }
      result.append(list)
    }
    return (result, lines)
  }

  private static func function(
    _ item: YAMLNode, _ centre: Int, _ densities: Int, _ elements: Int
  ) throws(PotentialFileError) -> Function {
    func field(_ key: String) throws(PotentialFileError) -> YAMLNode { try item.required(key, in: "functions") }
    func whole(_ key: String, _ allowed: ClosedRange<Int>) throws(PotentialFileError) -> Int {
      let value = try field(key).int(key)
      guard allowed.contains(value) else {
        let range = allowed.count == 1 ? "\(allowed.lowerBound)" : "in \(allowed.lowerBound)...\(allowed.upperBound)"
        throw try field(key).failure(key, "must be \(range), not \(value)")
      }
      return value
    }
    let rank = try whole("rank", 1...6)
    func indices(_ key: String, _ allowed: ClosedRange<Int>) throws(PotentialFileError) -> [Int] {
      let values = try field(key).ints(key)
      guard values.count == rank, values.allSatisfy(allowed.contains) else {
        throw try field(key).failure(
          key, "needs \(rank) numbers in \(allowed.lowerBound)...\(allowed.upperBound), not \(values)")
      }
      return values
    }
    // What other numbers imply is what LAMMPS goes by.
    if try item.optional("mu0", in: "functions") != nil { _ = try whole("mu0", centre...centre) }
    if try item.optional("ndensity", in: "functions") != nil { _ = try whole("ndensity", densities...densities) }
    let count = try whole("num_ms_combs", 0...Basis.largestCoupling)
    let neighbors = try indices("mus", 0...elements - 1)
    let ns = try indices("ns", 1...10_000)
    let ls = try indices("ls", 0...(rank == 1 ? 0 : 10))
    guard ls.reduce(0, +) % 2 == 0 else {
      throw try field("ls").failure("ls", "\(ls) has an odd sum; no invariant has")
    }
    let flat = try field("ms_combs").ints("ms_combs")
    guard flat.count == count * rank else {
      throw try field("ms_combs").failure(
        "ms_combs", "needs \(count * rank) numbers, num_ms_combs times rank, not \(flat.count)")
    }
    let coefficients = try field("ctildes").doubles("ctildes")
    guard coefficients.count == count * densities else {
      throw try field("ctildes").failure(
        "ctildes", "needs \(count * densities) numbers, num_ms_combs times ndensity, not \(coefficients.count)")
    }
    let projections = stride(from: 0, to: flat.count, by: rank).map { Array(flat[$0..<$0 + rank]) }
    for ms in projections where ms.reduce(0, +) != 0 || zip(ms, ls).contains(where: { abs($0) > $1 }) {
      throw try field("ms_combs").failure("ms_combs", "\(ms) is not possible for ls \(ls)")
    }
    return Function(neighbors: neighbors, ns: ns, ls: ls, projections: projections, coefficients: coefficients)
  }
}

extension Potential {
  /// Reads a `.yace` file.
  public init(yace bytes: [UInt8]) throws(PotentialFileError) {
    let (file, lines) = try CTildeFile.read(bytes)
    self = try file.potential(lines: lines)
  }

  /// The bytes of a `.yace` file, with reference energies as its E0.
  public var yace: [UInt8] { CTildeFile(self).encoded }
}
