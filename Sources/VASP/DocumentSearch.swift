// The bytes behind a run in a vasprun.xml come in; where the next run begins goes out.

import Glibc

/// Finds a second XML document behind the end of one, or behind the place where one broke off.
struct DocumentSearch {
  /// Where in the bytes that it was made with the search begins.
  let start: Int
  /// Behind an end only blanks may come before the next document; behind an error anything may.
  private let isStrict: Bool
  /// The end of the bytes seen so far, where it may be the beginning of a document.
  private var pending: [UInt8] = []
  /// True once nothing that follows can be another run.
  private(set) var isHopeless = false

  private static let openings = ["<?xml", "<modeling"].map { Array($0.utf8) }

  /// Behind `</modeling>`, which ends in `bytes`.
  init(behindEndIn bytes: UnsafeRawBufferPointer) {
    isStrict = true
    let text = UnsafeBufferPointer(start: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    // Where the tag began in earlier bytes, only its end is here.
    var at = text.behind("</modeling") ?? 0
    while at < text.count, text[at] != 0x3E { at += 1 }
    start = min(at + 1, text.count)
  }

  /// Behind an error in `bytes`; `sawRoot`: whether the run that broke began before them.
  init(behindErrorIn bytes: UnsafeRawBufferPointer, sawRoot: Bool) {
    isStrict = false
    let text = UnsafeBufferPointer(start: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    start = sawRoot ? 0 : text.behind("<modeling") ?? bytes.count
  }

  /// The next place that may be the '<' of an opening; the end of the bytes where there is none.
  private static func candidate(_ bytes: UnsafeRawBufferPointer, from: Int) -> Int {
    var at = from
    while at < bytes.count, let found = memchr(bytes.baseAddress! + at, 0x3C, bytes.count - at) {
      at = UnsafeRawPointer(found) - bytes.baseAddress!
      if at + 1 == bytes.count || bytes[at + 1] == 0x3F || bytes[at + 1] == 0x6D { return at }
      at += 1
    }
    return bytes.count
  }

  /// Looks for the beginning of a run: `carried` are bytes of it that came earlier, `at` is where it goes on.
  mutating func take(_ bytes: UnsafeRawBufferPointer) -> (carried: [UInt8], at: Int)? {
    var at = pending.isEmpty && !isStrict ? Self.candidate(bytes, from: 0) : 0
    while at < bytes.count, !isHopeless {
      pending.append(bytes[at])
      at += 1
      if Self.openings.contains(pending) { return (pending, at) }
      while !pending.isEmpty, !Self.openings.contains(where: { $0.starts(with: pending) }) {
        if isStrict, pending[0] > 0x20 { isHopeless = true }
        pending.removeFirst()
      }
      // Nothing can begin before the next '<'.
      if pending.isEmpty, !isStrict { at = Self.candidate(bytes, from: at) }
    }
    return nil
  }
}
