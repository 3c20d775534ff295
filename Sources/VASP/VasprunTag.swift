/// An element that matters, by its name.
enum VasprunTag: UInt8 {
  case modeling
  case generator
  case incar
  case parameters
  case separator
  case kpoints
  case generation
  case atominfo
  case array
  case set
  case rc
  case c
  case structure
  case crystal
  case varray
  case v
  case i
  case calculation
  case scstep
  case energy

  /// nil for an element that does not matter.
  static func named(_ name: UnsafePointer<UInt8>) -> VasprunTag? {
    switch name[0] {
    case 0x76:  // v
      if name[1] == 0 { return .v }
      return equal(name, "varray") ? .varray : nil
    case 0x69:  // i
      if name[1] == 0 { return .i }
      return equal(name, "incar") ? .incar : nil
    case 0x63:  // c
      if name[1] == 0 { return .c }
      return equal(name, "calculation") ? .calculation : equal(name, "crystal") ? .crystal : nil
    case 0x73:  // s
      if equal(name, "set") { return .set }
      if equal(name, "scstep") { return .scstep }
      if equal(name, "structure") { return .structure }
      return equal(name, "separator") ? .separator : nil
    case 0x67:
      return equal(name, "generator") ? .generator : equal(name, "generation") ? .generation : nil
    case 0x61: return equal(name, "array") ? .array : equal(name, "atominfo") ? .atominfo : nil
    case 0x72: return equal(name, "rc") ? .rc : nil
    case 0x65: return equal(name, "energy") ? .energy : nil
    case 0x6B: return equal(name, "kpoints") ? .kpoints : nil
    case 0x6D: return equal(name, "modeling") ? .modeling : nil
    case 0x70: return equal(name, "parameters") ? .parameters : nil
    default: return nil
    }
  }

  private static func equal(_ name: UnsafePointer<UInt8>, _ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    for k in 0..<count where name[k] != word.utf8Start[k] { return false }
    return name[count] == 0
  }
}

/// The elements that are open, outermost first.
struct OpenTags {
  /// How deep elements may be nested.
  static let capacity = 64

  private var tags = InlineArray<64, VasprunTag>(repeating: .modeling)
  private(set) var count = 0

  var last: VasprunTag? { count > 0 ? tags[count - 1] : nil }

  mutating func append(_ tag: VasprunTag) {
    tags[count] = tag
    count += 1
  }

  mutating func popLast() -> VasprunTag? {
    guard count > 0 else { return nil }
    count -= 1
    return tags[count]
  }

  func contains(_ tag: VasprunTag) -> Bool {
    for k in 0..<count where tags[k] == tag { return true }
    return false
  }
}

/// The text of the element being read, in one piece although it comes in several.
struct TextBuffer {
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity = 256
  private var count = 0

  /// Nothing that VASP writes into one element comes near this; what does is cut off.
  private static let longest = 1 << 22

  init() { base = .allocate(capacity: capacity) }

  func deallocate() { base.deallocate() }

  /// Valid until the buffer changes.
  var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

  mutating func clear() { count = 0 }

  mutating func append(_ bytes: UnsafePointer<UInt8>, _ length: Int) {
    guard count + length <= Self.longest else { return }
    if count + length > capacity { grow(to: count + length) }
    (base + count).update(from: bytes, count: length)
    count += length
  }

  private mutating func grow(to needed: Int) {
    while capacity < needed { capacity *= 2 }
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    larger.update(from: base, count: count)
    base.deallocate()
    base = larger
  }
}
