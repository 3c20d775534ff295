// A potential file of any kind comes in, the potential goes out.

import ACE
import Configurations
import Platform

/// A potential as its file holds it.
struct PotentialInput {
  enum Content {
    /// `.yaml`: coupled functions.
    case coupled(Potential)
    /// `.yace`: functions multiplied out.
    case expanded(CTildeFile)

    init(_ file: String) throws {
      let bytes = try PosixFileSystem().readFile(file)
      do throws(PotentialFileError) {
        // Names lie; only the B basis has a list of species.
        self =
          PotentialInput.isYAML(bytes)
          ? .coupled(try Potential(yaml: bytes)) : .expanded(try CTildeFile(decoding: bytes))
      } catch { throw error.sentence(file: file) }
    }
  }

  let potential: Potential

  init(_ file: String) throws {
    let bytes = try PosixFileSystem().readFile(file)
    do throws(PotentialFileError) {
      potential = Self.isYAML(bytes) ? try Potential(yaml: bytes) : try Potential(yace: bytes)
    } catch { throw error.sentence(file: file) }
  }

  fileprivate static func isYAML(_ bytes: [UInt8]) -> Bool {
    let key = Array("species:".utf8)
    return bytes.starts(with: key)
      || bytes.split(separator: 0x0A, omittingEmptySubsequences: true).contains { $0.starts(with: key) }
  }
}

extension PotentialFileError {
  func sentence(file: String) -> Diagnostic {
    var diagnostic = diagnostic(file: file)
    if !diagnostic.cause.hasSuffix(".") { diagnostic.cause += "." }
    return diagnostic
  }
}
