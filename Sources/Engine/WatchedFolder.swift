import Configurations
import Platform

/// A folder that stages read, or a single file, which is then the only unit of its folder.
public struct WatchedFolder: Sendable, Hashable {
  /// As the plan names it.
  public let path: String
  /// Paths relative to it that are watched folders themselves: what lies there is not its own.
  public let hidden: [String]

  public init(_ path: String, hidden: [String] = []) {
    self.path = path
    self.hidden = hidden
  }

  /// Every folder that the stages of a plan read, once. The inbox is never hidden from a pool around it.
  static func all(of plan: Plan, inbox: String) -> [WatchedFolder] {
    var paths: [String] = []
    for path in plan.stages.flatMap(\.folders) where !paths.contains(path) { paths.append(path) }
    return paths.map { path in
      WatchedFolder(
        path,
        hidden: paths.filter { $0 != inbox && $0.hasPrefix(path + "/") }.map { String($0.dropFirst(path.count + 1)) })
    }
  }

  /// What one look shows.
  struct Look {
    var inbox: Inbox
    /// Without what is not the watched folder's own.
    var scan: InboxScan
    fileprivate var isOwn: (String) -> Bool

    /// How the folder's own units differ from what is known.
    func difference(_ registry: UnitRegistry, acceptsNewFolder: Bool = false) throws(InboxError)
      -> UnitRegistry.Difference
    {
      var difference = try registry.difference(
        scan, inbox: inbox.folder, acceptsNewFolder: acceptsNewFolder)
      difference.removed.removeAll { !isOwn($0.path) }
      return difference
    }
  }

  /// Looks without opening a file. Which of folder and file the path is may change with time.
  func look(_ fileSystem: any FileSystem) throws(InboxError) -> Look {
    if let look = try lookAtFile(fileSystem) { return look }
    let inbox = Inbox(fileSystem, folder: path)
    var scan = try inbox.scan()
    guard !hidden.isEmpty else { return Look(inbox: inbox, scan: scan) { _ in true } }
    let isOwn = { [hidden] (unit: String) in !hidden.contains { unit == $0 || unit.hasPrefix($0 + "/") } }
    scan.units.removeAll { !isOwn($0.path) }
    scan.notes.removeAll { !isOwn($0.place.file) }
    return Look(inbox: inbox, scan: scan, isOwn: isOwn)
  }

  /// Of a file's folder nothing else is looked at: it may be anyone's home.
  private func lookAtFile(_ fileSystem: any FileSystem) throws(InboxError) -> Look? {
    do throws(FileSystemError) {
      guard let status = try fileSystem.statusIfPresent(of: path), status.kind == .file else { return nil }
      let parent = Path.parent(path)
      let inbox = Inbox(fileSystem, folder: parent.isEmpty ? "." : parent)
      let name = Path.name(path)
      var scan = InboxScan()
      scan.units = [
        InboxUnit(path: name, kind: .file, files: [.init(path: name, signature: FileSignature(status))])
      ]
      scan.folders = [inbox.folder]
      scan.rootInode = try fileSystem.status(of: Path.join(inbox.folder, ".")).inode
      return Look(inbox: inbox, scan: scan) { $0 == name }
    } catch { throw .fileSystem(error) }
  }
}
