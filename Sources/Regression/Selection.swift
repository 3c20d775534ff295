import Platform

/// Which rows take part, how often, and with what weight.
public struct Selection: Sendable {
  public var weights: Weights
  /// How often the rows of a block of a source are taken; 0 leaves them out. Must be a function of its
  /// arguments alone.
  public var multiplicity: @Sendable (_ source: Digest, _ block: Int) -> Int
  /// What the weights of some rows of a source are multiplied by, >= 0, beyond what their group and kind
  /// say: weights by energy, outliers. Must be a function of its arguments alone.
  public var emphasis: @Sendable (_ source: Digest, _ key: RowKey) -> Double = { _, _ in 1 }

  public init(
    weights: Weights, multiplicity: @escaping @Sendable (Digest, Int) -> Int = { _, _ in 1 }
  ) {
    self.weights = weights
    self.multiplicity = multiplicity
  }

  /// What these rows are multiplied by, >= 0; 0 leaves them out.
  public func multiplier(of key: RowKey, in source: Digest) -> Double {
    let weight = weights.multiplier(of: key)
    return weight > 0 ? weight * emphasis(source, key) : 0
  }

  /// The blocks that are not held out.
  public static func training(_ weights: Weights, _ heldOut: HeldOut) -> Selection {
    Selection(weights: weights) { heldOut.contains(source: $0, block: $1) ? 0 : 1 }
  }

  /// The blocks that are held out.
  public static func testing(_ weights: Weights, _ heldOut: HeldOut) -> Selection {
    Selection(weights: weights) { heldOut.contains(source: $0, block: $1) ? 1 : 0 }
  }

  /// The same rows, each block taken Poisson(1) times.
  public func resampled(member: Int, attempt: Int = 0) -> Selection {
    var result = self
    result.multiplicity = { [multiplicity] source, block in
      let times = multiplicity(source, block)
      return times == 0
        ? 0 : times * bootstrapCount(source: source, block: block, member: member, attempt: attempt)
    }
    return result
  }

  /// The rows that a bootstrap member did not take: its test data, about 37 % of the blocks.
  public func leftOut(member: Int, attempt: Int = 0) -> Selection {
    var result = self
    result.multiplicity = { [multiplicity] source, block in
      let isTaken =
        bootstrapCount(source: source, block: block, member: member, attempt: attempt) > 0
      return isTaken ? 0 : multiplicity(source, block)
    }
    return result
  }
}

/// Which blocks are kept from the fit and test it: each with the same chance, decided by the content
/// of the source alone, so that a source stays on its side for ever.
public struct HeldOut: Sendable, Equatable, Codable {
  /// Expected share of blocks, 0..<1.
  public var fraction: Double
  /// Another number is another choice.
  public var seed: Int

  public init(fraction: Double, seed: Int = 0) {
    precondition((0..<1).contains(fraction), "a share of the blocks")
    self.fraction = fraction
    self.seed = seed
  }

  public static let nothing = HeldOut(fraction: 0)

  public func contains(source: Digest, block: Int) -> Bool {
    fraction > 0 && uniform("held out", source, block, seed, 0) < fraction
  }
}

/// How often the bootstrap `member` takes a block: Poisson(1), from a hash of its arguments.
public func bootstrapCount(source: Digest, block: Int, member: Int, attempt: Int = 0) -> Int {
  var rest = uniform("bootstrap", source, block, member, attempt)
  var probability = 0.36787944117144233  // 1/e
  var count = 0
  while rest >= probability && count < 16 {
    rest -= probability
    count += 1
    probability /= Double(count)
  }
  return count
}

/// A number in 0..<1 that depends on its arguments alone.
private func uniform(_ use: String, _ source: Digest, _ block: Int, _ a: Int, _ b: Int) -> Double {
  var builder = DigestBuilder()
  builder.add(use)
  builder.add(source)
  builder.add(block)
  builder.add(a)
  builder.add(b)
  return Double(builder.finish().leadingBits >> 11) * 0x1p-53
}
