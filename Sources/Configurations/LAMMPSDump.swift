// A LAMMPS text dump comes in, configurations go out one frame at a time.

import Platform

/// Reads text dumps of LAMMPS (`dump custom` and `dump atom`; lengths in Å, so units metal or real).
///
/// Boxes: orthogonal, `xy xz yz` and `abc origin`. Coordinates: x y z, xu yu zu, xs ys zs or
/// xsu ysu zsu, in that preference; scaled ones are turned into Cartesian ones. Atoms are sorted by
/// `id` where there is one. Further numeric columns become per-atom properties of their names, the
/// time step becomes `timestep`.
public struct LAMMPSDumpReader {
  private var lines: LineReader
  private let elements: [Int: Element]
  private var finished = false
  private var frameIndex = 0

  /// `elements` says what the atom types are, for dumps without a column `element`.
  public init(_ source: any ByteSource, name: String, elements: [Int: Element] = [:]) {
    lines = LineReader(source, name: name)
    self.elements = elements
  }

  /// The next frame, or nil at the end.
  public mutating func next() throws(Diagnostic) -> Configuration? {
    guard !finished else { return nil }
    finished = true
    var frame = LAMMPSDumpFrame()
    while try lines.advance() {
      let fields = lines.fields
      guard let item = fields.first else { continue }
      guard item == "ITEM:", fields.count >= 2 else {
        throw trouble("malformed", "expected a line 'ITEM:'.")
      }
      switch fields[1] {
      case "ATOMS":
        let configuration = try atoms(&frame, fields.dropFirst(2).map(String.init))
        frameIndex += 1
        finished = false
        return configuration
      case "TIMESTEP": frame.timestep = try integer("the time step")
      case "NUMBER":
        guard let count = try integer("the number of atoms"), count > 0 else {
          throw trouble("malformed", "expected a positive number of atoms.")
        }
        frame.count = count
      case "BOX": frame.box = try box(fields)
      case "UNITS":
        try advance("the units")
        guard let units = lines.fields.first, units == "metal" || units == "real" else {
          throw trouble(
            "unsupported", "the dump is in units other than metal or real.",
            "Dump lengths in angstrom.")
        }
      default: try advance("a value of \(fields[1])")
      }
    }
    if frame != LAMMPSDumpFrame() {
      throw trouble(
        "truncated", "the file ends before the atoms of this frame.",
        "The frames before this one are complete.")
    }
    return nil
  }

  private func trouble(_ code: String, _ cause: String, _ remedy: String = "") -> Diagnostic {
    lines.error(code, cause, remedy, frame: frameIndex)
  }

  private mutating func advance(_ what: String) throws(Diagnostic) {
    guard try lines.advance() else { throw trouble("truncated", "the file ends before \(what).") }
  }

  private mutating func integer(_ what: String) throws(Diagnostic) -> Int? {
    try advance(what)
    return lines.fields.first.flatMap { Int($0) }
  }

  private mutating func box(_ fields: [Substring]) throws(Diagnostic) -> LAMMPSDumpFrame.Box {
    var words = fields.dropFirst(2)
    if words.first == "BOUNDS" { words = words.dropFirst() }
    let flags = words.filter { ["p", "f", "s", "m"].contains($0.first) && $0.count <= 2 }
    var periodic = Periodicity.all
    if flags.count == 3 {
      periodic = []
      for (k, flag) in flags.enumerated() where flag.first == "p" {
        periodic.insert(Periodicity(rawValue: 1 << UInt8(k)))
      }
    }
    let isGeneral = words.contains("abc")
    let isTilted = words.contains("xy")
    var rows: [[Double]] = []
    for _ in 0..<3 {
      try advance("the box")
      let row = lines.numbersAtFront()
      guard row.count >= (isGeneral ? 4 : isTilted ? 3 : 2), row.allSatisfy(\.isFinite) else {
        throw trouble(
          "malformed", "expected \(isGeneral ? 4 : isTilted ? 3 : 2) numbers of the box.")
      }
      rows.append(row)
    }
    let box = LAMMPSDumpFrame.Box(
      rows: rows, isGeneral: isGeneral, isTilted: isTilted, periodic: periodic)
    guard box.cell.vectors.determinant != 0, box.cell.vectors.determinant.isFinite else {
      throw trouble("malformed", "the box has no volume.")
    }
    return box
  }

  private mutating func atoms(
    _ frame: inout LAMMPSDumpFrame, _ names: [String]
  ) throws(Diagnostic) -> Configuration {
    guard let count = frame.count else {
      throw trouble("malformed", "ITEM: ATOMS comes before ITEM: NUMBER OF ATOMS.")
    }
    guard let box = frame.box else {
      throw trouble("malformed", "ITEM: ATOMS comes before ITEM: BOX BOUNDS.")
    }
    guard var columns = LAMMPSDumpColumns(names) else {
      throw trouble(
        "malformed",
        "no coordinates among the columns '\(names.joined(separator: " ").prefix(200))'.",
        "Dump x y z, xu yu zu, xs ys zs or xsu ysu zsu.")
    }
    guard columns.elementColumn != nil || (columns.typeColumn != nil && !elements.isEmpty) else {
      throw trouble(
        "unknown-species", "the dump does not say which elements its atom types are.",
        "Dump the column 'element', or give the elements of the types in the pipeline file.")
    }
    for atom in 0..<count {
      guard try lines.advance() else {
        throw trouble(
          "truncated", "the file ends after \(atom) of \(count) atoms.",
          "The frames before this one are complete.")
      }
      let problem = lines.withLine { columns.append($0, elements) }
      if let problem {
        throw trouble(
          problem.hasPrefix("the position") ? "not-finite" : "malformed",
          "atom \(atom + 1) of \(count): \(problem)")
      }
    }
    guard let order = columns.order else {
      throw trouble("malformed", "an atom id occurs twice in this frame.")
    }
    var properties = columns.properties(order)
    if let timestep = frame.timestep { properties["timestep"] = .integer(timestep) }
    return Configuration(
      species: order.map { columns.species[$0] },
      positions: order.map {
        columns.isScaled
          ? box.origin + columns.positions[$0] * box.cell.vectors : columns.positions[$0]
      },
      cell: box.cell, provenance: Provenance(source: lines.name, ionicStep: frameIndex),
      properties: properties)
  }
}

/// What the items before the atoms say.
struct LAMMPSDumpFrame: Equatable {
  struct Box: Equatable {
    var cell: Cell
    var origin: Vector3

    /// The three lines of the box. For a tilted one LAMMPS prints the bounds of the box that
    /// encloses it, from which the tilt is taken off again.
    init(rows: [[Double]], isGeneral: Bool, isTilted: Bool, periodic: Periodicity) {
      if isGeneral {
        origin = Vector3(rows[0][3], rows[1][3], rows[2][3])
        let v = rows.map { Vector3($0[0], $0[1], $0[2]) }
        cell = Cell(vectors: Matrix3(v[0], v[1], v[2]), periodic: periodic)
        return
      }
      let (xy, xz, yz) = isTilted ? (rows[0][2], rows[1][2], rows[2][2]) : (0, 0, 0)
      let xLow = rows[0][0] - min(0, xy, xz, xy + xz)
      let xHigh = rows[0][1] - max(0, xy, xz, xy + xz)
      let yLow = rows[1][0] - min(0, yz)
      let yHigh = rows[1][1] - max(0, yz)
      origin = Vector3(xLow, yLow, rows[2][0])
      cell = Cell(
        vectors: Matrix3(
          [xHigh - xLow, 0, 0], [xy, yHigh - yLow, 0], [xz, yz, rows[2][1] - rows[2][0]]),
        periodic: periodic)
    }
  }

  var timestep: Int?
  var count: Int?
  var box: Box?
}
