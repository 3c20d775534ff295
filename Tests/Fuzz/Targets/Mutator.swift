import TestSupport

/// Damages inputs in the ways that disks, networks, editors, Fortran and attackers do. The same seed
/// gives the same mutants on every machine.
public struct Mutator {
  private var generator: SeededGenerator
  private let target: FuzzTarget

  public init(_ target: FuzzTarget, seed: UInt64) {
    self.target = target
    generator = SeededGenerator(seed: seed)
  }

  /// The mutant of one case: it depends on the run's seed, the target and the number alone.
  public static func mutant(of target: FuzzTarget, seed: UInt64, number: Int) -> Mutant {
    var mix = SeededGenerator(seed: seed &* 0x2545_F491_4F6C_DD1D &+ UInt64(truncatingIfNeeded: number))
    let name = target.name.utf8.reduce(UInt64(0)) { $0 &* 131 &+ UInt64($1) }
    var mutator = Mutator(target, seed: mix.next() ^ name)
    return mutator.next()
  }

  private mutating func below(_ count: Int) -> Int { Int(generator.next() % UInt64(max(1, count))) }

  public mutating func next() -> Mutant {
    let seed = below(target.seeds.count)
    var bytes = target.seeds[seed]
    // Half of the mutants have one wound whose kind is known, so that the answer can be held to it.
    if below(2) == 0 {
      let damage = wound(&bytes)
      return Mutant(bytes: bytes, damage: damage, seed: seed)
    }
    for _ in 0..<1 + below(5) { havoc(&bytes) }
    return Mutant(bytes: bytes, damage: .any, seed: seed)
  }

  // MARK: one wound

  private mutating func wound(_ bytes: inout [UInt8]) -> Mutant.Damage {
    switch below(8) {
    case 0, 1:
      bytes.removeLast(bytes.count - below(bytes.count))
      return .cut
    case 2, 3:
      let at = below(bytes.count)
      bytes[at] = below(2) == 0 ? bytes[at] ^ 1 << UInt8(below(8)) : numberByte()
      return .byte(at)
    case 4:
      let lines = Self.lines(bytes)
      let line = lines[below(lines.count)]
      if below(2) == 0 {
        bytes.removeSubrange(line)
      } else {
        bytes.insert(contentsOf: bytes[line], at: line.upperBound)
      }
      return .line
    case 5:
      // A file that went through another system.
      bytes = bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
      return .line
    case 6:
      swapLines(&bytes)
      return .lines
    default:
      interleave(&bytes)
      return .lines
    }
  }

  /// What numbers are made of, and what ruins them.
  private mutating func numberByte() -> UInt8 { Array("0123456789+-.eEdD* \t,\u{0}".utf8)[below(22)] }

  private static func lines(_ bytes: [UInt8]) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var start = 0
    for (k, byte) in bytes.enumerated() where byte == 0x0A {
      found.append(start..<k + 1)
      start = k + 1
    }
    if start < bytes.count || found.isEmpty { found.append(start..<bytes.count) }
    return found
  }

  private mutating func swapLines(_ bytes: inout [UInt8]) {
    let lines = Self.lines(bytes)
    let (a, b) = (below(lines.count), below(lines.count))
    guard a != b else { return }
    let (low, high) = (lines[min(a, b)], lines[max(a, b)])
    let (first, second) = (Array(bytes[low]), Array(bytes[high]))
    bytes.replaceSubrange(high, with: first)
    bytes.replaceSubrange(low, with: second)
  }

  /// Two images of a run that write into one file: lines of a seed pushed between those of another.
  private mutating func interleave(_ bytes: inout [UInt8]) {
    let other = target.seeds[below(target.seeds.count)]
    let theirs = Self.lines(other)
    let ours = Self.lines(bytes)
    let from = below(theirs.count)
    let at = below(ours.count)
    let every = 1 + below(3)
    var mixed = Array(bytes[..<ours[at].lowerBound])
    var next = from
    for (k, line) in ours[at...].enumerated() {
      mixed += bytes[line]
      if k % every == 0, next < theirs.count, next < from + 60 {
        mixed += other[theirs[next]]
        next += 1
      }
    }
    bytes = mixed
  }

  // MARK: havoc

  private mutating func havoc(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else {
      bytes = token()
      return
    }
    let at = below(bytes.count)
    let to = min(bytes.count, at + 1 + below(below(4) == 0 ? 3000 : 40))
    switch below(14) {
    case 0: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
    case 1: bytes[at] ^= 1 << UInt8(below(8))
    case 2: bytes.removeSubrange(at..<to)
    case 3: bytes.insert(contentsOf: bytes[at..<to], at: below(bytes.count))
    case 4: bytes.insert(contentsOf: token(), at: at)
    case 5: replaceNumber(&bytes, near: at)
    case 6: bytes.removeLast(bytes.count - at)
    // What a power cut leaves.
    case 7: for k in at..<to { bytes[k] = 0 }
    case 8: swapLines(&bytes)
    case 9: interleave(&bytes)
    // Columns that run together, or stand apart.
    case 10: bytes.removeAll { $0 == 0x20 && below(30) == 0 }
    case 11: bytes.insert(contentsOf: repeatElement(bytes[at], count: 1 << below(15)), at: at)
    case 12: bytes.insert(contentsOf: Array(repeating: token(), count: 1 << below(9)).joined(), at: at)
    default:
      for k in at..<to where bytes[k] == 0x0A && below(2) == 0 { bytes[k] = below(2) == 0 ? 0x0D : 0x20 }
    }
  }

  private mutating func token() -> [UInt8] {
    let common = [
      "****", "************", "NaN", "-Infinity", "1e999", "-1", "1000000000000", "9223372036854775808", "\u{0}",
      "\n", "\r", "\r\n", "\t", "\u{FEFF}", "-", "=", "0x1F", "1.5D+03", "\u{1B}[2J", "..", "/",
    ]
    let odd: [[UInt8]] = [
      [0xFF, 0xFE], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0x80], [0x1F, 0x8B, 8], [0x50, 0x4B, 3, 4],
    ]
    let k = below(common.count + odd.count + 3 * target.tokens.count)
    if k < common.count { return Array(common[k].utf8) }
    if k < common.count + odd.count { return odd[k - common.count] }
    return Array(target.tokens[(k - common.count - odd.count) % target.tokens.count].utf8)
  }

  /// Puts something else for the next number behind `at`: too large, negative, none.
  private mutating func replaceNumber(_ bytes: inout [UInt8], near at: Int) {
    func isPart(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 || byte == 0x2E }
    guard let first = bytes[at...].firstIndex(where: { isPart($0) }) else { return }
    let last = bytes[first...].firstIndex { !isPart($0) } ?? bytes.count
    let others = [
      "1000000000000", "-3", "0", "NaN", "****", "Infinity", "1e400", "9223372036854775807", "4294967296", "65536", "",
    ]
    bytes.replaceSubrange(first..<last, with: others[below(others.count)].utf8)
  }
}
