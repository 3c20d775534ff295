import CLinux
import Synchronization

/// An open file of a `MemoryFileSystem`.
final class MemoryFile: OpenFile {
  private let fileSystem: MemoryFileSystem
  private let node: UInt64
  private let path: String
  private let isAppended: Bool
  private let position = Mutex(0)
  private let holdsLock = Mutex(false)

  init(_ fileSystem: MemoryFileSystem, _ node: UInt64, _ path: String, isAppended: Bool) {
    self.fileSystem = fileSystem
    self.node = node
    self.path = path
    self.isAppended = isAppended
  }

  deinit {
    if holdsLock.withLock({ $0 }) {
      fileSystem.state.withLock { $0.nodes[node]?.isLocked = false }
    }
  }

  func status() throws(FileSystemError) -> FileStatus {
    try fileSystem.change(.status, path) { disk, _ throws(FileSystemError) in disk.status(node) }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let offset = position.withLock { $0 }
    let wanted = buffer.count
    let bytes = try fileSystem.change(.read, path) { disk, _ throws(FileSystemError) in
      let content = disk.nodes[node]!.content
      return offset < content.count
        ? Array(content[offset..<min(content.count, offset + wanted)]) : []
    }
    buffer.copyBytes(from: bytes)
    position.withLock { $0 = offset + bytes.count }
    return bytes.count
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(FileSystemError) {
    let copy = Array(bytes)
    let offset = position.withLock { $0 }
    try fileSystem.change(.write, path) { disk, now throws(FileSystemError) in
      let start = isAppended ? disk.nodes[node]!.content.count : offset
      try disk.write(node, at: start, copy, path, now)
    }
    position.withLock { $0 = offset + copy.count }
  }

  func truncate(to size: Int) throws(FileSystemError) {
    try fileSystem.change(.truncate, path) { disk, now throws(FileSystemError) in
      disk.truncate(node, to: size, now)
    }
  }

  func synchronize() throws(FileSystemError) {
    try fileSystem.change(.synchronize, path) { disk, _ throws(FileSystemError) in
      disk.synchronizeContent(node)
    }
  }

  func tryLock() throws(FileSystemError) -> Bool {
    if holdsLock.withLock({ $0 }) { return true }
    let taken = try fileSystem.change(.lock, path) { disk, _ throws(FileSystemError) in
      if disk.nodes[node]!.isLocked { return false }
      disk.nodes[node]!.isLocked = true
      return true
    }
    if taken { holdsLock.withLock { $0 = true } }
    return taken
  }
}
