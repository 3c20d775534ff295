import Platform
import Regression
import Synchronization

/// The factors of sources that were read last: members of an ensemble and fits without a source ask for the same.
final class FactorShelf: Sendable {
  private static let largest = 64 << 20

  private let state = Mutex<[(source: Digest, factors: SourceFactors, bytes: Int)]>([])

  /// What is on the shelf, or what `read` gives.
  func factors(of source: Digest, read: () throws -> SourceFactors) rethrows -> SourceFactors {
    let known = state.withLock { shelf in shelf.first { $0.source == source }?.factors }
    if let known { return known }
    let factors = try read()
    let bytes = factors.leaves.reduce(0) { $0 + 8 * $1.factor.matrix.storage.count }
    state.withLock { shelf in
      guard !shelf.contains(where: { $0.source == source }) else { return }
      shelf.append((source, factors, bytes))
      var total = shelf.reduce(0) { $0 + $1.bytes }
      while total > Self.largest, shelf.count > 1 { total -= shelf.removeFirst().bytes }
    }
    return factors
  }
}
