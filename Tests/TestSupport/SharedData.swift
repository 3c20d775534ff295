import Foundation

/// The shelf of third-party reference data beside the project, used in place and never copied.
public enum SharedData {
  /// `SLUICE_SHARED`, or `../shared` beside the project; nil where neither exists.
  public static let root: URL? = {
    let named = ProcessInfo.processInfo.environment["SLUICE_SHARED"].map {
      URL(fileURLWithPath: $0)
    }
    let project = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let folder = named ?? project.deletingLastPathComponent().appendingPathComponent("shared")
    return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
  }()

  public static var isAvailable: Bool { root != nil }

  /// For `@Test(.enabled(if: SharedData.isAvailable, SharedData.skipped))`.
  public static let skipped = "skipped: no shared data"

  public static func url(_ path: String) -> URL { root!.appendingPathComponent(path) }

  public static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: url(path)))
  }
}

/// A small generator of repeatable random numbers (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
