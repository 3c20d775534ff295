import Foundation
import Platform

/// A lock file as it was found.
struct LockFile {
  var path: String
  /// Nil when the content is unreadable; it then counts as dead by age alone.
  var holder: LockHolder?
  /// A process of this host has the flock: its owner lives, though it may be stopped.
  var isHeldHere: Bool
  /// Keeps the flock, where it could be taken, until the decision is made.
  var file: (any OpenFile)?

  /// Creates the lock file; nil when there is one already.
  static func create(_ fileSystem: any FileSystem, _ path: String, _ holder: LockHolder)
    throws(FileSystemError) -> (any OpenFile)?
  {
    let temporary = fileSystem.temporaryName(beside: path)
    let file = try fileSystem.open(temporary, .create)
    var isLinked = false
    do throws(FileSystemError) {
      _ = try lock(file)
      try file.write(encode(holder))
      try file.synchronize()
      try fileSystem.createLink(path, to: temporary)
      isLinked = true
      try fileSystem.removeFile(temporary)
      try fileSystem.synchronizeFolder(Path.parent(path))
      return file
    } catch {
      for leftover in isLinked ? [temporary, path] : [temporary] {
        fileSystem.removeFileIfPossible(leftover)
      }
      switch error.code {
      case .alreadyExists: return nil
      case .notSupported where error.operation == .createLink,
        .permissionDenied where error.operation == .createLink:
        return try createInPlace(fileSystem, path, holder)
      default: throw error
      }
    }
  }

  /// Without hard links: O_EXCL under the final name. Others may see it half-written, and then
  /// judge it by its age.
  private static func createInPlace(
    _ fileSystem: any FileSystem, _ path: String, _ holder: LockHolder
  ) throws(FileSystemError) -> (any OpenFile)? {
    let file: any OpenFile
    do throws(FileSystemError) { file = try fileSystem.open(path, .create) } catch {
      if error.code == .alreadyExists { return nil }
      throw error
    }
    do throws(FileSystemError) {
      _ = try lock(file)
      try file.write(encode(holder))
      try file.synchronize()
      try fileSystem.synchronizeFolder(Path.parent(path))
      return file
    } catch {
      fileSystem.removeFileIfPossible(path)
      throw error
    }
  }

  /// The lock file as it is now, or nil when it has just gone.
  static func look(_ fileSystem: any FileSystem, _ path: String) throws(FileSystemError)
    -> LockFile?
  {
    let file: any OpenFile
    do throws(FileSystemError) { file = try fileSystem.open(path, .read) } catch {
      if error.code == .notFound { return nil }
      throw error
    }
    let isMine = try lock(file)
    let bytes: [UInt8]
    do { bytes = try file.readAll(limit: 1 << 16) } catch {
      throw error as? FileSystemError ?? FileSystemError(.read, path, .other)
    }
    return LockFile(path: path, holder: decode(bytes), isHeldHere: isMine == false, file: file)
  }

  /// True: locked now. False: another open file of this host has it. Nil: flock does not work here.
  private static func lock(_ file: any OpenFile) throws(FileSystemError) -> Bool? {
    do throws(FileSystemError) { return try file.tryLock() } catch {
      if error.code == .notSupported { return nil }
      throw error
    }
  }

  /// Dead at once when its process certainly ended; else when it has not beaten for `limit` by the
  /// clock of the file system, whose times alone are comparable between machines.
  func isStale(
    _ fileSystem: any FileSystem, _ state: String, after limit: Duration,
    _ mayLive: (ProcessIdentity) -> Bool
  ) throws(FileSystemError) -> Bool {
    if !isHeldHere, let holder, !mayLive(holder.process) { return true }
    let now = try fileSystem.currentTime(in: state)
    guard let status = try fileSystem.statusIfPresent(of: path) else { return false }
    let age = now - status.modified
    // A beat from the far future: the clock was set back, and nobody has beaten since.
    return age > limit || age < .zero - limit
  }

  /// Moves the lock file away under a name of our own; false when it was not (or no longer) the one
  /// that was looked at. Only one of several takers can rename it.
  func takeAway(_ fileSystem: any FileSystem, token: String) throws(FileSystemError) -> Bool {
    let away = path + ".stale-" + token
    do throws(FileSystemError) { try fileSystem.rename(path, to: away) } catch {
      if error.code == .notFound { return false }
      throw error
    }
    let moved = try fileSystem.readFileIfPresent(away).flatMap(Self.decode)
    let isRight = moved?.token == holder?.token
    if !isRight {
      // A new holder was faster: give its lock back, unless a third one has it by now. Either way
      // the check before each publication keeps two from publishing.
      do throws(FileSystemError) { try fileSystem.createLink(path, to: away) } catch {
        if error.code != .alreadyExists { throw error }
      }
    }
    try fileSystem.removeFile(away)
    try fileSystem.synchronizeFolder(Path.parent(path))
    return isRight
  }

  static func encode(_ holder: LockHolder) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    // Strings and whole numbers only: this cannot fail.
    return try! [UInt8](encoder.encode(holder)) + [UInt8(ascii: "\n")]
  }

  static func decode(_ bytes: [UInt8]) -> LockHolder? {
    try? JSONDecoder().decode(LockHolder.self, from: Data(bytes))
  }
}
