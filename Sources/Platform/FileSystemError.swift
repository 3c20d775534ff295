import CLinux

/// A file operation that failed: what was attempted, where, why, and what to do about it.
public struct FileSystemError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of trouble it is; decides whether to go on without this file, to stop, or to wait.
  public enum Code: String, Sendable, Equatable, CaseIterable {
    case notFound = "not-found"
    case alreadyExists = "already-exists"
    case permissionDenied = "permission-denied"
    case diskFull = "disk-full"
    case quotaExceeded = "quota-exceeded"
    case inputOutput = "input-output"
    case readOnly = "read-only"
    case tooManyOpenFiles = "too-many-open-files"
    case staleHandle = "stale-handle"
    case notAFolder = "not-a-folder"
    case isAFolder = "is-a-folder"
    case notEmpty = "not-empty"
    case symbolicLink = "symbolic-link"
    case leavesRoot = "leaves-root"
    case notRegularFile = "not-a-regular-file"
    case nameTooLong = "name-too-long"
    case notSupported = "not-supported"
    case wouldBlock = "would-block"
    case foreignOwner = "foreign-owner"
    /// A simulated power cut or kill; only `FaultyFileSystem` reports it.
    case crashed
    case other
  }

  /// What was attempted.
  public enum Operation: String, Sendable, Equatable, CaseIterable {
    case status = "look at"
    case list = "list"
    case open = "open"
    case read = "read"
    case create = "create"
    case write = "write"
    case truncate = "shorten"
    case synchronize = "synchronize"
    case lock = "lock"
    case createFolder = "create folder"
    case createLink = "link"
    case createSymbolicLink = "create symbolic link"
    case readSymbolicLink = "read symbolic link"
    case rename = "rename"
    case remove = "remove"
    case synchronizeFolder = "synchronize folder"
    case touch = "touch"
    case freeSpace = "ask for the free space of"
    case fileSystemKind = "ask for the file system of"
    case watch = "watch"
  }

  public var code: Code
  /// The system's error number; 0 where no system call was involved.
  public var errorNumber: Int32
  public var operation: Operation
  public var path: String

  public init(_ operation: Operation, _ path: String, errorNumber: Int32) {
    self.code = Code(errorNumber: errorNumber)
    self.errorNumber = errorNumber
    self.operation = operation
    self.path = path
  }

  public init(_ operation: Operation, _ path: String, _ code: Code) {
    self.code = code
    self.errorNumber = 0
    self.operation = operation
    self.path = path
  }

  /// What happened, in a few words.
  public var cause: String {
    switch code {
    case .notFound: "it does not exist"
    case .alreadyExists: "it exists already"
    case .permissionDenied: "permission denied (EACCES)"
    case .diskFull where operation == .watch: "the limit of watched folders is reached (ENOSPC)"
    case .diskFull: "the disk is full (ENOSPC)"
    case .quotaExceeded: "your disk quota is used up (EDQUOT)"
    case .inputOutput: "the device reported an input/output error (EIO)"
    case .readOnly: "the file system is mounted read-only (EROFS)"
    case .tooManyOpenFiles where operation == .watch:
      "the limit of inotify instances or open files is reached (EMFILE)"
    case .tooManyOpenFiles: "too many files are open (EMFILE)"
    case .staleHandle: "the network file system lost the file (ESTALE)"
    case .notAFolder: "a part of the path is not a folder"
    case .isAFolder: "it is a folder"
    case .notEmpty: "the folder is not empty"
    case .symbolicLink: "a part of the path is a symbolic link"
    case .leavesRoot: "the path leads out of its folder"
    case .notRegularFile: "it is not a regular file (a pipe, socket or device)"
    case .nameTooLong: "the name is too long"
    case .notSupported: "the file system does not support this"
    case .wouldBlock: "it is in use elsewhere"
    case .foreignOwner: "it belongs to another user"
    case .crashed: "the run was cut off here"
    case .other: "error \(errorNumber)"
    }
  }

  /// What the user can do; empty where the caller knows better.
  public var remedy: String {
    switch code {
    case .notFound, .alreadyExists, .notAFolder, .isAFolder, .notEmpty, .other, .crashed: ""
    case .permissionDenied: "Check the owner and mode of the path and of the folders above it."
    case .diskFull where operation == .watch:
      "Raise fs.inotify.max_user_watches with sysctl; until then the folder is polled."
    case .diskFull: "Free space on that disk and run again; nothing half-written was published."
    case .quotaExceeded: "Remove files or ask for more quota, then run again."
    case .inputOutput: "Look into the system log for the device, then run `sluice verify`."
    case .readOnly: "Remount it writable, or choose another folder in the pipeline file."
    case .tooManyOpenFiles where operation == .watch:
      "Raise fs.inotify.max_user_instances with sysctl; until then the folder is polled."
    case .tooManyOpenFiles: "Raise the limit with `ulimit -n` and run again."
    case .staleHandle: "Check that the network mount is alive, then run again."
    case .symbolicLink: "Copy the file itself instead of linking to it."
    case .leavesRoot: "Use a path below the folder."
    case .notRegularFile: "Only regular files are read."
    case .nameTooLong: "Shorten the name."
    case .notSupported: "Use another file system for this folder."
    case .wouldBlock: "Wait for the other process to end."
    case .foreignOwner: "Use a folder of your own, or run as its owner."
    }
  }

  /// "cannot write outbox/x: the disk is full (ENOSPC). Free space on that disk and run again; ..."
  public var description: String {
    let text = "cannot \(operation.rawValue) \(printable(path)): \(cause)."
    return remedy.isEmpty ? text : text + " " + remedy
  }

  /// True when the machine, not an input, is at fault: the run stops and can be resumed.
  public var isEnvironmental: Bool {
    switch code {
    case .diskFull, .quotaExceeded, .inputOutput, .readOnly, .tooManyOpenFiles, .staleHandle,
      .crashed, .other:
      true
    default: false
    }
  }
}

extension FileSystemError.Code {
  init(errorNumber: Int32) {
    switch errorNumber {
    case ENOENT: self = .notFound
    case EEXIST: self = .alreadyExists
    case EACCES, EPERM: self = .permissionDenied
    case ENOSPC: self = .diskFull
    case EDQUOT: self = .quotaExceeded
    case EIO: self = .inputOutput
    case EROFS: self = .readOnly
    case EMFILE, ENFILE: self = .tooManyOpenFiles
    case ESTALE: self = .staleHandle
    case ENOTDIR: self = .notAFolder
    case EISDIR: self = .isAFolder
    case ENOTEMPTY: self = .notEmpty
    case ELOOP: self = .symbolicLink
    case EXDEV: self = .leavesRoot
    case ENAMETOOLONG: self = .nameTooLong
    case ENOTSUP, ENOSYS, ENOLCK: self = .notSupported
    case EWOULDBLOCK: self = .wouldBlock
    default: self = .other
    }
  }
}

/// `text` with control characters escaped, so that a hostile file name cannot steer a terminal.
public func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    let value = scalar.value
    // C0, DEL, C1, and the marks that turn the direction of writing around.
    let hidden =
      value < 32 || (127..<160).contains(value) || (0x202A...0x202E).contains(value)
      || (0x2066...0x2069).contains(value) || value == 0x200E || value == 0x200F
    if hidden {
      result += "\\u{" + String(value, radix: 16) + "}"
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}
