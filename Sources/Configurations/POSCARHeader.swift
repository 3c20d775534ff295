// The lines that POSCAR, CONTCAR and XDATCAR share come in; a cell and species blocks go out.

/// Scale, lattice and species of a VASP structure file.
struct POSCARHeader {
  /// Scaled lattice vectors, Å.
  var vectors: Matrix3
  /// What Cartesian coordinates are multiplied by, per component.
  var scale: Vector3
  /// Element and number of atoms of each block, in file order.
  var blocks: [(element: Element, count: Int)]

  var count: Int { blocks.reduce(0) { $0 + $1.count } }

  /// The largest number of atoms per block that is believed.
  private static let mostAtoms = 1_000_000_000

  /// Reads from the line of the scaling factor to that of the counts. The comment line came before
  /// and may name the elements where an old file has no line for them.
  init(after comment: String, _ lines: inout LineReader) throws(Diagnostic) {
    try Self.advance(&lines, "the scaling factor")
    let factors = lines.numbersAtFront()
    guard let first = factors.first, factors.allSatisfy(\.isFinite), first != 0 else {
      throw lines.error("malformed", "expected the scaling factor of the lattice.", "")
    }
    var rows = Matrix3.zero
    for k in 0..<3 {
      try Self.advance(&lines, "lattice vector \(k + 1)")
      guard
        let row = lines.withLine({ bytes -> Vector3? in
          guard var cursor = FieldCursor(bytes) else { return nil }
          return cursor.vector()
        }), row.x.isFinite, row.y.isFinite, row.z.isFinite
      else {
        throw lines.error("malformed", "expected three numbers of lattice vector \(k + 1).", "")
      }
      rows[k] = row
    }
    scale = try Self.scale(factors, rows, lines)
    vectors = Matrix3(rows.x * scale, rows.y * scale, rows.z * scale)
    guard vectors.determinant != 0, vectors.determinant.isFinite else {
      throw lines.error("malformed", "the lattice vectors span no volume.", "")
    }
    blocks = try Self.blocks(comment, &lines)
  }

  private static func advance(_ lines: inout LineReader, _ what: String) throws(Diagnostic) {
    guard try lines.advance() else {
      throw lines.error("truncated", "the file ends before \(what).", "")
    }
  }

  private static func scale(
    _ factors: [Double], _ rows: Matrix3, _ lines: LineReader
  ) throws(Diagnostic) -> Vector3 {
    if factors.count >= 3 {
      // One factor per Cartesian component.
      guard factors[0] > 0, factors[1] > 0, factors[2] > 0 else {
        throw lines.error("malformed", "three scaling factors must all be positive.", "")
      }
      return Vector3(factors[0], factors[1], factors[2])
    }
    if factors[0] > 0 { return Vector3(repeating: factors[0]) }
    // A negative factor is the volume wanted.
    let volume = abs(rows.determinant)
    guard volume > 0, volume.isFinite else {
      throw lines.error("malformed", "the lattice vectors span no volume.", "")
    }
    return Vector3(repeating: cubeRoot(-factors[0] / volume))
  }

  private static func blocks(
    _ comment: String, _ lines: inout LineReader
  ) throws(Diagnostic) -> [(element: Element, count: Int)] {
    try advance(&lines, "the species")
    var symbols = lines.fields
    var named: [Element]
    let symbolsLine = lines.number
    if let first = symbols.first, Int(first) == nil {
      named = []
      for symbol in symbols {
        // "W_pv" and "W/0a1b…" (VASP 6.4) name tungsten.
        let bare = symbol.prefix { $0 != "_" && $0 != "/" }
        guard let element = Element(symbol: bare) else {
          throw lines.error("unknown-element", "'\(symbol.prefix(20))' is not an element.", "")
        }
        named.append(element)
      }
      try advance(&lines, "the numbers of atoms")
    } else {
      symbols = comment.split { $0 == " " || $0 == "\t" }
      named = symbols.compactMap { Element(symbol: $0) }
      if named.count != symbols.count { named = [] }
    }
    var counts: [Int] = []
    for field in lines.fields {
      guard let count = Int(field) else { break }
      guard (0...mostAtoms).contains(count) else {
        throw lines.error("malformed", "\(count) atoms of one species.", "")
      }
      counts.append(count)
    }
    guard !counts.isEmpty, counts.count < 1000, counts.contains(where: { $0 > 0 }) else {
      throw lines.error("malformed", "expected the numbers of atoms per species.", "")
    }
    guard counts.count == named.count else {
      if symbolsLine == lines.number {
        throw lines.error(
          "unknown-species",
          "the file does not name its elements (VASP 4 layout), nor does its comment line.",
          "Insert a line with the element symbols above the line with the numbers of atoms.")
      }
      throw lines.error(
        "malformed", "\(named.count) species, but \(counts.count) numbers of atoms.", "")
    }
    return zip(named, counts).map { ($0, $1) }
  }
}

extension LineReader {
  /// The numbers that the current line begins with.
  func numbersAtFront() -> [Double] {
    withLine { bytes -> [Double] in
      guard var cursor = FieldCursor(bytes) else { return [] }
      var numbers: [Double] = []
      while numbers.count < 16, let number = cursor.real() { numbers.append(number) }
      return numbers
    }
  }
}

/// The real cube root of a positive number, by Newton's iteration to a fixed point.
private func cubeRoot(_ x: Double) -> Double {
  guard x > 0, x.isFinite else { return x }
  var root = Double(sign: .plus, exponent: Int(x.exponent) / 3, significand: 1)
  for _ in 0..<200 {
    let next = (2 * root + x / (root * root)) / 3
    if abs(next - root) <= root.ulp { return next }
    root = next
  }
  return root
}
