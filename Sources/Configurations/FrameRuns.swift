// The frames of a collection come in, in the order of their file; which of them follow from one another goes out.

/// Consecutive frames of one arrangement of atoms (a trajectory, a relaxation, a cell that is strained step by step)
/// are a run: they are not independent of each other, whatever the file says or does not say of where they came from.
///
/// A frame continues the run of the one before if both have the same group, the same atoms in the same order, and if
/// every atom is nearer to where it was (in fractional coordinates, the nearest image) than half the shortest
/// distance between atoms of the run's first frame: then it is still the same atom's place.
public struct FrameRuns: Sendable {
  /// Where one frame belongs.
  public struct Place: Sendable, Equatable {
    /// Number of its run in the file, from 0.
    public var run: Int
    /// Long runs are cut into consecutive stretches, numbered through the file from 0; nil in a run that is short.
    public var stretch: Int?
  }

  /// A run that has more than this share of a file's frames is long.
  private static let parts = 10
  /// Two atoms farther apart than this are not neighbours, Å.
  private static let shortDistance = 4.0

  private var lengths: [Int] = []
  private var previous: Configuration?
  private var group: String?
  private var reach: Double?

  public init() {}

  public mutating func add(_ frame: Configuration, group: String?) {
    if let previous, group == self.group, frame.species == previous.species, continues(frame, previous) {
      lengths[lengths.count - 1] += 1
    } else {
      lengths.append(1)
      reach = nil
    }
    (previous, self.group) = (frame, group)
  }

  /// One for each frame that was added. A run of more than a tenth of the frames is cut into as many stretches as it
  /// has tenths, all of nearly the same length.
  public var places: [Place] {
    let frames = lengths.reduce(0, +)
    var stretches = 0
    return lengths.enumerated().flatMap { run, length -> [Place] in
      let cuts = (length * Self.parts + frames - 1) / frames
      guard cuts > 1, length > 1 else { return Array(repeating: Place(run: run, stretch: nil), count: length) }
      let own = min(cuts, length)
      defer { stretches += own }
      return (0..<length).map { Place(run: run, stretch: stretches + $0 * own / length) }
    }
  }

  private mutating func continues(_ frame: Configuration, _ previous: Configuration) -> Bool {
    guard (frame.cell == nil) == (previous.cell == nil) else { return false }
    let reach = self.reach ?? Self.reach(of: previous)
    self.reach = reach
    guard let cell = frame.cell, let before = previous.cell else {
      return zip(frame.positions, previous.positions).allSatisfy { length($0 - $1) < reach }
    }
    guard let inverse = cell.vectors.inverse, let inverseBefore = before.vectors.inverse else { return false }
    return zip(frame.positions, previous.positions).allSatisfy { now, then in
      var step = now * inverse - then * inverseBefore
      for k in 0..<3 where cell.periodic.contains(direction: k) { step[k] -= step[k].rounded() }
      return length(step * cell.vectors) < reach
    }
  }

  /// Half the shortest distance; of frames that have none the largest that could be one.
  private static func reach(of frame: Configuration) -> Double {
    ((try? frame.shortestDistances(within: shortDistance))?.values.min() ?? shortDistance) / 2
  }
}
