import LinearAlgebra
import Platform
import Synchronization

/// Where the factors of tree nodes are kept between runs. A key says everything that its value depends
/// on, so a value never goes stale.
public protocol FactorCache: Sendable {
  /// The value kept under `key`, or what `compute` gives, which is then kept. May be called from
  /// several threads, and from within `compute`.
  func factor(
    for key: Digest, compute: () throws -> TriangularFactor
  ) throws -> TriangularFactor
}

/// Keeps nothing.
public struct NoFactorCache: FactorCache {
  public init() {}

  public func factor(
    for key: Digest, compute: () throws -> TriangularFactor
  ) throws -> TriangularFactor { try compute() }
}

/// Keeps everything in memory and counts what had to be computed.
public final class InMemoryFactorCache: FactorCache {
  private struct State {
    var factors: [Digest: TriangularFactor] = [:]
    var computed = 0
  }

  private let state = Mutex(State())

  public init() {}

  public func factor(
    for key: Digest, compute: () throws -> TriangularFactor
  ) throws -> TriangularFactor {
    if let known = state.withLock({ $0.factors[key] }) { return known }
    let factor = try compute()
    // Two threads may have computed the same value at once; it is one value, and counts once.
    state.withLock { if $0.factors.updateValue(factor, forKey: key) == nil { $0.computed += 1 } }
    return factor
  }

  /// How many values were added since the last call.
  public func takeComputedCount() -> Int {
    state.withLock { state in
      defer { state.computed = 0 }
      return state.computed
    }
  }

  /// All keys, ascending.
  public var keys: [Digest] { state.withLock { $0.factors.keys.sorted() } }

  public var count: Int { state.withLock { $0.factors.count } }
}
