// The kernel as the rest of the program sees it: a small protocol with a real, an in-memory and a
// failing implementation. Paths are absolute or relative to the working folder, separated by "/".

/// What an entry of a folder is.
public enum FileKind: String, Sendable, Equatable, Codable {
  case file
  case folder
  case symbolicLink
  /// A pipe, socket or device; never opened.
  case special
}

/// What the file system says about one entry, without following a link.
public struct FileStatus: Sendable, Equatable {
  public var kind: FileKind
  /// Bytes.
  public var size: Int
  public var inode: UInt64
  public var device: UInt64
  /// Time of the last change of the content; a program can set it to anything.
  public var modified: Timestamp
  /// Time of the last change of content or attributes; only the file system sets it.
  public var changed: Timestamp
  /// Number of the user that owns it.
  public var owner: UInt32
  /// The permission bits (0o777 and the three above).
  public var permissions: UInt16

  public init(
    kind: FileKind, size: Int, inode: UInt64, device: UInt64, modified: Timestamp,
    changed: Timestamp, owner: UInt32, permissions: UInt16
  ) {
    self.kind = kind
    self.size = size
    self.inode = inode
    self.device = device
    self.modified = modified
    self.changed = changed
    self.owner = owner
    self.permissions = permissions
  }
}

/// One name in a folder.
public struct FolderEntry: Sendable, Equatable {
  public var name: String
  public var status: FileStatus
  /// False when the name is not UTF-8: `name` is then only an approximation, for messages.
  public var isNameValid: Bool

  public init(name: String, status: FileStatus, isNameValid: Bool = true) {
    self.name = name
    self.status = status
    self.isNameValid = isNameValid
  }
}

/// How much room a file system has left for this user.
public struct FreeSpace: Sendable, Equatable {
  public var bytes: Int
  public var files: Int

  public init(bytes: Int, files: Int) {
    self.bytes = bytes
    self.files = files
  }
}

/// How a file is opened.
public enum OpenMode: Sendable, Equatable {
  /// For reading.
  case read
  /// A new file for writing; fails when the name exists (O_EXCL).
  case create
  /// For writing at the end, created when missing (O_APPEND).
  case append
}

/// An open file; closed when the last reference goes.
public protocol OpenFile: ByteSource, Sendable {
  func status() throws(FileSystemError) -> FileStatus
  /// Writes all of `bytes`. After an error an unknown part of them is in the file.
  func write(_ bytes: UnsafeRawBufferPointer) throws(FileSystemError)
  func truncate(to size: Int) throws(FileSystemError)
  /// Returns once the content is on the disk. After an error nothing is known: read it again.
  func synchronize() throws(FileSystemError)
  /// Takes this host's advisory lock on the file (flock) until the file is closed; false when
  /// another open file holds it.
  func tryLock() throws(FileSystemError) -> Bool
}

extension OpenFile {
  public func write(_ bytes: [UInt8]) throws(FileSystemError) {
    // Typed throws do not pass through withUnsafeBytes; the result is carried out by hand.
    let result = bytes.withUnsafeBytes { buffer -> Result<Void, FileSystemError> in
      do throws(FileSystemError) { return .success(try write(buffer)) } catch {
        return .failure(error)
      }
    }
    try result.get()
  }
}

/// The calls on files that this program makes. None of them waits for other programs, and none but
/// the opening of a root follows a symbolic link in the last component.
public protocol FileSystem: Sendable {
  func status(of path: String) throws(FileSystemError) -> FileStatus
  /// The entries of the folder `relative` below `root` ("" is `root` itself) with their status,
  /// sorted by the bytes of the names. Entries that vanish meanwhile are left out.
  func entries(of relative: String, beneath root: String) throws(FileSystemError) -> [FolderEntry]
  /// Opens a regular file. No component of `relative` may be a link or lead out of `root`.
  func open(_ relative: String, beneath root: String, _ mode: OpenMode) throws(FileSystemError)
    -> any OpenFile
  /// `isPrivate` keeps everyone else out (0700); otherwise the umask decides.
  func createFolder(_ path: String, isPrivate: Bool) throws(FileSystemError)
  /// A second name for a file; fails with `alreadyExists`.
  func createLink(_ path: String, to existing: String) throws(FileSystemError)
  func createSymbolicLink(_ path: String, to target: String) throws(FileSystemError)
  func readSymbolicLink(_ path: String) throws(FileSystemError) -> String
  /// Moves `source` to `destination`, atomically, replacing a file there.
  func rename(_ source: String, to destination: String) throws(FileSystemError)
  func removeFile(_ path: String) throws(FileSystemError)
  func removeFolder(_ path: String) throws(FileSystemError)
  /// Returns once the names in the folder are on the disk.
  func synchronizeFolder(_ path: String) throws(FileSystemError)
  /// Sets a file's modification time to the file system's own present time.
  func touch(_ path: String) throws(FileSystemError)
  func freeSpace(at path: String) throws(FileSystemError) -> FreeSpace
  func kind(at path: String) throws(FileSystemError) -> FileSystemKind
}

/// Which file system holds a path, by its magic number.
public struct FileSystemKind: Sendable, Equatable {
  public var magic: UInt32

  public init(magic: UInt32) { self.magic = magic }

  public static let ext4 = FileSystemKind(magic: 0xEF53)
  public static let nfs = FileSystemKind(magic: 0x6969)

  /// (magic, name, whether changes made elsewhere always raise an inotify event here).
  private static let known: [(UInt32, String, Bool)] = [
    (0xEF53, "ext4", true), (0x5846_5342, "xfs", true), (0x9123_683E, "btrfs", true),
    (0x0102_1994, "tmpfs", true), (0x2FC1_2FC1, "zfs", true),
    (0x6969, "NFS", false), (0x00C3_6400, "CephFS", false), (0x6573_5546, "FUSE", false),
    (0xFE53_4D42, "SMB", false), (0xFF53_4D42, "CIFS", false), (0x794C_7630, "overlay", false),
    (0x0BD0_0BD0, "Lustre", false), (0x4750_4653, "GPFS", false), (0x1983_0326, "BeeGFS", false),
    (0x0102_1997, "9p", false),
  ]

  public var name: String {
    Self.known.first { $0.0 == magic }?.1 ?? "type 0x" + String(magic, radix: 16)
  }

  /// True where inotify sees every change: local disks that no other machine writes to.
  public var reportsEveryChange: Bool { Self.known.first { $0.0 == magic }?.2 ?? false }
}
