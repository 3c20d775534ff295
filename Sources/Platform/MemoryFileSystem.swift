import CLinux
import Synchronization

/// A file system in memory, for tests: it behaves like the real one, logs what was touched, and
/// knows what a power cut would leave behind.
public final class MemoryFileSystem: FileSystem {
  /// One call that reached the file system.
  public struct Touch: Sendable, Equatable {
    public var operation: FileSystemError.Operation
    public var path: String
  }

  public let clock: ManualClock
  let state: Mutex<MemoryDisk>

  /// `kind` is what the disk says it is; `room` is how many bytes of content fit on it.
  public init(
    clock: ManualClock = ManualClock(), kind: FileSystemKind = .ext4, room: Int = 1 << 40
  ) {
    self.clock = clock
    state = Mutex(MemoryDisk(kind: kind, room: room))
  }

  init(clock: ManualClock, disk: consuming MemoryDisk) {
    self.clock = clock
    state = Mutex(disk)
  }

  // MARK: What tests ask and do

  /// Every call since the start or the last `forgetTouches`, in order.
  public var touches: [Touch] { state.withLock { $0.touches } }

  public func forgetTouches() { state.withLock { $0.touches = [] } }

  /// Paths of the files that were read from, each once, in order.
  public var filesRead: [String] {
    var seen: Set<String> = []
    return touches.filter { $0.operation == .read && seen.insert($0.path).inserted }.map(\.path)
  }

  /// Writes a file as another program would (and the folders above it), without logging.
  public func drop(_ path: String, _ bytes: [UInt8]) {
    let now = clock.wallTime
    state.withLock { $0.drop(path, bytes, now) }
  }

  public func drop(_ path: String, _ text: String) { drop(path, Array(text.utf8)) }

  /// Creates a folder and those above it, without logging.
  public func dropFolder(_ path: String) {
    let now = clock.wallTime
    state.withLock { _ = $0.dropFolder(path, now) }
  }

  /// Creates a pipe, which a reader must never open.
  public func dropSpecial(_ path: String) {
    let now = clock.wallTime
    state.withLock { $0.dropSpecial(path, now) }
  }

  /// How far this disk's clock is ahead of `clock`.
  public func setClockSkew(_ skew: Duration) { state.withLock { $0.skew = skew } }

  public func setModified(_ path: String, _ time: Timestamp) {
    state.withLock { $0.setModified(path, time) }
  }

  public func setOwner(_ path: String, _ owner: UInt32) {
    state.withLock { $0.setOwner(path, owner) }
  }

  /// Every path with its content (nil for a folder, "-> target" for a link), sorted by bytes.
  public func tree(_ path: String = "/") -> [(path: String, content: [UInt8]?)] {
    state.withLock { $0.tree(path) }
  }

  // MARK: FileSystem

  public func status(of path: String) throws(FileSystemError) -> FileStatus {
    try change(.status, path) { disk, _ throws(FileSystemError) in
      disk.status(try disk.find(path, .status))
    }
  }

  public func entries(of relative: String, beneath root: String) throws(FileSystemError)
    -> [FolderEntry]
  {
    let path = Path.join(root, relative)
    return try change(.list, path) { disk, _ throws(FileSystemError) in
      let folder = try disk.find(relative, beneath: root, .list)
      guard disk.nodes[folder]!.kind == .folder else {
        throw FileSystemError(.list, path, errorNumber: ENOTDIR)
      }
      return disk.nodes[folder]!.entries.map {
        FolderEntry(name: $0.key, status: disk.status($0.value))
      }.sorted { bytewiseLess($0.name, $1.name) }
    }
  }

  public func open(_ relative: String, beneath root: String, _ mode: OpenMode)
    throws(FileSystemError) -> any OpenFile
  {
    let path = Path.join(root, relative)
    let operation: FileSystemError.Operation = mode == .create ? .create : .open
    let node = try change(operation, path) { disk, now throws(FileSystemError) in
      try disk.open(relative, beneath: root, mode, now)
    }
    return MemoryFile(self, node, path, isAppended: mode == .append)
  }

  public func createFolder(_ path: String, isPrivate: Bool) throws(FileSystemError) {
    try change(.createFolder, path) { disk, now throws(FileSystemError) in
      let node = try disk.insert(path, .folder, .createFolder, now)
      disk.nodes[node]!.permissions = isPrivate ? 0o700 : 0o755
    }
  }

  public func createLink(_ path: String, to existing: String) throws(FileSystemError) {
    try change(.createLink, path) { disk, now throws(FileSystemError) in
      let node = try disk.find(existing, .createLink)
      guard disk.nodes[node]!.kind != .folder else {
        throw FileSystemError(.createLink, path, errorNumber: EPERM)
      }
      try disk.enter(node, path, .createLink, now)
    }
  }

  public func createSymbolicLink(_ path: String, to target: String) throws(FileSystemError) {
    try change(.createSymbolicLink, path) { disk, now throws(FileSystemError) in
      let node = try disk.insert(path, .symbolicLink, .createSymbolicLink, now)
      disk.nodes[node]!.target = target
    }
  }

  public func readSymbolicLink(_ path: String) throws(FileSystemError) -> String {
    try change(.readSymbolicLink, path) { disk, _ throws(FileSystemError) in
      let node = disk.nodes[try disk.find(path, .readSymbolicLink)]!
      guard node.kind == .symbolicLink else {
        throw FileSystemError(.readSymbolicLink, path, errorNumber: EINVAL)
      }
      return node.target
    }
  }

  public func rename(_ source: String, to destination: String) throws(FileSystemError) {
    try change(.rename, source) { disk, now throws(FileSystemError) in
      try disk.rename(source, destination, now)
    }
  }

  public func removeFile(_ path: String) throws(FileSystemError) {
    try change(.remove, path) { disk, now throws(FileSystemError) in
      try disk.remove(path, isFolder: false, now)
    }
  }

  public func removeFolder(_ path: String) throws(FileSystemError) {
    try change(.remove, path) { disk, now throws(FileSystemError) in
      try disk.remove(path, isFolder: true, now)
    }
  }

  public func synchronizeFolder(_ path: String) throws(FileSystemError) {
    try change(.synchronizeFolder, path) { disk, _ throws(FileSystemError) in
      disk.synchronizeNames(try disk.find("", beneath: path, .synchronizeFolder))
    }
  }

  public func touch(_ path: String) throws(FileSystemError) {
    try change(.touch, path) { disk, now throws(FileSystemError) in
      let node = try disk.find(path, .touch)
      disk.nodes[node]!.modified = now
      disk.nodes[node]!.changed = now
    }
  }

  public func freeSpace(at path: String) throws(FileSystemError) -> FreeSpace {
    try change(.freeSpace, path) { disk, _ throws(FileSystemError) in
      FreeSpace(bytes: max(0, disk.room - disk.used), files: 1 << 20)
    }
  }

  public func kind(at path: String) throws(FileSystemError) -> FileSystemKind {
    try change(.fileSystemKind, path) { disk, _ throws(FileSystemError) in disk.kind }
  }

  /// Logs a call and runs it under the lock. `now` is the disk's clock, one nanosecond later each
  /// time, so that two changes never carry the same time.
  func change<Value: Sendable>(
    _ operation: FileSystemError.Operation, _ path: String,
    _ body: (inout MemoryDisk, Timestamp) throws(FileSystemError) -> Value
  ) throws(FileSystemError) -> Value {
    let wall = clock.wallTime
    let result = state.withLock { disk -> Result<Value, FileSystemError> in
      disk.touches.append(Touch(operation: operation, path: path))
      let now = disk.tick(wall)
      do throws(FileSystemError) { return .success(try body(&disk, now)) } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
