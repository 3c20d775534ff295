// Bytes come in piece by piece; what tells their content from any other goes out.

import CDigest

/// How contents are told apart.
public enum ContentIdentity: Sendable {
  /// By SHA-256: an identity that can be kept, and that nobody can forge.
  case digest
  /// By a fingerprint that is made many times faster, good within one process: to tell whether the same
  /// file came twice where nothing is stored. Its bytes are not those of any digest.
  case fingerprint
}

/// Builds an identity of either kind.
public struct ContentIdentityBuilder: Sendable {
  private var digest: DigestBuilder?
  private var state: InlineArray<4, UInt64> = [1, 2, 3, 4]
  private var pending: [UInt8] = []
  private var count: UInt64 = 0

  public init(_ identity: ContentIdentity) {
    digest = identity == .digest ? DigestBuilder() : nil
  }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    if digest != nil {
      digest!.update(bytes)
      return
    }
    count += UInt64(bytes.count)
    var rest = bytes[...]
    if !pending.isEmpty {
      let taken = min(64 - pending.count, rest.count)
      pending.append(contentsOf: rest.prefix(taken))
      rest = rest.dropFirst(taken)
      guard pending.count == 64 else { return }
      pending.withUnsafeBufferPointer { fold($0.baseAddress!, 1) }
      pending.removeAll(keepingCapacity: true)
    }
    let whole = rest.count / 64
    if whole > 0 {
      let base = rest.base.baseAddress! + rest.startIndex
      fold(base.assumingMemoryBound(to: UInt8.self), whole)
      rest = rest.dropFirst(whole * 64)
    }
    pending.append(contentsOf: rest)
  }

  private mutating func fold(_ blocks: UnsafePointer<UInt8>, _ count: Int) {
    var words = (state[0], state[1], state[2], state[3])
    withUnsafeMutableBytes(of: &words) {
      sluice_fingerprint_blocks($0.baseAddress!.assumingMemoryBound(to: UInt64.self), blocks, count)
    }
    state = [words.0, words.1, words.2, words.3]
  }

  /// The identity of everything fed so far; the builder can go on afterwards.
  public func finish() -> Digest {
    if let digest { return digest.finish() }
    var copy = self
    let zeros = [UInt8](repeating: 0, count: (64 - pending.count) % 64)
    let length = count
    zeros.withUnsafeBytes { copy.update($0) }
    var words = (copy.state[0], copy.state[1], copy.state[2], copy.state[3])
    withUnsafeMutableBytes(of: &words) {
      sluice_fingerprint_finish($0.baseAddress!.assumingMemoryBound(to: UInt64.self), length)
    }
    return Digest(words: words)
  }
}
