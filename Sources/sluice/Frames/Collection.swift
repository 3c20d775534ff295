// Units that were read come in, in order; frames that count go to the output, and an account to the user.

import Configurations
import Platform
import StageKit

/// A source as the summary shows it.
struct SourceLine: Sendable, Encodable {
  enum Outcome: String, Encodable {
    case read
    /// It was readable, but there was no frame in it that counts.
    case empty
    case failed
  }

  var source: String
  var outcome: Outcome
  var format: String
  /// Labelled steps, or frames, that there were to choose from.
  var offered: Int
  var frames: Int
  var atoms: Int
  var complete: Bool
  var files: [String]
  var settings: CalculationSettings?
  var diagnostics: [Diagnostic]
}

/// Decides which frames count, passes them on, and keeps the books.
final class FrameCollection {
  private let output: FrameOutput
  private(set) var sources: [SourceLine] = []
  var passedOver: [PassedOver] = []
  private let dropsCopies: Bool
  private var known: [Digest: String] = [:]

  /// `dropsCopies`: whether the same content counts once, under whatever names, as within one archive.
  init(_ output: FrameOutput, dropsCopies: Bool) {
    self.output = output
    self.dropsCopies = dropsCopies
  }

  func add(_ account: UnitAccount, _ spool: inout FrameSpool) throws {
    passedOver += account.passedOver
    var lines: [String: Int] = [:]
    for source in account.sources {
      if dropsCopies, source.error == nil, let first = known[source.digest] {
        passedOver.append(PassedOver(source.name, .sameContent, "the same content as \(printable(first))"))
        continue
      }
      known[source.digest] = source.name
      if source.error == nil { lines[source.name] = sources.count }
      sources.append(
        SourceLine(
          source: source.name, outcome: source.error == nil ? .empty : .failed, format: source.format,
          offered: source.offered, frames: 0, atoms: 0, complete: source.isComplete, files: source.files,
          settings: source.settings,
          diagnostics: source.diagnostics))
    }
    try spool.drain { frame, bytes in
      guard let line = lines[frame.source] else { return }
      sources[line].outcome = .read
      sources[line].frames += 1
      sources[line].atoms += frame.atoms
      try output.write(bytes, atoms: frame.atoms)
    }
  }

  /// What was found out later about frames of sources that were added.
  func note(_ diagnostics: [Diagnostic]) {
    let places = Dictionary(sources.enumerated().map { ($1.source, $0) }, uniquingKeysWith: { $1 })
    for diagnostic in diagnostics {
      guard let line = places[diagnostic.place.file] else { continue }
      sources[line].diagnostics.append(diagnostic)
      if sources[line].frames == 0, diagnostic.severity == .error { sources[line].outcome = .failed }
    }
  }

  var failures: Int { sources.count { $0.outcome == .failed } }

  /// 0 all went through, 3 some inputs gave nothing because of errors, 1 nothing was written because of one.
  func exitStatus(otherErrors: Int = 0) -> Int32 {
    guard failures + otherErrors > 0 else { return 0 }
    return output.frames > 0 ? 3 : 1
  }
}
