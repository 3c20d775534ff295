// A file comes in; its configurations stay in memory, nothing goes out.

import Configurations
import Platform
import VASP

/// What this program does as a process of its own: reading without writing, to be measured beside programs that
/// write nothing.
enum Reading {
  static let option = "--keep-configurations"

  /// The exit status.
  static func keepAll(of file: String) -> Int32 {
    do {
      var reader = SourceReader(pairsRuns: false)
      reader.identity = .fingerprint
      var kept: [Configuration] = []
      let sources = try reader.read(try PosixFileSystem().open(file, .read), name: file) { kept.append($0) }
      print("\(kept.count) configurations of \(sources.count) sources")
      return kept.isEmpty ? 1 : 0
    } catch {
      print("\(error)")
      return 1
    }
  }
}
