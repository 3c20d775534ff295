// A small file beside a run comes in; what it can add to the run, or contradict, goes out.

import Configurations
import Platform

/// A file of a run folder that holds no labels itself.
struct RunCompanion {
  enum Content {
    case oszicar([OszicarStep])
    /// CONTCAR: where the run ended.
    case final(Configuration)
    /// POSCAR: where it began.
    case initial(Configuration)
    case incar([String: (value: String, line: Int)])
    case kPoints(KPointsText)
    /// Titles of a POTCAR.
    case potcar([String])
  }

  var name: String
  var directory: String
  var digest: Digest
  var content: Content

  /// What is left of its name without its kind: ".relax1", "" for a plain one.
  var residue: String { RunNames.residue(name) }

  /// nil for a file that is none: POSCARs and CONTCARs are told apart by name, the rest by content.
  init?(_ entry: SourceEntry, _ format: SourceFormat, directory: String) throws(Diagnostic) {
    name = entry.name
    self.directory = directory
    let base = (name.split(separator: "/").last.map(String.init) ?? name).uppercased()
    func text() -> String { String(decoding: entry.head(1 << 20), as: UTF8.self) }
    switch format {
    case .oszicar: content = .oszicar(try OszicarReader.steps(entry, name: entry.name))
    case .incar: content = .incar(IncarText.tags(text()))
    case .kpoints:
      guard let points = KPointsText(text()) else { return nil }
      content = .kPoints(points)
    case .potcar:
      var titles: [String] = []
      let lines = LineScanner(entry, file: entry.name)
      while let line = try lines.next() {
        var at = 0
        while at < line.count, line[at] == 0x20 { at += 1 }
        guard line.has("TITEL ", at: at), let behind = line.behind("=", from: at) else { continue }
        titles.append(line.trimmedText(from: behind).split(separator: " ").joined(separator: " "))
      }
      guard !titles.isEmpty else { return nil }
      content = .potcar(titles)
    case .poscar:
      let isFinal = base.contains("CONTCAR")
      guard isFinal || base.contains("POSCAR") else { return nil }
      // The structure stands at the front; velocities and predictor coordinates behind it may be long.
      var reader = POSCARReader(MemoryByteSource(entry.head(1 << 24)), name: entry.name)
      guard let structure = try? reader.next() else { return nil }
      content = isFinal ? .final(structure) : .initial(structure)
    default: return nil
    }
    digest = entry.digest
  }
}

/// What names of files and folders say of the order of runs.
package enum RunNames {
  private static let packings = [".gz", ".xz", ".bz2", ".zst", ".lzma"]
  private static let kinds = [
    "vasprun.xml", "vasprun", "OUTCAR", "OSZICAR", "CONTCAR", "POSCAR", "INCAR", "KPOINTS", "POTCAR", ".xml",
  ]

  /// What is left of a file's name without compression and the words that say its kind: ".relax1".
  static func residue(_ name: String) -> String {
    var text = name.split(separator: "/").last.map(String.init) ?? name
    for packing in packings where text.hasSuffix(packing) { text.removeLast(packing.count) }
    for word in kinds {
      if let found = text.firstRange(of: word) { text.removeSubrange(found) }
    }
    return text
  }

  /// Where a run stands among the restarts of one calculation.
  enum Turn: Equatable {
    /// OUTCAR_old, vasprun.xml.bak: before the others.
    case old
    case number(Int)
    /// OUTCAR.
    case plain
  }

  /// nil for a name that is no restart's: "OUTCAR.Al".
  static func turn(residue: String) -> Turn? {
    let text = residue.lowercased().drop { ".-_".contains($0) }
    if text.isEmpty { return .plain }
    if ["old", "bak", "backup", "prev", "previous", "orig"].contains(String(text)) { return .old }
    return number(text, words: ["", "relax", "run", "restart", "cont", "continue", "part", "step", "job"])
      .map { .number($0) }
  }

  /// The turn of a folder called run1, restart_2, part-3; nil for any other.
  static func turn(folder: some StringProtocol) -> Int? {
    number(folder.lowercased()[...], words: ["run", "restart", "cont", "continue", "part"])
  }

  private static func number(_ text: Substring, words: [String]) -> Int? {
    let word = text.prefix { $0.isLetter }
    guard words.contains(String(word)) else { return nil }
    let digits = text.dropFirst(word.count).drop { ".-_".contains($0) }
    guard !digits.isEmpty, digits.count <= 6, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    return Int(digits)
  }

  /// Folders whose runs may be one calculation: run1, run2, ... beside each other, else each by itself.
  package static func family(ofDirectory directory: String) -> String {
    let parts = directory.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count > 1, let last = parts.last, turn(folder: last) != nil else { return directory }
    return parts.dropLast().joined(separator: "/") + "/" + last.prefix { $0.isLetter }.lowercased() + "#"
  }
}
