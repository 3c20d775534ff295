// Runs that may be restarts of one calculation come in; calculations, each with its steps in order and
// once, go out.

import Configurations

/// What tells two steps apart to the last bit: all energies, and two sums over every other number.
package struct StepKey: Hashable, Sendable {
  private let energy: UInt64
  private let withoutEntropy: UInt64
  private let sigmaZero: UInt64
  private let first: UInt64
  private let second: UInt64

  /// nil for a step without energy or positions.
  init?(_ step: IonicStep) {
    guard let energy = step.freeEnergy, let positions = step.positions, let cell = step.cell else { return nil }
    var (a, b) = (UInt64(positions.count), UInt64(0x9E37_79B9_7F4A_7C15))
    func mix(_ vector: Vector3) {
      for k in 0..<3 {
        let bits = vector[k].bitPattern
        a = (a ^ bits) &* 0x100_0000_01B3
        a ^= a >> 29
        b = (b &+ bits) &* 0xBF58_476D_1CE4_E5B9
        b ^= b >> 31
      }
    }
    for row in 0..<3 { mix(cell[row]) }
    for position in positions { mix(position) }
    for force in step.forces ?? [] { mix(force) }
    if let stress = step.stress { for row in 0..<3 { mix(stress[row]) } }
    (first, second) = (a, b)
    self.energy = energy.bitPattern
    withoutEntropy = (step.energyWithoutEntropy ?? .nan).bitPattern
    sigmaZero = (step.energySigmaZero ?? .nan).bitPattern
  }
}

enum RunChain {
  /// How far a structure may be from another: the longest way of an atom, Å, and the largest change of a
  /// lattice vector, as a part of its length.
  struct Reach {
    var move: Double
    var strain: Double

    /// The same structure, as files of VASP print it.
    static let same = Reach(move: 2e-3, strain: 1e-4)
    /// One ionic step: what VASP moves the atoms on before it writes CONTCAR at the end of an unfinished run.
    static let step = Reach(move: 0.5, strain: 0.02)
  }

  /// Whether `b` goes on where `a` ended.
  static func continues(_ a: FileReading, _ b: FileReading) -> Bool {
    guard agree(a, b) else { return false }
    if a.run.species.isEmpty { return false }
    // A finished relaxation is gone on with from its last structure; a run that was stopped, and molecular
    // dynamics, from one step behind it.
    if let end = a.closing, let start = b.opening, a.run.kind?.isTrajectory == true, a.run.kind == b.run.kind,
      isNear(end, start, isFinished(a) ? .same : .step)
    {
      return true
    }
    return !a.keys.isDisjoint(with: b.keys)
  }

  /// Whether atoms and settings of two runs allow one calculation.
  static func agree(_ a: FileReading, _ b: FileReading) -> Bool {
    (a.run.species.isEmpty || b.run.species.isEmpty || a.run.species == b.run.species)
      && a.run.settings.differences(from: b.run.settings).isEmpty
  }

  private static func isFinished(_ reading: FileReading) -> Bool {
    guard reading.isComplete, reading.run.kind == .relaxation else { return false }
    guard let asked = reading.run.settings.other["NSW"].flatMap({ Int($0) }) else { return true }
    return reading.steps.count < asked
  }

  static func isNear(_ a: IonicStep, _ b: IonicStep, _ reach: Reach) -> Bool {
    guard let c = a.cell, let d = b.cell else { return false }
    for row in 0..<3 where !(length(d[row] - c[row]) <= reach.strain * length(c[row])) { return false }
    return distance(a, b).map { $0 <= reach.move } ?? false
  }

  /// The longest way of an atom from one structure to another, Å, in fractions of the cell and by the nearest
  /// image; nil where they cannot be compared.
  static func distance(_ a: IonicStep?, _ b: IonicStep?) -> Double? {
    guard let c = a?.cell, let d = b?.cell, let p = a?.positions, let q = b?.positions, p.count == q.count,
      let mine = c.inverse, let theirs = d.inverse
    else { return nil }
    return zip(p, q).map { x, y in
      let difference = y * theirs - x * mine
      return length((difference - difference.rounded(.toNearestOrEven)) * d)
    }.max()
  }

  /// Brings restarts together. The order that names give is tried both ways round, with the plain name
  /// last or first; the one in which most runs go on from the one before it, by the shortest ways, holds.
  static func chains(_ readings: [FileReading]) -> [[FileReading]] {
    var alone: [[FileReading]] = []
    var numbered: [(directory: Int, turn: RunNames.Turn, part: Int, reading: FileReading)] = []
    for reading in readings {
      guard !reading.isFailed, let turn = RunNames.turn(residue: reading.residue) else {
        alone.append([reading])
        continue
      }
      let folder = reading.directory.split(separator: "/").last.flatMap { RunNames.turn(folder: $0) } ?? 0
      numbered.append((folder, turn, reading.part, reading))
    }
    guard numbered.count > 1 else { return alone + numbered.map { [$0.reading] } }
    func rank(_ turn: RunNames.Turn, plainFirst: Bool, ascending: Bool) -> Int {
      switch turn {
      case .old: -2_000_000
      case .plain: plainFirst ? -1_500_000 : 2_000_000
      case .number(let n): ascending ? n : -n
      }
    }
    var best: [FileReading] = []
    var most = (joined: -1, way: 0.0)
    for (plainFirst, ascending) in [(false, true), (true, true), (false, false), (true, false)] {
      let order = numbered.sorted { a, b in
        let (x, y) = (
          rank(a.turn, plainFirst: plainFirst, ascending: ascending),
          rank(b.turn, plainFirst: plainFirst, ascending: ascending)
        )
        return (a.directory, x, a.part, a.reading.name) < (b.directory, y, b.part, b.reading.name)
      }.map(\.reading)
      let joints = zip(order, order.dropFirst()).filter { isJoined($0, $1) }
      let way = joints.reduce(0) { $0 + (distance($1.0.closing, $1.1.opening) ?? 0) }
      if joints.count > most.joined || joints.count == most.joined && way < most.way {
        (best, most) = (order, (joints.count, way))
      }
    }
    var chains: [[FileReading]] = []
    for reading in best {
      if let last = chains.last?.last, isJoined(last, reading) {
        chains[chains.count - 1].append(reading)
      } else {
        chains.append([reading])
      }
    }
    return alone + chains
  }

  /// Runs that somebody wrote into one file belong together unless atoms or settings differ.
  private static func isJoined(_ a: FileReading, _ b: FileReading) -> Bool {
    if a.name == b.name { return b.part == a.part + 1 && agree(a, b) }
    // Names that differ in nothing but the kind of file are no restarts of each other.
    if a.directory == b.directory, RunNames.turn(residue: a.residue) == RunNames.turn(residue: b.residue),
      a.part == 0, b.part == 0
    {
      return false
    }
    return continues(a, b)
  }

  /// One calculation from the runs of a chain: every step once, in order.
  static func join(_ chain: [FileReading]) -> FileReading {
    guard var joined = chain.first, chain.count > 1 else { return chain[0] }
    var repeated = 0
    for (k, next) in chain.enumerated().dropFirst() {
      var own: Set<StepKey> = []
      for step in next.steps {
        if let key = step.key {
          if joined.keys.contains(key) {
            repeated += 1
            continue
          }
          own.insert(key)
        }
        var step = step
        step.run = k
        joined.steps.append(step)
      }
      joined.keys.formUnion(own)
      if let closing = next.closing { joined.closing = closing }
      joined.runs.append(next.run)
      joined.files += next.files.filter { !joined.files.contains($0) }
      joined.digests += next.digests.filter { !joined.digests.contains($0) }
      joined.diagnostics += next.diagnostics.filter { !joined.diagnostics.contains($0) }
      // A run that was cut off and started again is whole once its last part is.
      joined.isComplete = next.isComplete
      if joined.format != next.format { joined.format = .run }
    }
    for k in joined.steps.indices { joined.steps[k].index = k }
    joined.diagnostics.append(
      Diagnostic(
        .note, code: "restarted-run", place: .init(file: joined.name),
        cause: "\(chain.count) runs that go on from each other were read as one calculation"
          + (repeated == 0
            ? "." : "; \(repeated) steps that are the same to the last digit in two of them count once.")))
    return joined
  }
}
