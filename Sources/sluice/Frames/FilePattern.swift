// A quoted pattern comes in, the paths that it matches go out, in the order of their names' bytes.

import Platform

/// `*`, `?` and `[…]` within one name, `**` for any number of folders, as a shell has them. Names that begin with a
/// dot are matched only by a pattern that does too. Links to folders are not entered by `**`.
struct FilePattern {
  private let components: [[Character]]
  private let isAbsolute: Bool

  /// Nil where nothing in the text stands for something else.
  init?(_ text: String) {
    guard text.contains(where: { "*?[".contains($0) }) else { return nil }
    components = text.split(separator: "/").map(Array.init)
    isAbsolute = text.hasPrefix("/")
  }

  func matches(in fileSystem: any FileSystem) throws(FileSystemError) -> [String] {
    var found: [String] = []
    try collect(components[...], below: isAbsolute ? "/" : "", fileSystem, &found)
    var seen: Set<String> = []
    return found.filter { seen.insert($0).inserted }
  }

  private func collect(
    _ rest: ArraySlice<[Character]>, below folder: String, _ fileSystem: any FileSystem, _ found: inout [String]
  ) throws(FileSystemError) {
    guard let pattern = rest.first else {
      found.append(folder)
      return
    }
    func path(_ name: String) -> String { folder.isEmpty || folder == "/" ? folder + name : Path.join(folder, name) }
    guard pattern.contains(where: { "*?[".contains($0) }) else {
      let next = path(String(pattern))
      if try fileSystem.statusIfPresent(of: next) != nil {
        try collect(rest.dropFirst(), below: next, fileSystem, &found)
      }
      return
    }
    let isDeep = pattern == ["*", "*"]
    if isDeep, rest.count > 1 { try collect(rest.dropFirst(), below: folder, fileSystem, &found) }
    let entries: [FolderEntry]
    do throws(FileSystemError) { entries = try fileSystem.entries(of: folder.isEmpty ? "." : folder) } catch {
      // "a*/b*" also meets files; what may not be read is said.
      if error.code == .notAFolder || error.code == .notFound { return }
      throw error
    }
    for entry in entries where entry.isNameValid && (!entry.name.hasPrefix(".") || pattern.first == ".") {
      let next = path(entry.name)
      if isDeep {
        if entry.status.kind == .folder { try collect(rest, below: next, fileSystem, &found) }
        if rest.count == 1, entry.status.kind == .file { found.append(next) }
      } else if Self.matches(pattern[...], Array(entry.name)[...]) {
        try collect(rest.dropFirst(), below: next, fileSystem, &found)
      }
    }
  }

  /// Whether a name has the form of one component. Time grows with the product of both lengths.
  static func matches(_ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>) -> Bool {
    // The last star, and where its match begins: a later star makes an earlier one's choice final.
    var (pattern, name) = (pattern, name)
    var retry: (pattern: ArraySlice<Character>, name: ArraySlice<Character>)?
    while true {
      if pattern.first == "*" {
        pattern = pattern.dropFirst()
        retry = (pattern, name)
      } else if let character = name.first, let rest = step(pattern, character) {
        (pattern, name) = (rest, name.dropFirst())
      } else if name.isEmpty, pattern.isEmpty {
        return true
      } else if let again = retry, !again.name.isEmpty {
        (pattern, name) = (again.pattern, again.name.dropFirst())
        retry = (pattern, name)
      } else {
        return false
      }
    }
  }

  /// The pattern behind the one character that it begins with, if that stands for `character`.
  private static func step(_ pattern: ArraySlice<Character>, _ character: Character) -> ArraySlice<Character>? {
    guard let first = pattern.first else { return nil }
    let rest = pattern.dropFirst()
    guard first == "[", let end = rest.dropFirst().firstIndex(of: "]") else {
      return first == "?" || first == character ? rest : nil
    }
    var inside = rest[..<end]
    let isInverted = inside.first == "!" || inside.first == "^"
    if isInverted { inside = inside.dropFirst() }
    var isInside = false
    while let lower = inside.first {
      if inside.count >= 3, inside[inside.startIndex + 1] == "-" {
        isInside = isInside || (lower...max(lower, inside[inside.startIndex + 2])).contains(character)
        inside = inside.dropFirst(3)
      } else {
        isInside = isInside || lower == character
        inside = inside.dropFirst()
      }
    }
    return isInside != isInverted ? rest[(end + 1)...] : nil
  }
}
