import Platform

/// Which relative paths a run folder may hold.
enum OutboxPath {
  /// Throws for the first path that is hostile, or would clash with another one.
  static func check(_ paths: [String]) throws(OutboxError) {
    var seen: [String: String] = [Outbox.manifestName: Outbox.manifestName]
    var folders: Set<String> = []
    for path in paths {
      if let reason = fault(path) { throw .badPath(path: path, reason: reason) }
      // Some file systems take names that differ in case alone for one.
      let folded = path.lowercased()
      if let other = seen.updateValue(path, forKey: folded) {
        throw .badPath(path: path, reason: "it clashes with '\(other)'")
      }
      var parent = Path.parent(folded)
      while !parent.isEmpty && folders.insert(parent).inserted { parent = Path.parent(parent) }
    }
    for folder in folders.sorted(by: bytewiseLess) {
      if let file = seen[folder] {
        throw .badPath(path: file, reason: "it is a file and also a folder of other files")
      }
    }
  }

  private static func fault(_ path: String) -> String? {
    if path.isEmpty { return "it is empty" }
    if path.utf8.count > 4096 { return "it is longer than 4096 bytes" }
    if path.hasPrefix("/") { return "it is absolute" }
    for scalar in path.unicodeScalars {
      if scalar == "\\" { return "it holds a backslash" }
      if printable(String(scalar)) != String(scalar) { return "it holds a control character" }
    }
    for part in path.split(separator: "/", omittingEmptySubsequences: false) {
      if part.isEmpty { return "a part of it is empty" }
      if part == "." || part == ".." { return "it holds '\(part)'" }
      if part.utf8.count > 255 { return "a part of it is longer than 255 bytes" }
    }
    return nil
  }
}
