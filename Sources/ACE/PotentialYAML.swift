import Configurations

/// The `.yaml` (B basis) format of pacemaker and LAMMPS.
extension Potential {
  /// Metadata key under which our files keep reference energies ("W: -12.5, Zr: -8"): the format has
  /// no place for them. Files of other programs do not have it, and then nothing is added.
  public static let referenceEnergyKey = "sluice_reference_energies"

  /// Reads a file; blocks and functions may come in any order.
  public init(yaml bytes: [UInt8]) throws(PotentialFileError) {
    let root = try YAMLReader.parse(bytes)
    var metadata: [String: String] = [:]
    if let node = try root.optional("metadata") {
      for (key, value) in try node.entries("metadata") {
        metadata[try key.string("metadata")] = try value.string(key.text ?? "metadata")
      }
    }
    let bins = try root.required("global").required("DeltaSplineBins").double("DeltaSplineBins")
    guard bins > 0 else {
      throw try root.required("global").failure("DeltaSplineBins", "must be positive")
    }
    let blocks = try YAMLBlocks(root.required("species"))
    let basis: Basis
    do {
      basis = try Basis(
        elements: blocks.elements, bonds: blocks.bonds,
        functions: blocks.functions.map { $0.map(\.function) }, splineBinWidth: bins)
    } catch { throw PotentialFileError(field: "species", error.description) }
    let energies = try Self.referenceEnergies(metadata, blocks.elements)
    metadata[Self.referenceEnergyKey] = nil
    do {
      try self.init(
        basis: basis,
        coefficients: blocks.functions.map { list in
          EvaluatorOrder.sorted(list.map(\.function)).flatMap { list[$0].coefficients }
        },
        embeddings: blocks.embeddings, referenceEnergies: energies, metadata: metadata)
    } catch { throw PotentialFileError(field: "species", error.description) }
  }

  private static func referenceEnergies(
    _ metadata: [String: String], _ elements: [Element]
  ) throws(PotentialFileError) -> [Double] {
    var energies = [Double](repeating: 0, count: elements.count)
    guard let text = metadata[referenceEnergyKey] else { return energies }
    for part in text.split(separator: ",") {
      let fields = part.split(separator: ":").map { $0.filter { $0 != " " } }
      guard fields.count == 2, let value = Double(fields[1]), value.isFinite,
        let index = elements.firstIndex(where: { $0.symbol == fields[0] })
      else {
        throw PotentialFileError(
          field: referenceEnergyKey, "'element: number' is expected, not '\(part)'")
      }
      energies[index] = value
    }
    return energies
  }

  /// The bytes of a `.yaml` file. Reading them gives this potential again, bit for bit.
  public var yaml: [UInt8] {
    var text = ""
    var metadata = metadata
    if referenceEnergies.contains(where: { $0 != 0 }) {
      metadata[Self.referenceEnergyKey] = zip(basis.elements, referenceEnergies)
        .map { "\($0): \(PotentialText.number($1))" }.joined(separator: ", ")
    }
    if !metadata.isEmpty {
      text += "metadata:\n"
      for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
        text += "  \(PotentialText.quoted(key)): \(PotentialText.quoted(value))\n"
      }
    }
    text += "global:\n  DeltaSplineBins: \(PotentialText.number(basis.splineBinWidth))\nspecies:\n"
    for block in writtenBlocks() {
      let names = block.map { basis.elements[$0].symbol }
      text += "  - speciesblock: \(names.joined(separator: " "))\n"
      let centre = block[0]
      if block.count == 1 { text += embeddingText(embeddings[centre]) }
      if block.count <= 2 { text += bondText(basis.bonds[centre][block.last!]) }
      text += nbodyText(block)
    }
    return Array(text.utf8)
  }

  /// Centre first, then the other elements: all of one and two, larger ones where functions exist.
  private func writtenBlocks() -> [[Int]] {
    let count = basis.elements.count
    var blocks = (0..<count).map { [$0] }
    for i in 0..<count { for j in 0..<count where j != i { blocks.append([i, j]) } }
    var larger: [[Int]] = []
    for f in basis.columnFunctions {
      let block = Self.block(of: f)
      if block.count > 2, !larger.contains(block) { larger.append(block) }
    }
    larger.sort { $0.count != $1.count ? $0.count < $1.count : $0.lexicographicallyPrecedes($1) }
    return blocks + larger
  }

  private static func block(of f: BasisFunction) -> [Int] {
    [f.centre] + Set(f.neighbors).subtracting([f.centre]).sorted()
  }

  private func embeddingText(_ embedding: Embedding) -> String {
    let parameters = embedding.terms.flatMap { [$0.weight, $0.exponent] }
    return """
          ndensityi: \(embedding.densityCount)
          npoti: \(embedding.kind.rawValue)
          parameters: \(PotentialText.list(parameters))
          rho_core_cut: \(PotentialText.number(embedding.coreCutoff))
          drho_core_cut: \(PotentialText.number(embedding.coreWidth))

      """
  }

  private func bondText(_ bond: Bond) -> String {
    """
        nradmaxi: \(bond.radialLimit)
        lmaxi: \(bond.angularLimit)
        rcutij: \(PotentialText.number(bond.cutoff))
        dcutij: \(PotentialText.number(bond.shell))
        NameOfCutoffFunctionij: cos
        r_in: \(PotentialText.number(bond.innerCutoff))
        delta_in: \(PotentialText.number(bond.innerCutoffWidth))
        inner_cutoff_type: \(bond.innerCutoffKind.rawValue)
        nradbaseij: \(bond.functionCount)
        radbase: \(bond.radial.name)
        radparameters: \(PotentialText.list(bond.radialParameters))
        radcoefficients: \(PotentialText.mixing(bond))
        core-repulsion: \(PotentialText.list([bond.corePrefactor, bond.coreExponent]))

    """
  }

  private func nbodyText(_ block: [Int]) -> String {
    let centre = block[0]
    let densities = embeddings[centre].densityCount
    var text = ""
    for (index, f) in basis.functions[centre].enumerated() where Self.block(of: f) == block {
      let type = ([centre] + f.neighbors).map { basis.elements[$0].symbol }.joined(separator: " ")
      let c = Array(coefficients[centre][index * densities..<(index + 1) * densities])
      let lint = f.rank >= 3 ? ", lint: \(PotentialText.list(f.couplings))" : ""
      text +=
        "      - {type: \(type), nr: \(PotentialText.list(f.ns)), nl: \(PotentialText.list(f.ls))"
        + "\(lint), c: \(PotentialText.list(c))}\n"
    }
    return text.isEmpty ? "    nbody: []\n" : "    nbody:\n" + text
  }
}
