import Configurations
import Platform
import StageKit

/// The frames of a source as the screen reads them, and which of the different settings it has.
struct ScreenedSource: Sendable {
  /// Of `settings.json`.
  let settings: ArtifactPart
  let frames: [FrameSummary]

  private static let pages = SourcePages(use: "frames of a screen 1", parts: ["frames.json"])

  /// Of all sources, in their order.
  static func all(_ configurations: [SourceArtifact], _ context: StageContext) throws -> [ScreenedSource] {
    let frames = try pages.lines(configurations, context) { item, encoder in
      let frames = try CanonicalJSON.decode([FrameSummary].self, context.bytes(item.artifact, "frames.json"))
      encoder.add(frames.count)
      for frame in frames { encoder.add(frame) }
    } read: { decoder in
      let count = try decoder.count()
      var frames: [FrameSummary] = []
      frames.reserveCapacity(count)
      for _ in 0..<count { frames.append(try decoder.frameSummary()) }
      return frames
    }
    return try zip(configurations, frames).map {
      ScreenedSource(settings: try SourcePages.part($0.artifact, "settings.json"), frames: $1)
    }
  }
}

extension CompactEncoder {
  fileprivate mutating func add(_ frame: FrameSummary) {
    for number in [frame.frame, frame.ionicStep, frame.atoms, frame.elements.count] { add(number) }
    for element in frame.elements { add(shared: element) }
    add(frame.group != nil)
    if let group = frame.group { add(shared: group) }
    add(frame.unit)
    add(frame.content)
    add(frame.energyPerAtom)
    add(frame.largestForce)
    for flag in [frame.hasForces, frame.hasStress, frame.isFinite, frame.machineLearned] { add(flag) }
    add(frame.electronicallyConverged != nil)
    if let converged = frame.electronicallyConverged { add(converged) }
  }
}

extension CompactDecoder {
  fileprivate mutating func frameSummary() throws -> FrameSummary {
    let (frame, ionicStep, atoms) = (try number(), try number(), try number())
    let elements = try (0..<(try count())).map { _ in try sharedText() }
    return FrameSummary(
      frame: frame, ionicStep: ionicStep, atoms: atoms, elements: elements,
      group: try flag() ? try sharedText() : nil, unit: try digest(), content: try digest(),
      energyPerAtom: try optionalDouble(), largestForce: try optionalDouble(), hasForces: try flag(),
      hasStress: try flag(), isFinite: try flag(), machineLearned: try flag(),
      electronicallyConverged: try flag() ? try flag() : nil)
  }
}
