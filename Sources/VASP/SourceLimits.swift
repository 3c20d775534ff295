// How much an input may ask for before it is refused.

import Configurations

/// Limits on what is really read from one input, so that no archive can fill a disk or a day.
public struct SourceLimits: Sendable, Equatable {
  /// Decompressed and unpacked bytes of one input.
  public var totalBytes: Int
  /// Bytes out per byte in, judged after `ratioGrace` bytes have come out.
  public var ratio: Int
  public var ratioGrace: Int
  /// Members of all archives of one input together.
  public var members: Int
  /// Archives inside archives, and compressions inside compressions.
  public var nesting: Int
  /// Bytes of a member's path.
  public var pathLength: Int
  /// Processor time in which a megabyte of one file must have been read, s: a file that takes more was made
  /// to take it, and is given up. A file below one megabyte counts as one.
  public var secondsPerMegabyte: Double

  public init(
    totalBytes: Int = 50_000_000_000, ratio: Int = 200, ratioGrace: Int = 1 << 20,
    members: Int = 1_000_000, nesting: Int = 2, pathLength: Int = 4096,
    secondsPerMegabyte: Double = 10
  ) {
    self.secondsPerMegabyte = secondsPerMegabyte
    self.totalBytes = totalBytes
    self.ratio = ratio
    self.ratioGrace = ratioGrace
    self.members = members
    self.nesting = nesting
    self.pathLength = pathLength
  }
}

/// What one input has cost so far, shared by all layers that read it.
final class ReadBudget {
  let limits: SourceLimits
  let file: String
  private var unpacked = 0
  private var members = 0

  init(limits: SourceLimits, file: String) {
    self.limits = limits
    self.file = file
  }

  /// Counts `count` bytes that came out of a layer which has given `total` for `consumed` taken.
  func count(_ count: Int, total: Int, consumed: Int, member: String?) throws(Diagnostic) {
    unpacked += count
    if unpacked > limits.totalBytes {
      throw refusal(
        "archive-too-large", member, "unpacks to more than \(limits.totalBytes) bytes.",
        "Raise the limit on unpacked bytes if that is meant.")
    }
    if total > limits.ratioGrace, total / limits.ratio > consumed {
      throw refusal(
        "archive-ratio", member, "unpacks to more than \(limits.ratio) times its size.",
        "Drop the unpacked files if the archive is trusted.")
    }
  }

  func countMember(_ member: String?) throws(Diagnostic) {
    members += 1
    if members > limits.members {
      throw refusal(
        "archive-members", member, "holds more than \(limits.members) members.",
        "Split the archive.")
    }
  }

  func refusal(
    _ code: String, _ member: String?, _ cause: String, _ remedy: String
  ) -> Diagnostic {
    Diagnostic(
      .error, code: code, place: .init(file: file, member: member), cause: cause, remedy: remedy)
  }
}
