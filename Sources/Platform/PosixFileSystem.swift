import CLinux
import Glibc

/// The machine's files.
public struct PosixFileSystem: FileSystem {
  private let usesOpenat2: Bool

  public init() { usesOpenat2 = true }

  /// `usesOpenat2` = false takes the path of kernels before 5.6, for tests.
  package init(usesOpenat2: Bool) { self.usesOpenat2 = usesOpenat2 }

  public func status(of path: String) throws(FileSystemError) -> FileStatus {
    var raw = stat()
    try check(lstat(path, &raw), .status, path)
    return FileStatus(raw)
  }

  public func entries(of relative: String, beneath root: String) throws(FileSystemError)
    -> [FolderEntry]
  {
    let path = Path.join(root, relative)
    let flags = O_RDONLY | O_DIRECTORY
    // The root itself may be a link: it is the user's choice.
    let descriptor =
      relative.isEmpty
      ? sluice_open_beneath(root, ".", flags, 0, 0)
      : sluice_open_beneath(root, relative, flags, 0, usesOpenat2 ? 1 : 0)
    try check(descriptor, .list, path)
    guard let stream = fdopendir(descriptor) else {
      let number = errno
      close(descriptor)
      throw FileSystemError(.list, path, errorNumber: number)
    }
    defer { closedir(stream) }
    var entries: [FolderEntry] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw FileSystemError(.list, path, errorNumber: errno) }
        break
      }
      // d_name is a C array; its address stays valid until the next readdir.
      let name = UnsafeRawPointer(entry).advanced(by: MemoryLayout<dirent>.offset(of: \.d_name)!)
        .assumingMemoryBound(to: CChar.self)
      if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { continue }
      var raw = stat()
      if fstatat(descriptor, name, &raw, AT_SYMLINK_NOFOLLOW) != 0 {
        if errno == ENOENT { continue }
        throw FileSystemError(
          .status, Path.join(path, String(cString: name)), errorNumber: errno)
      }
      let text = String(validatingCString: name)
      entries.append(
        FolderEntry(
          name: text ?? String(cString: name), status: FileStatus(raw), isNameValid: text != nil))
    }
    return entries.sorted { bytewiseLess($0.name, $1.name) }
  }

  public func open(_ relative: String, beneath root: String, _ mode: OpenMode)
    throws(FileSystemError) -> any OpenFile
  {
    let path = Path.join(root, relative)
    let flags: Int32
    switch mode {
    // O_NONBLOCK: opening a pipe that nobody writes must not wait. Without effect on files.
    case .read: flags = O_RDONLY | O_NONBLOCK
    case .create: flags = O_WRONLY | O_CREAT | O_EXCL
    case .append: flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK
    }
    let descriptor = sluice_open_beneath(root, relative, flags, 0o666, usesOpenat2 ? 1 : 0)
    try check(descriptor, mode == .create ? .create : .open, path)
    let file = PosixFile(descriptor: descriptor, path: path, isAppended: mode == .append)
    switch try file.status().kind {
    case .file: return file
    case .folder: throw FileSystemError(.open, path, errorNumber: EISDIR)
    case .symbolicLink, .special: throw FileSystemError(.open, path, .notRegularFile)
    }
  }

  public func createFolder(_ path: String, isPrivate: Bool) throws(FileSystemError) {
    try check(mkdir(path, isPrivate ? 0o700 : 0o777), .createFolder, path)
  }

  public func createLink(_ path: String, to existing: String) throws(FileSystemError) {
    try check(link(existing, path), .createLink, path)
  }

  public func createSymbolicLink(_ path: String, to target: String) throws(FileSystemError) {
    try check(symlink(target, path), .createSymbolicLink, path)
  }

  public func readSymbolicLink(_ path: String) throws(FileSystemError) -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
    try check(Int32(count), .readSymbolicLink, path)
    guard let target = String(validating: buffer[..<count], as: UTF8.self) else {
      throw FileSystemError(.readSymbolicLink, path, .notSupported)
    }
    return target
  }

  public func rename(_ source: String, to destination: String) throws(FileSystemError) {
    try check(Glibc.rename(source, destination), .rename, source)
  }

  public func removeFile(_ path: String) throws(FileSystemError) {
    try check(unlink(path), .remove, path)
  }

  public func removeFolder(_ path: String) throws(FileSystemError) {
    try check(rmdir(path), .remove, path)
  }

  public func synchronizeFolder(_ path: String) throws(FileSystemError) {
    let descriptor = sluice_open_beneath(path, ".", O_RDONLY | O_DIRECTORY, 0, 0)
    try check(descriptor, .synchronizeFolder, path)
    defer { close(descriptor) }
    // Some file systems cannot synchronize a folder and say EINVAL; their renames are ordered.
    if fsync(descriptor) != 0 && errno != EINVAL {
      throw FileSystemError(.synchronizeFolder, path, errorNumber: errno)
    }
  }

  public func touch(_ path: String) throws(FileSystemError) {
    try check(sluice_touch(path), .touch, path)
  }

  public func freeSpace(at path: String) throws(FileSystemError) -> FreeSpace {
    var raw = statvfs()
    try check(statvfs(path, &raw), .freeSpace, path)
    let (bytes, over) = Int(raw.f_bavail).multipliedReportingOverflow(by: Int(raw.f_frsize))
    // File systems that make inodes as needed report 0 of 0.
    return FreeSpace(
      bytes: over ? .max : bytes, files: raw.f_files == 0 ? .max : Int(raw.f_favail))
  }

  public func kind(at path: String) throws(FileSystemError) -> FileSystemKind {
    let magic = sluice_file_system_magic(path)
    try check(magic < 0 ? -1 : 0, .fileSystemKind, path)
    return FileSystemKind(magic: UInt32(magic))
  }

  private func check(
    _ result: Int32, _ operation: FileSystemError.Operation, _ path: String
  ) throws(FileSystemError) {
    if result < 0 { throw FileSystemError(operation, path, errorNumber: errno) }
  }
}

/// One open descriptor. Its position lives in the kernel, so it holds nothing that could race.
private final class PosixFile: OpenFile {
  private let descriptor: Int32
  private let path: String
  private let isAppended: Bool

  init(descriptor: Int32, path: String, isAppended: Bool) {
    self.descriptor = descriptor
    self.path = path
    self.isAppended = isAppended
  }

  // An error of close is of no use: whatever matters was synchronized before.
  deinit { close(descriptor) }

  func status() throws(FileSystemError) -> FileStatus {
    var raw = stat()
    if fstat(descriptor, &raw) != 0 {
      throw FileSystemError(.status, path, errorNumber: errno)
    }
    return FileStatus(raw)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard buffer.count > 0 else { return 0 }
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
      if count >= 0 { return count }
      if errno != EINTR { throw FileSystemError(.read, path, errorNumber: errno) }
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(FileSystemError) {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw FileSystemError(.write, path, errorNumber: errno)
      }
    }
  }

  func truncate(to size: Int) throws(FileSystemError) {
    while ftruncate(descriptor, off_t(size)) != 0 {
      if errno != EINTR { throw FileSystemError(.truncate, path, errorNumber: errno) }
    }
  }

  func synchronize() throws(FileSystemError) {
    // fdatasync also brings the new size to the disk, which is all that an append changes.
    while (isAppended ? fdatasync(descriptor) : fsync(descriptor)) != 0 {
      if errno != EINTR { throw FileSystemError(.synchronize, path, errorNumber: errno) }
    }
  }

  func tryLock() throws(FileSystemError) -> Bool {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EWOULDBLOCK { return false }
      if errno != EINTR { throw FileSystemError(.lock, path, errorNumber: errno) }
    }
    return true
  }
}

extension FileStatus {
  fileprivate init(_ raw: stat) {
    let kind: FileKind
    switch raw.st_mode & S_IFMT {
    case S_IFREG: kind = .file
    case S_IFDIR: kind = .folder
    case S_IFLNK: kind = .symbolicLink
    default: kind = .special
    }
    self.init(
      kind: kind, size: Int(raw.st_size), inode: UInt64(raw.st_ino), device: UInt64(raw.st_dev),
      modified: Timestamp(
        seconds: Int64(raw.st_mtim.tv_sec), nanoseconds: Int64(raw.st_mtim.tv_nsec)),
      changed: Timestamp(
        seconds: Int64(raw.st_ctim.tv_sec), nanoseconds: Int64(raw.st_ctim.tv_nsec)),
      owner: raw.st_uid, permissions: UInt16(raw.st_mode & 0o7777))
  }
}
