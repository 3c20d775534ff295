// Bytes come in, damaged or hostile; what a reader did wrong with them comes out.

import Configurations

/// One reader under attack. The same targets serve the seeded mutations of `make test` and libFuzzer
/// (`Tests/Fuzz/run.sh`).
public struct FuzzTarget: Sendable {
  public let name: String
  /// Well-formed inputs, made by us.
  public let seeds: [[UInt8]]
  /// What hurts this reader if it stands in the wrong place.
  public let tokens: [String]
  /// Reads the mutant and says what is wrong with the answer; nil for a good answer.
  public let judge: @Sendable (Mutant) -> String?

  public init(
    _ name: String, seeds: [[UInt8]], tokens: [String] = [],
    judge: @escaping @Sendable (Mutant) -> String?
  ) {
    precondition(!seeds.isEmpty && seeds.allSatisfy { !$0.isEmpty }, "mutations need something to change")
    self.name = name
    self.seeds = seeds
    self.tokens = tokens
    self.judge = judge
  }

  /// Every reader of the program that takes bytes from outside or back from the disk.
  public static let all: [FuzzTarget] = [
    vasprun, outcar, source, runFolder, extendedXYZ, structures, pipeline, potentialYAML, potentialYACE,
    activeSet, archive, npy, npz, journal, store, factors,
  ]

  public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// An input and what is known of its making.
public struct Mutant: Sendable {
  /// How far the mutant has gone from its seed.
  public enum Damage: Sendable, Equatable {
    /// Nothing is known: what a fuzzer made, or several mutations.
    case any
    /// The first bytes of the seed.
    case cut
    /// One line is missing or there twice, or line ends differ: no number was touched.
    case line
    /// Lines in other places, or among others; rows of one table may have changed places.
    case lines
    /// One byte was changed, at this offset.
    case byte(Int)
  }

  public var bytes: [UInt8]
  public var damage: Damage
  /// Index among the target's seeds.
  public var seed: Int

  public init(bytes: [UInt8], damage: Damage = .any, seed: Int = 0) {
    self.bytes = bytes
    self.damage = damage
    self.seed = seed
  }
}

/// Says what a refusal lacks: every message to the user has a place and a cause, and an error a remedy.
func flaw(of diagnostic: Diagnostic) -> String? {
  if diagnostic.cause.isEmpty { return "a diagnostic '\(diagnostic.code)' without a cause" }
  if diagnostic.place.file.isEmpty { return "a diagnostic '\(diagnostic.code)' without a place" }
  if diagnostic.severity == .error, diagnostic.remedy.isEmpty {
    return "an error '\(diagnostic.code)' without a remedy: \(diagnostic)"
  }
  return nil
}
