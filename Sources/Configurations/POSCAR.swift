// POSCAR and CONTCAR: a structure file comes in, a configuration goes out, and back.

import Platform

/// Reads VASP's POSCAR and CONTCAR (one structure; velocities behind it are ignored).
///
/// Selective dynamics become the property `move_mask` (true = may move), shape [atoms][3].
public struct POSCARReader {
  private var lines: LineReader
  private var finished = false

  public init(_ source: any ByteSource, name: String) { lines = LineReader(source, name: name) }

  /// The structure, then nil.
  public mutating func next() throws(Diagnostic) -> Configuration? {
    guard !finished else { return nil }
    finished = true
    guard try lines.advance() else { return nil }
    let header = try POSCARHeader(after: lines.text, &lines)
    var isSelective = false
    try advance("Direct or Cartesian")
    var mode = lines.fields.first?.first?.lowercased() ?? ""
    if mode == "s" {
      isSelective = true
      try advance("Direct or Cartesian")
      mode = lines.fields.first?.first?.lowercased() ?? ""
    }
    guard lines.numbersAtFront().isEmpty else {
      throw lines.error("malformed", "expected a line Direct or Cartesian.", "")
    }
    return try atoms(header, isCartesian: mode == "c" || mode == "k", isSelective: isSelective)
  }

  private mutating func advance(_ what: String) throws(Diagnostic) {
    guard try lines.advance() else {
      throw lines.error("truncated", "the file ends before \(what).", "")
    }
  }

  private mutating func atoms(
    _ header: POSCARHeader, isCartesian: Bool, isSelective: Bool
  ) throws(Diagnostic) -> Configuration {
    var species: [Element] = []
    var positions: [Vector3] = []
    var mask: [Bool] = []
    for block in header.blocks {
      for _ in 0..<block.count {
        guard try lines.advance() else {
          throw lines.error(
            "truncated", "the file ends after \(species.count) of \(header.count) atoms.", "")
        }
        let read = lines.withLine { bytes -> (Vector3, [Bool])? in
          guard var cursor = FieldCursor(bytes), let vector = cursor.vector() else { return nil }
          var flags: [Bool] = []
          while isSelective, flags.count < 3, let word = cursor.field() {
            guard let flag = Self.flag(word) else { return nil }
            flags.append(flag)
          }
          return (vector, flags)
        }
        guard let (vector, flags) = read, !isSelective || flags.count == 3 else {
          throw lines.error(
            "malformed",
            "atom \(species.count + 1) of \(header.count): expected three coordinates\(isSelective ? " and three of T and F" : "").",
            "")
        }
        let position = isCartesian ? vector * header.scale : vector * header.vectors
        guard position.x.isFinite, position.y.isFinite, position.z.isFinite else {
          throw lines.error("not-finite", "the position is not finite.", "")
        }
        species.append(block.element)
        positions.append(position)
        mask += flags
      }
    }
    return Configuration(
      species: species, positions: positions, cell: Cell(vectors: header.vectors),
      provenance: Provenance(source: lines.name),
      properties: isSelective ? ["move_mask": .perAtomLogicals(mask, columns: 3)] : [:])
  }

  /// T, F, .TRUE., .FALSE. and the like, as Fortran reads logicals.
  private static func flag(_ word: UnsafeBufferPointer<UInt8>) -> Bool? {
    switch word.first(where: { $0 != UInt8(ascii: ".") }).map({ $0 | 0x20 }) {
    case UInt8(ascii: "t"): true
    case UInt8(ascii: "f"): false
    default: nil
    }
  }
}

/// Writes POSCAR: atoms grouped by element in alphabetical order of the symbols (otherwise in their
/// order), scaling factor 1, Cartesian coordinates with all their digits, so that positions and cell
/// read back to the same bits.
public struct POSCARWriter: Sendable {
  /// Empty space around a free cluster, which is put into a box, Å on each side.
  public var vacuum: Double

  public init(vacuum: Double = 8) { self.vacuum = vacuum }

  /// The order in which atoms are written: element k of the result is the index of atom k.
  public static func order(of configuration: Configuration) -> [Int] {
    configuration.species.indices.sorted {
      let (a, b) = (configuration.species[$0].symbol, configuration.species[$1].symbol)
      return a == b ? $0 < $1 : a < b
    }
  }

  /// The file; line breaks in `comment` become blanks.
  public func bytes(_ configuration: Configuration, comment: String) -> [UInt8] {
    let order = Self.order(of: configuration)
    var shift = Vector3.zero
    let vectors: Matrix3
    if let cell = configuration.cell {
      vectors = cell.vectors
    } else {
      (vectors, shift) = box(configuration.positions)
    }
    let line = String(comment.map { $0.isNewline ? " " : $0 }).prefix(200)
    var bytes = Array("\(line)\n1.0\n".utf8)
    for row in 0..<3 {
      bytes.append(vector: vectors[row])
      bytes.append(0x0A)
    }
    var blocks: [(symbol: String, count: Int)] = []
    for atom in order {
      let symbol = configuration.species[atom].symbol
      if blocks.last?.symbol == symbol {
        blocks[blocks.count - 1].count += 1
      } else {
        blocks.append((symbol, 1))
      }
    }
    bytes.append(text: blocks.map(\.symbol).joined(separator: " ") + "\n")
    bytes.append(text: blocks.map { "\($0.count)" }.joined(separator: " ") + "\n")
    let mask = mask(configuration)
    if mask != nil { bytes.append(text: "Selective dynamics\n") }
    bytes.append(text: "Cartesian\n")
    for atom in order {
      let position = configuration.positions[atom]
      bytes.append(vector: configuration.cell == nil ? position + shift : position)
      if let mask {
        for k in 0..<3 { bytes.append(text: mask[3 * atom + k] ? " T" : " F") }
      }
      bytes.append(0x0A)
    }
    return bytes
  }

  private func mask(_ configuration: Configuration) -> [Bool]? {
    guard case .perAtomLogicals(let values, let columns)? = configuration.properties["move_mask"]
    else { return nil }
    if columns == 3 { return values }
    return columns == 1 ? values.flatMap { [$0, $0, $0] } : nil
  }

  private func box(_ positions: [Vector3]) -> (Matrix3, Vector3) {
    guard var low = positions.first else { return (.identity, .zero) }
    var high = low
    for position in positions {
      low = pointwiseMin(low, position)
      high = pointwiseMax(high, position)
    }
    let size = high - low + Vector3(repeating: 2 * vacuum)
    return (
      Matrix3([size.x, 0, 0], [0, size.y, 0], [0, 0, size.z]), Vector3(repeating: vacuum) - low
    )
  }
}
