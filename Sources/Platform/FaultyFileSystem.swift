import Synchronization

/// Another file system with one call that goes wrong, for tests: run the same work with call 1
/// failing, then call 2, and so on until a run ends by itself.
public final class FaultyFileSystem: FileSystem {
  public enum Fault: Sendable, Equatable {
    /// The call fails with this error number; a write leaves half of its bytes.
    case error(Int32)
    /// That call and all later ones that write fail, as on a disk that stays full.
    case persistentError(Int32)
    /// That call (a write half way) and everything after it never happens.
    case crash
  }

  private let base: any FileSystem
  private let fault: Fault
  private let failing: Int
  private let count = Mutex(0)

  /// `call` counts from 1; 0 never fails and only counts.
  public init(_ base: any FileSystem, call: Int, _ fault: Fault) {
    self.base = base
    self.failing = call
    self.fault = fault
  }

  /// Calls so far.
  public var calls: Int { count.withLock { $0 } }

  /// True once the fault has happened.
  public var hasFailed: Bool { failing > 0 && calls >= failing }

  /// Counts a call and says how it goes wrong, if it does.
  fileprivate func fault(_ operation: FileSystemError.Operation, _ path: String)
    -> FileSystemError?
  {
    let call = count.withLock { count in
      count += 1
      return count
    }
    guard failing > 0, call >= failing else { return nil }
    switch fault {
    case .crash: return FileSystemError(operation, path, .crashed)
    case .error(let number):
      return call == failing ? FileSystemError(operation, path, errorNumber: number) : nil
    case .persistentError(let number):
      let writes: Set<FileSystemError.Operation> = [
        .create, .write, .synchronize, .createFolder, .createLink, .createSymbolicLink,
      ]
      return call == failing || writes.contains(operation)
        ? FileSystemError(operation, path, errorNumber: number) : nil
    }
  }

  fileprivate var isAtFault: Bool { count.withLock { $0 == failing } }

  private func pass<Value>(
    _ operation: FileSystemError.Operation, _ path: String,
    _ body: () throws(FileSystemError) -> Value
  ) throws(FileSystemError) -> Value {
    if let error = fault(operation, path) { throw error }
    return try body()
  }

  public func status(of path: String) throws(FileSystemError) -> FileStatus {
    try pass(.status, path) { () throws(FileSystemError) in try base.status(of: path) }
  }

  public func entries(of relative: String, beneath root: String) throws(FileSystemError)
    -> [FolderEntry]
  {
    try pass(.list, Path.join(root, relative)) { () throws(FileSystemError) in
      try base.entries(of: relative, beneath: root)
    }
  }

  public func open(_ relative: String, beneath root: String, _ mode: OpenMode)
    throws(FileSystemError) -> any OpenFile
  {
    let path = Path.join(root, relative)
    return try pass(mode == .create ? .create : .open, path) { () throws(FileSystemError) in
      FaultyFile(self, try base.open(relative, beneath: root, mode), path)
    }
  }

  public func createFolder(_ path: String, isPrivate: Bool) throws(FileSystemError) {
    try pass(.createFolder, path) { () throws(FileSystemError) in
      try base.createFolder(path, isPrivate: isPrivate)
    }
  }

  public func createLink(_ path: String, to existing: String) throws(FileSystemError) {
    try pass(.createLink, path) { () throws(FileSystemError) in
      try base.createLink(path, to: existing)
    }
  }

  public func createSymbolicLink(_ path: String, to target: String) throws(FileSystemError) {
    try pass(.createSymbolicLink, path) { () throws(FileSystemError) in
      try base.createSymbolicLink(path, to: target)
    }
  }

  public func readSymbolicLink(_ path: String) throws(FileSystemError) -> String {
    try pass(.readSymbolicLink, path) { () throws(FileSystemError) in
      try base.readSymbolicLink(path)
    }
  }

  public func rename(_ source: String, to destination: String) throws(FileSystemError) {
    try pass(.rename, source) { () throws(FileSystemError) in
      try base.rename(source, to: destination)
    }
  }

  public func removeFile(_ path: String) throws(FileSystemError) {
    try pass(.remove, path) { () throws(FileSystemError) in try base.removeFile(path) }
  }

  public func removeFolder(_ path: String) throws(FileSystemError) {
    try pass(.remove, path) { () throws(FileSystemError) in try base.removeFolder(path) }
  }

  public func synchronizeFolder(_ path: String) throws(FileSystemError) {
    try pass(.synchronizeFolder, path) { () throws(FileSystemError) in
      try base.synchronizeFolder(path)
    }
  }

  public func touch(_ path: String) throws(FileSystemError) {
    try pass(.touch, path) { () throws(FileSystemError) in try base.touch(path) }
  }

  public func freeSpace(at path: String) throws(FileSystemError) -> FreeSpace {
    try pass(.freeSpace, path) { () throws(FileSystemError) in try base.freeSpace(at: path) }
  }

  public func kind(at path: String) throws(FileSystemError) -> FileSystemKind {
    try pass(.fileSystemKind, path) { () throws(FileSystemError) in try base.kind(at: path) }
  }
}

private final class FaultyFile: OpenFile {
  private let owner: FaultyFileSystem
  private let base: any OpenFile
  private let path: String

  init(_ owner: FaultyFileSystem, _ base: any OpenFile, _ path: String) {
    self.owner = owner
    self.base = base
    self.path = path
  }

  func status() throws(FileSystemError) -> FileStatus {
    if let error = owner.fault(.status, path) { throw error }
    return try base.status()
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if let error = owner.fault(.read, path) { throw error }
    return try base.read(into: buffer)
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(FileSystemError) {
    if let error = owner.fault(.write, path) {
      if owner.isAtFault {
        try base.write(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]))
      }
      throw error
    }
    try base.write(bytes)
  }

  func truncate(to size: Int) throws(FileSystemError) {
    if let error = owner.fault(.truncate, path) { throw error }
    try base.truncate(to: size)
  }

  func synchronize() throws(FileSystemError) {
    if let error = owner.fault(.synchronize, path) { throw error }
    try base.synchronize()
  }

  func tryLock() throws(FileSystemError) -> Bool {
    if let error = owner.fault(.lock, path) { throw error }
    return try base.tryLock()
  }
}
