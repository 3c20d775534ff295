// The column names of a dump come in; species, positions and properties go out.

/// The columns of one frame of a LAMMPS dump and the values read so far.
struct LAMMPSDumpColumns {
  private enum Role {
    case id
    case type
    case element
    case coordinate(Int)
    case extra(Int)
  }

  private var roles: [Role] = []
  private var extraNames: [String] = []
  private var extras: [[Double]?] = []
  private var ids: [Int] = []
  private(set) var elementColumn: Int?
  private(set) var typeColumn: Int?
  private(set) var isScaled = false
  private(set) var species: [Element] = []
  private(set) var positions: [Vector3] = []

  /// nil where the names hold no coordinates.
  init?(_ names: [String]) {
    guard Set(names).count == names.count,
      let style = ["", "u", "s", "su"].first(where: { style in
        ["x", "y", "z"].allSatisfy { names.contains($0 + style) }
      })
    else { return nil }
    isScaled = style.hasPrefix("s")
    let coordinates = ["x" + style, "y" + style, "z" + style]
    for (k, name) in names.enumerated() {
      if name == "id" {
        roles.append(.id)
      } else if name == "element" {
        elementColumn = k
        roles.append(.element)
      } else if name == "type" {
        typeColumn = k
        roles.append(.type)
      } else if let axis = coordinates.firstIndex(of: name) {
        roles.append(.coordinate(axis))
      } else {
        roles.append(.extra(extras.count))
        extraNames.append(name)
        extras.append([])
      }
    }
  }

  /// Reads the line of one atom; what is wrong with it, if anything.
  mutating func append(
    _ bytes: UnsafeBufferPointer<UInt8>, _ elements: [Int: Element]
  ) -> String? {
    guard var cursor = FieldCursor(bytes) else { return "the line is empty." }
    var position = Vector3.zero
    var element: Element?
    for role in roles {
      switch role {
      case .id:
        guard let id = cursor.integer() else { return "the id is not an integer." }
        ids.append(id)
      case .type:
        guard let type = cursor.integer() else { return "the type is not an integer." }
        if elementColumn == nil {
          guard let known = elements[type] else {
            return "no element is given for atom type \(type)."
          }
          element = known
        }
      case .element:
        guard let word = cursor.field() else { return "the element is missing." }
        let symbol = String(decoding: word, as: UTF8.self)
        guard let known = Element(symbol: symbol) else {
          return "'\(symbol.prefix(20))' is not an element."
        }
        element = known
      case .coordinate(let axis):
        guard let value = cursor.real() else { return "a coordinate is not a number." }
        position[axis] = value
      case .extra(let k):
        let before = cursor.position
        if let value = cursor.real() {
          extras[k]?.append(value)
        } else {
          // A column of words: skipped here and left out of the properties.
          cursor.position = before
          guard cursor.field() != nil else { return "a column is missing." }
          extras[k] = nil
        }
      }
    }
    if cursor.skipBlanks() { return "the line has more columns than ITEM: ATOMS names." }
    guard position.x.isFinite, position.y.isFinite, position.z.isFinite else {
      return "the position is not finite."
    }
    guard let element else { return "the element is missing." }
    species.append(element)
    positions.append(position)
    return nil
  }

  /// Atoms by ascending id; nil where one occurs twice.
  var order: [Int]? {
    guard !ids.isEmpty else { return Array(species.indices) }
    let order = species.indices.sorted { ids[$0] < ids[$1] }
    for (a, b) in zip(order, order.dropFirst()) where ids[a] == ids[b] { return nil }
    return order
  }

  func properties(_ order: [Int]) -> [String: PropertyValue] {
    var properties: [String: PropertyValue] = [:]
    for (name, values) in zip(extraNames, extras) {
      if let values { properties[name] = .perAtomReals(order.map { values[$0] }, columns: 1) }
    }
    return properties
  }
}
