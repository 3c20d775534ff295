import Glibc

/// Path arithmetic on text alone.
public enum Path {
  public static func join(_ folder: String, _ name: String) -> String {
    if folder.isEmpty { return name }
    if name.isEmpty { return folder }
    return folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }

  /// Everything before the last "/"; "" for a bare name, "/" for a name at the top.
  public static func parent(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// What follows the last "/".
  public static func name(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
  }
}

/// Order by the bytes of the names, the same in every locale.
public func bytewiseLess(_ a: String, _ b: String) -> Bool {
  let order = a.utf8.withContiguousStorageIfAvailable { a in
    b.utf8.withContiguousStorageIfAvailable { b in
      guard let first = a.baseAddress, let second = b.baseAddress else { return a.count < b.count }
      let order = memcmp(first, second, min(a.count, b.count))
      return order != 0 ? order < 0 : a.count < b.count
    }
  }
  return order.flatMap { $0 } ?? a.utf8.lexicographicallyPrecedes(b.utf8)
}

extension FileSystem {
  /// Opens a file by its path; links in the folders above it are followed.
  public func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any OpenFile {
    let parent = Path.parent(path)
    return try open(Path.name(path), beneath: parent.isEmpty ? "." : parent, mode)
  }

  public func createFolder(_ path: String) throws(FileSystemError) {
    try createFolder(path, isPrivate: false)
  }

  /// Refuses a folder of another user: what lies in it could have been planted.
  public func requireOwner(_ user: UInt32, of path: String) throws(FileSystemError) {
    if try status(of: path).owner != user {
      throw FileSystemError(.open, path, .foreignOwner)
    }
  }

  public func entries(of path: String) throws(FileSystemError) -> [FolderEntry] {
    try entries(of: "", beneath: path)
  }

  /// The status, or nil when nothing has that name.
  public func statusIfPresent(of path: String) throws(FileSystemError) -> FileStatus? {
    do throws(FileSystemError) { return try status(of: path) } catch {
      if error.code == .notFound || error.code == .notAFolder { return nil }
      throw error
    }
  }

  /// All bytes of a file.
  public func readFile(_ path: String) throws(FileSystemError) -> [UInt8] {
    let file = try open(path, .read)
    let size = try file.status().size
    do {
      // Files of the kernel's own say that they are empty, and can be read in one piece only.
      guard size > 0 else { return try file.readAll() }
      // One byte more than there should be: the read that finds nothing there is the end.
      var isAtEnd = false
      let bytes = try [UInt8](unsafeUninitializedCapacity: size + 1) { buffer, count in
        while count < buffer.count, !isAtEnd {
          let free = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
          let read = try file.read(into: free)
          count += read
          isAtEnd = read == 0
        }
      }
      return try isAtEnd ? bytes : bytes + file.readAll()
    } catch {
      throw error as? FileSystemError ?? FileSystemError(.read, path, .other)
    }
  }

  /// All bytes of a file, or nil when it does not exist.
  public func readFileIfPresent(_ path: String) throws(FileSystemError) -> [UInt8]? {
    do throws(FileSystemError) { return try readFile(path) } catch {
      if error.code == .notFound { return nil }
      throw error
    }
  }

  /// Creates a new file with `bytes` that is on the disk when this returns (its name is not yet:
  /// see `synchronizeFolder`). A file that cannot be completed is removed again.
  public func createFile(_ path: String, _ bytes: [UInt8]) throws(FileSystemError) {
    let file = try open(path, .create)
    do throws(FileSystemError) {
      try file.write(bytes)
      try file.synchronize()
    } catch {
      removeFileIfPossible(path)
      throw error
    }
  }

  /// Removes a file on the way out of a failure: the first error is the news, not this one.
  public func removeFileIfPossible(_ path: String) {
    do throws(FileSystemError) { try removeFile(path) } catch {}
  }

  /// Creates `path` and the folders above it where missing; what was created is on the disk when
  /// this returns.
  public func createFolders(_ path: String) throws(FileSystemError) {
    if path.isEmpty { return }
    if let found = try statusIfPresent(of: path) {
      // A link to a folder is accepted: where state and outbox live is the user's choice.
      if found.kind == .folder || found.kind == .symbolicLink { return }
      throw FileSystemError(.createFolder, path, .alreadyExists)
    }
    let parent = Path.parent(path)
    if parent != path { try createFolders(parent) }
    do throws(FileSystemError) { try createFolder(path) } catch {
      if error.code != .alreadyExists { throw error }
    }
    try synchronizeFolder(parent.isEmpty ? "." : parent)
  }

  /// Makes `bytes` appear under `path` as a whole or not at all, replacing what was there:
  /// temporary file beside it, fsync, rename, fsync of the folder.
  public func replaceFile(_ path: String, _ bytes: [UInt8]) throws(FileSystemError) {
    let temporary = temporaryName(beside: path)
    try createFile(temporary, bytes)
    do throws(FileSystemError) { try rename(temporary, to: path) } catch {
      removeFileIfPossible(temporary)
      throw error
    }
    try synchronizeFolder(Path.parent(path).isEmpty ? "." : Path.parent(path))
  }

  /// Points the symbolic link `path` to `target`, atomically; readers see the old or the new one.
  /// `scratch` is a folder on the same file system for the temporary link.
  public func replaceSymbolicLink(_ path: String, to target: String, scratch: String)
    throws(FileSystemError)
  {
    let temporary = Path.join(scratch, ".link-" + uniqueSuffix())
    try createSymbolicLink(temporary, to: target)
    do throws(FileSystemError) { try rename(temporary, to: path) } catch {
      removeFileIfPossible(temporary)
      throw error
    }
    try synchronizeFolder(Path.parent(path).isEmpty ? "." : Path.parent(path))
  }

  /// Removes `path` and everything in it; links are removed, not followed. Absent is fine.
  public func removeTree(_ path: String) throws(FileSystemError) {
    guard let found = try statusIfPresent(of: path) else { return }
    guard found.kind == .folder else { return try removeFile(path) }
    for entry in try entries(of: path) { try removeTree(Path.join(path, entry.name)) }
    try removeFolder(path)
  }

  /// What time the file system that holds `folder` says it is. Creates and removes a small file.
  public func currentTime(in folder: String) throws(FileSystemError) -> Timestamp {
    let path = Path.join(folder, ".clock-" + uniqueSuffix())
    _ = try open(path, .create)
    do throws(FileSystemError) {
      try touch(path)
      let time = try status(of: path).modified
      try removeFile(path)
      return time
    } catch {
      removeFileIfPossible(path)
      throw error
    }
  }

  /// Stops before anything is written when there is no room for `bytes` more bytes and `files` more
  /// files, with a margin of 1 MB and 16 files.
  public func requireSpace(bytes: Int, files: Int, at path: String) throws(FileSystemError) {
    let free = try freeSpace(at: path)
    if free.bytes < bytes + (1 << 20) || free.files < files + 16 {
      throw FileSystemError(.write, path, .diskFull)
    }
  }

  /// A name beside `path` that no other process uses; dotfiles are never taken for data.
  public func temporaryName(beside path: String) -> String {
    Path.join(Path.parent(path), ".tmp-" + uniqueSuffix())
  }
}

/// 16 random hexadecimal digits, for names that must differ between processes and hosts. Such names
/// never outlive the operation and never enter a result.
public func uniqueSuffix() -> String {
  let digits = String(UInt64.random(in: .min ... .max), radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
