import Platform

/// How far what a fold gave last time is from describing the sources that came since.
public struct Drift: Sendable, Equatable {
  /// Errors on the new sources over those that were to be expected.
  public let ratio: Double
  /// "energies 12.1 meV/atom where 4.0 was expected".
  public let words: String

  public init(ratio: Double, words: String) {
    self.ratio = ratio
    self.words = words
  }
}

/// A fold that can tell so without running.
public protocol DriftMeasuring: FoldStage {
  /// - Parameters:
  ///   - new: per-source inputs of the sources that came or changed since.
  ///   - previous: what the fold gave last time.
  /// - Returns: nil where the new sources tell nothing.
  func drift(of new: StageInputs, from previous: [Artifact], _ context: StageContext) throws -> Drift?
}
