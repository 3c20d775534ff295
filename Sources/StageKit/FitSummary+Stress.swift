extension FitSummary {
  /// Whether stress labels say the same as energies and forces, and what came of it.
  public struct StressAgreement: Sendable, Codable, Equatable {
    /// Whether the stresses contradict the rest.
    public var contradicts: Bool
    /// What stress rows count in the fit, and whether the data chose it.
    public var weight: Double
    public var isAutomatic: Bool
    /// ln of how much more probable each stress label is where all count 1/32 instead of 1/4 of the full weight;
    /// beyond 4 they contradict.
    public var gain: Double
    /// Sources that were asked.
    public var sources: Int
    /// Labels less fit, where they contradict.
    public var difference: Difference?

    /// Stress labels less what the energies and forces imply, GPa, tension positive.
    public struct Difference: Sendable, Codable, Equatable {
      public var configurations: Int
      /// Mean and standard deviation over configurations of the mean of xx, yy and zz.
      public var mean: Double
      public var scatter: Double
      /// Root mean square of what is left of all components without their mean over xx, yy and zz.
      public var shape: Double

      public init(configurations: Int, mean: Double, scatter: Double, shape: Double) {
        (self.configurations, self.mean, self.scatter, self.shape) = (configurations, mean, scatter, shape)
      }
    }

    public init(contradicts: Bool, weight: Double, isAutomatic: Bool, gain: Double, sources: Int) {
      self.contradicts = contradicts
      self.weight = weight
      self.isAutomatic = isAutomatic
      self.gain = gain
      self.sources = sources
    }
  }
}
