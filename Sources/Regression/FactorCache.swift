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
    var computed: [Digest] = []
  }

  private let state = Mutex(State())

  public init() {}

  public func factor(
    for key: Digest, compute: () throws -> TriangularFactor
  ) throws -> TriangularFactor {
    if let known = state.withLock({ $0.factors[key] }) { return known }
    let factor = try compute()
    state.withLock {
      $0.factors[key] = factor
      $0.computed.append(key)
    }
    return factor
  }

  /// How many values were computed since the last call.
  public func takeComputedCount() -> Int {
    state.withLock { state in
      let count = state.computed.count
      state.computed = []
      return count
    }
  }

  /// All keys, ascending.
  public var keys: [Digest] { state.withLock { $0.factors.keys.sorted() } }

  public var count: Int { state.withLock { $0.factors.count } }
}
