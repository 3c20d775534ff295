// Which names in the inbox are data, and which folders are one calculation.

/// Decisions by name alone.
enum InboxRules {
  /// Names that other programs use while they write, or that are hidden on purpose.
  static func isIgnored(_ name: String, isFolder: Bool, isTopLevel: Bool) -> Bool {
    if name.hasPrefix(".") || name.hasSuffix("~") { return true }
    if isFolder { return isTopLevel && name == "tmp" }
    // Most names end with none of the last letters of these.
    guard let last = name.utf8.last, "tpeTPE".utf8.contains(last) else { return false }
    let lower = name.lowercased()
    return [".part", ".tmp", ".filepart", ".done"].contains { lower.hasSuffix($0) }
  }

  /// The outputs of VASP that make a folder a run folder.
  private static let outputs = ["vasprun", "outcar", "oszicar", "contcar"]
  /// What else of a run folder is read. POTCAR is licensed and its titles stand in the outputs;
  /// WAVECAR, CHGCAR and the like are large and hold no labels.
  private static let inputs = ["poscar", "incar", "kpoints"]

  /// More outputs of one kind than this are a collection of runs, not one run in several steps.
  static let mostStepsOfOneRun = 8

  /// Whether a file of a run folder belongs to the run.
  static func belongsToRun(_ name: String) -> Bool {
    let lower = name.lowercased()
    return !isContainer(lower) && (outputs + inputs).contains { lower.contains($0) }
  }

  /// Files in a run folder that are sources of their own: archives and extended XYZ.
  static func standsAlone(_ name: String) -> Bool {
    let lower = name.lowercased()
    let plain = withoutCompression(lower)
    return isContainer(lower) || plain.hasSuffix(".xyz") || plain.hasSuffix(".extxyz")
  }

  /// Whether files of these names, side by side in a folder, are one calculation: they hold outputs
  /// of VASP, and not those of many runs (`001.OUTCAR`, `002.OUTCAR`, ... or more than eight).
  static func isRunFolder(_ names: [String]) -> Bool {
    var prefixes: Set<String> = []
    var found = false
    for keyword in outputs {
      var steps: Set<String> = []
      for name in names {
        let lower = name.lowercased()
        guard !isContainer(lower), let place = lower.firstRange(of: keyword) else { continue }
        prefixes.insert(String(lower[..<place.lowerBound]))
        // OUTCAR and OUTCAR.gz are one.
        steps.insert(withoutCompression(lower))
      }
      if steps.count > mostStepsOfOneRun { return false }
      found = found || !steps.isEmpty
    }
    return found && (prefixes.count == 1 || prefixes.contains(""))
  }

  private static func withoutCompression(_ name: String) -> String {
    for suffix in [".gz", ".bz2", ".xz", ".zst", ".lzma", ".z"] where name.hasSuffix(suffix) {
      return String(name.dropLast(suffix.count))
    }
    return name
  }

  /// Archives, by name; what they really hold the reader finds out.
  private static func isContainer(_ lower: String) -> Bool {
    let plain = withoutCompression(lower)
    return plain.hasSuffix(".tar")
      || [".zip", ".tgz", ".tbz2", ".txz", ".7z"].contains { lower.hasSuffix($0) }
  }
}

extension String {
  /// The first place where `part` occurs.
  fileprivate func firstRange(of part: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(part) {
        return start..<index(start, offsetBy: part.count)
      }
      start = index(after: start)
    }
    return nil
  }
}
