import CLinux

/// The state behind `MemoryFileSystem`: numbered nodes as on a real disk, each with what programs
/// see now and what is safely on the platter.
struct MemoryDisk: Sendable {
  struct Node: Sendable {
    var kind: FileKind
    var content: [UInt8] = []
    var entries: [String: UInt64] = [:]
    var target = ""
    var modified: Timestamp
    var changed: Timestamp
    var owner: UInt32 = 1000
    var permissions: UInt16 = 0o644
    var isLocked = false
    /// What a power cut leaves.
    var durableContent: [UInt8] = []
    var durableEntries: [String: UInt64] = [:]
  }

  /// A change of names that is not on the disk yet; `node` nil removes. A rename is one change.
  struct PendingChange: Sendable {
    var edits: [(folder: UInt64, name: String, node: UInt64?)]
  }

  static let root: UInt64 = 2

  var nodes: [UInt64: Node] = [:]
  var pending: [PendingChange] = []
  var touches: [MemoryFileSystem.Touch] = []
  var skew: Duration = .zero
  let kind: FileSystemKind
  let room: Int
  private(set) var used = 0
  private var nextNode: UInt64 = 100
  private var ticks: Int64 = 0

  init(kind: FileSystemKind, room: Int) {
    self.kind = kind
    self.room = room
    let start = Timestamp(nanoseconds: 0)
    nodes[Self.root] = Node(kind: .folder, modified: start, changed: start)
  }

  mutating func tick(_ wall: Timestamp) -> Timestamp {
    ticks += 1
    return wall + skew + .nanoseconds(ticks)
  }

  // MARK: Looking up

  /// The node of `path`; links are followed except in the last component.
  func find(_ path: String, _ operation: FileSystemError.Operation) throws(FileSystemError)
    -> UInt64
  {
    try walk(
      from: Self.root, Self.components(path), operation, path, followsLast: false, allowsLinks: true
    )
  }

  /// The node of `relative` below `root`, where only `root` may contain links.
  func find(_ relative: String, beneath root: String, _ operation: FileSystemError.Operation)
    throws(FileSystemError) -> UInt64
  {
    let path = Path.join(root, relative)
    let top = try walk(
      from: Self.root, Self.components(root), operation, path, followsLast: true, allowsLinks: true)
    let names = relative.split(separator: "/").map(String.init)
    if names.contains("..") { throw FileSystemError(operation, path, errorNumber: EXDEV) }
    let node = try walk(
      from: top, names, operation, path, followsLast: false, allowsLinks: false)
    if nodes[node]!.kind == .symbolicLink {
      throw FileSystemError(operation, path, errorNumber: ELOOP)
    }
    return node
  }

  private static func components(_ path: String) -> [String] {
    path.split(separator: "/").map(String.init).filter { $0 != "." }
  }

  private func walk(
    from start: UInt64, _ names: [String], _ operation: FileSystemError.Operation, _ path: String,
    followsLast: Bool, allowsLinks: Bool
  ) throws(FileSystemError) -> UInt64 {
    var rest = names[...]
    var trail = [start]
    var budget = 40
    while let name = rest.popFirst() {
      if name == ".." {
        if trail.count > 1 { trail.removeLast() }
        continue
      }
      let folder = nodes[trail.last!]!
      guard folder.kind == .folder else {
        throw FileSystemError(operation, path, errorNumber: ENOTDIR)
      }
      guard let next = folder.entries[name] else {
        throw FileSystemError(operation, path, errorNumber: ENOENT)
      }
      let node = nodes[next]!
      if node.kind == .symbolicLink && (!rest.isEmpty || followsLast) {
        budget -= 1
        if !allowsLinks || budget < 0 { throw FileSystemError(operation, path, errorNumber: ELOOP) }
        if node.target.hasPrefix("/") { trail = [Self.root] }
        rest = (Self.components(node.target) + Array(rest))[...]
        continue
      }
      trail.append(next)
    }
    return trail.last!
  }

  func status(_ number: UInt64) -> FileStatus {
    let node = nodes[number]!
    return FileStatus(
      kind: node.kind, size: node.kind == .file ? node.content.count : 0, inode: number, device: 1,
      modified: node.modified, changed: node.changed, owner: node.owner,
      permissions: node.permissions)
  }

  // MARK: Changing names

  private func locate(_ path: String, _ operation: FileSystemError.Operation)
    throws(FileSystemError) -> (folder: UInt64, name: String)
  {
    var names = Self.components(path)
    guard let name = names.popLast() else {
      throw FileSystemError(operation, path, errorNumber: EEXIST)
    }
    let folder = try walk(
      from: Self.root, names, operation, path, followsLast: true, allowsLinks: true)
    guard nodes[folder]!.kind == .folder else {
      throw FileSystemError(operation, path, errorNumber: ENOTDIR)
    }
    return (folder, name)
  }

  private mutating func apply(
    _ edits: [(folder: UInt64, name: String, node: UInt64?)], _ now: Timestamp
  ) {
    for edit in edits {
      nodes[edit.folder]!.entries[edit.name] = edit.node
      nodes[edit.folder]!.modified = now
      nodes[edit.folder]!.changed = now
      if let node = edit.node { nodes[node]!.changed = now }
    }
    pending.append(PendingChange(edits: edits))
  }

  mutating func enter(
    _ node: UInt64, _ path: String, _ operation: FileSystemError.Operation, _ now: Timestamp
  ) throws(FileSystemError) {
    let (folder, name) = try locate(path, operation)
    if nodes[folder]!.entries[name] != nil {
      throw FileSystemError(operation, path, errorNumber: EEXIST)
    }
    apply([(folder, name, node)], now)
  }

  mutating func insert(
    _ path: String, _ kind: FileKind, _ operation: FileSystemError.Operation, _ now: Timestamp
  ) throws(FileSystemError) -> UInt64 {
    nextNode += 1
    nodes[nextNode] = Node(kind: kind, modified: now, changed: now)
    try enter(nextNode, path, operation, now)
    return nextNode
  }

  mutating func open(
    _ relative: String, beneath root: String, _ mode: OpenMode, _ now: Timestamp
  ) throws(FileSystemError) -> UInt64 {
    let path = Path.join(root, relative)
    if mode == .create { return try insert(path, .file, .create, now) }
    do throws(FileSystemError) {
      let node = try find(relative, beneath: root, .open)
      switch nodes[node]!.kind {
      case .file: return node
      case .folder: throw FileSystemError(.open, path, errorNumber: EISDIR)
      case .symbolicLink, .special: throw FileSystemError(.open, path, .notRegularFile)
      }
    } catch {
      guard mode == .append, error.code == .notFound else { throw error }
      return try insert(path, .file, .open, now)
    }
  }

  mutating func rename(_ source: String, _ destination: String, _ now: Timestamp)
    throws(FileSystemError)
  {
    let from = try locate(source, .rename)
    guard let node = nodes[from.folder]!.entries[from.name] else {
      throw FileSystemError(.rename, source, errorNumber: ENOENT)
    }
    let to = try locate(destination, .rename)
    if let replaced = nodes[to.folder]!.entries[to.name] {
      if replaced == node { return }
      let isFolder = nodes[node]!.kind == .folder
      if nodes[replaced]!.kind == .folder {
        guard isFolder else { throw FileSystemError(.rename, source, errorNumber: EISDIR) }
        guard nodes[replaced]!.entries.isEmpty else {
          throw FileSystemError(.rename, source, errorNumber: ENOTEMPTY)
        }
      } else if isFolder {
        throw FileSystemError(.rename, source, errorNumber: ENOTDIR)
      }
    }
    apply([(from.folder, from.name, nil), (to.folder, to.name, node)], now)
  }

  mutating func remove(_ path: String, isFolder: Bool, _ now: Timestamp) throws(FileSystemError) {
    let (folder, name) = try locate(path, .remove)
    guard let node = nodes[folder]!.entries[name] else {
      throw FileSystemError(.remove, path, errorNumber: ENOENT)
    }
    if isFolder {
      guard nodes[node]!.kind == .folder else {
        throw FileSystemError(.remove, path, errorNumber: ENOTDIR)
      }
      guard nodes[node]!.entries.isEmpty else {
        throw FileSystemError(.remove, path, errorNumber: ENOTEMPTY)
      }
    } else if nodes[node]!.kind == .folder {
      throw FileSystemError(.remove, path, errorNumber: EISDIR)
    }
    apply([(folder, name, nil)], now)
  }

  // MARK: Changing contents

  mutating func write(
    _ number: UInt64, at offset: Int, _ bytes: [UInt8], _ path: String, _ now: Timestamp
  )
    throws(FileSystemError)
  {
    // Like a real disk, a full one takes what still fits.
    let taken = bytes.prefix(max(0, room - used))
    let end = offset + taken.count
    let old = nodes[number]!.content.count
    if offset == old {
      nodes[number]!.content.append(contentsOf: taken)
    } else {
      if end > old {
        nodes[number]!.content.append(contentsOf: repeatElement(0, count: end - old))
      }
      nodes[number]!.content.replaceSubrange(offset..<end, with: taken)
    }
    used += max(0, end - old)
    nodes[number]!.modified = now
    nodes[number]!.changed = now
    if taken.count < bytes.count { throw FileSystemError(.write, path, errorNumber: ENOSPC) }
  }

  mutating func truncate(_ number: UInt64, to size: Int, _ now: Timestamp) {
    let old = nodes[number]!.content.count
    if size < old {
      nodes[number]!.content.removeLast(old - size)
    } else {
      nodes[number]!.content.append(contentsOf: repeatElement(0, count: size - old))
    }
    used += size - old
    nodes[number]!.modified = now
    nodes[number]!.changed = now
  }

  // MARK: What reaches the platter

  /// Brings the changes in `folder` to the platter, and with them every earlier change in a folder
  /// that those touch: a rename never survives without the creation of what it moved.
  mutating func synchronizeNames(_ folder: UInt64) {
    var folders: Set<UInt64> = [folder]
    var settled: [PendingChange] = []
    var rest: [PendingChange] = []
    for change in pending.reversed() {
      if change.edits.contains(where: { folders.contains($0.folder) }) {
        folders.formUnion(change.edits.map(\.folder))
        settled.append(change)
      } else {
        rest.append(change)
      }
    }
    for change in settled.reversed() { settle(change) }
    pending = rest.reversed()
  }

  mutating func settle(_ change: PendingChange) {
    for edit in change.edits { nodes[edit.folder]!.durableEntries[edit.name] = edit.node }
  }

  mutating func synchronizeContent(_ number: UInt64) {
    nodes[number]!.durableContent = nodes[number]!.content
  }
}
