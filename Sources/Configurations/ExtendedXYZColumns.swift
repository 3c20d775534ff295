// The `Properties` value of a frame comes in, filled per-atom columns go out.

/// The columns of one frame: what each holds, and the values read so far.
struct ExtendedXYZColumns {
  typealias Bytes = UnsafeBufferPointer<UInt8>

  enum Kind: UInt8 {
    case text
    case integer
    case real
    case logical
  }

  enum Role: Equatable {
    case symbols
    case atomicNumbers
    case positions
    /// Index among the force columns.
    case forces(Int)
    /// Index into `extras`.
    case extra(Int)
  }

  struct Column {
    var role: Role
    var kind: Kind
    var width: Int
  }

  struct Extra {
    var name: String
    var kind: Kind
    var width: Int
    var reals: [Double] = []
    var integers: [Int] = []
    var texts: [String] = []
    var logicals: [Bool] = []
  }

  private var columns: [Column] = []
  var extras: [Extra] = []
  var forceNames: [String] = []
  var forces: [[Vector3]] = []
  var species: [Element] = []
  var positions: [Vector3] = []
  private var known: [(spelling: UInt32, element: Element)] = []

  /// What `Properties` is where a file does not say.
  static let standard = "species:S:1:pos:R:3"

  /// Throws a sentence that says what is wrong.
  init(_ properties: String, keys: LabelKeys) throws(Trouble) {
    let parts = properties.split(separator: ":", omittingEmptySubsequences: false)
    guard !parts.isEmpty, parts.count % 3 == 0 else {
      throw Trouble("Properties is not a list of name:type:columns.")
    }
    var names: Set<Substring> = []
    for at in stride(from: 0, to: parts.count, by: 3) {
      let name = parts[at]
      guard let kind = Self.kind(parts[at + 1]) else {
        throw Trouble("column '\(name)' has type '\(parts[at + 1])'; S, I, R and L exist.")
      }
      guard let width = Int(parts[at + 2]), (1...100_000).contains(width) else {
        throw Trouble("column '\(name)' has '\(parts[at + 2])' values per atom.")
      }
      guard !name.isEmpty, names.insert(name).inserted else {
        throw Trouble("column '\(name)' occurs twice.")
      }
      columns.append(Column(role: role(String(name), kind, width, keys), kind: kind, width: width))
    }
    guard columns.contains(where: { $0.role == .positions }) else {
      throw Trouble("there is no column pos:R:3.")
    }
    guard columns.contains(where: { $0.role == .symbols || $0.role == .atomicNumbers }) else {
      throw Trouble("there is no column species:S:1 and no column Z:I:1.")
    }
  }

  private static func kind(_ letter: Substring) -> Kind? {
    switch letter {
    case "S": .text
    case "I": .integer
    case "R": .real
    case "L": .logical
    default: nil
    }
  }

  /// The first column of symbols or atomic numbers says what the atoms are; others are kept as they are.
  private mutating func role(_ name: String, _ kind: Kind, _ width: Int, _ keys: LabelKeys) -> Role {
    let lower = name.lowercased()
    func isFirst(_ role: Role) -> Bool { !columns.contains { $0.role == role } }
    if kind == .text, width == 1, ["species", "symbols", "symbol", "element"].contains(lower),
      isFirst(.symbols), isFirst(.atomicNumbers)
    {
      return .symbols
    }
    if kind == .integer, width == 1, ["z", "numbers", "atomic_numbers"].contains(lower),
      isFirst(.symbols), isFirst(.atomicNumbers)
    {
      return .atomicNumbers
    }
    if kind == .real, width == 3, ["pos", "positions", "position"].contains(lower),
      isFirst(.positions)
    {
      return .positions
    }
    if kind == .real, width == 3, keys.isForces(name) {
      forceNames.append(name)
      forces.append([])
      return .forces(forces.count - 1)
    }
    extras.append(Extra(name: name, kind: kind, width: width))
    return .extra(extras.count - 1)
  }

  /// Makes room, but never for more than a believable line count.
  mutating func reserve(_ atoms: Int) {
    let atoms = min(atoms, 4096)
    species.reserveCapacity(atoms)
    positions.reserveCapacity(atoms)
    for k in forces.indices { forces[k].reserveCapacity(atoms) }
  }

  /// Reads the line of one atom.
  mutating func append(_ bytes: Bytes) throws(Trouble) {
    guard var cursor = FieldCursor(bytes) else { throw Trouble("the line is empty.") }
    for column in columns {
      switch column.role {
      case .symbols:
        guard let word = cursor.field() else { throw missing(column) }
        try species.append(element(word))
      case .atomicNumbers:
        guard let number = cursor.integer(), let element = Element(atomicNumber: number) else {
          throw Trouble("the atomic number is not in 1...118.")
        }
        species.append(element)
      case .positions:
        guard let position = cursor.vector() else { throw missing(column) }
        guard position.x.isFinite, position.y.isFinite, position.z.isFinite else {
          throw Trouble("the position is not finite.", code: "not-finite")
        }
        positions.append(position)
      case .forces(let k):
        guard let force = cursor.vector() else { throw missing(column) }
        forces[k].append(force)
      case .extra(let k):
        for _ in 0..<column.width { try appendExtra(k, column, &cursor) }
      }
    }
    if cursor.skipBlanks() {
      throw Trouble("the line has more values than the frame's Properties has columns.")
    }
  }

  private mutating func appendExtra(
    _ k: Int, _ column: Column, _ cursor: inout FieldCursor
  ) throws(Trouble) {
    switch column.kind {
    case .real:
      guard let value = cursor.real() else { throw missing(column) }
      extras[k].reals.append(value)
    case .integer:
      guard let value = cursor.integer() else { throw missing(column) }
      extras[k].integers.append(value)
    case .text:
      guard let word = cursor.field() else { throw missing(column) }
      extras[k].texts.append(String(decoding: word, as: UTF8.self))
    case .logical:
      guard let word = cursor.field(), let value = ExtendedXYZEntry.logical(word) else {
        throw missing(column)
      }
      extras[k].logicals.append(value)
    }
  }

  private func missing(_ column: Column) -> Trouble {
    let name =
      switch column.role {
      case .symbols: "the species"
      case .atomicNumbers: "the atomic number"
      case .positions: "the position"
      case .forces(let k): "'\(forceNames[k])'"
      case .extra(let k): "'\(extras[k].name)'"
      }
    let kind =
      switch column.kind {
      case .text: "word"
      case .integer: "integer"
      case .real: "number"
      case .logical: "T or F"
      }
    return Trouble("\(name) needs \(column.width) \(kind)\(column.width > 1 ? "s" : "") here.")
  }

  @inline(__always)
  private mutating func element(_ word: Bytes) throws(Trouble) -> Element {
    var spelling: UInt32 = 0
    if word.count <= 3 {
      for byte in word { spelling = spelling << 8 | UInt32(byte) }
      for entry in known where entry.spelling == spelling { return entry.element }
    }
    let text = String(decoding: word, as: UTF8.self)
    guard let element = Element(symbol: text) ?? Int(text).flatMap(Element.init(atomicNumber:))
    else {
      throw Trouble("'\(text.prefix(20))' is not an element.", code: "unknown-element")
    }
    if word.count <= 3 { known.append((spelling, element)) }
    return element
  }

  /// What is wrong with a line; the reader adds the place.
  struct Trouble: Error {
    var cause: String
    var code: String

    init(_ cause: String, code: String = "malformed") {
      self.cause = cause
      self.code = code
    }
  }
}
